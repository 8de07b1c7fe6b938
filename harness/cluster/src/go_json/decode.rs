//! Decoding JSON: as serde_json does it, but with an eye on fields that are there twice. Which ones they are is only looked for
//! when there are some; the last one counts.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, de::Read};

use super::{duplicates, error};

/// What a text says.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    /// The value.
    pub(crate) value: Value,
    /// What a strict decoder would say as well, of fields that are there more than once: see [`duplicates`].
    pub(crate) complaints: Vec<String>,
}

impl From<Value> for Decoded {
    fn from(value: Value) -> Self {
        Self { value, complaints: Vec::new() }
    }
}

/// Decodes a text.
///
/// # Errors
/// Why it is no JSON, in the words of Go where Go would say so.
pub(crate) fn decode(text: &[u8]) -> Result<Decoded, String> {
    let decoded = match std::str::from_utf8(text) {
        // Then no string has to be looked at again.
        Ok(text) => tree(serde_json::Deserializer::from_str(text)),
        Err(_) => tree(serde_json::Deserializer::from_slice(text)),
    };
    let (value, twice) = decoded.map_err(|why| error(text, &why))?;
    let paths = if twice { duplicates(text) } else { Vec::new() };
    let complaints = paths.iter().map(|path| format!("duplicate field {path:?}")).collect();
    Ok(Decoded { value, complaints })
}

/// The value, and whether a field is there twice.
fn tree<'de>(mut text: serde_json::Deserializer<impl Read<'de>>) -> serde_json::Result<(Value, bool)> {
    let twice = Cell::new(false);
    let value = Tree(&twice).deserialize(&mut text)?;
    text.end()?;
    Ok((value, twice.get()))
}

/// Makes a value of what comes, and remembers that a field was there twice.
#[derive(Clone, Copy)]
struct Tree<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.insert(name, entries.next_value_seed(self)?).is_some() {
                self.0.set(true);
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_serde_makes_of_it() {
        for text in [
            r#"{"a":[1,-2,3.5,1e3,18446744073709551615,true,false,null,"x\u0041\n",{}],"b":{"c":[]}}"#,
            " \"only this\" ",
            "7",
        ] {
            let value = serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(decode(text.as_bytes()).unwrap(), value.into(), "{text}");
        }
        let long = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for text in ["", "{", "{}x", "{\"a\":1e400}", "[\"\\ud800\"]", &long] {
            let why = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(decode(text.as_bytes()).unwrap_err(), error(text.as_bytes(), &why), "{text}");
        }
        decode(b"{\"a\":\"\xff\"}").unwrap_err();
    }

    #[test]
    fn keys_that_mean_something_to_serde_are_keys() {
        let text = r#"{"$serde_json::private::RawValue":"{}","$serde_json::private::Number":"1"}"#;
        assert_eq!(decode(text.as_bytes()).unwrap().value.to_string().len(), text.len());
    }

    #[test]
    fn the_last_one_counts_and_it_is_told() {
        let text = r#"{"a":{"b":1,"c":2,"b":3},"d":[{"e":1,"\u0065":2}]}"#;
        let value = serde_json::from_str(text).unwrap();
        let complaints =
            ["duplicate field \"a.b\"", "duplicate field \"d[0].e\""].map(str::to_owned).to_vec();
        assert_eq!(decode(text.as_bytes()).unwrap(), Decoded { value, complaints });
    }
}
