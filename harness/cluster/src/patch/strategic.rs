//! Strategic merge: like a merge patch, but lists with a merge key are merged element by element, and directives
//! in the patch say what a plain merge can't. Which lists have a key is the schema's knowledge.

use serde_json::{Map, Value};

use super::{
    PatchError,
    order::{Identity, arrange, check, no_key},
};
use crate::{
    go,
    schema::{Definition, Field, Schema, Type},
};

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const REMOVE: &str = "$deleteFromPrimitiveList/";

/// Merges the patch into the object, an object of that kind.
///
/// # Errors
/// When the kind is not in the schema, or a directive or list element of the patch makes no sense.
pub fn strategic(
    schema: &Schema,
    api_version: &str,
    kind: &str,
    original: &Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    let Some(definition) = schema.kind(api_version, kind) else {
        return Err(PatchError::Unsupported(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        ));
    };
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Err(PatchError::Malformed(go::not_a_map(patch)));
    };
    Merge { schema }.objects(Some(definition), original.clone(), patch).map(Value::Object)
}

struct Merge<'a> {
    schema: &'a Schema,
}

/// What the schema says about one field of the object being merged.
#[derive(Clone, Copy)]
struct Known<'a> {
    field: Option<&'a Field>,
    /// The definition of the object, or of the elements of the list.
    inner: Option<&'a Definition>,
}

impl Known<'_> {
    fn has(self, strategy: &str) -> bool {
        self.field.is_some_and(|field| field.has_strategy(strategy))
    }

    fn identity(&self) -> Identity<'_> {
        Identity(self.field.and_then(|field| field.merge_key.as_deref()))
    }
}

impl<'a> Merge<'a> {
    fn known(&self, definition: Option<&'a Definition>, name: &str) -> Known<'a> {
        let field = definition.and_then(|definition| self.schema.field(definition, name));
        let inner = field.and_then(|field| match &field.ty {
            Type::List(element) | Type::Map(element) => self.schema.target(element),
            ty => self.schema.target(ty),
        });
        Known { field, inner }
    }

    fn objects(
        &self,
        definition: Option<&'a Definition>,
        mut object: Map<String, Value>,
        patch: &Map<String, Value>,
    ) -> Result<Map<String, Value>, PatchError> {
        match directive(patch)? {
            Some("replace") => {
                let mut replaced = patch.clone();
                replaced.remove(PATCH);
                return Ok(replaced);
            }
            Some("delete") => return Ok(Map::new()),
            _ => {}
        }
        retain_keys(&mut object, patch)?;
        for (name, value) in patch {
            if let Some(name) = name.strip_prefix(REMOVE) {
                if let (Some(Value::Array(list)), Value::Array(values)) = (object.get_mut(name), value) {
                    list.retain(|item| !values.contains(item));
                }
            } else if let Some(name) = name.strip_prefix(ORDER) {
                // A list that the patch also changes is put in order where it is merged.
                let known = self.known(definition, name);
                let Value::Array(wanted) = value else {
                    let found = go::type_name(value);
                    return Err(PatchError::Failed(format!(
                        "expected a []interface {{}}, but received a {found}"
                    )));
                };
                if let (true, Some(Value::Array(list))) = (known.has("merge"), patch.get(name)) {
                    let stays = |item: &&Value| item.get(PATCH).is_none_or(|what| what != "delete");
                    check(&list.iter().filter(stays).collect::<Vec<_>>(), list, wanted, known.identity())?;
                }
                if let (false, Some(Value::Array(list))) = (patch.contains_key(name), object.get_mut(name)) {
                    let before = list.clone();
                    *list = arrange(std::mem::take(list), wanted, &before, known.identity());
                }
            } else if !name.starts_with('$') {
                let order = patch.get(&format!("{ORDER}{name}")).and_then(Value::as_array);
                match self.field(self.known(definition, name), object.remove(name), value, order)? {
                    Value::Null => {}
                    merged => drop(object.insert(name.clone(), merged)),
                }
            }
        }
        Ok(object)
    }

    /// The new value of one field; null when it goes.
    fn field(
        &self,
        known: Known<'a>,
        current: Option<Value>,
        patch: &Value,
        order: Option<&Vec<Value>>,
    ) -> Result<Value, PatchError> {
        match patch {
            Value::Object(fields) if known.has("replace") => Ok(Value::Object(fields.clone())),
            Value::Object(fields) => {
                let current = match current {
                    Some(Value::Object(current)) => current,
                    _ => Map::new(),
                };
                // The keys of a plain map have no schema, its values have.
                if known.field.is_some_and(|field| matches!(field.ty, Type::Map(_))) {
                    return self.entries(known, current, fields);
                }
                self.objects(known.inner, current, fields).map(Value::Object)
            }
            Value::Array(items) if known.has("merge") => {
                let current = match current {
                    Some(Value::Array(current)) => current,
                    _ => Vec::new(),
                };
                self.lists(known, current, items, order).map(Value::Array)
            }
            other => Ok(other.clone()),
        }
    }

    fn entries(
        &self,
        known: Known<'a>,
        mut map: Map<String, Value>,
        patch: &Map<String, Value>,
    ) -> Result<Value, PatchError> {
        match directive(patch)? {
            Some("replace") => map.clear(),
            Some("delete") => return Ok(Value::Object(Map::new())),
            _ => {}
        }
        retain_keys(&mut map, patch)?;
        for (key, value) in patch.iter().filter(|(key, _)| *key != PATCH && *key != RETAIN) {
            let inner = Known { field: None, inner: known.inner };
            match self.field(inner, map.remove(key), value, None)? {
                Value::Null => {}
                merged => drop(map.insert(key.clone(), merged)),
            }
        }
        Ok(Value::Object(map))
    }

    fn lists(
        &self,
        known: Known<'a>,
        current: Vec<Value>,
        patch: &[Value],
        order: Option<&Vec<Value>>,
    ) -> Result<Vec<Value>, PatchError> {
        let id = known.identity();
        let before = current.clone();
        let mut merged = current;
        let mut named = Vec::new();
        if patch.iter().any(|item| item.get(PATCH).and_then(Value::as_str) == Some("replace")) {
            return Ok(patch.iter().filter(|item| item.get(PATCH).is_none()).cloned().collect());
        }
        for item in patch {
            let (Some(key), Value::Object(fields)) = (id.0, item) else {
                named.push(item.clone());
                if id.position(&merged, item).is_none() {
                    merged.push(item.clone());
                }
                continue;
            };
            if fields.get(PATCH).is_some_and(|what| what == "merge") {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Failed(message.into()));
            }
            let what = directive(fields)?;
            if !fields.contains_key(key) {
                return Err(no_key(item, key));
            }
            let at = id.position(&merged, item);
            if what == Some("delete") {
                merged.retain(|other| !id.same(other, item));
                continue;
            }
            named.push(item.clone());
            let old = match at.map(|at| merged[at].take()) {
                Some(Value::Object(old)) => old,
                _ => Map::new(),
            };
            let new = Value::Object(self.objects(known.inner, old, fields)?);
            match at {
                Some(at) => merged[at] = new,
                None => merged.push(new),
            }
        }
        Ok(arrange(merged, order.unwrap_or(&named), &before, id))
    }
}

/// What is to become of an object, other than merging. Messages are those of a real 1.20.2.
fn directive(patch: &Map<String, Value>) -> Result<Option<&str>, PatchError> {
    match patch.get(PATCH) {
        None => Ok(None),
        Some(Value::String(text)) if matches!(text.as_str(), "replace" | "delete") => Ok(Some(text)),
        Some(other) => {
            let (what, patch) = (go::print_text(other), go::print(&Value::Object(patch.clone())));
            Err(PatchError::Failed(format!("unknown patch type: {what} in map: {patch}")))
        }
    }
}

fn retain_keys(object: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), PatchError> {
    let kept = match patch.get(RETAIN) {
        None => return Ok(()),
        Some(Value::Array(kept)) => kept,
        Some(_) => return Err(PatchError::Failed("invalid patch format of retainKeys".into())),
    };
    let keeps = |name: &str| kept.iter().any(|key| key.as_str() == Some(name));
    let set = |(name, value): (&String, &Value)| !name.starts_with('$') && !value.is_null() && !keeps(name);
    if patch.iter().any(set) {
        return Err(PatchError::Failed("invalid patch format of retainKeys".into()));
    }
    object.retain(|name, _| keeps(name));
    Ok(())
}

#[cfg(test)]
mod tests;
