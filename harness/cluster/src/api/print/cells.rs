//! The cells that are more than a field.

use pulldrill_clock::Timestamp;
use serde_json::{Value, json};

use super::{age, network, pod, policy, some_of, storage, time};
use crate::{
    api::{
        json::{items, text},
        selector::{expression_text, labels_text},
    },
    release::Release,
};

/// Since this minor version the architecture is behind the kernel.
const KERNEL_ARCHITECTURE: u32 = 24;

/// Since this minor version the metrics of autoscalers are named.
const METRIC_NAMES: u32 = 30;

/// What cells depend on besides their object.
pub(super) struct Context {
    /// The time as clients are shown it.
    pub(super) now: Timestamp,
    /// The release whose printer it is.
    pub(super) release: Release,
}

impl Context {
    /// How long ago a time in an object is.
    pub(super) fn since(&self, at: &Value) -> String {
        time(at).map_or_else(|| "<unknown>".into(), |at| age::short(self.now.duration_since(at)))
    }
}

/// The cell that a name stands for.
pub(super) fn cell(name: &str, object: &Value, context: &Context) -> Value {
    let (meta, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    match name {
        "name" => meta["name"].clone(),
        "age" => context.since(&meta["creationTimestamp"]).into(),
        "pod-ready" => pod::summary(object, context).ready.into(),
        "pod-status" => pod::summary(object, context).status.into(),
        "pod-restarts" => pod::summary(object, context).restarts(context).into(),
        "pod-restart-count" => pod::summary(object, context).restart_count.into(),
        "pod-gates" => pod::readiness_gates(object).into(),
        "ready-of-replicas" => {
            let number = |value: &Value| value.as_i64().unwrap_or(0);
            format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"])).into()
        }
        "containers" => containers(object, "name").into(),
        "images" => containers(object, "image").into(),
        "selector" => selector(&spec["selector"]).into(),
        "job-selector" => selector(&spec["jobTemplate"]["spec"]["selector"]).into(),
        "node-selector" => or_none(labels_text(&spec["template"]["spec"]["nodeSelector"])).into(),
        "job-status" => job_status(object).into(),
        "job-completions" => job_completions(object).into(),
        "job-duration" => job_duration(object, context).into(),
        "suspended" => if spec["suspend"] == true { "True" } else { "False" }.into(),
        "active-jobs" => items(&status["active"]).len().into(),
        "last-schedule" if status["lastScheduleTime"].is_null() => "<none>".into(),
        "last-schedule" => context.since(&status["lastScheduleTime"]).into(),
        "keys" => {
            let count = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
            (count("data") + count("binaryData")).into()
        }
        "secret-count" => items(&object["secrets"]).len().into(),
        "node-status" => node_status(object).into(),
        "node-roles" => node_roles(object).into(),
        "node-internal-ip" => node_address(object, "InternalIP").into(),
        "node-external-ip" => node_address(object, "ExternalIP").into(),
        "node-kernel" => node_kernel(object, context).into(),
        "service-external" => service_external(object).into(),
        "service-ports" => service_ports(object).into(),
        "endpoints" => endpoints(object).into(),
        "controller" => owner(object).into(),
        "scale-target" => {
            let target = &spec["scaleTargetRef"];
            format!("{}/{}", text(&target["kind"]), text(&target["name"])).into()
        }
        "scale-metrics" => scale_metrics(object, context).into(),
        "global-default" => json!(object["globalDefault"] == true),
        "role" => format!("{}/{}", text(&object["roleRef"]["kind"]), text(&object["roleRef"]["name"])).into(),
        _ => network::cell(name, object)
            .or_else(|| storage::cell(name, object))
            .or_else(|| policy::cell(name, object))
            .unwrap_or_else(|| event(name, object, context)),
    }
}

/// The cells of events.
fn event(name: &str, object: &Value, context: &Context) -> Value {
    // Events come in two forms; the newer one names its fields differently.
    let either = |a: &str, b: &str| if object[a].is_null() { object[b].clone() } else { object[a].clone() };
    let series = &object["series"];
    let first = either("firstTimestamp", "deprecatedFirstTimestamp");
    let first = if first.is_null() { object["eventTime"].clone() } else { first };
    let last = either("lastTimestamp", "deprecatedLastTimestamp");
    let last = if last.is_null() { first.clone() } else { last };
    let last = if series["lastObservedTime"].is_null() { last } else { series["lastObservedTime"].clone() };
    match name {
        "event-first" => context.since(&first).into(),
        "event-last" => context.since(&last).into(),
        "event-object" => {
            let about = either("involvedObject", "regarding");
            let kind = text(&about["kind"]).to_lowercase();
            let name = text(&about["name"]);
            if name.is_empty() { kind.into() } else { format!("{kind}/{name}").into() }
        }
        "event-source" => {
            let source = either("source", "deprecatedSource");
            let component = text(&source["component"]);
            let component =
                if component.is_empty() { text(&object["reportingComponent"]) } else { component };
            match text(&source["host"]) {
                "" => component.into(),
                host => format!("{component}, {host}").into(),
            }
        }
        "event-message" => text(&either("message", "note")).trim().into(),
        "event-count" => {
            let count = either("count", "deprecatedCount").as_i64().unwrap_or(0);
            json!(series["count"].as_i64().unwrap_or(count).max(1))
        }
        _ => Value::Null,
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}

/// A field of all containers of a workload.
fn containers(object: &Value, field: &str) -> String {
    let spec = &object["spec"];
    let spec = spec.get("jobTemplate").map_or(spec, |job| &job["spec"]);
    // A template that is an object of its own has no spec around it.
    let template = object.get("template").unwrap_or(&spec["template"]);
    let all = items(&template["spec"]["containers"]).iter().map(|c| text(&c[field]));
    all.collect::<Vec<_>>().join(",")
}

/// A selector: of labels only (Services), or of labels and expressions.
fn selector(selector: &Value) -> String {
    let structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    if !structured {
        return or_none(labels_text(selector));
    }
    let mut parts = vec![labels_text(&selector["matchLabels"])];
    parts.extend(items(&selector["matchExpressions"]).iter().map(expression_text));
    parts.retain(|p| !p.is_empty());
    or_none(parts.join(","))
}

fn has_condition(object: &Value, kind: &str) -> bool {
    items(&object["status"]["conditions"]).iter().any(|c| c["type"] == kind && c["status"] == "True")
}

fn job_status(object: &Value) -> &'static str {
    for (kind, shown) in [("Complete", "Complete"), ("Failed", "Failed")] {
        if has_condition(object, kind) {
            return shown;
        }
    }
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return "Terminating";
    }
    ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
        .into_iter()
        .find(|kind| has_condition(object, kind))
        .unwrap_or("Running")
}

fn job_completions(object: &Value) -> String {
    let done = object["status"]["succeeded"].as_i64().unwrap_or(0);
    let parallel = object["spec"]["parallelism"].as_i64().unwrap_or(0);
    match object["spec"]["completions"].as_i64() {
        Some(wanted) => format!("{done}/{wanted}"),
        None if parallel > 1 => format!("{done}/1 of {parallel}"),
        None => format!("{done}/1"),
    }
}

fn job_duration(object: &Value, context: &Context) -> String {
    let Some(start) = time(&object["status"]["startTime"]) else { return String::new() };
    let end = time(&object["status"]["completionTime"]).unwrap_or(context.now);
    age::short(end.duration_since(start))
}

fn node_status(object: &Value) -> String {
    let ready = items(&object["status"]["conditions"]).iter().find(|c| c["type"] == "Ready");
    let mut shown = match ready.map(|c| text(&c["status"])) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == true {
        shown += ",SchedulingDisabled";
    }
    shown
}

fn node_roles(object: &Value) -> String {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    or_none(roles.join(","))
}

fn node_address(object: &Value, kind: &str) -> String {
    let found = items(&object["status"]["addresses"]).iter().find(|a| a["type"] == kind);
    or_none(found.map(|a| text(&a["address"]).to_owned()).unwrap_or_default())
}

fn node_kernel(object: &Value, context: &Context) -> String {
    let info = &object["status"]["nodeInfo"];
    let (kernel, arch) = (text(&info["kernelVersion"]), text(&info["architecture"]));
    match (kernel, arch) {
        ("", _) => "<unknown>".into(),
        (kernel, arch) if context.release.since(KERNEL_ARCHITECTURE) && !arch.is_empty() => {
            format!("{kernel} ({arch})")
        }
        (kernel, _) => kernel.to_owned(),
    }
}

fn service_external(object: &Value) -> String {
    let spec = &object["spec"];
    let addresses = items(&spec["externalIPs"]).iter().map(text).collect::<Vec<_>>().join(",");
    match text(&spec["type"]) {
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        "LoadBalancer" => {
            let ingress = items(&object["status"]["loadBalancer"]["ingress"]).iter();
            let ingress: Vec<&str> = ingress.map(|i| text(i.get("ip").unwrap_or(&i["hostname"]))).collect();
            if ingress.is_empty() { "<pending>".into() } else { ingress.join(",") }
        }
        _ => or_none(addresses),
    }
}

fn service_ports(object: &Value) -> String {
    let ports = items(&object["spec"]["ports"]).iter().map(|p| {
        let (port, protocol) = (&p["port"], text(&p["protocol"]));
        match p["nodePort"].as_i64().filter(|n| *n > 0) {
            Some(node) => format!("{port}:{node}/{protocol}"),
            None => format!("{port}/{protocol}"),
        }
    });
    or_none(ports.collect::<Vec<_>>().join(","))
}

/// The first few addresses behind a service.
fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in items(&object["subsets"]) {
        let addresses = items(&subset["addresses"]).iter().map(|a| text(&a["ip"]));
        for address in addresses {
            match items(&subset["ports"]) {
                [] => all.push(address.to_owned()),
                ports => all.extend(ports.iter().map(|p| format!("{address}:{}", p["port"]))),
            }
        }
    }
    some_of(all.into_iter(), "<none>")
}

fn owner(object: &Value) -> String {
    let owner = items(&object["metadata"]["ownerReferences"]).iter().find(|o| o["controller"] == true);
    let Some(owner) = owner else { return "<none>".into() };
    let group = text(&owner["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    let kind = text(&owner["kind"]).to_lowercase();
    let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
    format!("{kind}/{}", text(&owner["name"]))
}

fn scale_metrics(object: &Value, context: &Context) -> String {
    let metrics = items(&object["spec"]["metrics"]).iter().map(|metric| {
        let resource = &metric["resource"];
        let name = match text(&resource["name"]) {
            name if context.release.since(METRIC_NAMES) => format!("{name}: "),
            _ => String::new(),
        };
        match &resource["target"] {
            target if target["averageUtilization"].is_null() => {
                format!("{name}<unknown>/{}", text(&target["averageValue"]))
            }
            target => format!("{name}<unknown>/{}%", target["averageUtilization"]),
        }
    });
    or_none(metrics.collect::<Vec<_>>().join(", "))
}
