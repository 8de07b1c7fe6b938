//! Signatures of AWS requests, version 4: what a client has signed, and whether a secret gives the same. Times are not
//! judged here: clients sign in real time, the lab has its own.
//!
//! After "AWS Signature Version 4 for API requests" in the IAM user guide. Paths are encoded twice, as all services but
//! S3 do; requests signed in their query are not read.

use std::fmt::Write as _;

use http::HeaderMap;
use ring::hmac;
use sha2::{Digest as _, Sha256};

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How the last step of a key is called.
const TERMINATOR: &str = "aws4_request";

/// A request, as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// GET, POST, …
    pub method: &'a str,
    /// The path, as it came.
    pub path: &'a str,
    /// The parameters, decoded.
    pub query: &'a [(String, String)],
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// An `Authorization` header, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The id of the key that it is signed with.
    pub access_key: &'a str,
    date: &'a str,
    /// For which region.
    pub region: &'a str,
    /// For which service.
    pub service: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads a header; nothing when it is none of this kind.
    #[must_use]
    pub fn read(header: &'a str) -> Option<Self> {
        let parts = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let field =
            |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let mut credential = field("Credential")?.rsplitn(5, '/');
        let mut next = || credential.next().filter(|part| !part.is_empty());
        let (terminator, service, region, date, access_key) = (next()?, next()?, next()?, next()?, next()?);
        let headers: Vec<&str> = field("SignedHeaders")?.split(';').collect();
        let signature = field("Signature")?;
        let fine = terminator == TERMINATOR && headers.contains(&"host");
        fine.then_some(Self { access_key, date, region, service, headers, signature })
    }

    /// Whether the secret of the access key gives this signature.
    #[must_use]
    pub fn is_of(&self, secret: &str, request: &Request<'_>) -> bool {
        let Some(time) = header(request.headers, "x-amz-date").filter(|time| time.starts_with(self.date))
        else {
            return false;
        };
        // What a client says of its body has to be so.
        let said = header(request.headers, "x-amz-content-sha256");
        if said.is_some_and(|said| said != hex(&Sha256::digest(request.body))) {
            return false;
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key(secret));
        // Compared by the library, in constant time.
        let text = self.text(time, request);
        unhex(self.signature).is_some_and(|given| hmac::verify(&key, text.as_bytes(), &given).is_ok())
    }

    /// What is signed.
    fn text(&self, time: &str, request: &Request<'_>) -> String {
        let canonical = hex(&Sha256::digest(self.canonical(request)));
        [ALGORITHM, time, &self.scope(), &canonical].join("\n")
    }

    fn scope(&self) -> String {
        [self.date, self.region, self.service, TERMINATOR].join("/")
    }

    /// The key that a secret becomes for one day, region and service.
    fn key(&self, secret: &str) -> Vec<u8> {
        let first = format!("AWS4{secret}").into_bytes();
        self.scope().split('/').fold(first, |key, step| sign(&key, step))
    }

    /// The signature that a client with this secret gives.
    #[cfg(test)]
    pub(crate) fn signature_of(&self, secret: &str, time: &str, request: &Request<'_>) -> String {
        hex(&sign(&self.key(secret), &self.text(time, request)))
    }

    fn canonical(&self, request: &Request<'_>) -> String {
        // By their names first: what stands between name and value is no part of the order.
        let mut query: Vec<(String, String)> =
            request.query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut text = format!("{}\n{}\n{}\n", request.method, path(request.path), query.join("&"));
        for name in &self.headers {
            let values = request.headers.get_all(*name).iter().filter_map(|value| value.to_str().ok());
            let values: Vec<String> =
                values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            let _infallible = writeln!(text, "{name}:{}", values.join(","));
        }
        let payload = hex(&Sha256::digest(request.body));
        let _infallible = write!(text, "\n{}\n{payload}", self.headers.join(";"));
        text
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// Percent-encoding of everything but the unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// The worked example of the user guide.
    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

    fn headers() -> HeaderMap {
        [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect()
    }

    #[test]
    fn the_example_of_the_guide_is_accepted_and_nothing_that_differs() {
        let query =
            [("Action", "ListUsers"), ("Version", "2010-05-08")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let headers = headers();
        let request = Request { method: "GET", path: "/", query: &query, headers: &headers, body: b"" };
        let read = Authorization::read(HEADER).unwrap();
        assert_eq!((read.access_key, read.region, read.service), ("AKIDEXAMPLE", "us-east-1", "iam"));
        assert!(read.is_of(SECRET, &request));
        assert!(!read.is_of("another", &request));
        assert!(!read.is_of(SECRET, &Request { method: "POST", ..request }));
        let request = Request { method: "GET", path: "/", query: &query, headers: &headers, body: b"x" };
        assert!(!read.is_of(SECRET, &request));
        let mut other = headers.clone();
        other.insert("host", "sts.amazonaws.com".parse().unwrap());
        let request = Request { method: "GET", path: "/", query: &query, headers: &other, body: b"" };
        assert!(!read.is_of(SECRET, &request));
        other.insert("host", "iam.amazonaws.com".parse().unwrap());
        other.insert("x-amz-date", "20150831T123600Z".parse().unwrap());
        let request = Request { method: "GET", path: "/", query: &query, headers: &other, body: b"" };
        assert!(!read.is_of(SECRET, &request));
    }

    #[test]
    fn what_is_no_such_header_is_told_apart() {
        for none in [
            "",
            "AWS4-HMAC-SHA256",
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/1/r/s/other, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/1/r/s/aws4_request, SignedHeaders=date, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/1/r/s/aws4_request, SignedHeaders=host",
        ] {
            assert!(Authorization::read(none).is_none(), "{none}");
        }
        let odd = HEADER.replace("5d67", "éd67");
        let query = [];
        let headers = headers();
        let request = Request { method: "GET", path: "/a b/ü", query: &query, headers: &headers, body: b"" };
        assert!(!Authorization::read(&odd).unwrap().is_of(SECRET, &request));
        assert_eq!(
            (path("/a b/ü"), unhex("0g"), unhex("0"), unhex("0aFF")),
            ("/a%20b/%C3%BC".into(), None, None, Some(vec![10, 255]))
        );
    }
}
