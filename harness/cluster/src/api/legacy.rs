//! What clusters of before Kubernetes 1.24 don't write although their types have it: taken out of objects again after
//! defaulting. Fields that a release does not have at all are the schema's affair.

use serde_json::Value;

use crate::resources::Resource;

/// Fields (JSON pointers) that are newer, by the resource's name in the store.
const NEWER: [(&str, &[&str]); 5] = [
    ("namespaces", &["/metadata/labels/kubernetes.io~1metadata.name"]),
    ("pods", &["/metadata/generation"]),
    ("cronjobs.batch", &["/metadata/generation"]),
    ("services", &["/spec/allocateLoadBalancerNodePorts", "/spec/ipFamilies", "/spec/ipFamilyPolicy"]),
    (
        "jobs.batch",
        &[
            "/metadata/generation",
            "/metadata/labels/batch.kubernetes.io~1controller-uid",
            "/metadata/labels/batch.kubernetes.io~1job-name",
            "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid",
            "/spec/template/metadata/labels/batch.kubernetes.io~1job-name",
        ],
    ),
];

/// Takes them out.
pub(super) fn strip(resource: &Resource, object: &mut Value) {
    if resource.store == "jobs.batch" {
        old_selector(object);
    }
    let newer = NEWER.iter().filter(|(store, _)| *store == resource.store).flat_map(|(_, fields)| *fields);
    for pointer in newer {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        if let Some(fields) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.remove(&name.replace("~1", "/"));
        }
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|_, value| !super::json::is_nothing(value));
    }
}

/// A job's own selector had the label's older name, and nothing was said when it was the usual one.
fn old_selector(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && spec.get("manualSelector") == Some(&Value::Bool(false))
    {
        spec.remove("manualSelector");
    }
    let labels = object.pointer_mut("/spec/selector/matchLabels").and_then(Value::as_object_mut);
    if let Some(labels) = labels
        && let Some(uid) = labels.remove("batch.kubernetes.io/controller-uid")
    {
        labels.insert("controller-uid".into(), uid);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::Resources;

    #[test]
    fn newer_fields_are_taken_out_and_nothing_else() {
        let jobs = Resources::default().stored("jobs.batch").unwrap();
        let label = "batch.kubernetes.io/controller-uid";
        let mut job = json!({"metadata": {"name": "j", "generation": 1, "labels": {label: "u"}},
            "spec": {"parallelism": 1, "selector": {"matchLabels": {label: "u"}},
                "template": {"metadata": {"labels": {label: "u", "controller-uid": "u"}}}}});
        strip(&jobs, &mut job);
        assert_eq!(
            job,
            json!({"metadata": {"name": "j"}, "spec": {"parallelism": 1,
                "selector": {"matchLabels": {"controller-uid": "u"}},
                "template": {"metadata": {"labels": {"controller-uid": "u"}}}}})
        );
    }
}
