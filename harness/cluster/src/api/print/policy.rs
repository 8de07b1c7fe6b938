//! The cells of what limits and grants: quotas, bindings of roles, requests for certificates, webhooks, and the
//! health of the control plane.

use serde_json::Value;

use super::age;
use crate::api::{
    json::{items, text},
    selector::labels_text,
};

/// The cell that a name stands for, if it is one of these.
pub(super) fn cell(name: &str, object: &Value) -> Option<Value> {
    let spec = &object["spec"];
    Some(match name {
        "quota-requests" => quota(&object["status"], false).into(),
        "quota-limits" => quota(&object["status"], true).into(),
        "users" => subjects(object, "User").into(),
        "groups" => subjects(object, "Group").into(),
        "service-accounts" => subjects(object, "ServiceAccount").into(),
        "template-labels" => match labels_text(&object["template"]["metadata"]["labels"]) {
            labels if labels.is_empty() => "<none>".into(),
            labels => labels.into(),
        },
        "requested-duration" => match spec["expirationSeconds"].as_i64() {
            Some(seconds) => age::short(jiff::SignedDuration::from_secs(seconds)).into(),
            None => "<none>".into(),
        },
        "request-condition" => request(object).into(),
        "api-service" => match text(&spec["service"]["name"]) {
            "" => "Local".into(),
            name => format!("{}/{name}", text(&spec["service"]["namespace"])).into(),
        },
        "api-available" => match says(object, "Available") {
            Some(available) if available["status"] == "True" => "True".into(),
            Some(available) => {
                format!("{} ({})", text(&available["status"]), text(&available["reason"])).into()
            }
            None => "Unknown".into(),
        },
        "missing-level" => says(object, "Dangling").map_or("?", |dangling| text(&dangling["status"])).into(),
        "nominal-shares" => {
            let of = |part: &str| spec[part]["nominalConcurrencyShares"].as_i64();
            of("limited").or_else(|| of("exempt")).map_or("<none>".into(), |shares| shares.to_string().into())
        }
        "webhooks" => items(&object["webhooks"]).len().into(),
        "validations" => items(&spec["validations"]).len().into(),
        "param-kind" => match &spec["paramKind"] {
            Value::Null => "<unset>".into(),
            kind => format!("{}/{}", text(&kind["apiVersion"]), text(&kind["kind"])).into(),
        },
        "param-ref" => match (text(&spec["paramRef"]["namespace"]), text(&spec["paramRef"]["name"])) {
            (_, "") => "<unset>".into(),
            ("", name) => name.into(),
            (namespace, name) => format!("{namespace}/{name}").into(),
        },
        "claim-state" => claim_state(object).into(),
        "component-status" => match component(object) {
            Some(healthy) if healthy["status"] == "True" => "Healthy".into(),
            Some(_) => "Unhealthy".into(),
            None => "Unknown".into(),
        },
        "component-message" => component(object).map_or("", |healthy| text(&healthy["message"])).into(),
        "component-error" => component(object).map_or("", |healthy| text(&healthy["error"])).into(),
        _ => return None,
    })
}

/// How far a claim for devices has come (`resourceClaimState` of the printers).
fn claim_state(claim: &Value) -> String {
    let deleted = !claim["metadata"]["deletionTimestamp"].is_null();
    let allocated = !claim["status"]["allocation"].is_null();
    let reserved = allocated && !items(&claim["status"]["reservedFor"]).is_empty();
    let states = [
        (deleted, "deleted"),
        (!deleted && !allocated, "pending"),
        (allocated, "allocated"),
        (reserved, "reserved"),
    ];
    states.into_iter().filter(|(holds, _)| *holds).map(|(_, state)| state).collect::<Vec<_>>().join(",")
}

/// A condition of an object.
fn says<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["status"]["conditions"]).iter().find(|condition| condition["type"] == kind)
}

/// What is used of what may be, by name; limits apart from everything else.
fn quota(status: &Value, limits: bool) -> String {
    let quantity = |value: &Value| value.as_str().map_or_else(|| "0".to_owned(), str::to_owned);
    let mut hard: Vec<(&String, &Value)> = status["hard"].as_object().into_iter().flatten().collect();
    hard.sort_by_key(|(name, _)| *name);
    let shown = hard
        .into_iter()
        .filter(|(name, _)| name.starts_with("limits.") == limits)
        .map(|(name, hard)| format!("{name}: {}/{}", quantity(&status["used"][name]), quantity(hard)));
    shown.collect::<Vec<_>>().join(", ")
}

/// The subjects of a binding that are of a kind; service accounts with their namespace.
fn subjects(binding: &Value, kind: &str) -> String {
    let named = items(&binding["subjects"]).iter().filter(|subject| subject["kind"] == kind);
    let shown = named.map(|subject| match (kind, text(&subject["namespace"])) {
        ("ServiceAccount", namespace) => format!("{namespace}/{}", text(&subject["name"])),
        _ => text(&subject["name"]).to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What has become of a request for a certificate.
fn request(object: &Value) -> String {
    let has = |kind: &str| items(&object["status"]["conditions"]).iter().any(|c| c["type"] == kind);
    let mut words = match (has("Approved"), has("Denied")) {
        (_, true) => vec!["Denied"],
        (true, _) => vec!["Approved"],
        _ => vec!["Pending"],
    };
    if has("Failed") {
        words.push("Failed");
    }
    if !text(&object["status"]["certificate"]).is_empty() {
        words.push("Issued");
    }
    words.join(",")
}

/// The one condition that says whether a part of the control plane is well.
fn component(object: &Value) -> Option<&Value> {
    items(&object["conditions"]).iter().find(|condition| condition["type"] == "Healthy")
}
