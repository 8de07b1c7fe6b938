//! Between the versions of a resource: objects are stored in one and spoken of in several.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    certificates,
    json::{items, text},
    older,
};
use crate::{resources::Resource, store::Stored};

/// Fields of events in the stored form and in the form of `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 6] = [
    ("message", "note"),
    ("involvedObject", "regarding"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
];

/// Whether objects look the same at a version as they are stored.
pub(super) fn is_stored_form(resource: &Resource, version: &str) -> bool {
    resource.stored_in == resource.api_version(version)
}

/// A stored object at a version.
pub(super) fn outgoing<'a>(resource: &Resource, version: &str, object: &'a Value) -> Cow<'a, Value> {
    if is_stored_form(resource, version) {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    match resource.kind.as_str() {
        "Event" => event_out(&mut object),
        "HorizontalPodAutoscaler" if version == "v1" => autoscaler_out(&mut object),
        "HorizontalPodAutoscaler" if version == "v2beta1" => older::metrics_out(&mut object),
        "Ingress" => older::ingress_out(&mut object),
        "PriorityLevelConfiguration" if ASSURED.contains(&version) => {
            rename_shares(&mut object, "nominalConcurrencyShares", "assuredConcurrencyShares");
        }
        _ => {}
    }
    object["apiVersion"] = resource.api_version(version).into();
    Cow::Owned(object)
}

/// A stored object at a version, with everything that clients see.
pub(super) fn shown<'a>(resource: &Resource, version: &str, object: &'a Stored) -> Cow<'a, Value> {
    match object.whole() {
        Cow::Borrowed(value) => outgoing(resource, version, value),
        Cow::Owned(value) => match outgoing(resource, version, &value) {
            Cow::Owned(converted) => Cow::Owned(converted),
            Cow::Borrowed(_) => Cow::Owned(value),
        },
    }
}

/// An object at a version, as it is stored.
pub(super) fn incoming(resource: &Resource, version: &str, mut object: Value) -> Value {
    if is_stored_form(resource, version) || !object.is_object() {
        return object;
    }
    match resource.kind.as_str() {
        "Event" => {
            rename(&mut object, |(stored, spoken)| (spoken, stored));
            rename_one(&mut object, "deprecatedCount", "count");
        }
        "HorizontalPodAutoscaler" if version == "v1" => autoscaler_in(&mut object),
        "HorizontalPodAutoscaler" if version == "v2beta1" => older::metrics_in(&mut object),
        "Ingress" => older::ingress_in(&mut object),
        "PriorityLevelConfiguration" if ASSURED.contains(&version) => {
            rename_shares(&mut object, "assuredConcurrencyShares", "nominalConcurrencyShares");
        }
        "CertificateSigningRequest" => certificates::of_first_version(&mut object),
        _ => {}
    }
    object["apiVersion"] = resource.stored_in.clone().into();
    object
}

/// The versions in which the shares of a priority level had another name.
const ASSURED: [&str; 2] = ["v1beta1", "v1beta2"];

fn rename_shares(level: &mut Value, from: &str, to: &str) {
    if let Some(limited) = level.pointer_mut("/spec/limited") {
        rename_one(limited, from, to);
    }
}

/// Gives a field of an object another name.
pub(super) fn rename_one(object: &mut Value, from: &str, to: &str) {
    if let Some(fields) = object.as_object_mut()
        && let Some(value) = fields.remove(from)
    {
        fields.insert(to.to_owned(), value);
    }
}

fn rename(
    object: &mut Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    for pair in EVENT_FIELDS {
        let (from, to) = direction(pair);
        rename_one(object, from, to);
    }
}

fn event_out(object: &mut Value) {
    rename(object, |pair| pair);
    rename_one(object, "count", "deprecatedCount");
    if object["eventTime"].is_null() {
        object["eventTime"] = Value::Null;
    }
}

/// The older version knows one target, the use of the processor.
fn autoscaler_out(object: &mut Value) {
    let target = items(&object["spec"]["metrics"])
        .iter()
        .find(|m| text(&m["resource"]["name"]) == "cpu")
        .map(|m| m["resource"]["target"]["averageUtilization"].clone());
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("metrics");
        spec.remove("behavior");
        if let Some(target) = target {
            spec.insert("targetCPUUtilizationPercentage".into(), target);
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentMetrics");
        status.remove("conditions");
    }
}

fn autoscaler_in(object: &mut Value) {
    let target = object
        .get_mut("spec")
        .and_then(Value::as_object_mut)
        .and_then(|s| s.remove("targetCPUUtilizationPercentage"));
    if let Some(target) = target.filter(|t| !t.is_null()) {
        object["spec"]["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": target}}}]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Resources;

    #[test]
    fn versions_go_out_and_come_back() {
        let table = Resources::default();
        let events = table.at("events.k8s.io", "v1", "events").unwrap();
        let stored = json!({"apiVersion": "v1", "kind": "Event", "message": "m", "count": 2,
            "involvedObject": {"name": "a"}, "source": {"component": "kubelet"}, "eventTime": null});
        let spoken = outgoing(&events, "v1", &stored).into_owned();
        assert_eq!(spoken["note"], "m");
        assert_eq!(spoken["regarding"]["name"], "a");
        assert_eq!(spoken["apiVersion"], "events.k8s.io/v1");
        assert_eq!(incoming(&events, "v1", spoken), stored);
        let scalers = table.at("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
        let old = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}});
        let new = incoming(&scalers, "v1", old.clone());
        assert_eq!(new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
        assert_eq!(outgoing(&scalers, "v1", &new).into_owned(), old);
    }
}
