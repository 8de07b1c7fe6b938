//! Whether an applied object is one of its kind, in the words of structured-merge-diff, which clients show.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{element, shape::Walk};
use crate::{
    go,
    schema::{Definition, Field, Scalar, Type},
};

/// Everything that is wrong with an object of a kind, each with its path.
pub(crate) fn check(walk: Walk<'_>, definition: &Definition, object: &Value) -> Vec<String> {
    let mut check = Check { walk, path: Vec::new(), errors: Vec::new() };
    check.object(definition, object);
    check.errors
}

struct Check<'a> {
    walk: Walk<'a>,
    path: Vec<String>,
    errors: Vec<String>,
}

impl Check<'_> {
    fn complain(&mut self, why: &str) {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let path = element::shown(&path);
        self.errors.push(if path.is_empty() { why.to_owned() } else { format!("{path}: {why}") });
    }

    fn below(&mut self, element: String, check: impl FnOnce(&mut Self)) {
        self.path.push(element);
        check(self);
        self.path.pop();
    }

    fn object(&mut self, definition: &Definition, value: &Value) {
        let Some(fields) = self.fields(value) else { return };
        let walk = self.walk;
        for (name, value) in fields {
            self.below(format!("f:{name}"), |check| match walk.0.field(definition, name) {
                Some(field) => check.value(&field.ty, Some(field), value),
                None if definition.is_kind && (name == "apiVersion" || name == "kind") => {}
                None => check.complain("field not declared in schema"),
            });
        }
    }

    fn fields<'v>(&mut self, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let fields = value.as_object();
        if fields.is_none() && !value.is_null() {
            self.complain(&format!("expected map, got {}", go::pointer(value)));
        }
        fields
    }

    fn value(&mut self, ty: &Type, field: Option<&Field>, value: &Value) {
        match ty {
            Type::Scalar(scalar) => self.scalar(*scalar, value),
            Type::Map(values) => {
                for (name, value) in self.fields(value).into_iter().flatten() {
                    self.below(format!("f:{name}"), |check| check.value(values, None, value));
                }
            }
            Type::List(element) => self.list(element, field, value),
            Type::Reference(_) => {
                if let Some(target) = self.walk.0.target(ty) {
                    match &target.items {
                        Some(items) => self.list(items, None, value),
                        None => self.object(target, value),
                    }
                }
            }
        }
    }

    fn list(&mut self, ty: &Type, field: Option<&Field>, value: &Value) {
        let Some(items) = value.as_array() else {
            if !value.is_null() {
                self.complain(&format!("expected list, got {}", go::pointer(value)));
            }
            return;
        };
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let element = match self.element(ty, field, index, item) {
                Ok(element) => element,
                Err(why) => {
                    self.complain(&format!("element {index}: {why}"));
                    return;
                }
            };
            if !seen.insert(element.clone()) {
                self.complain(&format!("duplicate entries for key {}", element::shown(&[&element])));
            }
            self.below(element, |check| check.value(ty, None, item));
        }
    }

    /// How an element of a list is told apart from the others.
    fn element(
        &self,
        ty: &Type,
        field: Option<&Field>,
        index: usize,
        item: &Value,
    ) -> Result<String, String> {
        match field.and_then(|field| Some((field, field.list_type.as_deref()?))) {
            Some((field, "map")) => {
                if item.is_null() {
                    return Err("associative list with keys may not have a null element".into());
                }
                if !item.is_object() {
                    return Err("associative list with keys may not have non-map elements".into());
                }
                let target = self.walk.0.target(ty);
                let defaulted = |key: &String| {
                    target.and_then(|t| self.walk.0.field(t, key)).is_some_and(|f| f.default.is_some())
                };
                if !field.list_keys.iter().any(|key| item.get(key).is_some() || defaulted(key)) {
                    let keys: Vec<String> = field.list_keys.iter().map(|key| format!("{key:?}")).collect();
                    return Err(format!(
                        "associative list with keys has an element that omits all key fields [{}] (and doesn't \
                         have default values for any key fields)",
                        keys.join(" ")
                    ));
                }
                Ok(element::key_element(self.walk.0, &field.list_keys, target, item).to_string())
            }
            Some((_, "set")) if item.is_object() => {
                Err("associative list without keys has an element that's a map type".into())
            }
            Some((_, "set")) => Ok(element::value(item).to_string()),
            _ => Ok(format!("i:{index}")),
        }
    }

    fn scalar(&mut self, scalar: Scalar, value: &Value) {
        let (fits, wanted) = match scalar {
            Scalar::Int32 | Scalar::Int64 => (value.is_number(), "numeric (int or float)"),
            Scalar::Bool => (value.is_boolean(), "boolean"),
            Scalar::String | Scalar::Bytes => (value.is_string(), "string"),
            Scalar::Quantity | Scalar::IntOrString | Scalar::Time | Scalar::MicroTime => {
                (!value.is_object() && !value.is_array(), "any scalar")
            }
            Scalar::Any => (true, ""),
        };
        if fits || value.is_null() {
            return;
        }
        let got = match wanted {
            "numeric (int or float)" => go::type_name(value).to_owned(),
            "string" => format!("&value.valueUnstructured{{Value:{}}}", go::quoted(value)),
            _ => go::pointer(value),
        };
        self.complain(&format!("expected {wanted}, got {got}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let walk = Walk(Schema::embedded());
        let definition = walk.0.kind("apps/v1", "Deployment").unwrap();
        let errors =
            |spec: Value| check(walk, definition, &json!({"kind": "Deployment", "spec": spec})).join("\n");
        for (spec, expected) in [
            (json!({"replicas": "3"}), ".spec.replicas: expected numeric (int or float), got string"),
            (json!({"paused": "yes"}), ".spec.paused: expected boolean, got &{yes}"),
            (
                json!({"template": {"metadata": {"labels": {"a": 1}}}}),
                ".spec.template.metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}",
            ),
            (json!({"template": []}), ".spec.template: expected map, got &{[]}"),
            (
                json!({"template": {"spec": {"containers": {"a": 1}}}}),
                ".spec.template.spec.containers: expected list, got &{map[a:1]}",
            ),
            (json!({"template": {"spec": {"containers": [{"name": "c", "ports": [{"name": "x"}]}]}}}), ""),
            (
                json!({"template": {"spec": {"containers": [{"image": "c"}]}}}),
                ".spec.template.spec.containers: element 0: associative list with keys has an element that omits \
                 all key fields [\"name\"] (and doesn't have default values for any key fields)",
            ),
            (
                json!({"template": {"spec": {"tolerations": [{"kee": "a"}]}}}),
                ".spec.template.spec.tolerations[0].kee: field not declared in schema",
            ),
            (
                json!({"a": 1, "b": 2}),
                ".spec.a: field not declared in schema\n.spec.b: field not declared in schema",
            ),
        ] {
            assert_eq!(errors(spec), expected);
        }
    }
}
