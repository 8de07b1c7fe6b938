//! The cells of what leads to pods: Ingresses, network policies, slices of endpoints, addresses.

use serde_json::Value;

use super::some_of;
use crate::api::{
    json::{items, text},
    selector::{expression_text, labels_text},
};

/// The cell that a name stands for, if it is one of these.
pub(super) fn cell(name: &str, object: &Value) -> Option<Value> {
    let spec = &object["spec"];
    let shown = match name {
        "ingress-hosts" => hosts(items(&spec["rules"])),
        "ingress-addresses" => addresses(items(&object["status"]["loadBalancer"]["ingress"])),
        "ingress-ports" if items(&spec["tls"]).is_empty() => "80".into(),
        "ingress-ports" => "80, 443".into(),
        "class-parameters" => parameters(&spec["parameters"]),
        "pod-selector" => selector(&spec["podSelector"]),
        "service-ranges" => items(&spec["cidrs"]).iter().map(text).collect::<Vec<_>>().join(","),
        "address-parent" => parent(&spec["parentRef"]),
        "slice-ports" => some_of(items(&object["ports"]).iter().map(port), "<unset>"),
        "slice-addresses" => {
            let all = items(&object["endpoints"]).iter().flat_map(|endpoint| items(&endpoint["addresses"]));
            some_of(all.map(|address| text(address).to_owned()), "<unset>")
        }
        _ => return None,
    };
    Some(shown.into())
}

/// The hosts of rules. Rules without a host count among those that are not shown, as with real servers.
fn hosts(rules: &[Value]) -> String {
    const SHOWN: usize = 3;
    let (mut shown, mut more) = (Vec::new(), false);
    for host in rules.iter().map(|rule| text(&rule["host"])) {
        more |= shown.len() == SHOWN;
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match shown.join(",") {
        hosts if hosts.is_empty() => "*".into(),
        hosts if more => format!("{hosts} + {} more...", rules.len() - SHOWN),
        hosts => hosts,
    }
}

fn addresses(ingress: &[Value]) -> String {
    let address = |entry: &Value| match text(&entry["ip"]) {
        "" => text(&entry["hostname"]).to_owned(),
        ip => ip.to_owned(),
    };
    let mut all: Vec<String> = ingress.iter().map(address).filter(|address| !address.is_empty()).collect();
    all.sort();
    all.dedup();
    all.join(",")
}

fn parameters(parameters: &Value) -> String {
    if !parameters.is_object() {
        return "<none>".into();
    }
    let kind = match text(&parameters["apiGroup"]) {
        "" => text(&parameters["kind"]).to_owned(),
        group => format!("{}.{group}", text(&parameters["kind"])),
    };
    format!("{kind}/{}", text(&parameters["name"]))
}

fn selector(selector: &Value) -> String {
    let mut parts = vec![labels_text(&selector["matchLabels"])];
    parts.extend(items(&selector["matchExpressions"]).iter().map(expression_text));
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "<none>".into() } else { parts.join(",") }
}

/// Whose an address is: `services/default/kubernetes`, with the group in front where there is one.
fn parent(parent: &Value) -> String {
    let parts = ["group", "resource", "namespace", "name"].map(|field| text(&parent[field]));
    let told: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if told.is_empty() { "<none>".into() } else { told.join("/") }
}

fn port(port: &Value) -> String {
    match (port["port"].as_i64(), port["name"].as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".into(),
    }
}
