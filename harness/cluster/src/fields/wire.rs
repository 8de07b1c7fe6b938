//! How a set is written: `{"f:spec":{"f:replicas":{}}}`, the format `FieldsV1`.

use serde_json::{Map, Value};

use super::{
    element,
    set::{FieldSet, Node},
};
use crate::json_writer;

/// In a set: the path down to here is itself in the set.
const SELF: &str = ".";

impl FieldSet {
    /// Reads `fieldsV1`. Nothing if it is not what it should be.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        node(value).map(|node| node.below)
    }

    /// Writes the set as JSON.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        self.write_with(false, to);
    }

    fn write_with(&self, with_self: bool, to: &mut Vec<u8>) {
        to.push(b'{');
        if with_self {
            json_writer::field(to, SELF, &Value::Object(Map::new()));
        }
        for (element, node) in &self.0 {
            json_writer::name(to, element);
            node.below.write_with(node.member && !node.below.is_empty(), to);
            to.push(b',');
        }
        json_writer::end(to, b'}');
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
