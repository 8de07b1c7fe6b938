//! Amounts of resources: `500m`, `1Gi`, `2e3`.

use serde_json::Value;

/// Suffixes and what they stand for.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number that a quantity stands for; `None` when it is not one.
pub(super) fn value(quantity: &Value) -> Option<f64> {
    let text = match quantity {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.as_str(),
        _ => return None,
    };
    if let Ok(plain) = text.parse::<f64>() {
        return Some(plain);
    }
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    Some(text.strip_suffix(suffix)?.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_have_values() {
        for (text, number) in
            [("500m", 0.5), ("1Gi", 1_073_741_824.0), ("2", 2.0), ("1e3", 1000.0), ("-1", -1.0)]
        {
            assert_eq!(value(&json!(text)), Some(number), "{text}");
        }
        assert_eq!(value(&json!(3)), Some(3.0));
        assert_eq!(value(&json!("lots")), None);
    }
}
