//! The variables of a container: those of its image, those that the pod gives, and where the API server is.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    puller::Image,
    store::{Key, Store},
};

/// What every container is told about the API server.
const SERVICE: [(&str, &str); 7] = [
    ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
    ("KUBERNETES_PORT_443_TCP", "tcp://10.96.0.1:443"),
    ("KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.1"),
    ("KUBERNETES_PORT_443_TCP_PORT", "443"),
    ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
    ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
];

/// What the variables of a container refer to and is not there, in a kubelet's words: the first such thing. What is
/// `optional` may be missing.
pub(super) fn missing(store: &Store, pod: &Value, container: &Value) -> Option<String> {
    let namespace = text(&pod["metadata"]["namespace"]);
    let whole = items(&container["envFrom"])
        .iter()
        .flat_map(|from| ["configMapRef", "secretRef"].map(|source| (source, &from[source])));
    let parts = items(&container["env"]).iter().flat_map(|variable| {
        ["configMapKeyRef", "secretKeyRef"].map(|source| (source, &variable["valueFrom"][source]))
    });
    whole.chain(parts).find_map(|(source, reference)| {
        if !reference.is_object() || reference["optional"] == true {
            return None;
        }
        let secret = source.starts_with("secret");
        let (resource, kind) = if secret { ("secrets", "Secret") } else { ("configmaps", "ConfigMap") };
        let name = text(&reference["name"]);
        let Some(found) = store.get(resource, &Key::new(namespace, name)) else {
            return Some(format!("{} {name:?} not found", kind.to_lowercase()));
        };
        let key = reference["key"].as_str()?;
        let there = found.value()["data"].get(key).is_some();
        (!there).then(|| format!("couldn't find key {key} in {kind} {namespace}/{name}"))
    })
}

/// The variables of a container of `pod`. What refers to something that is not there is left out.
pub(super) fn variables(
    store: &Store,
    pod: &Value,
    container: &Value,
    image: &Image,
    address: &str,
) -> Vec<(String, String)> {
    let mut all = BTreeMap::new();
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    all.extend(SERVICE.iter().map(|(name, value)| own((name, value))));
    all.extend(image.environment.iter().filter_map(|e| e.split_once('=')).map(own));
    let namespace = text(&pod["metadata"]["namespace"]);
    for from in items(&container["envFrom"]) {
        let prefix = text(&from["prefix"]);
        for source in ["configMapRef", "secretRef"] {
            let values = content(store, source, namespace, text(&from[source]["name"]));
            all.extend(values.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)));
        }
    }
    for variable in items(&container["env"]) {
        let from = &variable["valueFrom"];
        let value = if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
            field(pod, path, address)
        } else if let Some((source, reference)) =
            ["configMapKeyRef", "secretKeyRef"].iter().find_map(|s| Some((*s, from.get(*s)?)))
        {
            let values = content(store, source, namespace, text(&reference["name"]));
            values.into_iter().find(|(key, _)| key == text(&reference["key"])).map(|(_, value)| value)
        } else {
            Some(expand(text(&variable["value"]), &all))
        };
        if let Some(value) = value {
            all.insert(text(&variable["name"]).to_owned(), value);
        }
    }
    all.into_iter().collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The values of a ConfigMap or Secret, by what refers to it.
fn content(store: &Store, source: &str, namespace: &str, name: &str) -> Vec<(String, String)> {
    let secret = source.starts_with("secret");
    let resource = if secret { "secrets" } else { "configmaps" };
    let Some(object) = store.get(resource, &Key::new(namespace, name)) else { return Vec::new() };
    let pairs = object.value()["data"].as_object().into_iter().flatten();
    let value = |value: &Value| {
        let plain = text(value);
        if !secret {
            return Some(plain.to_owned());
        }
        String::from_utf8(STANDARD.decode(plain).ok()?).ok()
    };
    pairs.filter_map(|(key, content)| Some((key.clone(), value(content)?))).collect()
}

/// What the downward API says of a pod.
fn field(pod: &Value, path: &str, address: &str) -> Option<String> {
    if path == "status.podIP" {
        return Some(address.to_owned());
    }
    if let Some((map, key)) = path.strip_suffix("']").and_then(|rest| rest.split_once("['")) {
        let map = map.split('.').fold(pod, |at, part| &at[part]);
        return Some(text(&map[key]).to_owned());
    }
    path.split('.').fold(pod, |at, part| &at[part]).as_str().map(str::to_owned)
}

/// Replaces `$(NAME)` by what is known; `$$` stands for one dollar sign.
fn expand(value: &str, known: &BTreeMap<String, String>) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix('$') {
            out.push('$');
            rest = more;
        } else if let Some((name, more)) = rest.strip_prefix('(').and_then(|r| r.split_once(')'))
            && let Some(value) = known.get(name)
        {
            out.push_str(value);
            rest = more;
        } else {
            out.push('$');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_come_from_everywhere() {
        let store = Store::new(10);
        let pod = json!({"metadata": {"name": "p", "namespace": "ns", "labels": {"app": "web"}},
            "spec": {"nodeName": "n1"}});
        let container = json!({"env": [
            {"name": "A", "value": "$(IMAGE)-$$(B)-$(NONE)$"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k"}}},
        ]});
        let image = Image { environment: vec!["IMAGE=i".to_owned()], ..Image::default() };
        let all: BTreeMap<String, String> =
            variables(&store, &pod, &container, &image, "10.0.0.1").into_iter().collect();
        for (name, value) in [("A", "i-$(B)-$(NONE)$"), ("NODE", "n1"), ("APP", "web"), ("IP", "10.0.0.1")] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(all.contains_key("KUBERNETES_SERVICE_HOST") && !all.contains_key("GONE"));
    }
}
