//! How Go prints decoded JSON, which some error texts contain.

use base64::DecodeError;
use serde_json::Value;

/// What every object is first read as.
pub(crate) const KIND_OF: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// `map[a:1 b:[x y]]`.
pub(crate) fn print(value: &Value) -> String {
    printed(value, |scalar| if scalar.is_null() { "<nil>".into() } else { scalar.to_string() })
}

/// A value as all of Go's verbs print it, but for scalars that are no text.
fn printed(value: &Value, scalar: fn(&Value) -> String) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| printed(item, scalar)).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let mut pairs: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", printed(value, scalar))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
        other => scalar(other),
    }
}

/// How `%s` prints what may be no text: `map[a:%!s(int64=1) b:x]`.
pub(crate) fn print_text(value: &Value) -> String {
    printed(value, |scalar| match scalar {
        Value::Null => "%!s(<nil>)".into(),
        other => format!("%!s({}={other})", type_name(other)),
    })
}

/// Why a text is no base64; `end` is where it breaks off.
pub(crate) fn illegal_base64(error: &DecodeError, end: usize) -> String {
    let at = match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => end,
    };
    format!("illegal base64 data at input byte {at}")
}

/// How `%v` prints a pointer to a struct that holds the value: `&{[x]}`.
pub(crate) fn pointer(value: &Value) -> String {
    format!("&{{{}}}", print(value))
}

/// How `%#v` prints a scalar: strings in quotes.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => print(other),
    }
}

/// Why a value does not decode into an object with any keys.
pub(crate) fn not_a_map(value: &Value) -> String {
    not_a(value, "map[string]interface {}")
}

/// Why a value does not decode into one of a Go type that is an object.
pub(crate) fn not_a(value: &Value, ty: &str) -> String {
    let found = match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null | Value::Object(_) => "null",
    };
    format!("json: cannot unmarshal {found} into Go value of type {ty}")
}

/// The type into which Go decodes the value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn objects_print_as_go_maps() {
        let value = json!({"b": [1, "x", null], "a": {"c": true}});
        assert_eq!(super::print(&value), "map[a:map[c:true] b:[1 x <nil>]]");
        let text = "map[a:map[c:%!s(bool=true)] b:[%!s(int64=1) x %!s(<nil>)]]";
        assert_eq!(super::print_text(&value), text);
    }
}
