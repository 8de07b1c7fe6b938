//! Nobody may give what they do not have: what is checked before a role or a binding is written
//! (`pkg/registry/rbac/*/policybased`).

use serde_json::Value;

use super::{
    Attributes, MASTERS,
    attributes::{quoted, quoted_list, refused},
    authorizer::{opinion, rights},
    rbac::{Rule, missing},
};
use crate::{
    api::{
        Api, Status, User,
        json::{is_nothing, text},
    },
    resources::Resource,
    store::Key,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Metadata that tells the garbage collector what to do, and says nothing of rights.
const COLLECTED: [&str; 4] = ["ownerReferences", "finalizers", "managedFields", "resourceVersion"];

/// Refuses a new role or binding, or a change of one, that would give more than its author has.
///
/// # Errors
/// 403 with the list of what is missing; 404 for a binding to a role that is not there.
pub(in crate::api) fn check(
    api: &Api,
    who: &User,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Status> {
    if resource.group != GROUP || who.is_in(MASTERS) || old.is_some_and(|old| only_collected(old, new)) {
        return Ok(());
    }
    let refuse = |why: String| refused(GROUP, &resource.plural, text(&new["metadata"]["name"]), &why);
    let namespace = text(&new["metadata"]["namespace"]);
    let covers = |wanted: &[Rule]| {
        let missing = missing(&rights(api, who, namespace).rules, wanted);
        if missing.is_empty() { Ok(()) } else { Err(not_held(who, missing)) }
    };
    match resource.plural.as_str() {
        "roles" | "clusterroles" => {
            let name = if old.is_some() { text(&new["metadata"]["name"]) } else { "" };
            let wanted = Attributes {
                verb: "escalate",
                group: GROUP,
                resource: &resource.plural,
                namespace,
                name,
                ..Attributes::default()
            };
            if opinion(api, who, &wanted).allowed {
                return Ok(());
            }
            covers(&Rule::read_all(new)).map_err(refuse)?;
            let aggregates = |role: &Value| !is_nothing(&role["aggregationRule"]);
            if aggregates(new) || old.is_some_and(aggregates) {
                let why = "must have cluster-admin privileges to use the aggregationRule";
                covers(&everything()).map_err(|_| refuse(why.to_owned()))?;
            }
            Ok(())
        }
        _ => {
            let role = &new["roleRef"];
            let (name, of_cluster) = (text(&role["name"]), role["kind"] == "ClusterRole");
            let bind = Attributes {
                verb: "bind",
                group: text(&role["apiGroup"]),
                resource: if of_cluster { "clusterroles" } else { "roles" },
                namespace,
                name,
                ..Attributes::default()
            };
            if opinion(api, who, &bind).allowed {
                return Ok(());
            }
            let key = Key::new(if of_cluster { "" } else { namespace }, name);
            let rules = api.policy().role(api.store(), &key);
            covers(&rules.ok_or_else(|| no_role(of_cluster, name))?).map_err(refuse)
        }
    }
}

/// Whether two versions differ in nothing but what the garbage collector reads.
fn only_collected(old: &Value, new: &Value) -> bool {
    let stripped = |object: &Value| {
        let mut object = object.clone();
        if let Some(meta) = object["metadata"].as_object_mut() {
            meta.retain(|field, _| !COLLECTED.contains(&field.as_str()));
        }
        object
    };
    stripped(old) == stripped(new)
}

fn everything() -> [Rule; 2] {
    let all = || vec!["*".to_owned()];
    [
        Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
        Rule { verbs: all(), non_resource_urls: all(), ..Rule::default() },
    ]
}

fn not_held(who: &User, missing: impl IntoIterator<Item = String>) -> String {
    let missing: Vec<String> = missing.into_iter().collect();
    format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(&who.name),
        quoted_list(&who.groups),
        missing.join("\n")
    )
}

/// 404 for the role of a binding.
fn no_role(of_cluster: bool, name: &str) -> Status {
    let kind = if of_cluster { "clusterroles" } else { "roles" };
    let mut status = Status::new(404, "NotFound", format!("{kind}.{GROUP} {} not found", quoted(name)));
    status.details = serde_json::json!({"name": name, "group": GROUP, "kind": kind});
    status
}
