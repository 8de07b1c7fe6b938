//! Probes of containers, and their hooks: what they do, and how often.
//!
//! The rules are those of `validateProbe`, `validateLifecycle` and `validateHandler` in Kubernetes' core validation.

use serde_json::Value;

use super::pod::port_number;
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// What a probe or a hook can do; it has to do one of these things.
const HANDLERS: [&str; 5] = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];

const NOT_NEGATIVE: [&str; 5] =
    ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

/// What only containers have that go on.
const OF_THE_LASTING: [&str; 4] = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"];

/// Complaints about the probes and hooks of a container.
pub(super) fn check(path: FieldPath<'_>, container: &Value, errors: &mut Errors) {
    for name in ["postStart", "preStop"] {
        let hook = &container["lifecycle"][name];
        if hook.is_object() {
            handler(&format_args!("{path}.lifecycle.{name}"), hook, errors);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container[name];
        if !probe.is_object() {
            continue;
        }
        let path = format_args!("{path}.{name}");
        handler(&path, probe, errors);
        for field in NOT_NEGATIVE.into_iter().filter(|field| probe[*field].as_i64().is_some_and(|n| n < 0)) {
            errors.invalid(
                format_args!("{path}.{field}"),
                &probe[field],
                "must be greater than or equal to 0",
            );
        }
        let successes = &probe["successThreshold"];
        if name != "readinessProbe" && successes.as_i64().is_some_and(|n| n > 1) {
            errors.invalid(format_args!("{path}.successThreshold"), successes, "must be 1");
        }
    }
}

/// Complaints about what an init container has that ends before others begin.
pub(super) fn none_before(path: FieldPath<'_>, container: &Value, errors: &mut Errors) {
    for field in OF_THE_LASTING.into_iter().filter(|field| container[*field].is_object()) {
        let why = "may not be set for init containers without restartPolicy=Always";
        errors.forbidden(format_args!("{path}.{field}"), why);
    }
}

fn handler(path: FieldPath<'_>, of: &Value, errors: &mut Errors) {
    let mut given = HANDLERS.into_iter().filter(|handler| of[*handler].is_object());
    match given.next() {
        None => errors.required(path, "must specify a handler type"),
        Some(what) => action(&format_args!("{path}.{what}"), what, &of[what], errors),
    }
    for more in given {
        errors.forbidden(format_args!("{path}.{more}"), "may not specify more than 1 handler type");
    }
}

fn action(path: FieldPath<'_>, what: &str, action: &Value, errors: &mut Errors) {
    match what {
        "exec" if items(&action["command"]).is_empty() => errors.required(format_args!("{path}.command"), ""),
        "httpGet" => {
            if text(&action["path"]).is_empty() {
                errors.required(format_args!("{path}.path"), "");
            }
            port(&format_args!("{path}.port"), &action["port"], errors);
            let schemes = ["HTTP", "HTTPS"];
            if !schemes.contains(&text(&action["scheme"])) {
                errors.unsupported(format_args!("{path}.scheme"), &action["scheme"], &schemes);
            }
        }
        "tcpSocket" | "grpc" => port(&format_args!("{path}.port"), &action["port"], errors),
        _ => {}
    }
}

/// A port by its number or its name.
fn port(field: FieldPath<'_>, port: &Value, errors: &mut Errors) {
    match port {
        Value::String(_) => names::check_port(field, port, errors),
        Value::Null => errors.invalid(field, &0.into(), "must be between 1 and 65535, inclusive"),
        _ => port_number(field, port, errors),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(check: fn(FieldPath<'_>, &Value, &mut Errors), value: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check(&"c", value, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn probes_and_hooks_do_one_thing() {
        let container = json!({"livenessProbe": {}, "readinessProbe": {"exec": {}, "httpGet": {}},
            "startupProbe": {"grpc": {"port": 80}, "periodSeconds": -1}, "lifecycle": {"preStop": {}}});
        assert_eq!(
            complaints(check, &container),
            [
                "c.lifecycle.preStop: Required value: must specify a handler type",
                "c.livenessProbe: Required value: must specify a handler type",
                "c.readinessProbe.exec.command: Required value",
                "c.readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
                "c.startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
            ]
        );
    }

    #[test]
    fn they_reach_ports_and_are_counted() {
        let get = |port: Value| json!({"httpGet": {"path": "/", "port": port, "scheme": "HTTP"}});
        for good in [json!(80), json!("web")] {
            assert_eq!(complaints(check, &json!({"readinessProbe": get(good)})), [""; 0]);
        }
        let mut twice = get(json!("no_name"));
        twice["successThreshold"] = json!(2);
        let told = complaints(
            check,
            &json!({"livenessProbe": twice, "startupProbe": {"tcpSocket": {"port": 70_000}}}),
        );
        assert_eq!(
            told[0],
            "c.livenessProbe.httpGet.port: Invalid value: \"no_name\": must contain only alpha-numeric \
            characters (a-z, 0-9), and hyphens (-)"
        );
        assert_eq!(told[1], "c.livenessProbe.successThreshold: Invalid value: 2: must be 1");
        assert_eq!(
            told[2],
            "c.startupProbe.tcpSocket.port: Invalid value: 70000: must be between 1 and 65535, inclusive"
        );
        let told = complaints(none_before, &json!({"livenessProbe": get(json!(80))}));
        assert_eq!(
            told,
            ["c.livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"]
        );
    }
}
