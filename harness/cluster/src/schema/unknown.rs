//! Which fields of a JSON body the table does not know. Values are not looked at: see [`super::check`].

use serde_json::Value;

use super::{
    path::Path,
    table::{Definition, Schema},
    types::Type,
};

impl Schema {
    /// The paths of all fields that the kind does not have, such as `spec.containers[0].imagePullPolice`, in the
    /// order of the body. None for a kind that the table does not know.
    #[must_use]
    pub fn unknown_fields(&self, api_version: &str, kind: &str, object: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(definition) = self.kind(api_version, kind) {
            self.unknown_in(definition, object, &Path::Root, &mut found);
        }
        found
    }

    fn unknown_in(&self, definition: &Definition, value: &Value, path: &Path<'_>, found: &mut Vec<String>) {
        let Value::Object(fields) = value else { return };
        for (name, value) in fields {
            let inner = Path::Field(path, name);
            match self.field(definition, name) {
                Some(field) => self.unknown_below(&field.ty, value, &inner, found),
                None if definition.is_kind && (name == "apiVersion" || name == "kind") => {}
                None => found.push(inner.to_string()),
            }
        }
    }

    fn unknown_below(&self, ty: &Type, value: &Value, path: &Path<'_>, found: &mut Vec<String>) {
        match (ty, value) {
            (Type::List(element), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.unknown_below(element, item, &Path::Element(path, index), found);
                }
            }
            (Type::Map(element), Value::Object(entries)) => {
                for (key, entry) in entries {
                    self.unknown_below(element, entry, &Path::Field(path, key), found);
                }
            }
            (Type::Reference(_), value) => {
                if let Some(definition) = self.target(ty).filter(|target| target.items.is_none()) {
                    self.unknown_in(definition, value, path, found);
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

    #[test]
    fn unknown_fields_are_named_with_their_path() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"any": "x"}, "lables": {}},
            "spec": {"containers": [{"name": "a", "imagePullPolice": "Always", "resources": {"limits": {"cpu": 1}}}],
                "volumes": [{"name": "v", "secret": {"name": "wrong"}}], "bogus": 1}});
        let mut found = Schema::embedded().unknown_fields("v1", "Pod", &pod);
        found.sort();
        let expected = [
            "metadata.lables",
            "spec.bogus",
            "spec.containers[0].imagePullPolice",
            "spec.volumes[0].secret.name",
        ];
        assert_eq!(found, expected);
        assert!(Schema::embedded().unknown_fields("example.org/v1", "Thing", &pod).is_empty());
    }
}
