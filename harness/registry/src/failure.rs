//! Refusals: what kinds there are, and how one becomes an HTTP answer in a personality's own words.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::personality::{ACCESS, Personality, Words};

/// Why a request is refused. How that reads is a matter of personality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No credentials, and they are needed.
    Unauthenticated,
    /// The same for `/v2/` itself.
    UnauthenticatedBase,
    /// The same for whoever only asks whether something is there.
    UnauthenticatedHead,
    /// Good credentials, and a project that is not there.
    ProjectUnknown,
    /// Credentials that nobody has.
    BadCredentials,
    /// A password that should be a token of the host's API, and is none.
    NoToken,
    /// A token that was good once.
    Expired,
    /// Good credentials of somebody who may not do this.
    NotAllowed,
    /// The token service refuses the credentials.
    TokenRefused,
    /// The same, of a robot account's.
    RobotRefused,
    /// The token service gives nobody a token for that.
    TokenForbidden,
    /// The token service does not give this user a token for that.
    TokenForbiddenToUser,
    ManifestUnknown,
    /// A tag that was there once.
    TagExpired,
    RevisionUnknown,
    /// Nothing to delete under this digest.
    RevisionGone,
    RepositoryUnknown,
    ManifestNotAcceptable,
    IndexNotAcceptable,
    BlobUnknown,
    /// No blob to delete.
    BlobGone,
    UploadUnknown,
    UploadInvalid,
    /// Content that is not what its digest says.
    DigestInvalid,
    /// The same of an upload.
    DigestMismatch,
    /// An upload ends without a digest.
    DigestMissing,
    /// An upload ends with something that is no digest.
    DigestUnparsed,
    /// A path has something that is no digest.
    DigestUnreadable,
    SizeInvalid,
    TooLarge,
    NameInvalid,
    TagInvalid,
    /// The tag is there already, and stays what it is.
    TagImmutable,
    ManifestInvalid,
    ManifestBlobUnknown,
    PageInvalid,
    Unsupported,
    /// Nothing of this kind takes this method.
    MethodNotAllowed,
    TooMany,
    TooManyOfUser,
    NoSuchPage,
    Broken,
}

impl Kind {
    /// The more general kind that it is one of: what says nothing about the one says what it says of the other.
    pub(crate) fn general(self) -> Self {
        match self {
            Self::RevisionGone => Self::RevisionUnknown,
            Self::UnauthenticatedHead => Self::Unauthenticated,
            Self::ProjectUnknown => Self::NotAllowed,
            Self::RobotRefused => Self::TokenRefused,
            Self::TagExpired => Self::ManifestUnknown,
            Self::BlobGone => Self::BlobUnknown,
            Self::NoToken => Self::BadCredentials,
            Self::DigestMismatch | Self::DigestMissing | Self::DigestUnparsed | Self::DigestUnreadable => {
                Self::DigestInvalid
            }
            other => other,
        }
    }
}

/// A refusal, with what it is about beyond what the request itself says.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// Every one of them is an error of its own.
    pub(crate) digests: Vec<String>,
    /// The tag that it is about, where the path names another thing.
    pub(crate) tag: Option<String>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return Kind::TooLarge.into();
        }
        tracing::error!(%error, "content cannot be read or written");
        Kind::Broken.into()
    }
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Self { kind, digests: Vec::new(), tag: None }
    }
}

/// What the placeholders of a personality's texts stand for.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) pairs: Vec<(&'static str, String)>,
    /// What has to be granted for the request.
    pub(crate) access: Value,
    /// What it is about, one error each.
    pub(crate) digests: Vec<String>,
    /// What is said in place of the personality's own words.
    pub(crate) message: Option<&'static str>,
}

impl Terms {
    /// Replaces every `{name}`; `quote` makes the value fit for where it goes.
    fn fill(&self, text: &str, quote: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let known = after.split_once('}').and_then(|(name, tail)| {
                self.pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (value, tail))
            });
            if let Some((value, tail)) = known {
                filled.push_str(&quote(value));
                rest = tail;
            } else {
                filled.push('{');
                rest = after;
            }
        }
        filled + rest
    }
}

/// The answer to a refused request.
pub(crate) fn answer(personality: &Personality, kind: Kind, terms: &Terms) -> Response<Bytes> {
    let words = personality.words(kind);
    let words = Words { message: terms.message.unwrap_or(words.message), ..words };
    let (body, content_type) = if words.code.is_empty() {
        (terms.fill(words.message, str::to_owned), "text/plain; charset=utf-8")
    } else {
        (errors(&words, terms), personality.content_type)
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(words.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if words.sniffs_nothing {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if !words.challenge.is_empty()
        && let Ok(challenge) = HeaderValue::from_str(&terms.fill(words.challenge, str::to_owned))
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The JSON body: code, message and, where there is one, the detail; one error, or one for each digest.
fn errors(words: &Words, terms: &Terms) -> String {
    let one = [String::new()];
    let digests = if terms.digests.is_empty() { &one[..] } else { &terms.digests };
    let errors: Vec<Value> = digests.iter().map(|digest| error(words, terms, digest)).collect();
    json!({ "errors": errors }).to_string()
}

fn error(words: &Words, terms: &Terms, digest: &str) -> Value {
    let message = terms.fill(words.message, str::to_owned);
    let mut error = json!({ "code": words.code, "message": message });
    if words.detail == ACCESS {
        error["detail"] = terms.access.clone();
    } else if !words.detail.is_empty() {
        let escaped = |value: &str| Value::from(value).to_string().trim_matches('"').to_owned();
        let detail = words.detail.replace("{digest}", digest);
        error["detail"] = serde_json::from_str(&terms.fill(&detail, escaped)).unwrap_or(Value::Null);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_and_quoted() {
        let terms = Terms {
            pairs: vec![("repository", "a\"b{reference}".into()), ("reference", "1".into())],
            ..Terms::default()
        };
        assert_eq!(terms.fill("{x}{repository}:{reference}{", str::to_owned), "{x}a\"b{reference}:1{");
        let plain = Personality::named("distribution").unwrap();
        let response = answer(plain, Kind::RepositoryUnknown, &terms);
        assert_eq!(response.status(), 404);
        let body = errors(&plain.words(Kind::RepositoryUnknown), &terms);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["errors"][0]["detail"]["name"], "a\"b{reference}");
    }
}
