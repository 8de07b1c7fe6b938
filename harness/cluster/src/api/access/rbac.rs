//! Roles and their bindings, read from the store at every question.

use serde_json::Value;

use super::Attributes;
use crate::{
    api::{
        Api, User,
        json::{items, text},
    },
    store::Key,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether a role grants what is wanted.
pub(super) fn allows(api: &Api, user: &User, wanted: &Attributes<'_>) -> bool {
    rules(api, user, wanted.namespace).iter().any(|rule| grants(rule, wanted))
}

/// All rules that apply to a user in a namespace (empty: at the cluster scope).
pub(super) fn rules(api: &Api, user: &User, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    for binding in api.list(&format!("clusterrolebindings.{GROUP}"), None) {
        if is_subject(binding.value(), user) {
            rules.extend(role(api, binding.value(), ""));
        }
    }
    if !namespace.is_empty() {
        for binding in api.list(&format!("rolebindings.{GROUP}"), Some(namespace)) {
            if is_subject(binding.value(), user) {
                rules.extend(role(api, binding.value(), namespace));
            }
        }
    }
    rules
}

/// The rules of the role that a binding refers to.
fn role(api: &Api, binding: &Value, namespace: &str) -> Vec<Value> {
    let reference = &binding["roleRef"];
    let name = text(&reference["name"]);
    let found = if reference["kind"] == "ClusterRole" {
        api.store().get(&format!("clusterroles.{GROUP}"), &Key::new("", name))
    } else {
        api.store().get(&format!("roles.{GROUP}"), &Key::new(namespace, name))
    };
    found.map(|role| items(&role.value()["rules"]).to_vec()).unwrap_or_default()
}

fn is_subject(binding: &Value, user: &User) -> bool {
    items(&binding["subjects"]).iter().any(|subject| {
        let name = text(&subject["name"]);
        match text(&subject["kind"]) {
            "User" => name == user.name,
            "Group" => user.is_in(name),
            "ServiceAccount" => user.name == User::service_account(text(&subject["namespace"]), name).name,
            _ => false,
        }
    })
}

fn grants(rule: &Value, wanted: &Attributes<'_>) -> bool {
    let has = |list: &str, value: &str| items(&rule[list]).iter().any(|i| i == "*" || *i == *value);
    let path = match wanted.subresource {
        "" => wanted.resource.to_owned(),
        sub => format!("{}/{sub}", wanted.resource),
    };
    let any_of = format!("*/{}", wanted.subresource);
    let resource = has("resources", &path)
        || !wanted.subresource.is_empty() && items(&rule["resources"]).iter().any(|r| *r == *any_of);
    let names = items(&rule["resourceNames"]);
    has("verbs", wanted.verb)
        && has("apiGroups", wanted.group)
        && resource
        && (names.is_empty() || names.iter().any(|n| *n == *wanted.name))
}
