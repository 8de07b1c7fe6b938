//! Writing objects of any kind through a `kube::Client`, as kubectl would have done it for the team whose
//! workload it is: with the annotation by which a later `kubectl apply` knows what was applied before.

use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use pulldrill_cluster::store::Key;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::LabError;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const MANAGER: &str = "kubectl-client-side-apply";

/// Kinds that live outside namespaces.
const CLUSTER_SCOPED: &[&str] =
    &["Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass"];

/// An object as a write has left it, as far as it tells later states from earlier ones.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The plural name of its resource, with the group where there is one.
    pub(crate) resource: String,
    /// Which one.
    pub(crate) key: Key,
    uid: Option<String>,
    generation: Option<i64>,
    replicas: Option<u32>,
}

impl Written {
    fn new(resource: &str, object: &DynamicObject) -> Self {
        let metadata = &object.metadata;
        Self {
            resource: resource.to_owned(),
            key: Key::new(metadata.namespace.as_deref().unwrap_or_default(), object.name_any()),
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            replicas: None,
        }
    }

    /// Whether this state of the object is the written one or a later one.
    pub(crate) fn is_in(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        self.uid.as_deref() == metadata["uid"].as_str()
            && self.generation <= metadata["generation"].as_i64()
            && self.replicas.is_none_or(|replicas| object["spec"]["replicas"] == replicas)
    }
}

/// Writes objects into one cluster.
#[derive(Clone)]
pub(crate) struct Objects {
    client: Client,
}

impl Objects {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates or updates every object of a YAML text.
    pub(crate) async fn apply(&self, namespace: &str, yaml: &str) -> Result<Vec<Written>, LabError> {
        let mut written = Vec::new();
        for object in documents(yaml)? {
            written.push(self.apply_one(namespace, object).await?);
        }
        Ok(written)
    }

    /// Creates an object just as it is; an error when there is one of its name.
    pub(crate) async fn create(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let object: DynamicObject =
            serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
        let types = object.types.clone().unwrap_or_default();
        let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &types.kind));
        let namespace = object.metadata.namespace.as_deref();
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        api.create(&PostParams::default(), &object).await
    }

    /// Creates or updates one object.
    pub(crate) async fn apply_one(&self, namespace: &str, mut object: Value) -> Result<Written, LabError> {
        remember(&mut object);
        let what = name_of(&object);
        let object: DynamicObject = serde_json::from_value(object).map_err(|error| failed(&what, error))?;
        let (resource, api) = self.api_of(namespace, &object)?;
        let create = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        match api.create(&create, &object).await {
            Ok(created) => Ok(Written::new(&resource, &created)),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let patch = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
                let updated = api.patch(&object.name_any(), &patch, &Patch::Merge(&object)).await;
                let updated = updated.map_err(|error| failed(&what, error))?;
                Ok(Written::new(&resource, &updated))
            }
            Err(error) => Err(failed(&what, error)),
        }
    }

    /// Patches an object; `resource` is its plural name, with the group where there is one.
    pub(crate) async fn patch(
        &self,
        namespace: &str,
        resource: &str,
        name: &str,
        patch: Patch<Value>,
    ) -> Result<Written, LabError> {
        let api = self.api(namespace, resource);
        let done = api.patch(name, &PatchParams::default(), &patch).await;
        let patched = done.map_err(|error| failed(&format!("{resource} {name}"), error))?;
        Ok(Written::new(resource, &patched))
    }

    /// Patches the `scale` of an object.
    pub(crate) async fn scale(
        &self,
        namespace: &str,
        resource: &str,
        name: &str,
        replicas: u32,
    ) -> Result<Written, LabError> {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let done = self.api(namespace, resource).patch_scale(name, &PatchParams::default(), &patch).await;
        let scale = done.map_err(|error| failed(&format!("{resource} {name}"), error))?;
        // A Scale has no generation.
        let (key, uid) = (Key::new(namespace, name), scale.metadata.uid);
        Ok(Written { resource: resource.to_owned(), key, uid, generation: None, replicas: Some(replicas) })
    }

    /// Starts deleting a namespace; fine when there is none.
    pub(crate) async fn delete_namespace(&self, name: &str) -> Result<(), LabError> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource_named("namespaces"));
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop).map_err(|error| failed(&format!("namespace {name}"), error)),
        }
    }

    fn api(&self, namespace: &str, resource: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource_named(resource))
    }

    /// The plural name of an object's resource, and the way to it.
    fn api_of(
        &self,
        namespace: &str,
        object: &DynamicObject,
    ) -> Result<(String, Api<DynamicObject>), LabError> {
        let types = object.types.as_ref();
        let types = types.ok_or_else(|| failed(&object.name_any(), "it has no apiVersion and kind"))?;
        let gvk = GroupVersionKind::try_from(types).map_err(|error| failed(&object.name_any(), error))?;
        let resource = ApiResource::from_gvk(&gvk);
        let name = match resource.group.as_str() {
            "" => resource.plural.clone(),
            group => format!("{}.{group}", resource.plural),
        };
        if CLUSTER_SCOPED.contains(&gvk.kind.as_str()) {
            return Ok((name, Api::all_with(self.client.clone(), &resource)));
        }
        let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
        Ok((name, Api::namespaced_with(self.client.clone(), namespace, &resource)))
    }
}

/// The resource of a plural name such as `deployments.apps`; the kind plays no part in requests.
pub(crate) fn resource_named(resource: &str) -> ApiResource {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    ApiResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        api_version,
        kind: String::new(),
        plural: plural.to_owned(),
    }
}

/// The documents of a YAML text.
pub(crate) fn documents(yaml: &str) -> Result<Vec<Value>, LabError> {
    let documents: Result<Vec<Value>, _> = serde_saphyr::from_multiple(yaml);
    let documents =
        documents.map_err(|error| LabError::Scenario(format!("a manifest is no YAML: {error}")))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Adds the annotation that `kubectl apply` writes.
fn remember(object: &mut Value) {
    if object["kind"] == "Namespace" {
        return;
    }
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    let applied = format!("{object}\n");
    object["metadata"]["annotations"][LAST_APPLIED] = applied.into();
}

fn name_of(object: &Value) -> String {
    let text = |value: &Value| String::deserialize(value).unwrap_or_default();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn failed(what: &str, error: impl std::fmt::Display) -> LabError {
    LabError::part("cluster", format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_and_remember_what_was_applied() {
        let mut all = documents("kind: A\nmetadata: {name: x}\n---\n---\nkind: B\n").unwrap();
        assert_eq!(all.len(), 2);
        remember(&mut all[0]);
        let applied = all[0]["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
        let applied: Value = serde_json::from_str(applied).unwrap();
        assert_eq!(applied, json!({"kind": "A", "metadata": {"name": "x", "annotations": {}}}));
    }

    #[test]
    fn an_older_state_or_another_object_of_the_name_is_not_what_was_written() {
        let object = |uid: &str, generation: i64, replicas: u32| {
            let metadata = json!({"name": "web", "namespace": "shop", "uid": uid, "generation": generation});
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}})
        };
        let made: DynamicObject = serde_json::from_value(object("a", 2, 1)).unwrap();
        let mut written = Written::new("deployments.apps", &made);
        assert_eq!(written.key, Key::new("shop", "web"));
        assert!(written.is_in(&object("a", 2, 1)) && written.is_in(&object("a", 3, 5)));
        assert!(!written.is_in(&object("a", 1, 1)) && !written.is_in(&object("b", 2, 1)));
        written.replicas = Some(5);
        assert!(!written.is_in(&object("a", 2, 1)) && written.is_in(&object("a", 2, 5)));
    }

    #[test]
    fn resources_are_named_as_kubectl_names_them() {
        let resource = resource_named("deployments.apps");
        assert_eq!((resource.api_version.as_str(), resource.plural.as_str()), ("apps/v1", "deployments"));
        assert_eq!(resource_named("secrets").api_version, "v1");
    }
}
