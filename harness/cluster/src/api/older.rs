//! Forms of objects that only older releases speak, and their way from and to the stored form.

use serde_json::{Map, Value, json};

use super::convert::rename_one;

/// The kinds of autoscaler metrics that have a target of their own.
const METRICS: [&str; 1] = ["resource"];

/// An Ingress of `v1beta1`: a backend is the name of a service and a port.
pub(super) fn ingress_out(object: &mut Value) {
    backends(object, |backend| {
        let Some(mut service) = backend.remove("service") else { return };
        let port = service["port"].take();
        backend.insert("serviceName".into(), service["name"].take());
        let port = if port["name"].is_string() { &port["name"] } else { &port["number"] };
        backend.insert("servicePort".into(), port.clone());
    });
    rename_one(&mut object["spec"], "defaultBackend", "backend");
}

/// The stored form of an Ingress of `v1beta1`.
pub(super) fn ingress_in(object: &mut Value) {
    rename_one(&mut object["spec"], "backend", "defaultBackend");
    backends(object, |backend| {
        let Some(name) = backend.remove("serviceName") else { return };
        let port = match backend.remove("servicePort") {
            Some(Value::String(port)) => json!({ "name": port }),
            Some(port) => json!({ "number": port }),
            None => json!({}),
        };
        backend.insert("service".into(), json!({"name": name, "port": port}));
    });
    let paths = rules(object).flat_map(|rule| list(&mut rule["http"]["paths"]));
    for path in paths.filter_map(Value::as_object_mut) {
        path.entry("pathType").or_insert_with(|| "ImplementationSpecific".into());
    }
}

fn list(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

fn rules(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    // Looking for what is not there must not make it.
    let rules = object.pointer_mut("/spec/rules").and_then(Value::as_array_mut);
    rules.into_iter().flatten().filter(|rule| rule["http"].is_object())
}

/// Changes all backends of an Ingress.
fn backends(object: &mut Value, change: impl Fn(&mut Map<String, Value>)) {
    if let Some(backend) = object.pointer_mut("/spec/defaultBackend").and_then(Value::as_object_mut) {
        change(backend);
    }
    let paths = rules(object).flat_map(|rule| list(&mut rule["http"]["paths"]));
    for backend in paths.filter_map(|path| path.get_mut("backend")?.as_object_mut()) {
        change(backend);
    }
}

/// The metrics of an autoscaler of `v2beta1`: what is aimed at has a field for each way of saying it.
pub(super) fn metrics_out(object: &mut Value) {
    metrics(object, |metric| {
        let Some(Value::Object(mut target)) = metric.remove("target") else { return };
        for (new, old) in
            [("averageUtilization", "targetAverageUtilization"), ("averageValue", "targetAverageValue")]
        {
            if let Some(value) = target.remove(new) {
                metric.insert(old.into(), value);
            }
        }
    });
}

/// The stored form of such metrics.
pub(super) fn metrics_in(object: &mut Value) {
    metrics(object, |metric| {
        if let Some(percent) = metric.remove("targetAverageUtilization") {
            metric.insert("target".into(), json!({"type": "Utilization", "averageUtilization": percent}));
        } else if let Some(value) = metric.remove("targetAverageValue") {
            metric.insert("target".into(), json!({"type": "AverageValue", "averageValue": value}));
        }
    });
}

fn metrics(object: &mut Value, change: impl Fn(&mut Map<String, Value>)) {
    let metrics = object.pointer_mut("/spec/metrics").and_then(Value::as_array_mut);
    for metric in metrics.into_iter().flatten().filter_map(Value::as_object_mut) {
        for kind in METRICS {
            if let Some(metric) = metric.get_mut(kind).and_then(Value::as_object_mut) {
                change(metric);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_ingresses_come_in_and_go_out() {
        let old = json!({"spec": {"backend": {"serviceName": "a", "servicePort": 80}, "rules": [
            {"http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"serviceName": "b", "servicePort": "web"}}]}}, {"host": "x"}, 3]}});
        let mut object = old.clone();
        ingress_in(&mut object);
        assert_eq!(object["spec"]["defaultBackend"]["service"], json!({"name": "a", "port": {"number": 80}}));
        let path = &object["spec"]["rules"][0]["http"]["paths"][0];
        assert_eq!(path["backend"]["service"], json!({"name": "b", "port": {"name": "web"}}));
        ingress_out(&mut object);
        assert_eq!(object, old);
        for odd in [json!({"spec": {"rules": 1}}), json!({"spec": {"backend": 1}}), json!({"spec": {}})] {
            let mut object = odd.clone();
            ingress_in(&mut object);
            ingress_out(&mut object);
            assert_eq!(object, odd);
        }
    }

    #[test]
    fn older_metrics_come_in_and_go_out() {
        let metric = |more: Value| json!({"spec": {"metrics": [{"type": "Resource", "resource": more}]}});
        for (old, new) in [
            (
                json!({"name": "cpu", "targetAverageUtilization": 80}),
                json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}),
            ),
            (
                json!({"name": "cpu", "targetAverageValue": "1"}),
                json!({"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1"}}),
            ),
        ] {
            let mut object = metric(old.clone());
            metrics_in(&mut object);
            assert_eq!(object, metric(new));
            metrics_out(&mut object);
            assert_eq!(object, metric(old));
        }
    }
}
