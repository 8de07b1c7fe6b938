//! How single values are written in JSON: times, and zero values, which are mostly left out. Not their decoding
//! from protobuf: see [`super::protobuf`].

use jiff::Timestamp;
use pulldrill_clock::{stamp, stamp_micros};
use serde_json::Value;

/// `2026-01-02T03:04:05Z`, with microseconds if wanted. Nothing for the zero time or one out of range.
pub(super) fn time(seconds: i64, nanos: i32, micros: bool) -> Value {
    if seconds == 0 && nanos == 0 {
        return Value::Null;
    }
    let written = if micros { stamp_micros } else { stamp };
    Timestamp::new(seconds, nanos).map_or(Value::Null, |at| written(at).into())
}

/// Whether Go's encoder would leave the value out of an object.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(n) => n.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time(1_700_000_000, 0, false), "2023-11-14T22:13:20Z");
        assert_eq!(time(1_700_000_000, 123_456_789, true), "2023-11-14T22:13:20.123456Z");
        assert_eq!(time(0, 0, false), Value::Null);
        assert_eq!(time(i64::MAX, 0, false), Value::Null);
    }
}
