//! What containers ask for and may have: names of resources and amounts.
//!
//! The rules are those of `validateResourceRequirements` in Kubernetes' core validation.

use serde_json::Value;

use crate::api::{
    invalid::{Errors, FieldPath},
    names,
    quantity::Quantity,
};

const HUGE_PAGES: &str = "hugepages-";

/// What a container can ask for, besides huge pages and what has a domain.
const OF_CONTAINERS: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// What else is counted somewhere under a name without a domain.
const OF_QUOTAS: [&str; 13] = [
    "configmaps",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
];

/// Complaints about the resources of a container, `path` with its `resources`.
pub(super) fn check(path: FieldPath<'_>, resources: &Value, errors: &mut Errors) {
    let list = |what: &str| resources[what].as_object().into_iter().flatten();
    let requests = format_args!("{path}.requests");
    for (name, value) in list("limits") {
        amount(&format_args!("{path}.limits[{name}]"), name, value, errors);
    }
    for (name, value) in list("requests") {
        amount(&format_args!("{path}.requests[{name}]"), name, value, errors);
        let Some(request) = Quantity::read(value) else { continue };
        let limit = resources["limits"].get(name);
        match limit.and_then(Quantity::read) {
            Some(limit) if request != limit && !may_be_promised_twice(name) => {
                errors.invalid(requests, value, &format!("must be equal to {name} limit of {limit}"));
            }
            Some(limit) if request > limit => {
                let why = format!("must be less than or equal to {name} limit of {limit}");
                errors.invalid(requests, value, &why);
            }
            None if limit.is_none() && !may_be_promised_twice(name) => {
                let why = "Limit must be set for non overcommitable resources";
                errors.required(format_args!("{path}.limits"), why);
            }
            _ => {}
        }
    }
    let mut names = list("limits").chain(list("requests")).map(|(name, _)| name.as_str());
    if names.clone().any(|name| name.starts_with(HUGE_PAGES))
        && !names.any(|name| matches!(name, "cpu" | "memory"))
    {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

fn amount(field: FieldPath<'_>, name: &str, value: &Value, errors: &mut Errors) {
    resource_name(field, name, errors);
    let Some(amount) = Quantity::read(value) else { return };
    if amount < Quantity::default() {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
    if is_extended(name) && !amount.is_whole() {
        errors.invalid(field, value, "must be an integer");
    }
}

/// Whether it is Kubernetes' own (`IsNativeResource`).
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.")
}

/// Whether more may be allowed than there is (`IsOvercommitAllowed`).
fn may_be_promised_twice(name: &str) -> bool {
    is_native(name) && !name.starts_with(HUGE_PAGES)
}

fn resource_name(field: FieldPath<'_>, name: &str, errors: &mut Errors) {
    let value = Value::from(name);
    names::check_qualified(field, &value, errors);
    if name.contains('/') || name.starts_with(HUGE_PAGES) || OF_CONTAINERS.contains(&name) {
        return;
    }
    if !OF_QUOTAS.contains(&name) {
        errors.invalid(field, &value, "must be a standard resource type or fully qualified");
    }
    errors.invalid(field, &value, "must be a standard resource for containers");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_counted_in_whole_ones_is_not_promised_twice() {
        for (resources, told) in [
            (json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}), &[][..]),
            (
                json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
                &["r.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"],
            ),
            (json!({"requests": {"a.b/gpu": "1"}, "limits": {"a.b/gpu": "1"}}), &[]),
            (
                json!({"requests": {"a.b/gpu": "1"}, "limits": {"a.b/gpu": "2"}}),
                &["r.requests: Invalid value: \"1\": must be equal to a.b/gpu limit of 2"],
            ),
            (
                json!({"requests": {"a.b/gpu": "1"}}),
                &["r.limits: Required value: Limit must be set for non overcommitable resources"],
            ),
            (
                json!({"limits": {"a.b/gpu": "500m"}}),
                &["r.limits[a.b/gpu]: Invalid value: \"500m\": must be an integer"],
            ),
            (json!({"limits": {"hugepages-2Mi": "2Mi"}}), &["r: Forbidden: HugePages require cpu or memory"]),
            (
                json!({"limits": {"memory": "-1"}}),
                &["r.limits[memory]: Invalid value: \"-1\": must be greater than or equal to 0"],
            ),
        ] {
            let mut errors = Errors::default();
            check(&"r", &resources, &mut errors);
            let words: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!(words, told, "{resources}");
        }
    }
}
