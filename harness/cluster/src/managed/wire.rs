//! `managedFields` as JSON.

use std::sync::Arc;

use pulldrill_clock::stamp;
use serde_json::{Value, json};

use super::{Entry, ManagedFields, Operation, Owner, entry::Kept};
use crate::{fields::FieldSet, json_writer};

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

impl Entry {
    /// Writes the entry as JSON.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        if let Some(json) = &self.json.0 {
            return to.extend_from_slice(json);
        }
        let Owner { manager, operation, api_version, subresource } = &self.owner;
        to.push(b'{');
        json_writer::text_field(to, "manager", manager);
        json_writer::text_field(to, "operation", operation.as_str());
        json_writer::text_field(to, "apiVersion", api_version);
        if let Some(time) = self.time {
            json_writer::text_field(to, "time", &stamp(time));
        }
        json_writer::text_field(to, "fieldsType", FORMAT);
        json_writer::name(to, "fieldsV1");
        self.fields.write(to);
        to.push(b',');
        if !subresource.is_empty() {
            json_writer::text_field(to, "subresource", subresource);
        }
        json_writer::end(to, b'}');
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
    /// Writes the entries as JSON.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.push(b'[');
        for entry in self.entries() {
            entry.write(to);
            to.push(b',');
        }
        json_writer::end(to, b']');
    }

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
        json: Kept::default(),
    })
}
