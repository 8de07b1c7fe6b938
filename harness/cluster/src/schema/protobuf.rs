//! Decoding of the protobuf bodies that Go clients send, driven by the table. Only decoding: answers are JSON,
//! which every client that offers protobuf takes too.
//!
//! Nothing in a body can make this allocate more than a small multiple of the body's own size.

use prost::encoding::{WireType, decode_key, decode_varint};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    scalars,
    table::{Definition, Schema},
    types::{Scalar, Type},
};

/// The four bytes that every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Deeper than any type of the table.
const DEEPEST: usize = 64;

/// A protobuf body can't be decoded.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// It does not begin as such a body does.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// The encoding is broken.
    #[error("{0}")]
    Wire(#[from] prost::DecodeError),
    /// A length points past the end.
    #[error("unexpected EOF")]
    Truncated,
    /// A field is encoded in a way that its type is not.
    #[error("proto: wrong wireType = {wire:?} for field {field}")]
    WrongWire {
        /// The field's JSON name.
        field: String,
        /// What was found.
        wire: WireType,
    },
    /// A string is not UTF-8, or embedded JSON is not JSON.
    #[error("proto: invalid text in field {0}")]
    Text(String),
    /// The table does not know the kind.
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    UnknownKind {
        /// The group and version that the body names.
        api_version: String,
        /// The kind that the body names.
        kind: String,
    },
    /// Messages within messages without end.
    #[error("proto: message is nested too deeply")]
    TooDeep,
}

/// One field on the wire.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Other(WireType),
}

/// Walks the fields of one message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u32, Raw<'a>)>, DecodeError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire) = decode_key(&mut self.0)?;
        let raw = match wire {
            WireType::Varint => Raw::Varint(decode_varint(&mut self.0)?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut self.0)?).unwrap_or(usize::MAX);
                Raw::Bytes(self.take(length)?)
            }
            WireType::SixtyFourBit => self.take(8).map(|_| Raw::Other(wire))?,
            WireType::ThirtyTwoBit => self.take(4).map(|_| Raw::Other(wire))?,
            // Groups are not used by any message here, and skipping them would need a stack.
            WireType::StartGroup | WireType::EndGroup => return Err(DecodeError::Truncated),
        };
        Ok(Some((number, raw)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl Schema {
    /// Decodes a request body: the envelope, and the object in it. `apiVersion` and `kind` come from the envelope.
    ///
    /// # Errors
    /// When the body is not a well-formed object of a kind that the table knows.
    pub fn decode_protobuf(&self, body: &[u8]) -> Result<Value, DecodeError> {
        let mut envelope = Fields(body.strip_prefix(MAGIC).ok_or(DecodeError::Prefix)?);
        let (mut api_version, mut kind, mut object) = (String::new(), String::new(), &[][..]);
        while let Some((number, raw)) = envelope.next()? {
            match (number, raw) {
                (1, Raw::Bytes(type_meta)) => {
                    let mut fields = Fields(type_meta);
                    while let Some((number, raw)) = fields.next()? {
                        match (number, raw) {
                            (1, Raw::Bytes(text)) => api_version = utf8("apiVersion", text)?,
                            (2, Raw::Bytes(text)) => kind = utf8("kind", text)?,
                            _ => {}
                        }
                    }
                }
                (2, Raw::Bytes(raw)) => object = raw,
                _ => {}
            }
        }
        let Some(definition) = self.kind(&api_version, &kind) else {
            return Err(DecodeError::UnknownKind { api_version, kind });
        };
        let mut out = self.object(definition, object, DEEPEST)?;
        out.insert("apiVersion".into(), api_version.into());
        out.insert("kind".into(), kind.into());
        Ok(Value::Object(out))
    }

    fn object(
        &self,
        definition: &Definition,
        message: &[u8],
        depth: usize,
    ) -> Result<Map<String, Value>, DecodeError> {
        let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        let mut out = Map::new();
        let mut wire = Fields(message);
        while let Some((number, raw)) = wire.next()? {
            // Fields of a newer Kubernetes than the table's are dropped, as an older server would.
            let Some(field) = definition.fields.iter().find(|field| field.number == number) else { continue };
            match &field.ty {
                Type::List(element) => {
                    let list = out.entry(&field.name).or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = list {
                        self.elements(&field.name, element, raw, depth, list)?;
                    }
                }
                Type::Map(value) => {
                    let (key, value) = self.entry(&field.name, value, raw, depth)?;
                    let map = out.entry(&field.name).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(map) = map {
                        map.insert(key, value);
                    }
                }
                Type::Reference(_) if field.name.is_empty() => {
                    if let Value::Object(part) = self.value("", &field.ty, raw, depth)? {
                        out.extend(part);
                    }
                }
                ty => {
                    let value = self.value(&field.name, ty, raw, depth)?;
                    if field.pointer && !value.is_null() || field.keep_zero || !scalars::is_zero(&value) {
                        out.insert(field.name.clone(), value);
                    } else {
                        out.remove(&field.name);
                    }
                }
            }
        }
        Ok(out)
    }

    /// One element of a list, or several packed numbers.
    fn elements(
        &self,
        name: &str,
        ty: &Type,
        raw: Raw<'_>,
        depth: usize,
        into: &mut Vec<Value>,
    ) -> Result<(), DecodeError> {
        match (ty, raw) {
            (Type::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Bool), Raw::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    let number = decode_varint(&mut packed)?;
                    into.push(self.value(name, ty, Raw::Varint(number), depth)?);
                }
            }
            (_, raw) => into.push(self.value(name, ty, raw, depth)?),
        }
        Ok(())
    }

    fn entry(
        &self,
        name: &str,
        ty: &Type,
        raw: Raw<'_>,
        depth: usize,
    ) -> Result<(String, Value), DecodeError> {
        let Raw::Bytes(entry) = raw else { return Err(wrong(name, &raw)) };
        let (mut key, mut value) = (String::new(), None);
        let mut fields = Fields(entry);
        while let Some((number, raw)) = fields.next()? {
            match (number, raw) {
                (1, Raw::Bytes(text)) => key = utf8(name, text)?,
                (2, raw) => value = Some(self.value(name, ty, raw, depth)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(name, ty, Raw::Bytes(&[]), depth)?,
        };
        Ok((key, value))
    }

    fn value(&self, name: &str, ty: &Type, raw: Raw<'_>, depth: usize) -> Result<Value, DecodeError> {
        let scalar = match (ty, raw) {
            (Type::Scalar(scalar), raw) => return single(name, *scalar, raw),
            (Type::Reference(_), Raw::Bytes(message)) => message,
            (_, raw) => return Err(wrong(name, &raw)),
        };
        let Some(definition) = self.target(ty) else { return Ok(Value::Null) };
        let Some(items) = &definition.items else {
            return Ok(Value::Object(self.object(definition, scalar, depth)?));
        };
        let mut list = Vec::new();
        let mut fields = Fields(scalar);
        while let Some((number, raw)) = fields.next()? {
            if number == 1 {
                self.elements(name, items, raw, depth, &mut list)?;
            }
        }
        Ok(Value::Array(list))
    }
}

fn single(name: &str, scalar: Scalar, raw: Raw<'_>) -> Result<Value, DecodeError> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    Ok(match (scalar, raw) {
        (Scalar::Bool, Raw::Varint(number)) => (number != 0).into(),
        #[expect(clippy::cast_possible_truncation, reason = "protobuf sign-extends 32-bit numbers")]
        (Scalar::Int32, Raw::Varint(number)) => (number as i32).into(),
        (Scalar::Int64, Raw::Varint(number)) => number.cast_signed().into(),
        (Scalar::String, Raw::Bytes(text)) => utf8(name, text)?.into(),
        (Scalar::Bytes, Raw::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Scalar::Any, Raw::Bytes(message)) => match parts(message)?.text {
            [] => Value::Null,
            json => serde_json::from_slice(json).map_err(|_| DecodeError::Text(name.into()))?,
        },
        (Scalar::Quantity, Raw::Bytes(message)) => match parts(message)?.text {
            [] => "0".into(),
            text => utf8(name, text)?.into(),
        },
        (Scalar::IntOrString, Raw::Bytes(message)) => {
            let parts = parts(message)?;
            match parts.first {
                #[expect(clippy::cast_possible_truncation, reason = "protobuf sign-extends 32-bit numbers")]
                0 => (parts.second as i32).into(),
                _ => utf8(name, parts.third)?.into(),
            }
        }
        (Scalar::Time | Scalar::MicroTime, Raw::Bytes(message)) => {
            let parts = parts(message)?;
            let nanos = i32::try_from(parts.second).unwrap_or_default();
            scalars::time(parts.first.cast_signed(), nanos, scalar == Scalar::MicroTime)
        }
        (_, raw) => return Err(wrong(name, &raw)),
    })
}

/// The little messages behind the special scalars have at most three fields.
#[derive(Default)]
struct Parts<'a> {
    text: &'a [u8],
    first: u64,
    second: u64,
    third: &'a [u8],
}

fn parts(message: &[u8]) -> Result<Parts<'_>, DecodeError> {
    let mut out = Parts::default();
    let mut fields = Fields(message);
    while let Some((number, raw)) = fields.next()? {
        match (number, raw) {
            (1, Raw::Bytes(text)) => out.text = text,
            (1, Raw::Varint(value)) => out.first = value,
            (2, Raw::Varint(value)) => out.second = value,
            (3, Raw::Bytes(text)) => out.third = text,
            _ => {}
        }
    }
    Ok(out)
}

fn utf8(name: &str, text: &[u8]) -> Result<String, DecodeError> {
    std::str::from_utf8(text).map(Into::into).map_err(|_| DecodeError::Text(name.into()))
}

fn wrong(name: &str, raw: &Raw<'_>) -> DecodeError {
    let wire = match raw {
        Raw::Varint(_) => WireType::Varint,
        Raw::Bytes(_) => WireType::LengthDelimited,
        Raw::Other(wire) => *wire,
    };
    DecodeError::WrongWire { field: name.into(), wire }
}
