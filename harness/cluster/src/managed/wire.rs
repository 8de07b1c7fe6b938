//! `managedFields` as JSON.

use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

use super::{Entry, ManagedFields, Operation, Owner};
use crate::fields::FieldSet;

const FORMAT: &str = "FieldsV1";

impl Operation {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Serialize for ManagedFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for entry in self.entries() {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("manager", &self.owner.manager)?;
        map.serialize_entry("operation", self.owner.operation.as_str())?;
        map.serialize_entry("apiVersion", &self.owner.api_version)?;
        if let Some(time) = self.time {
            map.serialize_entry("time", &stamp(time))?;
        }
        map.serialize_entry("fieldsType", FORMAT)?;
        map.serialize_entry("fieldsV1", &self.fields)?;
        if !self.owner.subresource.is_empty() {
            map.serialize_entry("subresource", &self.owner.subresource)?;
        }
        map.end()
    }
}

/// What a client says about the managers in an object that it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Nothing, or nothing that could be read: the present entries stay.
    #[default]
    None,
    /// One empty entry: forget them all.
    Reset,
    /// These entries instead.
    Entries(ManagedFields),
}

impl ManagedFields {
    /// The entries as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let shown = |entry: &Entry| {
            let Owner { manager, operation, api_version, subresource } = &entry.owner;
            let mut value = json!({"manager": manager, "operation": operation.as_str(), "apiVersion": api_version,
                "fieldsType": FORMAT, "fieldsV1": entry.fields.to_value()});
            if let Some(time) = entry.time {
                value["time"] = stamp(time).into();
            }
            if !subresource.is_empty() {
                value["subresource"] = subresource.as_str().into();
            }
            value
        };
        self.entries().map(shown).collect()
    }

    /// Reads what a client wrote.
    #[must_use]
    pub fn claimed(value: &Value) -> Claim {
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else { return Claim::None };
        if let [Value::Object(only)] = list.as_slice()
            && only.values().all(|value| value.as_str() == Some("") || value.is_null())
        {
            return Claim::Reset;
        }
        match list.iter().map(|entry| read(entry).map(Arc::new)).collect() {
            Some(entries) => Claim::Entries(Self(entries)),
            None => Claim::None,
        }
    }
}

/// Takes the managers out of an object.
pub fn taken_from(object: &mut Value) -> Option<Claim> {
    let meta = object.get_mut("metadata").and_then(Value::as_object_mut);
    let claimed = meta.and_then(|meta| meta.remove("managedFields"));
    claimed.map(|value| ManagedFields::claimed(&value))
}

fn read(entry: &Value) -> Option<Entry> {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let operation = match entry["operation"].as_str()? {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let time = match &entry["time"] {
        Value::Null => None,
        value => Some(value.as_str()?.parse().ok()?),
    };
    let fields = match &entry["fieldsV1"] {
        Value::Null => FieldSet::default(),
        value => FieldSet::read(value)?,
    };
    (entry["fieldsType"].as_str()? == FORMAT).then_some(Entry {
        owner: Owner {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        },
        time,
        fields,
    })
}
