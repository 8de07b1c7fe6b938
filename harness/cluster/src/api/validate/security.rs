//! Security contexts of pods and containers.
//!
//! The rules are those of `ValidateSecurityContext` and `ValidatePodSecurityContext` in Kubernetes' core validation.

use std::fmt;

use serde_json::{Value, json};

use super::volumes::descending;
use crate::api::{
    invalid::{Errors, FieldPath, own_type},
    json::{items, text},
};

const SYSCTL: &str = "must have at most 253 characters and match regex \
    ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?";

/// What may be asked of the kernel.
const SECCOMP: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

/// The fields of a container's security context.
const FIELDS: [&str; 12] = [
    "capabilities",
    "privileged",
    "seLinuxOptions",
    "windowsOptions",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "procMount",
    "seccompProfile",
    "appArmorProfile",
];

/// Complaints about the security context of a pod.
pub(super) fn of_pod(path: FieldPath<'_>, spec: &Value, errors: &mut Errors) {
    let (path, context) = (format_args!("{path}.securityContext"), &spec["securityContext"]);
    ids(&path, context, &["fsGroup", "runAsUser", "runAsGroup"], errors);
    for (index, group) in items(&context["supplementalGroups"]).iter().enumerate() {
        id(&format_args!("{path}.supplementalGroups[{index}]"), group, errors);
    }
    for (index, sysctl) in items(&context["sysctls"]).iter().enumerate() {
        let (field, name) = (format_args!("{path}.sysctls[{index}].name"), &sysctl["name"]);
        if text(name).is_empty() {
            errors.required(field, "");
        } else if !is_sysctl(text(name)) {
            errors.invalid(field, name, SYSCTL);
        } else if items(&context["sysctls"])[..index].iter().any(|other| other["name"] == *name) {
            errors.duplicate(field, name);
        }
    }
    let (policy, policies) = (&context["fsGroupChangePolicy"], ["Always", "OnRootMismatch"]);
    if !policy.is_null() && !policies.contains(&text(policy)) {
        errors.unsupported(format_args!("{path}.fsGroupChangePolicy"), policy, &policies);
    }
    seccomp(&format_args!("{path}.seccompProfile"), &context["seccompProfile"], errors);
}

/// Complaints about what a pod or container may ask of the kernel (`validateSeccompProfileField`).
fn seccomp(path: FieldPath<'_>, profile: &Value, errors: &mut Errors) {
    if !profile.is_object() {
        return;
    }
    let (kind, place, field) =
        (&profile["type"], &profile["localhostProfile"], format_args!("{path}.localhostProfile"));
    match text(kind) {
        "" => errors.required(format_args!("{path}.type"), "type is required when seccompProfile is set"),
        other if !SECCOMP.contains(&other) => {
            errors.unsupported(format_args!("{path}.type"), kind, &SECCOMP);
        }
        _ => {}
    }
    if kind != "Localhost" {
        if !place.is_null() {
            let shown = own_type([("Type", kind as &dyn fmt::Display), ("LocalhostProfile", place)]);
            errors.invalid_shown(field, &shown, "can only be set when seccomp type is Localhost");
        }
    } else if place.is_null() {
        errors.required(field, "must be set when seccomp type is Localhost");
    } else {
        descending(&field, place, errors);
    }
}

/// Complaints about the security context of a container.
pub(super) fn of_container(path: FieldPath<'_>, container: &Value, errors: &mut Errors) {
    let (path, context) = (format_args!("{path}.securityContext"), &container["securityContext"]);
    ids(&path, context, &["runAsUser", "runAsGroup"], errors);
    seccomp(&format_args!("{path}.seccompProfile"), &context["seccompProfile"], errors);
    if context["privileged"] == true && context["allowPrivilegeEscalation"] == false {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.invalid(path, &as_its_type(context), why);
    }
}

/// The context as the API server's own type is written: its names begin with capitals, and nothing is left out. Their
/// order is not that of the type.
fn as_its_type(context: &Value) -> Value {
    let named = |field: &&str| {
        let mut name = (*field).to_owned();
        let first = name.remove(0).to_ascii_uppercase();
        (
            if *field == "seLinuxOptions" { "SELinuxOptions".to_owned() } else { format!("{first}{name}") },
            json!(context[*field]),
        )
    };
    Value::Object(FIELDS.iter().map(named).collect())
}

fn ids(path: FieldPath<'_>, context: &Value, fields: &[&str], errors: &mut Errors) {
    for field in fields {
        id(&format_args!("{path}.{field}"), &context[*field], errors);
    }
}

fn id(field: FieldPath<'_>, id: &Value, errors: &mut Errors) {
    if id.as_i64().is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id)) {
        errors.invalid(field, id, "must be between 0 and 2147483647, inclusive");
    }
}

fn is_sysctl(name: &str) -> bool {
    let segment = |segment: &str| {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        segment.starts_with(inside)
            && segment.ends_with(inside)
            && segment.chars().all(|c| inside(c) || matches!(c, '-' | '_'))
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_make_sense() {
        let mut errors = Errors::default();
        let fine = json!({"securityContext": {"runAsUser": 0, "privileged": true, "sysctls": [{"name": "net.core.somaxconn"}]}});
        of_pod(&"spec", &fine, &mut errors);
        of_container(&"c", &fine, &mut errors);
        of_pod(
            &"spec",
            &json!({"securityContext": {"fsGroup": -1, "sysctls": [{"name": "a b"}]}}),
            &mut errors,
        );
        let context =
            json!({"runAsUser": 3_000_000_000_u64, "privileged": true, "allowPrivilegeEscalation": false});
        of_container(&"c", &json!({"securityContext": context}), &mut errors);
        let told: Vec<_> = errors.into_vec().iter().map(ToString::to_string).collect();
        assert_eq!(
            told[0],
            "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive"
        );
        assert!(told[1].starts_with(
            "spec.securityContext.sysctls[0].name: Invalid value: \"a b\": must have at most 253"
        ));
        assert!(told[2].starts_with("c.securityContext.runAsUser: Invalid value: 3000000000: "));
        assert!(
            told[3].starts_with("c.securityContext: Invalid value: {\"AllowPrivilegeEscalation\":false,"),
            "{}",
            told[3]
        );
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn policies_and_profiles() {
        let field = "spec.securityContext";
        for (context, words) in [
            (
                json!({"fsGroupChangePolicy": "Never"}),
                vec![format!(
                    "{field}.fsGroupChangePolicy: Unsupported value: \"Never\": supported values: \"Always\", \"OnRootMismatch\""
                )],
            ),
            (
                json!({"seccompProfile": {"type": "Localhost"}}),
                vec![format!(
                    "{field}.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"
                )],
            ),
            (json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b.json"}}), vec![]),
            (
                json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "/a"}}),
                vec![format!(
                    "{field}.seccompProfile.localhostProfile: Invalid value: \"/a\": must be a relative path"
                )],
            ),
            (
                json!({"seccompProfile": {"type": "Unconfined", "localhostProfile": "a"}}),
                vec![format!(
                    "{field}.seccompProfile.localhostProfile: Invalid value: {{\"Type\":\"Unconfined\",\"LocalhostProfile\":\"a\"}}: \
                 can only be set when seccomp type is Localhost"
                )],
            ),
            (
                json!({"seccompProfile": {"type": "Odd"}}),
                vec![format!(
                    "{field}.seccompProfile.type: Unsupported value: \"Odd\": supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\""
                )],
            ),
        ] {
            let mut errors = Errors::default();
            of_pod(&"spec", &json!({"securityContext": context}), &mut errors);
            let told: Vec<_> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!(told, words, "{context}");
        }
    }
}
