//! The way into the upstream: nothing, a password, or tokens of its token service, as it says when it is asked without.

use std::{collections::HashMap, time::Duration};

use http::{StatusCode, header};
use parking_lot::Mutex;
use pulldrill_clock::real;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::{Lost, lost};
use crate::spec::Account;

/// How long a token is good whose issuer does not say.
const USUAL_LIFE: u64 = 60;
/// How long before its end a token is no longer used.
const MARGIN: u64 = 10;
/// How many tokens are kept.
const TOKENS: usize = 1_000;

/// The way in.
pub(super) struct Door {
    login: Option<Account>,
    kind: Mutex<Option<Kind>>,
    tokens: Mutex<HashMap<String, (String, std::time::Instant)>>,
}

/// What it wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Nothing,
    Password,
    Tokens { realm: String, service: Option<String> },
}

/// What a token service answers.
#[derive(Deserialize)]
struct Issued {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Door {
    pub(super) fn new(login: Option<Account>) -> Self {
        Self { login, kind: Mutex::default(), tokens: Mutex::default() }
    }

    /// Whatever is known of the way in may have changed.
    pub(super) fn forget(&self) {
        *self.kind.lock() = None;
        self.tokens.lock().clear();
    }

    /// The `Authorization` header for what has to be granted.
    pub(super) async fn credentials(
        &self,
        http: &Client,
        base: &Url,
        scopes: &[String],
    ) -> Result<Option<String>, Lost> {
        let known = self.kind.lock().clone();
        let kind = match known {
            Some(kind) => kind,
            None => {
                let kind = ask(http, base).await?;
                *self.kind.lock() = Some(kind.clone());
                kind
            }
        };
        match kind {
            Kind::Nothing => Ok(None),
            Kind::Password => Ok(self.login.as_ref().map(|login| format!("Basic {}", login.basic()))),
            Kind::Tokens { realm, service } => {
                self.token(http, base, &realm, service.as_deref(), scopes).await.map(Some)
            }
        }
    }

    async fn token(
        &self,
        http: &Client,
        base: &Url,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
    ) -> Result<String, Lost> {
        let key = scopes.join(" ");
        if let Some((token, until)) = self.tokens.lock().get(&key)
            && real::stopwatch() < *until
        {
            return Ok(format!("Bearer {token}"));
        }
        let mut url = base.join(realm).map_err(|_| Lost { why: format!("its realm is {realm:?}") })?;
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(service.map(|service| ("service", service)));
            query.extend_pairs(scopes.iter().map(|scope| ("scope", scope)));
        }
        let mut request = http.get(url.clone());
        if let Some(login) = &self.login {
            // A password that came by TLS goes on by TLS.
            if url.scheme() != "https" && base.scheme() == "https" {
                return Err(Lost { why: format!("its token service {realm} has no TLS") });
            }
            request =
                request.header(header::AUTHORIZATION, super::sensitive(&format!("Basic {}", login.basic()))?);
        }
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        if !status.is_success() {
            let as_whom = self.login.as_ref().map_or("nobody", |login| login.username.as_str());
            return Err(Lost { why: format!("its token service answers {status} to {as_whom}") });
        }
        let issued: Issued = serde_json::from_slice(&answer.bytes().await.map_err(lost)?)
            .map_err(|error| Lost { why: format!("its token service answers nonsense: {error}") })?;
        let token = issued.token.or(issued.access_token);
        let token =
            token.ok_or_else(|| Lost { why: "its token service answers without a token".to_owned() })?;
        let life = issued.expires_in.unwrap_or(USUAL_LIFE).saturating_sub(MARGIN).min(24 * 3_600);
        let mut tokens = self.tokens.lock();
        if tokens.len() >= TOKENS {
            tokens.clear();
        }
        tokens.insert(key, (token.clone(), real::stopwatch() + Duration::from_secs(life)));
        Ok(format!("Bearer {token}"))
    }
}

/// Asks what it wants.
async fn ask(http: &Client, base: &Url) -> Result<Kind, Lost> {
    let mut url = base.clone();
    url.set_path("/v2/");
    let answer = http.get(url).send().await.map_err(lost)?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(Kind::Nothing);
    }
    let wanted = answer.headers().get_all(header::WWW_AUTHENTICATE);
    let wanted = wanted.iter().filter_map(|value| challenge(value.to_str().ok()?)).next();
    wanted.ok_or_else(|| Lost { why: "it wants credentials, and does not say which".to_owned() })
}

/// What a `WWW-Authenticate` header asks for.
pub(crate) fn challenge(text: &str) -> Option<Kind> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Kind::Password);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let get = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    Some(Kind::Tokens { realm: get("realm")?, service: get("service") })
}

/// `name="value", name=value`: with quotes, in which a backslash takes the meaning from what follows.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_owned();
        let rest = rest.trim_start();
        let mut value = String::new();
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            let mut end = rest.len();
            let mut escaped = false;
            for (at, character) in quoted.char_indices() {
                match character {
                    '\\' if !escaped => escaped = true,
                    '"' if !escaped => {
                        end = at + 2;
                        break;
                    }
                    other => {
                        value.push(other);
                        escaped = false;
                    }
                }
            }
            end
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            value.push_str(rest[..end].trim());
            end
        };
        found.push((name, value));
        text = &rest[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let tokens = |realm: &str, service: Option<&str>| {
            Some(Kind::Tokens { realm: realm.into(), service: service.map(str::to_owned) })
        };
        let text =
            r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:a,b:pull,push""#;
        assert_eq!(challenge(text), tokens("https://a.example/token", Some("r.example")));
        assert_eq!(
            challenge(r#"bearer  Realm = "/t\"x\\" , service=plain"#),
            tokens("/t\"x\\", Some("plain"))
        );
        assert_eq!(
            challenge("Bearer realm=\"/v2/token"),
            tokens("/v2/token", None),
            "a quote that does not end"
        );
        assert_eq!(challenge("Basic realm=\"x\""), Some(Kind::Password));
        for nothing in
            ["", "Bearer", "Bearer service=\"x\"", "Negotiate", "=", "Bearer ===", "Bearer \u{e9}=\"\u{e9}"]
        {
            assert_eq!(challenge(nothing), None, "{nothing:?}");
        }
    }
}
