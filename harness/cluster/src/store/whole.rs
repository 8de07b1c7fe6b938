//! How an object is written with the owners of its fields, which are kept beside it.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::managed::ManagedFields;

/// An object and its `metadata.managedFields`, to be written as one.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a>(pub &'a Value, pub &'a ManagedFields);

/// What an object is comes first in it, as from real servers: [`Stored::item`](super::Stored::item) counts on it.
pub(super) const FIRST: [&str; 2] = ["kind", "apiVersion"];

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = self.0.as_object() else { return self.0.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        for name in FIRST {
            if let Some(value) = fields.get(name) {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in fields.iter().filter(|(name, _)| !FIRST.contains(&name.as_str())) {
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
