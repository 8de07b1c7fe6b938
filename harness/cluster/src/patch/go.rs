//! How Go prints decoded JSON, which some error texts contain.

use serde_json::Value;

/// `map[a:1 b:[x y]]`.
pub(super) fn print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let mut pairs: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", print(value))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn objects_print_as_go_maps() {
        let value = json!({"b": [1, "x", null], "a": {"c": true}});
        assert_eq!(super::print(&value), "map[a:map[c:true] b:[1 x <nil>]]");
    }
}
