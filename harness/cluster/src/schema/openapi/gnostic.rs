//! The protobuf encoding of an OpenAPI version 2 document, message by message as a table: which JSON field has
//! which number and is encoded how. Only the messages that our documents contain.

use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Map, Value};

/// How a JSON value is encoded.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Flag,
    /// A repeated string.
    Texts,
    One(Shape),
    Many(Shape),
    /// A JSON object, as a message of repeated pairs of name and value.
    Pairs(Shape),
    /// The value wrapped into a message, as its only field.
    Within(u32, &'static Form),
    /// Any JSON, as YAML text; JSON is YAML.
    Any,
}

/// Which message.
#[derive(Clone, Copy)]
enum Shape {
    Info,
    Paths,
    PathItem,
    Operation,
    Parameter,
    BodyParameter,
    QueryParameter,
    PathParameter,
    Responses,
    Response,
    Schema,
}

use Form::{Any, Flag, Many, One, Pairs, Text, Texts, Within};

type Row = (&'static str, u32, Form);

const DOCUMENT: &[Row] = &[
    ("swagger", 1, Text),
    ("info", 2, One(Shape::Info)),
    ("paths", 8, One(Shape::Paths)),
    ("definitions", 9, Pairs(Shape::Schema)),
];

/// Where unknown fields, which are extensions, go.
struct Message {
    rows: &'static [Row],
    extensions: u32,
}

impl Shape {
    fn message(self) -> Message {
        let (rows, extensions): (&[Row], u32) = match self {
            Self::Info => (&[("title", 1, Text), ("version", 2, Text), ("description", 3, Text)], 7),
            Self::Paths => (&[], 1),
            Self::PathItem => (
                &[
                    ("get", 2, One(Self::Operation)),
                    ("put", 3, One(Self::Operation)),
                    ("post", 4, One(Self::Operation)),
                    ("delete", 5, One(Self::Operation)),
                    ("patch", 8, One(Self::Operation)),
                    ("parameters", 9, Many(Self::Parameter)),
                ],
                10,
            ),
            Self::Operation => (
                &[
                    ("tags", 1, Texts),
                    ("description", 3, Text),
                    ("operationId", 5, Text),
                    ("produces", 6, Texts),
                    ("consumes", 7, Texts),
                    ("parameters", 8, Many(Self::Parameter)),
                    ("responses", 9, One(Self::Responses)),
                ],
                13,
            ),
            Self::BodyParameter => (
                &[
                    ("description", 1, Text),
                    ("name", 2, Text),
                    ("in", 3, Text),
                    ("required", 4, Flag),
                    ("schema", 5, One(Self::Schema)),
                ],
                6,
            ),
            Self::QueryParameter => (
                &[
                    ("required", 1, Flag),
                    ("in", 2, Text),
                    ("description", 3, Text),
                    ("name", 4, Text),
                    ("type", 6, Text),
                    ("format", 7, Text),
                    ("uniqueItems", 20, Flag),
                ],
                23,
            ),
            Self::PathParameter => (
                &[
                    ("required", 1, Flag),
                    ("in", 2, Text),
                    ("description", 3, Text),
                    ("name", 4, Text),
                    ("type", 5, Text),
                    ("format", 6, Text),
                    ("uniqueItems", 19, Flag),
                ],
                22,
            ),
            Self::Response => (&[("description", 1, Text), ("schema", 2, Within(1, &One(Self::Schema)))], 5),
            Self::Schema => (
                &[
                    ("$ref", 1, Text),
                    ("format", 2, Text),
                    ("description", 4, Text),
                    ("default", 5, Any),
                    ("required", 19, Texts),
                    ("additionalProperties", 21, Within(1, &One(Self::Schema))),
                    ("type", 22, Within(1, &Text)),
                    ("items", 23, Within(1, &One(Self::Schema))),
                    ("properties", 25, Pairs(Self::Schema)),
                ],
                31,
            ),
            Self::Parameter | Self::Responses => (&[], 2),
        };
        Message { rows, extensions }
    }
}

/// Encodes a document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    if let Value::Object(fields) = document {
        rows(&Message { rows: DOCUMENT, extensions: 16 }, fields, &mut out);
    }
    out
}

fn rows(message: &Message, fields: &Map<String, Value>, out: &mut Vec<u8>) {
    for (name, number, form) in message.rows {
        if let Some(value) = fields.get(*name) {
            field(*number, *form, value, out);
        }
    }
    for (name, value) in fields.iter().filter(|(name, _)| name.starts_with("x-")) {
        let mut pair = Vec::new();
        field(1, Text, &Value::String(name.clone()), &mut pair);
        field(2, Any, value, &mut pair);
        delimited(message.extensions, &pair, out);
    }
}

fn field(number: u32, form: Form, value: &Value, out: &mut Vec<u8>) {
    match (form, value) {
        (Text, Value::String(text)) => delimited(number, text.as_bytes(), out),
        (Flag, Value::Bool(true)) => {
            encode_key(number, WireType::Varint, out);
            encode_varint(1, out);
        }
        (Texts, Value::Array(items)) => items.iter().for_each(|item| field(number, Text, item, out)),
        (One(shape), value) => delimited(number, &object(shape, value), out),
        (Many(shape), Value::Array(items)) => {
            items.iter().for_each(|item| field(number, One(shape), item, out));
        }
        (Pairs(shape), Value::Object(fields)) => delimited(number, &pairs(1, shape, fields), out),
        (Within(inner, form), value) => {
            let mut message = Vec::new();
            field(inner, *form, value, &mut message);
            delimited(number, &message, out);
        }
        (Any, value) => {
            let mut message = Vec::new();
            delimited(2, format!("{value}\n").as_bytes(), &mut message);
            delimited(number, &message, out);
        }
        _ => {}
    }
}

fn object(shape: Shape, value: &Value) -> Vec<u8> {
    let Value::Object(fields) = value else { return Vec::new() };
    let mut out = Vec::new();
    match shape {
        Shape::Paths => return pairs(2, Shape::PathItem, fields),
        Shape::Responses => {
            // The value of each pair is a choice between a response and a reference to one.
            for (code, response) in fields {
                let mut pair = Vec::new();
                field(1, Text, &Value::String(code.clone()), &mut pair);
                field(2, Within(1, &One(Shape::Response)), response, &mut pair);
                delimited(1, &pair, &mut out);
            }
        }
        // Parameters are choices within choices: inline or reference, body or not, and where it stands.
        Shape::Parameter => {
            let form = match fields.get("in").and_then(Value::as_str) {
                Some("body") => Within(1, &One(Shape::BodyParameter)),
                Some("path") => Within(2, &Within(4, &One(Shape::PathParameter))),
                _ => Within(2, &Within(3, &One(Shape::QueryParameter))),
            };
            let mut choice = Vec::new();
            if let Within(number, form) = form {
                field(number, *form, value, &mut choice);
            }
            delimited(1, &choice, &mut out);
        }
        shape => rows(&shape.message(), fields, &mut out),
    }
    out
}

fn pairs(number: u32, shape: Shape, fields: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        let mut pair = Vec::new();
        field(1, Text, &Value::String(name.clone()), &mut pair);
        field(2, One(shape), value, &mut pair);
        delimited(number, &pair, &mut out);
    }
    out
}

fn delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
