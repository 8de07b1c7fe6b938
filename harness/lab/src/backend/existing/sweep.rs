//! Removing everything that a lab has made on somebody's cluster, and nothing else.
//!
//! What was made is known by its labels. The lab's own namespace, which is made first and removed last, says of
//! which run it is: when it is another run's, nothing was made by this one.

use std::{collections::BTreeMap, time::Duration};

use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
};
use pulldrill_clock::real;

use super::{
    names::{Names, RUN, is_of},
    state::State,
};
use crate::{LabError, inject::objects::resource_named};

/// How long namespaces may take to go.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Removes what was made; what that was, in words.
pub(crate) async fn sweep(client: &Client, state: &State) -> Result<Vec<String>, LabError> {
    let names = Names::new(&state.prefix);
    let sweep = Sweep { client, names: &names };
    let own = names.own_namespace();
    if let Some(namespace) = sweep.get("namespaces", &own).await? {
        let run = namespace.annotations().get(RUN);
        if !is_of(namespace.metadata.labels.as_ref(), &names) || run != Some(&state.run) {
            tracing::info!(namespace = own, "it is another lab's; this one has made nothing");
            return Ok(Vec::new());
        }
    }
    let mut removed = Vec::new();
    for resource in
        ["clusterrolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"]
    {
        for name in sweep.labelled(resource).await? {
            sweep.delete(resource, &name).await?;
            removed.push(format!("{} {name}", resource.split('.').next().unwrap_or(resource)));
        }
    }
    let mut namespaces = sweep.labelled("namespaces").await?;
    namespaces.retain(|name| *name != own);
    for name in &namespaces {
        sweep.delete("namespaces", name).await?;
    }
    sweep.hurry(&namespaces).await;
    sweep.gone(&namespaces).await?;
    if sweep.get("namespaces", &own).await?.is_some() {
        sweep.delete("namespaces", &own).await?;
        sweep.hurry(std::slice::from_ref(&own)).await;
        sweep.gone(std::slice::from_ref(&own)).await?;
        namespaces.push(own);
    }
    removed.extend(namespaces.iter().map(|name| format!("namespace {name}")));
    Ok(removed)
}

struct Sweep<'a> {
    client: &'a Client,
    names: &'a Names,
}

impl Sweep<'_> {
    fn api(&self, resource: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource_named(resource))
    }

    async fn get(&self, resource: &str, name: &str) -> Result<Option<DynamicObject>, LabError> {
        self.api(resource).get_opt(name).await.map_err(failed(resource))
    }

    /// The names of the lab's objects of a resource.
    async fn labelled(&self, resource: &str) -> Result<Vec<String>, LabError> {
        let wanted = ListParams::default().labels(&self.names.selector());
        let list = self.api(resource).list(&wanted).await.map_err(failed(resource))?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.name).collect())
    }

    async fn delete(&self, resource: &str, name: &str) -> Result<(), LabError> {
        match self.api(resource).delete(name, &DeleteParams::default()).await {
            // Somebody else was faster, or a namespace that is on its way already.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            other => other.map(drop).map_err(failed(resource)),
        }
    }

    /// Gives the pods of namespaces that are going less time to end than they would have. It is no harm when that
    /// can't be done: then they take longer.
    async fn hurry(&self, namespaces: &[String]) {
        for namespace in namespaces {
            let pods: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), namespace, &resource_named("pods"));
            let list = pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
            for pod in list {
                let soon = DeleteParams::default().grace_period(1);
                if let Err(error) = pods.delete(&pod.name_any(), &soon).await {
                    tracing::debug!(%error, namespace, "a pod is not hurried");
                }
            }
        }
    }

    /// Waits until namespaces are gone with all that is in them.
    async fn gone(&self, namespaces: &[String]) -> Result<(), LabError> {
        let waited = real::timeout(PATIENCE, async {
            for name in namespaces {
                while self.get("namespaces", name).await?.is_some() {
                    real::sleep(LOOK).await;
                }
            }
            Ok(())
        });
        waited.await.unwrap_or_else(|| {
            let all = namespaces.join(", ");
            Err(LabError::part(
                "cluster",
                format!("not all of these namespaces have gone within {PATIENCE:?}: {all}; `kubectl describe namespace` says what holds them; run `pulldrill down` again then"),
            ))
        })
    }
}

fn failed(resource: &str) -> impl Fn(kube::Error) -> LabError + use<> {
    let resource = resource.to_owned();
    move |error| LabError::part("cluster", format!("{resource}: {error}"))
}

/// Fails when a namespace of the plan is there already: it is somebody else's.
pub(crate) async fn check_free(
    client: &Client,
    names: &Names,
    namespaces: &[String],
) -> Result<(), LabError> {
    let sweep = Sweep { client, names };
    let mut taken = BTreeMap::new();
    for name in namespaces {
        if let Some(found) = sweep.get("namespaces", name).await? {
            taken.insert(name.as_str(), is_of(found.metadata.labels.as_ref(), names));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    let all = taken.keys().copied().collect::<Vec<_>>().join(", ");
    let advice = match taken.values().all(|labelled| *labelled) {
        true => format!(
            "another lab has made them; end it with `pulldrill down` in its folder, or use another --namespace-prefix; if nobody has that folder any more: kubectl delete namespaces,clusterroles,clusterrolebindings -l {}",
            names.selector()
        ),
        false => "they are not the lab's and stay as they are; use another --namespace-prefix".to_owned(),
    };
    Err(LabError::Invalid(format!("these namespaces exist already: {all}; {advice}")))
}
