//! The variables of containers: their names, and where their values come from.
//!
//! The rules are those of `ValidateEnv` and `ValidateEnvFrom` in Kubernetes' core validation.

use serde_json::Value;

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
            needed(&format_args!("{path}[{index}].{source}.name"), &from[source]["name"], errors);
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
                needed(&format_args!("{path}.resourceFieldRef.resource"), &reference["resource"], errors);
            }
            "configMapKeyRef" | "secretKeyRef" => {
                needed(&format_args!("{path}.{source}.name"), &reference["name"], errors);
                needed(&format_args!("{path}.{source}.key"), &reference["key"], errors);
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

fn needed(field: FieldPath<'_>, value: &Value, errors: &mut Errors) {
    if text(value).is_empty() {
        errors.required(field, "");
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
}
