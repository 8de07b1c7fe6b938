//! Writing JSON into memory. What it writes is what serde_json writes; most texts have nothing to escape, and are looked
//! through many bytes at a time. Objects are written once for all who read them, lists and watches copy that: it is a large
//! part of a write.

use serde_json::Value;

/// A text, in quotes.
pub(crate) fn text(to: &mut Vec<u8>, text: &str) {
    // Looked through as a whole, without an end at the first one: that is done in large steps.
    let special =
        text.bytes().fold(false, |found, byte| found | (byte < b' ') | matches!(byte, b'"' | b'\\'));
    if special {
        return other(to, &text.into());
    }
    to.reserve(text.len() + 2);
    to.push(b'"');
    to.extend_from_slice(text.as_bytes());
    to.push(b'"');
}

/// The name of a field, and what separates it from its value.
pub(crate) fn name(to: &mut Vec<u8>, name: &str) {
    text(to, name);
    to.push(b':');
}

/// A field of an object with a text.
pub(crate) fn text_field(to: &mut Vec<u8>, of: &str, value: &str) {
    name(to, of);
    text(to, value);
    to.push(b',');
}

/// A field of an object.
pub(crate) fn field(to: &mut Vec<u8>, of: &str, is: &Value) {
    name(to, of);
    value(to, is);
    to.push(b',');
}

/// The end of an object or list, of which every part has a comma behind it.
pub(crate) fn end(to: &mut Vec<u8>, bracket: u8) {
    if to.last() == Some(&b',') {
        to.pop();
    }
    to.push(bracket);
}

/// Any value.
pub(crate) fn value(to: &mut Vec<u8>, is: &Value) {
    match is {
        Value::Object(fields) => {
            to.push(b'{');
            for (name, value) in fields {
                field(to, name, value);
            }
            end(to, b'}');
        }
        Value::Array(items) => {
            to.push(b'[');
            for item in items {
                value(to, item);
                to.push(b',');
            }
            end(to, b']');
        }
        Value::String(is) => text(to, is),
        Value::Null => to.extend_from_slice(b"null"),
        Value::Bool(true) => to.extend_from_slice(b"true"),
        Value::Bool(false) => to.extend_from_slice(b"false"),
        Value::Number(_) => other(to, is),
    }
}

fn other(to: &mut Vec<u8>, value: &Value) {
    // To write a value into memory can't fail.
    let _ = serde_json::to_writer(to, value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_serde_writes() {
        let controls: String = (0..0x20).map(char::from).collect();
        let all = json!({"a": [], "b": {}, "c": [1, -2, 0.5, 1e30, u64::MAX, true, false, null, ["x", {"y": "z"}]],
            "quo\"te": "back\\slash", "d": controls, "e": "\u{7f}\u{80}ä€🦀</script>", "": "", "long": "x".repeat(100)});
        let mut written = Vec::new();
        value(&mut written, &all);
        assert_eq!(String::from_utf8(written).unwrap(), all.to_string());
        for byte in 0..128_u8 {
            let told = format!("{}{}", "-".repeat(usize::from(byte) % 40), char::from(byte));
            let mut written = Vec::new();
            text(&mut written, &told);
            assert_eq!(String::from_utf8(written).unwrap(), json!(told).to_string());
        }
    }
}
