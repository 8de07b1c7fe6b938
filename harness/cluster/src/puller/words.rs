//! Words of the runtime's libraries that are needed in more than one place.

use pulldrill_clock::SignedDuration;
use serde_json::{Value, error::Category};
use sha2::{Digest, Sha256};

/// What a JSON decoder says about bytes that are not JSON.
pub(crate) fn json_error(bytes: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(bytes);
    if matches!(error.classify(), Category::Eof) {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let start = text.trim_start();
    let offending = line.chars().nth(error.column().saturating_sub(1));
    match (offending, start.chars().next()) {
        (_, Some(first)) if !first.is_ascii_digit() && !"{[\"-tfn".contains(first) => {
            format!("invalid character {} looking for beginning of value", quoted(first))
        }
        (Some(letter), _) => format!("invalid character {} in JSON input", quoted(letter)),
        _ => "unexpected end of JSON input".to_owned(),
    }
}

fn quoted(letter: char) -> String {
    match letter {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("'{}'", other.escape_default()),
    }
}

/// The error list of a registry's answer, as the runtime quotes it; nothing when there is none.
pub(super) fn registry_errors(body: &[u8]) -> Option<String> {
    let reply: Value = serde_json::from_slice(body).ok()?;
    let errors: Vec<String> = reply["errors"].as_array()?.iter().map(registry_error).collect();
    match errors.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("errors:\n{}\n", many.join("\n"))),
    }
}

/// The codes that the runtime knows, and their default messages.
const KNOWN: [(&str, &str); 6] = [
    ("UNKNOWN", "unknown error"),
    ("UNSUPPORTED", "The operation is unsupported."),
    ("UNAUTHORIZED", "authentication required"),
    ("DENIED", "requested access to the resource is denied"),
    ("UNAVAILABLE", "service unavailable"),
    ("TOOMANYREQUESTS", "too many requests"),
];

fn registry_error(error: &Value) -> String {
    let code = error["code"].as_str().unwrap_or_default();
    let message = error["message"].as_str().unwrap_or_default();
    let (code, default) = KNOWN.into_iter().find(|(known, _)| *known == code).unwrap_or(KNOWN[0]);
    let shown = code.to_ascii_lowercase().replace('_', " ");
    if error["detail"].is_null() && (message.is_empty() || message == default) {
        shown
    } else {
        format!("{shown}: {message}")
    }
}

/// A duration as events print it: `308ms`, `4.821s`, `1m17.266s`.
pub(crate) fn duration(value: SignedDuration) -> String {
    let nanos = value.as_nanos().max(0);
    let (seconds, below) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if nanos == 0 {
        return "0s".to_owned();
    }
    if seconds == 0 {
        let (unit, digits, scale) = match below {
            n if n < 1_000 => ("ns", 0, 1),
            n if n < 1_000_000 => ("µs", 3, 1_000),
            _ => ("ms", 6, 1_000_000),
        };
        return format!("{}{unit}", decimal(below / scale, below % scale, digits));
    }
    let mut out = String::new();
    if seconds >= 3600 {
        out += &format!("{}h", seconds / 3600);
    }
    if seconds >= 60 {
        out += &format!("{}m", seconds % 3600 / 60);
    }
    out + &decimal(seconds % 60, below, 9) + "s"
}

/// `whole.fraction` without trailing zeros.
fn decimal(whole: i128, fraction: i128, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    format!("{whole}.{fraction:0digits$}").trim_end_matches('0').to_owned()
}

/// 64 hexadecimal digits that depend on the parts alone: the id of a container, say.
pub(crate) fn hex_id(parts: &[&str]) -> String {
    Sha256::digest(parts.join("\0")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A uid in the usual form that depends on the parts alone.
pub(crate) fn identity(parts: &[&str]) -> String {
    let hex = hex_id(parts);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_should() {
        let cases = [
            (0, "0s"),
            (900, "900ns"),
            (1_500, "1.5µs"),
            (308_000_000, "308ms"),
            (268_396_908, "268.396908ms"),
            (4_821_000_000, "4.821s"),
            (77_266_000_000, "1m17.266s"),
            (3_600_000_000_000, "1h0m0s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(SignedDuration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn registry_errors_are_quoted_in_part() {
        let one = |code: &str, message: &str, detail: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"{detail}}}]}}"#)
        };
        let cases = [
            (one("TOOMANYREQUESTS", "slow down", ""), Some("toomanyrequests: slow down")),
            (one("DENIED", "requested access to the resource is denied", ""), Some("denied")),
            (one("MANIFEST_UNKNOWN", "manifest unknown", ""), Some("unknown: manifest unknown")),
            (one("DENIED", "", r#","detail":{}"#), Some("denied: ")),
            ("<html>".to_owned(), None),
            (r#"{"errors":[]}"#.to_owned(), None),
            (
                r#"{"errors":[{"code":"DENIED"},{"code":"UNAVAILABLE"}]}"#.to_owned(),
                Some("errors:\ndenied\nunavailable\n"),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(registry_errors(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn json_errors_name_the_first_wrong_character() {
        let text = |bytes: &[u8]| json_error(bytes, &serde_json::from_slice::<Value>(bytes).unwrap_err());
        assert_eq!(text(b"<html>"), "invalid character '<' looking for beginning of value");
        assert_eq!(text(b""), "unexpected end of JSON input");
        assert_eq!(text(b"{\"a\":"), "unexpected end of JSON input");
    }
}
