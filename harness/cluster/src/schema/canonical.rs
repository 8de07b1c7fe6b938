//! The form in which the API keeps objects: what Go's types would not keep of a JSON body is dropped, so that two
//! bodies that mean the same are the same. Not defaults: those are the API's.

use serde_json::{Map, Value};

use super::{
    path::Path,
    scalars,
    table::{Definition, Field, Schema},
    types::{Scalar, Type},
};
use crate::quantity::Quantity;

impl Schema {
    /// Drops unknown fields, nulls, and zero values that Go would not write; writes quantities in their canonical form, and
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
                    if matches!(**element, Type::Scalar(Scalar::Quantity)) {
                        canonical_quantity(entry, true);
                    } else {
                        self.canonical_value(element, entry, &Path::Field(path, key), unknown);
                    }
                    !entry.is_null()
                });
            }
            (Type::Reference(_), Value::Object(fields)) => {
                if let Some(target) = self.target(ty) {
                    self.canonical_object(target, fields, path, unknown);
                }
            }
            (Type::Scalar(Scalar::Quantity), value) => canonical_quantity(value, false),
            _ => {}
        }
    }
}

/// Writes a quantity as the API keeps it; amounts of resources, which lie in maps, are whole `thousandths`.
fn canonical_quantity(value: &mut Value, thousandths: bool) {
    if value.is_number() {
        *value = value.to_string().into();
    }
    if let Some(written) = value.as_str().and_then(|text| Quantity::canonical(text, thousandths)) {
        *value = written.into();
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
    fn quantities_are_written_in_one_way() {
        let container = json!({"resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}},
            "env": [{"valueFrom": {"resourceFieldRef": {"divisor": "1000m"}}}]});
        let pod = json!({"overhead": {"memory": "1.5Gi"}, "containers": [container], "volumes": [{"emptyDir": {"sizeLimit": "2048Mi"}}]});
        let target = json!({"metrics": [{"resource": {"target": {"averageValue": "0.1"}}}]});
        for (api_version, kind, object, place, kept) in [
            ("v1", "Pod", json!({"spec": pod}), "/spec/containers/0/resources/requests/cpu", "500m"),
            ("v1", "Pod", json!({"spec": pod}), "/spec/containers/0/resources/requests/memory", "1Gi"),
            (
                "v1",
                "Pod",
                json!({"spec": pod}),
                "/spec/containers/0/env/0/valueFrom/resourceFieldRef/divisor",
                "1",
            ),
            ("v1", "Pod", json!({"spec": pod}), "/spec/overhead/memory", "1536Mi"),
            ("v1", "Pod", json!({"spec": pod}), "/spec/volumes/0/emptyDir/sizeLimit", "2Gi"),
            (
                "apps/v1",
                "Deployment",
                json!({"spec": {"template": {"spec": pod}}}),
                "/spec/template/spec/overhead/memory",
                "1536Mi",
            ),
            ("v1", "ResourceQuota", json!({"spec": {"hard": {"pods": "1000"}}}), "/spec/hard/pods", "1k"),
            (
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"max": {"cpu": "1100u"}}]}}),
                "/spec/limits/0/max/cpu",
                "2m",
            ),
            (
                "v1",
                "PersistentVolume",
                json!({"spec": {"capacity": {"storage": "0.5Gi"}}}),
                "/spec/capacity/storage",
                "512Mi",
            ),
            ("v1", "Node", json!({"status": {"capacity": {"cpu": "4000m"}}}), "/status/capacity/cpu", "4"),
            (
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                json!({"spec": target}),
                "/spec/metrics/0/resource/target/averageValue",
                "100m",
            ),
        ] {
            let mut object = object;
            Schema::embedded().canonicalize(api_version, kind, &mut object);
            assert_eq!(object.pointer(place), Some(&json!(kept)), "{kind} {place}");
        }
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
