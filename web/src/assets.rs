//! What is embedded: style sheet, script, icons, and the templates.

use std::borrow::Cow;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::Refusal;

/// Files that browsers fetch.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets"]
struct Assets;

/// Page templates.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/templates"]
struct Templates;

/// All templates: name and text.
pub(crate) fn templates() -> Vec<(String, String)> {
    Templates::iter()
        .filter_map(|name| {
            let file = Templates::get(&name)?;
            Some((name.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect()
}

pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    Assets::get(&name).map_or_else(|| missing().into_response(), |file| answer(&name, file, &headers))
}

pub(crate) async fn favicon(headers: HeaderMap) -> Response {
    Assets::get("favicon.svg")
        .map_or_else(|| missing().into_response(), |file| answer("favicon.svg", file, &headers))
}

fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no-such-asset", "there is no such file", "reload the page")
}

fn answer(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = etag(&file);
    // The binary may be another one at the next start on the same port: always ask, mostly hear "unchanged".
    let meta = [
        (header::CONTENT_TYPE, content_type(name).to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, etag.clone()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, meta).into_response();
    }
    match file.data {
        Cow::Borrowed(bytes) => (meta, bytes).into_response(),
        Cow::Owned(bytes) => (meta, bytes).into_response(),
    }
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
