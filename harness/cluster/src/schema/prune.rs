//! Taking out of an object what the table does not know, and nothing else: unlike the canonical form, for objects
//! that the API made and not a client.

use serde_json::{Map, Value};

use super::{
    table::{Definition, Schema},
    types::Type,
};

impl Schema {
    /// Drops the fields that the kind does not have. An object of an unknown kind stays as it is.
    pub fn prune(&self, api_version: &str, kind: &str, object: &mut Value) {
        if let (Some(definition), Value::Object(fields)) = (self.kind(api_version, kind), object) {
            self.prune_object(definition, fields);
        }
    }

    fn prune_object(&self, definition: &Definition, object: &mut Map<String, Value>) {
        object.retain(|name, value| match self.field(definition, name) {
            Some(field) => {
                self.prune_value(&field.ty, value);
                true
            }
            None => definition.is_kind && (name == "apiVersion" || name == "kind"),
        });
    }

    fn prune_value(&self, ty: &Type, value: &mut Value) {
        match (ty, value) {
            (Type::List(element), Value::Array(items)) => {
                items.iter_mut().for_each(|item| self.prune_value(element, item));
            }
            (Type::Map(element), Value::Object(entries)) => {
                entries.values_mut().for_each(|entry| self.prune_value(element, entry));
            }
            (Type::Reference(_), Value::Object(fields)) => {
                if let Some(target) = self.target(ty) {
                    self.prune_object(target, fields);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::Release;

    #[test]
    fn what_a_release_does_not_have_goes_and_the_rest_stays() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "labels": {"suspend": "x"}},
            "spec": {"suspend": false, "parallelism": 0, "template": {"spec": {"schedulingGates": [{"name": "g"}],
                "containers": [{"name": "c", "resizePolicy": [], "env": [], "livenessProbe": {"grpc": {}, "exec": {}}}]}}}});
        let mut old = job.clone();
        Schema::of(Release::minor(20)).prune("batch/v1", "Job", &mut old);
        assert_eq!(
            old["spec"],
            json!({"parallelism": 0, "template": {"spec": {
                "containers": [{"name": "c", "env": [], "livenessProbe": {"exec": {}}}]}}})
        );
        assert_eq!(old["metadata"], job["metadata"]);
        let mut same = job.clone();
        Schema::embedded().prune("batch/v1", "Job", &mut same);
        assert_eq!(same, job);
    }
}
