//! How an object is written with the owners of its fields, which are kept beside it.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::managed::ManagedFields;

/// An object and its `metadata.managedFields`, to be written as one.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a>(pub &'a Value, pub &'a ManagedFields);

impl Whole<'_> {
    /// Writes the fields of the object, except some.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn write<S: Serializer>(&self, serializer: S, except: &[&str]) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.as_object().into_iter().flatten() {
            if except.contains(&name.as_str()) {
                continue;
            }
            match value {
                Value::Object(fields) if name == "metadata" && !self.1.is_empty() => {
                    map.serialize_entry(name, &Metadata(fields, self.1))?;
                }
                value => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_object() { self.write(serializer, &[]) } else { self.0.serialize(serializer) }
    }
}

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

struct Metadata<'a>(&'a Map<String, Value>, &'a ManagedFields);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len() + 1))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("managedFields", self.1)?;
        map.end()
    }
}
