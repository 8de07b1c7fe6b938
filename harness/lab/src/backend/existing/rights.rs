//! Whether the account may do what a lab does, asked before anything is made: all that is missing is said at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

use super::{manifests, names::Names, plan::Plan};
use crate::{LabError, backend::mirror, inject::objects::resource_named};

/// How many questions are asked at a time.
const AT_A_TIME: usize = 8;

/// Something that an account may or may not do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    /// Its plural name, with the group, and the subresource after a slash.
    resource: String,
    /// In which namespace; everywhere, or outside them, without one.
    namespace: Option<String>,
    /// Of which object; of any without one.
    name: Option<String>,
    verb: &'static str,
}

/// All that a plan, and the lab that lives by it, needs.
pub(crate) fn needed(plan: &Plan, names: &Names) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let own = names.own_namespace();
    let mut add = |verbs: &[&'static str], resource: &str, namespace: Option<&str>, name: Option<&str>| {
        for verb in verbs {
            let (resource, namespace) = (resource.to_owned(), namespace.map(str::to_owned));
            rights.insert(Right { resource, namespace, name: name.map(str::to_owned), verb });
        }
    };
    for object in &plan.lasting {
        let namespace = object["metadata"]["namespace"].as_str();
        add(&["create"], &resource_of(object), namespace, None);
    }
    // What is outside namespaces is found by its label, and removed.
    add(&["get", "list", "watch", "delete"], "namespaces", None, None);
    for resource in ["clusterroles", "clusterrolebindings"] {
        add(&["list", "delete"], &format!("{resource}.rbac.authorization.k8s.io"), None, None);
    }
    // Nobody gives away what they don't have.
    add(&["bind"], "clusterroles.rbac.authorization.k8s.io", None, Some(manifests::DRILL_ROLE));
    add(&["list", "watch"], "nodes", None, None);
    add(&["create", "get", "list", "watch", "delete"], "pods", Some(&own), None);
    add(&["patch"], "services", Some(&own), None);
    // A web socket is opened by GET; newer clusters ask for both.
    add(&["create", "get"], "pods/portforward", Some(&own), None);
    if plan.has_agents() {
        add(&["create", "get"], "pods/exec", Some(&own), None);
        add(&["get", "delete"], "daemonsets.apps", Some(&own), None);
    }
    add(&["create"], "serviceaccounts/token", Some(&own), None);
    for namespace in plan.namespaces().iter().filter(|namespace| **namespace != own) {
        for resource in mirror::NAMESPACED {
            add(&["list", "watch"], resource, Some(namespace), None);
        }
        for resource in ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "services"]
        {
            add(&["create", "patch"], resource, Some(namespace), None);
        }
        add(&["delete"], "pods", Some(namespace), None);
        for resource in ["secrets", "configmaps", "serviceaccounts"] {
            add(&["create", "patch"], resource, Some(namespace), None);
        }
    }
    rights
}

/// Fails when some are missing, with all of them.
pub(crate) async fn check(client: &Client, context: &str, rights: &BTreeSet<Right>) -> Result<(), LabError> {
    let answers = stream::iter(rights)
        .map(|right| async move { allowed(client, right).await.map(|allowed| (right, allowed)) });
    let answers: Vec<(&Right, bool)> = answers.buffered(AT_A_TIME).try_collect().await?;
    let missing: Vec<&Right> =
        answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(LabError::Invalid(format!(
        "the account of the context {context:?} may not do all that a lab does; nothing was made. It lacks:\n{}\nask the cluster's owner for them, or use another context",
        told(&missing)
    )))
}

async fn allowed(client: &Client, right: &Right) -> Result<bool, LabError> {
    let failed =
        |error: &dyn std::fmt::Display| LabError::part("cluster", format!("what may be done here: {error}"));
    let (path, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let resource = resource_named(path);
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": right.verb, "group": resource.group, "resource": resource.plural,
            "subresource": subresource, "namespace": right.namespace.as_deref().unwrap_or_default(),
            "name": right.name.as_deref().unwrap_or_default(),
        }},
    });
    let review: SelfSubjectAccessReview = serde_json::from_value(review).map_err(|error| failed(&error))?;
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await.map_err(|error| failed(&error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// One line for each resource: what is lacking, and where.
fn told(missing: &[&Right]) -> String {
    let mut verbs: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for Right { resource, namespace, name, verb } in missing {
        verbs.entry((resource, name, namespace)).or_default().push(verb);
    }
    // The same verbs are lacking in all namespaces of drills.
    let mut places: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for ((resource, name, namespace), verbs) in verbs {
        places.entry((resource, name, verbs)).or_default().extend(namespace.as_deref());
    }
    let mut lines = Vec::new();
    for ((resource, name, verbs), places) in places {
        let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let places = if places.is_empty() { "the whole cluster".to_owned() } else { places.join(", ") };
        lines.push(format!("  {} {resource}{name} in {places}", verbs.join(", ")));
    }
    lines.join("\n")
}

/// The resource of an object, as [`Right`] writes it.
fn resource_of(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let plural = format!("{}s", text("kind").to_lowercase());
    match text("apiVersion").split_once('/') {
        Some((group, _)) => format!("{plural}.{group}"),
        None => plural,
    }
}
