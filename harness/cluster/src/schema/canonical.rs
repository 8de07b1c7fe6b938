//! The form in which the API keeps objects: what Go's types would not keep of a JSON body is dropped, so that two
//! bodies that mean the same are the same. Not defaults: those are the API's.

use serde_json::{Map, Value};

use super::{
    scalars,
    table::{Definition, Field, Schema},
    types::{Scalar, Type},
};

impl Schema {
    /// Drops unknown fields, nulls, and zero values that Go would not write; writes quantities as strings, and
    /// null for times that Go writes although they are not there. An object of a kind that the table does not know stays as it is.
    pub fn canonicalize(&self, api_version: &str, kind: &str, object: &mut Value) {
        if let (Some(definition), Value::Object(fields)) = (self.kind(api_version, kind), object) {
            self.canonical_object(definition, fields);
        }
    }

    fn canonical_object(&self, definition: &Definition, object: &mut Map<String, Value>) {
        object.retain(|name, value| match self.field(definition, name) {
            Some(field) => {
                self.canonical_value(&field.ty, value);
                kept(field, value)
            }
            None => definition.is_kind && (name == "apiVersion" || name == "kind"),
        });
        for time in &definition.null_times {
            if !object.contains_key(time) {
                object.insert(time.clone(), Value::Null);
            }
        }
    }

    fn canonical_value(&self, ty: &Type, value: &mut Value) {
        match (ty, value) {
            (Type::List(element), Value::Array(items)) => {
                items.iter_mut().for_each(|item| self.canonical_value(element, item));
            }
            (Type::Map(element), Value::Object(entries)) => {
                entries.retain(|_, entry| {
                    self.canonical_value(element, entry);
                    !entry.is_null()
                });
            }
            (Type::Reference(_), Value::Object(fields)) => {
                if let Some(target) = self.target(ty) {
                    self.canonical_object(target, fields);
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
}
