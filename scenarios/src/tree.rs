//! YAML to types, and back to the place in the file when something in it is wrong.

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::ScenarioError;

/// Reads a YAML text; the error shows the place.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ScenarioError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let plain = error.without_snippet();
        let place = plain.location().map_or((1, 1), |at| (number(at.line()), number(at.column())));
        let message = plain.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.split(" at line ").next().unwrap_or(message).to_owned();
        ScenarioError::at(file, text, place, message, "fix the field at the mark; the names and kinds of all fields are in the documentation of the format")
    })
}

/// A step on the way into a document.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// A field's name.
    Field(String),
    /// A place in a list.
    Index(usize),
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::Field(name.to_owned())
    }
}

impl From<usize> for Key {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Line and column of a path in a text, of its deepest part that exists.
pub(crate) fn place(text: &str, path: &[Key]) -> (usize, usize) {
    let Ok(root) = serde_saphyr::from_str::<Spanned<Node>>(text) else { return (1, 1) };
    let mut node = &root;
    for key in path {
        let next = match (&node.value, key) {
            (Node::Map(fields), Key::Field(name)) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            (Node::List(items), Key::Index(index)) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        node = next;
    }
    (number(node.referenced.line()), number(node.referenced.column()))
}

fn number(position: u64) -> usize {
    usize::try_from(position).unwrap_or(1)
}

/// A document of which only the shape and the places matter.
#[derive(Debug)]
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Node::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_line_and_column() {
        let text = "id: x\nchecks:\n  - id: a\n    points: 5\n  - id: b\n    points: six\n";
        assert_eq!(place(text, &["checks".into(), 1.into(), "points".into()]), (6, 13));
        assert_eq!(place(text, &["checks".into(), 0.into(), "nothing".into()]), (3, 5));
        assert_eq!(place(": : :", &["x".into()]), (1, 1));
    }
}
