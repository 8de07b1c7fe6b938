//! Roles and bindings that make no sense (`pkg/apis/rbac/validation`).

use serde_json::Value;

use super::super::{
    invalid::{Errors, FieldPath},
    json::{is_nothing, items, text},
    names,
};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(object: &Value, errors: &mut Errors) {
    rules(object, true, errors);
}

pub(super) fn cluster_role(object: &Value, errors: &mut Errors) {
    rules(object, false, errors);
    let aggregation = &object["aggregationRule"];
    if aggregation.is_object() && is_nothing(&aggregation["clusterRoleSelectors"]) {
        errors.required(
            "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        );
    }
}

fn rules(object: &Value, namespaced: bool, errors: &mut Errors) {
    for (index, rule) in items(&object["rules"]).iter().enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        let empty = |field: &str| items(&rule[field]).is_empty();
        if empty("verbs") {
            errors.required(at("verbs"), "verbs must contain at least one value");
        }
        if !empty("nonResourceURLs") {
            let mut refuse = |detail| errors.invalid(at("nonResourceURLs"), &rule["nonResourceURLs"], detail);
            if namespaced {
                refuse("namespaced rules cannot apply to non-resource URLs");
            }
            if !["apiGroups", "resources", "resourceNames"].into_iter().all(empty) {
                refuse("rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        if empty("apiGroups") {
            errors.required(at("apiGroups"), "resource rules must supply at least one api group");
        }
        if empty("resources") {
            errors.required(at("resources"), "resource rules must supply at least one resource");
        }
    }
}

/// A RoleBinding, or, without a namespace, a ClusterRoleBinding.
pub(super) fn binding(object: &Value, namespaced: bool, errors: &mut Errors) {
    let role = &object["roleRef"];
    if role["apiGroup"] != GROUP {
        errors.unsupported("roleRef.apiGroup", &text(&role["apiGroup"]).into(), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&text(&role["kind"])) {
        errors.unsupported("roleRef.kind", &text(&role["kind"]).into(), kinds);
    }
    if text(&role["name"]).is_empty() {
        errors.required("roleRef.name", "");
    }
    for (index, subject) in items(&object["subjects"]).iter().enumerate() {
        self::subject(&format_args!("subjects[{index}]"), subject, namespaced, errors);
    }
}

fn subject(at: FieldPath<'_>, subject: &Value, namespaced: bool, errors: &mut Errors) {
    let (name, group) = (text(&subject["name"]), text(&subject["apiGroup"]));
    if name.is_empty() {
        errors.required(format_args!("{at}.name"), "");
    }
    match text(&subject["kind"]) {
        "ServiceAccount" => {
            if !name.is_empty() {
                names::check_subdomain(&format_args!("{at}.name"), &subject["name"], errors);
            }
            if !group.is_empty() {
                errors.unsupported(format_args!("{at}.apiGroup"), &group.into(), &[""]);
            }
            if !namespaced && text(&subject["namespace"]).is_empty() {
                errors.required(format_args!("{at}.namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.unsupported(format_args!("{at}.apiGroup"), &group.into(), &[GROUP]);
            }
        }
        other => {
            errors.unsupported(
                format_args!("{at}.kind"),
                &other.into(),
                &["ServiceAccount", "User", "Group"],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(check: impl FnOnce(&mut Errors)) -> Vec<String> {
        let mut errors = Errors::default();
        check(&mut errors);
        errors.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_name_verbs_and_either_resources_or_paths() {
        let good = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let paths = json!({"verbs": ["get"], "nonResourceURLs": ["/x"]});
        let object = |rules: Value| json!({"rules": rules});
        assert!(complaints(|e| role(&object(json!([good])), e)).is_empty());
        assert!(complaints(|e| cluster_role(&object(json!([good, paths])), e)).is_empty());
        assert_eq!(
            complaints(|e| role(&object(json!([{}, paths])), e)),
            [
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
                "rules[1].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
            ]
        );
        let both = json!({"verbs": ["get"], "apiGroups": [""], "nonResourceURLs": ["/x"]});
        assert_eq!(
            complaints(|e| cluster_role(&json!({"rules": [both], "aggregationRule": {}}), e)),
            [
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs",
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if \
                 aggregationRule is non-nil",
            ]
        );
    }

    #[test]
    fn bindings_name_a_role_and_subjects() {
        let object = json!({"roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "r"}, "subjects": [
            {"kind": "User", "apiGroup": GROUP, "name": "u"}, {"kind": "ServiceAccount", "name": "sa"}]});
        assert!(complaints(|e| binding(&object, true, e)).is_empty());
        assert_eq!(
            complaints(|e| binding(&object, false, e)),
            [
                "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
                "subjects[1].namespace: Required value",
            ]
        );
        let bad = json!({"subjects": [{"kind": "Robot", "name": "x"}, {"kind": "ServiceAccount", "apiGroup": "g", "name": "A_"},
            {"kind": "Group", "name": ""}]});
        let found = complaints(|e| binding(&bad, true, e));
        let fields: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(
            fields,
            [
                "roleRef.apiGroup",
                "roleRef.kind",
                "roleRef.name",
                "subjects[0].kind",
                "subjects[1].name",
                "subjects[1].apiGroup",
                "subjects[2].name",
                "subjects[2].apiGroup"
            ]
        );
    }
}
