//! The variables of containers: their names, and where their values come from.
//!
//! The rules are those of `ValidateEnv` and `ValidateEnvFrom` in Kubernetes' core validation.

use serde_json::Value;

use super::config_map;
use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// Where the value of a variable can come from.
const SOURCES: [&str; 5] = ["configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"];

/// The fields of a pod that variables can have.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields that exist elsewhere, but not for variables.
const ELSEWHERE: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase"];

/// The resources of a container that variables can have, besides huge pages.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// The units in which they are told.
const CPU_UNITS: [&str; 2] = ["1m", "1"];
const UNITS: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// Complaints about the variables of a container.
pub(super) fn check(path: FieldPath<'_>, container: &Value, errors: &mut Errors) {
    for (index, variable) in items(&container["env"]).iter().enumerate() {
        let path = format_args!("{path}.env[{index}]");
        name(&format_args!("{path}.name"), &variable["name"], errors);
        source(&format_args!("{path}.valueFrom"), variable, errors);
    }
    let path = format_args!("{path}.envFrom");
    for (index, from) in items(&container["envFrom"]).iter().enumerate() {
        let given = ["configMapRef", "secretRef"].into_iter().filter(|source| from[*source].is_object());
        for source in given.clone() {
            whole(&format_args!("{path}[{index}].{source}.name"), &from[source]["name"], errors);
        }
        let nothing = Value::from("");
        match given.count() {
            0 => {
                errors.invalid(path, &nothing, "must specify one of: `configMapRef` or `secretRef`");
            }
            1 => {}
            _ => errors.invalid(path, &nothing, "may not have more than one field specified at a time"),
        }
    }
}

fn name(field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let printable = |c: char| matches!(c, ' '..='~') && c != '=';
    if text(name).is_empty() {
        errors.required(field, "");
    } else if !text(name).chars().all(printable) {
        let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        errors.invalid(field, name, why);
    }
}

fn source(path: FieldPath<'_>, variable: &Value, errors: &mut Errors) {
    let (from, nothing) = (&variable["valueFrom"], Value::from(""));
    if !from.is_object() {
        return;
    }
    let given = SOURCES.into_iter().filter(|source| from[*source].is_object());
    for source in given.clone() {
        let reference = &from[source];
        match source {
            "fieldRef" => {
                field_of_pod(&format_args!("{path}.fieldRef.fieldPath"), &reference["fieldPath"], errors);
            }
            "resourceFieldRef" => {
                resource_of_container(&format_args!("{path}.resourceFieldRef"), reference, errors);
            }
            "configMapKeyRef" | "secretKeyRef" => {
                let (name, key) = (text(&reference["name"]).into(), &reference["key"]);
                names::check_subdomain(&format_args!("{path}.{source}.name"), &name, errors);
                let field = format_args!("{path}.{source}.key");
                match text(key) {
                    "" => errors.required(field, ""),
                    _ => config_map::key(&field, key, errors),
                }
            }
            _ => {}
        }
    }
    match given.count() {
        0 => errors.invalid(
            path,
            &nothing,
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        _ if !text(&variable["value"]).is_empty() => {
            errors.invalid(path, &nothing, "may not be specified when `value` is not empty");
        }
        1 => {}
        _ => errors.invalid(path, &nothing, "may not have more than one field specified at a time"),
    }
}

/// The name of a map whose keys all become variables. A dash at its end is passed over.
fn whole(field: FieldPath<'_>, name: &Value, errors: &mut Errors) {
    let text = text(name);
    if text.is_empty() {
        return errors.required(field, "");
    }
    names::check_subdomain(field, &text.strip_suffix('-').unwrap_or(text).into(), errors);
}

/// Complaints about a resource of a container that becomes a variable (`validateContainerResourceFieldSelector`), and
/// about the unit in which it is told.
fn resource_of_container(path: FieldPath<'_>, reference: &Value, errors: &mut Errors) {
    let name = &reference["resource"];
    let (what, resource) = text(name).split_once('.').unwrap_or_default();
    let huge = matches!(what, "limits" | "requests") && resource.starts_with("hugepages-");
    if text(name).is_empty() {
        errors.required(format_args!("{path}.resource"), "");
    } else if !huge && !RESOURCES.contains(&text(name)) {
        errors.unsupported(format_args!("{path}.resource"), name, &RESOURCES);
    }
    let (divisor, of_cpu) = (text(&reference["divisor"]), resource == "cpu");
    let told = match resource {
        "cpu" | "memory" => resource,
        "ephemeral-storage" => "local ephemeral storage",
        _ if huge => "hugepages",
        _ => return,
    };
    let known = if of_cpu { &CPU_UNITS[..] } else { &UNITS[..] };
    if !matches!(divisor, "" | "0") && !known.contains(&divisor) {
        let known = if of_cpu { "1m and 1".to_owned() } else { UNITS.join(", ") };
        let why = format!("only divisor's values {known} are supported with the {told} resource");
        errors.invalid(format_args!("{path}.divisor"), name, &why);
    }
}

fn field_of_pod(field: FieldPath<'_>, path: &Value, errors: &mut Errors) {
    let name = text(path);
    let subscript = |of: &str| {
        let key = name.strip_prefix(of)?.strip_prefix("['")?.strip_suffix("']")?;
        Some(Value::from(key))
    };
    if name.is_empty() {
        errors.required(field, "");
    } else if let Some(key) = subscript("metadata.annotations").or_else(|| subscript("metadata.labels")) {
        names::check_qualified(field, &key, errors);
    } else if ELSEWHERE.contains(&name) {
        errors.unsupported(field, path, &FIELDS);
    } else if !FIELDS.contains(&name) {
        errors.invalid(
            field,
            path,
            &format!("error converting fieldPath: field label not supported: {name}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(container: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        check(&"c", container, &mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn variables_have_one_value() {
        let reference = json!({"name": "s", "key": "k"});
        let container = json!({"env": [{"name": "A"}, {"name": "B", "valueFrom": {}},
            {"name": "C", "value": "x", "valueFrom": {"secretKeyRef": reference}},
            {"name": "D", "valueFrom": {"secretKeyRef": reference, "configMapKeyRef": reference}}, {"value": "x"}]});
        let told = told(&container);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0].starts_with("c.env[1].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`")
        );
        assert!(told[1].ends_with("may not be specified when `value` is not empty"));
        assert!(told[2].ends_with("may not have more than one field specified at a time"));
        assert_eq!(told[3], "c.env[4].name: Required value");
    }

    #[test]
    fn they_have_names_and_known_fields() {
        let of = |path: &str| {
            told(&json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}))
        };
        for good in ["metadata.name", "metadata.labels['a.b/c']", "status.podIPs"] {
            assert_eq!(of(good), [""; 0]);
        }
        let field = "c.env[0].valueFrom.fieldRef.fieldPath";
        assert_eq!(
            of("foo"),
            [format!(
                "{field}: Invalid value: \"foo\": error converting fieldPath: field label not supported: foo"
            )]
        );
        assert!(of("status.phase")[0].starts_with(&format!(
            "{field}: Unsupported value: \"status.phase\": supported values: \"metadata.name\""
        )));
        assert_eq!(of(""), [format!("{field}: Required value")]);
        let told =
            told(&json!({"env": [{"name": "a=b"}, {"name": "1 fine"}], "envFrom": [{}, {"secretRef": {}}]}));
        assert!(
            told[0]
                .starts_with("c.env[0].name: Invalid value: \"a=b\": a valid environment variable name must")
        );
        assert_eq!(
            told[1],
            "c.envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"
        );
        assert_eq!(told[2], "c.envFrom[1].secretRef.name: Required value");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn they_come_from_what_there_can_be() {
        let field = "c.env[0].valueFrom";
        let known = "\"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \
                     \"requests.ephemeral-storage\", \"requests.memory\"";
        for (from, words) in [
            (json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}), vec![]),
            (json!({"resourceFieldRef": {"resource": "limits.hugepages-2Mi", "divisor": "0"}}), vec![]),
            (
                json!({"resourceFieldRef": {"resource": "limits.gpu"}}),
                vec![format!(
                    "{field}.resourceFieldRef.resource: Unsupported value: \"limits.gpu\": supported values: {known}"
                )],
            ),
            (
                json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1k"}}),
                vec![format!(
                    "{field}.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported with \
                 the cpu resource"
                )],
            ),
            (
                json!({"configMapKeyRef": {"name": "a", "key": "..b"}}),
                vec![format!(
                    "{field}.configMapKeyRef.key: Invalid value: \"..b\": must not start with '..'"
                )],
            ),
            (
                json!({"secretKeyRef": {"name": "a"}}),
                vec![format!("{field}.secretKeyRef.key: Required value")],
            ),
        ] {
            assert_eq!(told(&json!({"env": [{"name": "A", "valueFrom": from}]})), words, "{from}");
        }
        let told = told(&json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}]}));
        let start = format!("{field}.secretKeyRef.name: Invalid value: \"\": a lowercase RFC 1123 subdomain");
        assert!(told.len() == 1 && told[0].starts_with(&start), "{told:?}");
    }
}
