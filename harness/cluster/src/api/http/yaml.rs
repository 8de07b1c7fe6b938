//! Answers in YAML, for who prefers it to JSON. Watches and other streams are never in it.

use serde_json::Value;

use super::{Reply, negotiate::YAML, pretty};

/// The answer in YAML when it is JSON whose length is known.
pub(super) async fn reply(answer: Reply) -> Reply {
    pretty::rewrite(answer, YAML, write).await
}

/// JSON is YAML, so what can't be written otherwise stays as it is.
fn write(json: &[u8]) -> Vec<u8> {
    let value: Option<Value> = serde_json::from_slice(json).ok();
    let text = value.and_then(|value| serde_saphyr::to_string(&value).ok());
    text.map_or_else(|| json.to_vec(), String::into_bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let words = [
            "yes",
            "null",
            "1",
            "1e3",
            "",
            " a",
            "a: b",
            "- x",
            "#",
            "a\nb\n",
            "\t",
            "~",
            "0x1f",
            "é",
            "2026-01-01",
        ];
        let value = json!({"a": words, "on": {"1": [1, 2.5, true, null, [], {}]}, "long": "x ".repeat(200)});
        let text = String::from_utf8(write(value.to_string().as_bytes())).unwrap();
        assert!(text.contains("- \"yes\"") || text.contains("- 'yes'"), "{text}");
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{text}");
    }
}
