//! Times that are nothing. Before Kubernetes 1.34 the metadata of templates said when they were created: never, as
//! null. Clients show it, and lines of a diff are counted with it. Recorded were 1.20, with, and 1.36, without.

use serde_json::Value;

use crate::{release::Span, resources::Resource};

/// The releases that write them.
pub(super) const WRITTEN: Span = Span::new(None, Some(34));

/// Where templates are (JSON pointers), by the resource's name in the store.
const TEMPLATES: [(&str, &[&str]); 8] = [
    ("cronjobs.batch", &["/spec/jobTemplate", "/spec/jobTemplate/spec/template"]),
    ("daemonsets.apps", &["/spec/template"]),
    ("deployments.apps", &["/spec/template"]),
    ("jobs.batch", &["/spec/template"]),
    ("podtemplates", &["/template"]),
    ("replicasets.apps", &["/spec/template"]),
    ("replicationcontrollers", &["/spec/template"]),
    ("statefulsets.apps", &["/spec/template"]),
];

/// Writes them.
pub(super) fn write(resource: &Resource, object: &mut Value) {
    let templates = TEMPLATES.iter().filter(|(store, _)| *store == resource.store).flat_map(|(_, all)| *all);
    for pointer in templates {
        let Some(template) = object.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        let metadata = template.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.entry("creationTimestamp").or_insert(Value::Null);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Release, resources::Resources};

    #[test]
    fn templates_were_never_created() {
        let jobs = Resources::default().stored("cronjobs.batch").unwrap();
        let mut job =
            json!({"spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}}});
        write(&jobs, &mut job);
        let template = &job["spec"]["jobTemplate"];
        assert_eq!(template["metadata"], json!({"creationTimestamp": null}));
        let pod = &template["spec"]["template"]["metadata"];
        assert_eq!(pod, &json!({"labels": {"a": "b"}, "creationTimestamp": null}));
        for odd in [json!({}), json!({"spec": {"jobTemplate": 1}}), json!([1])] {
            let mut object = odd.clone();
            write(&jobs, &mut object);
            assert_eq!(object, odd);
        }
        assert!(WRITTEN.has(Release::minor(20)) && !WRITTEN.has(Release::minor(36)));
    }
}
