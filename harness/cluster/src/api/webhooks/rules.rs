//! Whether a webhook wants to be asked about a write: its rules and selectors (`rules` and `namespace` of
//! `k8s.io/apiserver/pkg/admission/plugin/webhook`).

use serde_json::Value;

use super::Call;
use crate::{
    api::{
        Api, Selector,
        json::{items, text},
    },
    store::Key,
};

/// Whether it does.
pub(super) fn concern(api: &Api, webhook: &Value, call: &Call<'_>, object: &Value) -> bool {
    items(&webhook["rules"]).iter().any(|rule| fits(rule, &webhook["matchPolicy"], call, object))
        && of_namespace(api, &webhook["namespaceSelector"], call, object)
        && of_object(&webhook["objectSelector"], call, object)
}

fn fits(rule: &Value, policy: &Value, call: &Call<'_>, object: &Value) -> bool {
    let resource = call.resource;
    let has = |field: &str, what: &str| {
        items(&rule[field]).iter().any(|one| matches!(text(one), "*") || text(one) == what)
    };
    let stored = resource.stored_in.rsplit('/').next().unwrap_or_default();
    let version = if policy == "Exact" {
        has("apiVersions", stored)
    } else {
        resource.versions.iter().any(|version| has("apiVersions", version))
    };
    let namespaced = !namespace(call, object).is_empty();
    let scope = match text(&rule["scope"]) {
        "Namespaced" => namespaced,
        "Cluster" => !namespaced,
        _ => true,
    };
    let part = call.subresource.unwrap_or_default();
    let named = items(&rule["resources"]).iter().any(|wanted| {
        let (of, sub) = text(wanted).split_once('/').unwrap_or((text(wanted), ""));
        (of == "*" || of == resource.plural) && (sub == "*" || sub == part)
    });
    has("operations", call.operation) && has("apiGroups", &resource.group) && version && scope && named
}

/// The namespace of what is written.
pub(super) fn namespace<'a>(call: &'a Call<'_>, object: &'a Value) -> &'a str {
    text(&newest(call, object)["metadata"]["namespace"])
}

/// The object, or what it was when it is to go.
pub(super) fn newest<'a>(call: &'a Call<'_>, object: &'a Value) -> &'a Value {
    match call.old {
        Some(old) if object.is_null() => old,
        _ => object,
    }
}

fn of_namespace(api: &Api, selector: &Value, call: &Call<'_>, object: &Value) -> bool {
    let selector = Selector::of_object(selector);
    if selector.is_empty() {
        return true;
    }
    if call.resource.store == "namespaces" {
        return selector.matches(&newest(call, object)["metadata"]["labels"]);
    }
    let namespace = namespace(call, object);
    if namespace.is_empty() {
        return true;
    }
    let found = api.store().get("namespaces", &Key::new("", namespace));
    selector.matches(found.as_ref().map_or(&Value::Null, |found| &found.value()["metadata"]["labels"]))
}

/// What is about to leave a selection is a webhook's business as well.
fn of_object(selector: &Value, call: &Call<'_>, object: &Value) -> bool {
    let selector = Selector::of_object(selector);
    let fits = |object: &Value| !object.is_null() && selector.matches(&object["metadata"]["labels"]);
    selector.is_empty() || fits(object) || call.old.is_some_and(fits)
}
