//! One side of the comparison, and its answers as text: nothing is left out but what is never twice the same.

use std::{collections::BTreeMap, sync::LazyLock};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use regex::Regex;
use reqwest::{Client, Method, Response, redirect::Policy};
use serde_json::Value;

use super::requests::{OCI, Request};

/// What names one upload, its state or one server.
#[expect(clippy::expect_used, reason = "the patterns are this file's own")]
static OF_ONCE: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"[?&]_state=[^&]*", ""),
        (r"^https?://[^/]+", ""),
    ]
    .map(|(pattern, stands_for)| (Regex::new(pattern).expect("a pattern"), stands_for))
});

/// An answer: its parts by name.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) BTreeMap<String, String>);

/// A registry to send requests to.
pub(crate) struct Peer {
    client: Client,
    base: String,
    /// Where the last upload that was begun goes on.
    upload: Mutex<Option<String>>,
}

impl Peer {
    /// At a URL, with a certificate by an authority.
    pub(crate) fn new(base: &str, authority: Option<&str>) -> Result<Self> {
        let mut client = Client::builder().no_proxy().redirect(Policy::none());
        if let Some(pem) = authority {
            client = client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes())?]);
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { client: client.build()?, base, upload: Mutex::new(None) })
    }

    /// What a path has, with its type; it has to be there.
    pub(crate) async fn fetch(&self, path: &str) -> Result<(String, Vec<u8>)> {
        let call = self.client.get(format!("{}{path}", self.base)).header("accept", OCI);
        let response = call.send().await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        let media = response.headers().get("content-type").context("no type")?.to_str()?.to_owned();
        Ok((media, response.bytes().await?.to_vec()))
    }

    /// Sends a request of the table.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer> {
        let upload = self.upload.lock().clone();
        let url = match request.path.strip_prefix("{upload}") {
            Some(rest) => {
                let upload = upload.with_context(|| format!("{}: no upload", request.what))?;
                let joint = if upload.contains('?') { "&" } else { "?" };
                upload + &rest.replacen('?', joint, 1)
            }
            None => format!("{}{}", self.base, request.path),
        };
        let method = Method::from_bytes(request.method.as_bytes())?;
        let mut call = self.client.request(method, url).body(request.body.clone());
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        if let Some((user, password)) = request.user {
            call = call
                .header("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        }
        let response = call.send().await.with_context(|| request.what)?;
        self.remember(&response)?;
        read(response).await
    }

    fn remember(&self, response: &Response) -> Result<()> {
        let Some(place) = response.headers().get("location") else { return Ok(()) };
        let place = place.to_str()?;
        if place.contains("/blobs/uploads/") {
            let whole =
                if place.starts_with('/') { format!("{}{place}", self.base) } else { place.to_owned() };
            *self.upload.lock() = Some(whole);
        }
        Ok(())
    }
}

async fn read(response: Response) -> Result<Answer> {
    let mut parts = BTreeMap::from([("status".to_owned(), response.status().as_u16().to_string())]);
    for (name, value) in response.headers() {
        // The time of day, and how long a body is that is compared itself.
        if !["date", "content-length"].contains(&name.as_str()) {
            parts.insert(format!("header {name}"), steady(value.to_str()?));
        }
    }
    // A body that is not all there is something to compare, too.
    let body = response.bytes().await.unwrap_or_else(|_| "(broken off)".into());
    match serde_json::from_slice::<Value>(&body) {
        Ok(json) if json["errors"].is_array() => {
            for error in json["errors"].as_array().into_iter().flatten() {
                for part in ["code", "message", "detail"] {
                    let text = error.get(part).map(Value::to_string).unwrap_or_default();
                    parts.entry(format!("error {part}")).or_default().push_str(&text);
                }
            }
        }
        Ok(json) => drop(parts.insert("body".into(), json.to_string())),
        Err(_) => drop(parts.insert("body".into(), String::from_utf8_lossy(&body).into_owned())),
    }
    parts.retain(|_, text| !text.is_empty());
    Ok(Answer(parts))
}

fn steady(text: &str) -> String {
    OF_ONCE.iter().fold(text.to_owned(), |text, (of_once, to)| of_once.replace_all(&text, *to).into_owned())
}
