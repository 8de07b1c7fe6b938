//! A registry's refusal in the words of CRI-O's library.

use http::{HeaderMap, Response};
use hyper::body::Incoming;
use serde_json::Value;

use super::super::{
    challenge::challenges,
    session::{Session, status_line},
};

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    line: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The codes that the library knows, and their default messages.
const KNOWN: [(&str, &str); 14] = [
    ("UNKNOWN", "unknown error"),
    ("UNSUPPORTED", "The operation is unsupported."),
    ("UNAUTHORIZED", "authentication required"),
    ("DENIED", "requested access to the resource is denied"),
    ("UNAVAILABLE", "service unavailable"),
    ("TOOMANYREQUESTS", "too many requests"),
    ("DIGEST_INVALID", "provided digest did not match uploaded content"),
    ("NAME_INVALID", "invalid repository name"),
    ("TAG_INVALID", "manifest tag did not match URI"),
    ("NAME_UNKNOWN", "repository name not known to registry"),
    ("MANIFEST_UNKNOWN", "manifest unknown"),
    ("MANIFEST_INVALID", "manifest invalid"),
    ("MANIFEST_UNVERIFIED", "manifest failed signature verification"),
    ("BLOB_UNKNOWN", "blob unknown to registry"),
];

impl Refusal {
    pub(super) async fn read(session: &mut Session<'_>, response: Response<Incoming>) -> Self {
        let (status, line) = (response.status().as_u16(), status_line(&response));
        let headers = response.headers().clone();
        let (body, _) = session.read(response.into_body()).await;
        Self { status, line, headers, body }
    }

    /// What is said about it, wherever it came.
    pub(super) fn text(&self) -> String {
        if !(400..500).contains(&self.status) {
            return format!("received unexpected HTTP status: {}", self.line);
        }
        let bearer = challenges(&self.headers).into_iter().find(|c| c.scheme == "bearer");
        let error = bearer.as_ref().and_then(|c| c.parameters.get("error")).map(String::as_str);
        let code = match error {
            Some("invalid_token") => Some("UNAUTHORIZED"),
            Some("insufficient_scope") => Some("DENIED"),
            _ => None,
        };
        if let Some(code) = code {
            let described = bearer.as_ref().and_then(|c| c.parameters.get("error_description"));
            return worded(code, described.map_or("", String::as_str), false);
        }
        self.body_text()
    }

    /// What is said when a token was asked for.
    pub(super) fn token_text(&self) -> String {
        match self.status {
            429 => "too many requests to registry".to_owned(),
            401 => format!("unable to retrieve auth token: invalid username/password: {}", self.text()),
            status => {
                let phrase = self.line.split_once(' ').map_or("", |(_, phrase)| phrase);
                format!("Requesting bearer token: invalid status code from registry {status} ({phrase})")
            }
        }
    }

    fn body_text(&self) -> String {
        let reply: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if let Some(details) = reply["details"].as_str().filter(|details| !details.is_empty()) {
            let code = match self.status {
                401 => "UNAUTHORIZED",
                429 => "TOOMANYREQUESTS",
                _ => "UNKNOWN",
            };
            return worded(code, details, false);
        }
        match reply["errors"].as_array().and_then(|errors| errors.first()) {
            Some(error) => {
                let text = |field: &str| error[field].as_str().unwrap_or_default();
                worded(text("code"), text("message"), error["detail"].is_null())
            }
            None if self.status == 401 => worded("UNAUTHORIZED", "", false),
            None => {
                let body = String::from_utf8_lossy(&self.body);
                let start: String = body.chars().take(50).collect();
                let more = if start.len() < body.len() { "..." } else { "" };
                format!("StatusCode: {}, {:?}", self.status, start + more)
            }
        }
    }
}

/// A code with its message: a default message stands for both, a bare code where nothing else is known.
fn worded(code: &str, message: &str, bare: bool) -> String {
    let (code, default) = KNOWN.into_iter().find(|(known, _)| *known == code).unwrap_or(KNOWN[0]);
    let shown = code.to_ascii_lowercase().replace('_', " ");
    match message {
        message if bare && (message.is_empty() || message == default) => shown,
        message if message.is_empty() || message == default => default.to_owned(),
        message => format!("{shown}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    fn refusal(status: u16, line: &str, challenge: &str, body: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        if !challenge.is_empty() {
            headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        }
        Refusal { status, line: line.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn answers_are_put_into_words() {
        let error = |code: &str, message: &str, detail: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"{detail}}}]}}"#)
        };
        let detail = r#","detail":{"Tag":"x"}"#;
        let long = "<html>".repeat(20);
        let quoted = format!("StatusCode: 404, \"{}...\"", &long[..50]);
        let cases = [
            (404, "", error("MANIFEST_UNKNOWN", "manifest unknown", detail), "manifest unknown"),
            (404, "", error("MANIFEST_UNKNOWN", "manifest unknown", ""), "manifest unknown"),
            (404, "", error("NOT_FOUND", "artifact a not found", ""), "unknown: artifact a not found"),
            (403, "", error("DENIED", "Your token has expired.", ""), "denied: Your token has expired."),
            (401, "", error("UNAUTHORIZED", "authentication required", detail), "authentication required"),
            (401, "", error("UNAUTHORIZED", "authentication required", ""), "unauthorized"),
            (401, "Basic realm=\"x\"", "Not Authorized".to_owned(), "authentication required"),
            (
                401,
                "Bearer realm=\"x\",error=\"insufficient_scope\"",
                String::new(),
                "requested access to the resource is denied",
            ),
            (401, "Bearer realm=\"x\",error=\"invalid_token\"", String::new(), "authentication required"),
            (429, "", r#"{"details":"slow down"}"#.to_owned(), "toomanyrequests: slow down"),
            (404, "", long, quoted.as_str()),
            (500, "", "oops".to_owned(), "received unexpected HTTP status: 500 Internal Server Error"),
        ];
        for (status, challenge, body, expected) in cases {
            assert_eq!(
                refusal(status, "500 Internal Server Error", challenge, &body).text(),
                expected,
                "{body}"
            );
        }
        let token = |status, line, body| refusal(status, line, "", body).token_text();
        assert_eq!(
            token(401, "401 Unauthorized", r#"{"details":"incorrect username or password"}"#),
            "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password"
        );
        assert_eq!(
            token(403, "403 Forbidden", ""),
            "Requesting bearer token: invalid status code from registry 403 (Forbidden)"
        );
        assert_eq!(token(429, "429 Too Many Requests", ""), "too many requests to registry");
    }
}
