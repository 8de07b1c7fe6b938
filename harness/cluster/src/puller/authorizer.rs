//! Answering challenges: Basic credentials, or a token from the token service.
//!
//! One authorizer lives as long as one pull. It first asks without credentials; what a host's challenge
//! asked for is remembered for the pull's further requests to that host.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Response, header};
use hyper::body::Incoming;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    Credential,
    challenge::challenges,
    error::PullError,
    session::{Call, Session, status_line},
    words,
};

/// How a host is answered.
#[derive(Debug)]
enum Handler {
    Basic,
    Bearer { realm: Option<String>, service: Option<String>, scopes: BTreeSet<String>, token: Option<String> },
}

/// The memory of one pull about who wants which authorization.
#[derive(Debug)]
pub(super) struct Authorizer {
    credential: Option<Credential>,
    scope: String,
    handlers: HashMap<String, Handler>,
}

/// What to do after a 401.
pub(super) enum Retry {
    /// Ask again: there is something new to say.
    Again,
    /// The challenge is none that can be answered.
    Pointless,
}

impl Authorizer {
    pub(super) fn new(credential: Option<Credential>, repository: &str) -> Self {
        let scope = format!("repository:{repository}:pull");
        Self { credential, scope, handlers: HashMap::new() }
    }

    /// The `Authorization` header for a host, when it has asked for one.
    pub(super) async fn header(
        &mut self,
        host: &str,
        session: &mut Session<'_>,
    ) -> Result<Option<String>, PullError> {
        match self.handlers.get(host) {
            None => Ok(None),
            Some(Handler::Basic) => Ok(self.credential.as_ref().map(Credential::basic)),
            Some(Handler::Bearer { token: Some(token), .. }) => Ok(Some(format!("Bearer {token}"))),
            Some(Handler::Bearer { realm, service, scopes, .. }) => {
                let scopes: Vec<String> = scopes.iter().chain([&self.scope]).cloned().collect();
                let request = TokenRequest {
                    realm: realm.clone(),
                    service: service.clone(),
                    scopes: scopes.into_iter().collect(),
                    credential: self.credential.as_ref(),
                };
                let fetched = request.fetch(session).await;
                let fetched = fetched.map_err(|e| e.reworded(|m| format!("failed to authorize: {m}")))?;
                if let Some(Handler::Bearer { token, .. }) = self.handlers.get_mut(host) {
                    *token = Some(fetched.clone());
                }
                Ok(Some(format!("Bearer {fetched}")))
            }
        }
    }

    /// Takes in a 401. `repeated` says that the request before it was the same one.
    pub(super) fn challenged(
        &mut self,
        host: &str,
        response: &Response<Incoming>,
        repeated: bool,
    ) -> Result<Retry, PullError> {
        for challenge in challenges(response.headers()) {
            let parameter = |name: &str| challenge.parameters.get(name).filter(|v| !v.is_empty()).cloned();
            match challenge.scheme.as_str() {
                "bearer" => {
                    if let Some(error) = parameter("error").filter(|_| repeated) {
                        self.handlers.remove(host);
                        return Err(PullError::refused(format!(
                            "server message: {error}: authorization failed"
                        )));
                    }
                    self.handlers.entry(host.to_owned()).or_insert_with(|| Handler::Bearer {
                        realm: parameter("realm"),
                        service: parameter("service"),
                        scopes: parameter("scope")
                            .map(|s| s.split(' ').map(str::to_owned).collect())
                            .unwrap_or_default(),
                        token: None,
                    });
                    return Ok(Retry::Again);
                }
                "basic" => {
                    let usable = self.credential.as_ref().is_some_and(Credential::is_complete);
                    if !usable {
                        return Err(PullError::refused("authorization failed: no basic auth credentials"));
                    }
                    self.handlers.insert(host.to_owned(), Handler::Basic);
                    return Ok(Retry::Again);
                }
                _ => {}
            }
        }
        Ok(Retry::Pointless)
    }
}

/// One request for a token.
struct TokenRequest<'a> {
    realm: Option<String>,
    service: Option<String>,
    scopes: BTreeSet<String>,
    credential: Option<&'a Credential>,
}

impl TokenRequest<'_> {
    /// With credentials by POST, and by GET where that is not understood; without, by GET.
    async fn fetch(&self, session: &mut Session<'_>) -> Result<String, PullError> {
        let realm = self
            .realm
            .as_deref()
            .ok_or_else(|| PullError::unknown("no realm specified for token auth challenge"))?;
        let Some(credential) = self.credential.filter(|c| !c.password.is_empty()) else {
            let anonymous = self.get(realm, None, session).await;
            return anonymous.map_err(|e| e.reworded(|m| format!("failed to fetch anonymous token: {m}")));
        };
        let oauth = |e: PullError| e.reworded(|m| format!("failed to fetch oauth token: {m}"));
        match self.post(realm, credential, session).await.map_err(oauth)? {
            Ok(token) => Ok(token),
            Err((400 | 401 | 404, _)) => self.get(realm, Some(credential), session).await.map_err(oauth),
            Err((405, _)) if !credential.username.is_empty() => {
                self.get(realm, Some(credential), session).await.map_err(oauth)
            }
            Err((_, line)) => Err(oauth(unexpected("POST", realm, &line))),
        }
    }

    async fn post(
        &self,
        realm: &str,
        credential: &Credential,
        session: &mut Session<'_>,
    ) -> Result<Result<String, (u16, String)>, PullError> {
        let scopes = self.scopes.iter().cloned().collect::<Vec<_>>().join(" ");
        let mut fields = vec![
            ("client_id", "containerd-client"),
            ("scope", &scopes),
            ("service", self.service.as_deref().unwrap_or_default()),
        ];
        if credential.username.is_empty() {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", &credential.password)]);
        } else {
            fields.extend([
                ("grant_type", "password"),
                ("username", &credential.username),
                ("password", &credential.password),
            ]);
        }
        fields.sort_unstable();
        let mut call = Call::new(Method::POST, realm)
            .with(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
        call.body =
            Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
        let response = session.send(&call).await?;
        if !response.status().is_success() {
            return Ok(Err((response.status().as_u16(), status_line(&response))));
        }
        read_token(response, session).await.map(Ok)
    }

    async fn get(
        &self,
        realm: &str,
        credential: Option<&Credential>,
        session: &mut Session<'_>,
    ) -> Result<String, PullError> {
        let mut call = Call::new(Method::GET, self.url(realm));
        if let Some(credential) = credential {
            call = call.with(header::AUTHORIZATION, &credential.basic());
        }
        let response = session.send(&call).await?;
        if !response.status().is_success() {
            return Err(unexpected("GET", &call.url, &status_line(&response)));
        }
        read_token(response, session).await
    }

    /// The realm with service and scopes, the parameters in the order of their names.
    fn url(&self, realm: &str) -> String {
        let Ok(mut url) = Url::parse(realm) else { return realm.to_owned() };
        let mut pairs: Vec<(String, String)> =
            url.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        pairs.extend(self.service.iter().map(|service| ("service".to_owned(), service.clone())));
        pairs.extend(self.scopes.iter().map(|scope| ("scope".to_owned(), scope.clone())));
        pairs.sort();
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        url.set_query(Some(&query));
        url.to_string()
    }
}

fn unexpected(method: &str, url: &str, line: &str) -> PullError {
    PullError::unknown(format!("unexpected status from {method} request to {url}: {line}"))
}

async fn read_token(response: Response<Incoming>, session: &mut Session<'_>) -> Result<String, PullError> {
    let (bytes, _) = session.read(response.into_body()).await;
    let reply: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let cause = words::json_error(&bytes, &error);
        PullError::unknown(format!("unable to decode token response: {cause}"))
    })?;
    let token = ["token", "access_token"]
        .into_iter()
        .find_map(|field| reply[field].as_str().filter(|t| !t.is_empty()));
    token
        .map(str::to_owned)
        .ok_or_else(|| PullError::unknown("authorization server did not include a token in the response"))
}

impl Credential {
    /// Whether both halves are there.
    fn is_complete(&self) -> bool {
        !self.username.is_empty() && !self.password.is_empty()
    }

    /// The header value of Basic authentication.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}
