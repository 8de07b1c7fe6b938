//! How a set is written: `{"f:spec":{"f:replicas":{}}}`, the format `FieldsV1`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{
    element,
    set::{FieldSet, Node},
};

/// In a set: the path down to here is itself in the set.
const SELF: &str = ".";

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        entries(self, false, serializer)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        entries(&self.below, self.member && !self.below.is_empty(), serializer)
    }
}

fn entries<S: Serializer>(set: &FieldSet, with_self: bool, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(set.0.len() + usize::from(with_self)))?;
    if with_self {
        map.serialize_entry(SELF, &Map::new())?;
    }
    for (element, node) in &set.0 {
        map.serialize_entry(&**element, node)?;
    }
    map.end()
}

impl FieldSet {
    /// Reads `fieldsV1`. Nothing if it is not what it should be.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        node(value).map(|node| node.below)
    }

    /// The set as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|(element, node)| (element.to_string(), node.to_value())).collect())
    }
}

impl Node {
    fn to_value(&self) -> Value {
        let mut value = self.below.to_value();
        if let (true, Value::Object(fields)) = (self.member && !self.below.is_empty(), &mut value) {
            fields.insert(SELF.into(), Value::Object(Map::new()));
        }
        value
    }
}

fn node(value: &Value) -> Option<Node> {
    let fields = value.as_object()?;
    let mut found = Node { member: fields.is_empty(), below: FieldSet::default() };
    for (name, value) in fields {
        if name == SELF {
            found.member = true;
        } else {
            let element = element::canonical(name)?;
            found.below.put(|| element, node(value)?);
        }
    }
    Some(found)
}
