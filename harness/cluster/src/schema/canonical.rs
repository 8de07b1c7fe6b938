//! The form in which the API keeps objects: what Go's types would not keep of a JSON body is dropped, so that two
//! bodies that mean the same are the same. Not defaults: those are the API's.

use serde_json::{Map, Value};

use super::{
    path::Path,
    scalars,
    table::{Definition, Field, Schema},
    types::{Scalar, Type},
};

impl Schema {
    /// Drops unknown fields, nulls, and zero values that Go would not write; writes quantities as strings, and
    /// null for times that Go writes although they are not there. An object of a kind that the table does not know stays as it is.
    ///
    /// Returns the paths of the unknown fields, such as `spec.containers[0].imagePullPolice`, in the order of the body.
    pub fn canonicalize(&self, api_version: &str, kind: &str, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        if let (Some(definition), Value::Object(fields)) = (self.kind(api_version, kind), object) {
            self.canonical_object(definition, fields, &Path::Root, &mut unknown);
        }
        unknown
    }

    fn canonical_object(
        &self,
        definition: &Definition,
        object: &mut Map<String, Value>,
        path: &Path<'_>,
        unknown: &mut Vec<String>,
    ) {
        object.retain(|name, value| {
            let path = &Path::Field(path, name);
            match self.field(definition, name) {
                Some(field) => {
                    self.canonical_value(&field.ty, value, path, unknown);
                    kept(field, value)
                }
                None if definition.is_kind && (name == "apiVersion" || name == "kind") => true,
                None => {
                    unknown.push(path.to_string());
                    false
                }
            }
        });
        for time in &definition.null_times {
            if !object.contains_key(time) {
                object.insert(time.clone(), Value::Null);
            }
        }
    }

    fn canonical_value(&self, ty: &Type, value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
        match (ty, value) {
            (Type::List(element), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.canonical_value(element, item, &Path::Element(path, index), unknown);
                }
            }
            (Type::Map(element), Value::Object(entries)) => {
                entries.retain(|key, entry| {
                    self.canonical_value(element, entry, &Path::Field(path, key), unknown);
                    !entry.is_null()
                });
            }
            (Type::Reference(_), Value::Object(fields)) => {
                if let Some(target) = self.target(ty) {
                    self.canonical_object(target, fields, path, unknown);
                }
            }
            (Type::Scalar(Scalar::Quantity), value @ Value::Number(_)) => *value = value.to_string().into(),
            _ => {}
        }
    }
}

fn kept(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => field.is_null_time(),
        value => field.pointer || field.keep_zero || !scalars::is_zero(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_nothing_is_dropped() {
        let mut deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "bogus": 1,
            "metadata": {"name": "a", "creationTimestamp": null, "labels": {"a": ""}, "annotations": {}},
            "spec": {"replicas": 0, "paused": false, "strategy": {}, "template": {"metadata": {"creationTimestamp": null},
                "spec": {"containers": [{"name": "c", "image": "", "resources": {"limits": {"cpu": 1}}, "stdin": false}],
                    "volumes": [{"name": "v", "emptyDir": {}}], "hostAliases": []}}}, "status": {}});
        Schema::embedded().canonicalize("apps/v1", "Deployment", &mut deployment);
        assert_eq!(
            deployment,
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "labels": {"a": ""}},
            "spec": {"replicas": 0, "strategy": {}, "template": {"metadata": {},
                "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}],
                    "volumes": [{"name": "v", "emptyDir": {}}]}}}, "status": {}})
        );
    }

    #[test]
    fn times_that_go_always_writes_are_null_when_they_are_absent() {
        let mut event = json!({"firstTimestamp": null, "count": 0});
        Schema::embedded().canonicalize("v1", "Event", &mut event);
        assert_eq!(event, json!({"firstTimestamp": null, "lastTimestamp": null, "eventTime": null}));
        let mut pod = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        Schema::embedded().canonicalize("v1", "Pod", &mut pod);
        let condition =
            json!({"type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": null});
        assert_eq!(pod["status"]["conditions"], json!([condition]));
    }

    #[test]
    fn unknown_fields_are_named_with_their_path() {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"any": "x"}, "lables": {}},
            "spec": {"containers": [{"name": "a", "imagePullPolice": "Always", "resources": {"limits": {"cpu": 1}}}],
                "volumes": [{"name": "v", "secret": {"name": "wrong"}}], "bogus": 1}});
        assert!(Schema::embedded().canonicalize("example.org/v1", "Thing", &mut pod).is_empty());
        let mut found = Schema::embedded().canonicalize("v1", "Pod", &mut pod);
        found.sort();
        let expected = [
            "metadata.lables",
            "spec.bogus",
            "spec.containers[0].imagePullPolice",
            "spec.volumes[0].secret.name",
        ];
        assert_eq!(found, expected);
        assert_eq!(Schema::embedded().canonicalize("v1", "Pod", &mut pod), [""; 0], "they are gone");
    }
}
