//! Reading `WWW-Authenticate`: scheme and parameters of each challenge.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `basic` or `bearer`, in lower case.
    pub(super) scheme: String,
    /// Its parameters, names in lower case.
    pub(super) parameters: BTreeMap<String, String>,
}

/// The challenges of an answer, bearer first: that is the order in which they are tried.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let mut all: Vec<Challenge> = values.filter_map(|v| parse(v.to_str().ok()?)).collect();
    all.sort_by_key(|challenge| challenge.scheme != "bearer");
    all
}

fn parse(value: &str) -> Option<Challenge> {
    let (scheme, mut rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let mut parameters = BTreeMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted),
            None => {
                let (text, after) = after.split_once(',').unwrap_or((after, ""));
                (text.trim().to_owned(), after)
            }
        };
        parameters.insert(name, text);
        rest = after;
    }
    (!scheme.is_empty()).then(|| Challenge { scheme: scheme.to_ascii_lowercase(), parameters })
}

/// The text up to the closing quote, and what follows it.
fn quoted_text(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (out, &text[at + 1..]),
            '\\' => out.extend(letters.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn challenges_are_read_and_bearer_comes_first() {
        let mut headers = HeaderMap::new();
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"a, \\\"b\\\"\""));
        let bearer = r#"Bearer realm="https://auth.example/token",service="s",scope="repository:a/b:pull,push",error=invalid"#;
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
        let all = challenges(&headers);
        assert_eq!((all[0].scheme.as_str(), all[1].scheme.as_str()), ("bearer", "basic"));
        assert_eq!(all[0].parameters["scope"], "repository:a/b:pull,push");
        assert_eq!(all[0].parameters["error"], "invalid");
        assert_eq!(all[1].parameters["realm"], "a, \"b\"");
        assert!(challenges(&HeaderMap::new()).is_empty());
    }
}
