//! Objects as Go's clients send them; without the care for order and zeros that a real encoder takes.

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_cluster::schema::{Definition, Scalar, Schema, Type};
use serde_json::Value;

const MAGIC: &[u8] = b"k8s\0";

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push((number & 0x7f) as u8);
}

fn whole_number(field: u32, number: u64, into: &mut Vec<u8>) {
    varint(u64::from(field) << 3, into);
    varint(number, into);
}

fn bytes(field: u32, content: &[u8], into: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 2, into);
    varint(content.len() as u64, into);
    into.extend_from_slice(content);
}

fn scalar(field: u32, kind: Scalar, value: &Value, into: &mut Vec<u8>) {
    let text = value.as_str().unwrap_or_default();
    let number = value.as_i64().unwrap_or_default().cast_unsigned();
    let mut inner = Vec::new();
    match kind {
        Scalar::String => return bytes(field, text.as_bytes(), into),
        Scalar::Bool => return whole_number(field, u64::from(value.as_bool().unwrap_or_default()), into),
        Scalar::Int32 | Scalar::Int64 => return whole_number(field, number, into),
        Scalar::Bytes => return bytes(field, &STANDARD.decode(text).unwrap_or_default(), into),
        Scalar::Quantity => bytes(1, text.as_bytes(), &mut inner),
        Scalar::IntOrString if value.is_string() => {
            whole_number(1, 1, &mut inner);
            bytes(3, text.as_bytes(), &mut inner);
        }
        Scalar::IntOrString => whole_number(2, number, &mut inner),
        Scalar::Time | Scalar::MicroTime => whole_number(1, 1_800_000_000, &mut inner),
        Scalar::Any => bytes(1, value.to_string().as_bytes(), &mut inner),
    }
    bytes(field, &inner, into);
}

fn field(schema: &Schema, number: u32, ty: &Type, value: &Value, into: &mut Vec<u8>) {
    match (ty, value) {
        (_, Value::Null) => {}
        (Type::Scalar(kind), value) => scalar(number, *kind, value, into),
        (Type::List(element), Value::Array(items)) => {
            for item in items {
                field(schema, number, element, item, into);
            }
        }
        (Type::Map(element), Value::Object(entries)) => {
            for (key, value) in entries {
                let mut entry = Vec::new();
                bytes(1, key.as_bytes(), &mut entry);
                field(schema, 2, element, value, &mut entry);
                bytes(number, &entry, into);
            }
        }
        (Type::Reference(_), value) => {
            if let Some(definition) = schema.target(ty) {
                bytes(number, &message(schema, definition, value), into);
            }
        }
        _ => {}
    }
}

fn message(schema: &Schema, definition: &Definition, value: &Value) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(items) = &definition.items {
        field(schema, 1, &Type::List(Box::new(items.clone())), value, &mut content);
    }
    for one in &definition.fields {
        let inner = if one.name.is_empty() { value } else { &value[&one.name] };
        field(schema, one.number, &one.ty, inner, &mut content);
    }
    content
}

/// The whole body of an object.
pub(super) fn body(schema: &Schema, api_version: &str, kind: &str, value: &Value) -> Vec<u8> {
    let mut types = Vec::new();
    bytes(1, api_version.as_bytes(), &mut types);
    bytes(2, kind.as_bytes(), &mut types);
    let mut envelope = Vec::new();
    bytes(1, &types, &mut envelope);
    if let Some(definition) = schema.kind(api_version, kind) {
        bytes(2, &message(schema, definition, value), &mut envelope);
    }
    [MAGIC, &envelope].concat()
}
