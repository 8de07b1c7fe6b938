//! The token service of hosts that want bearer tokens: Docker Hub's on a host of its own, the others' on
//! the registry host.

use http::{Method, header};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    Outcome, Role, auth,
    exchange::{Exchange, read_body, with_status},
    route::Route,
};
use crate::{
    TokenScope,
    credentials::Grant,
    failure::{Failure, Kind},
    personality::{Door, Scheme},
};

/// The longest form.
const LONGEST_FORM: usize = 64 * 1024;
const JSON: &str = "application/json";
/// What Docker Hub says of personal access tokens.
const TOKEN_EXPIRED: &str = "personal access token is expired";
const TOKEN_INSUFFICIENT: &str = "access token has insufficient scopes";

/// Whether a request is for the token service.
pub(crate) fn is_for(exchange: &Exchange<'_>) -> bool {
    let Scheme::Bearer { host, path, .. } = exchange.host.personality.scheme else { return false };
    exchange.path == path && (host.is_none() || exchange.role == Role::Tokens || exchange.plain)
}

/// What is asked of the token service.
struct Wish {
    credentials: Option<(String, String)>,
    refresh: Option<String>,
    wants_refresh: bool,
    service: String,
    scopes: Vec<String>,
}

/// Answers a request for a token.
pub(crate) async fn answer(exchange: &mut Exchange<'_>, body: &mut Incoming) -> Outcome {
    let Scheme::Bearer { service, door, .. } = exchange.host.personality.scheme else {
        return Err(Kind::NoSuchPage.into());
    };
    let wish = match (exchange.method.clone(), door) {
        (Method::GET | Method::HEAD, _) => by_query(exchange),
        (Method::POST, Door::Hub) => by_form(&read_body(body, LONGEST_FORM).await?),
        (Method::POST, Door::Google) => return Err(Kind::NoSuchPage.into()),
        _ => return Err(Kind::Unsupported.into()),
    };
    if door == Door::Harbor && wish.service != service {
        let message = format!("Unable to handle service: {}", wish.service);
        let body = json!({ "errors": [{ "code": "BAD_REQUEST", "message": message }] });
        return Ok(with_status(400, body.to_string(), JSON));
    }
    if let Some(refusal) = unfit(exchange, &wish) {
        return refused_with(refusal);
    }
    match user(exchange, &wish) {
        Ok(user) => exchange.user = user,
        Err(()) if door == Door::Harbor && !wish.scopes.is_empty() => {
            return Ok(token(exchange, &wish, Vec::new()));
        }
        Err(()) => return refused(door, &wish),
    }
    if wish.scopes.is_empty() && exchange.user.is_none() {
        match door {
            Door::Harbor => return Ok(with_status(401, "", JSON)),
            Door::Quay | Door::GitHub => return Err(Kind::TokenForbidden.into()),
            Door::Hub | Door::Google => {}
        }
    }
    if door == Door::Quay
        && let Some(odd) = wish.scopes.iter().find(|scope| !is_scope(scope))
    {
        let message = format!("Unable to decode repository and actions: {odd}");
        let body = json!({ "errors": [{ "code": "INVALID_REQUEST", "message": message, "detail": {} }] });
        return Ok(with_status(400, body.to_string(), JSON));
    }
    let as_whom =
        exchange.user.as_deref().filter(|_| wish.personal(exchange) != Some(TokenScope::PublicRead));
    let grants: Vec<Grant> = wish.scopes.iter().filter_map(|scope| grant(exchange, as_whom, scope)).collect();
    let strict = door == Door::Google || (door == Door::GitHub && exchange.user.is_none());
    if strict && let Some(nothing) = grants.iter().find(|grant| grant.actions.is_empty()) {
        let kind = if exchange.user.is_none() { Kind::TokenForbidden } else { Kind::TokenForbiddenToUser };
        let route = Route::Tags { repository: nothing.repository.clone() };
        return Ok(exchange.refuse(Some(&route), &Failure::from(kind)));
    }
    Ok(token(exchange, &wish, grants))
}

impl Wish {
    /// What the personal access token is good for, where it comes with one.
    fn personal(&self, exchange: &Exchange<'_>) -> Option<TokenScope> {
        let (username, password) = self.credentials.as_ref()?;
        exchange.host.personal_token(username, password).map(|token| token.scope)
    }
}

/// What is wrong with a wish that comes with a personal access token: it may ask for nothing that the token is not good for.
fn unfit(exchange: &Exchange<'_>, wish: &Wish) -> Option<&'static str> {
    let (username, password) = wish.credentials.as_ref()?;
    let token = exchange.host.personal_token(username, password)?;
    if token.has_expired(exchange.now) {
        return Some(TOKEN_EXPIRED);
    }
    let too_much = |scope: &String| {
        let asked = parse_scope(scope).map(|(_, actions)| actions).unwrap_or_default();
        asked.into_iter().any(|action| !token.scope.covers(action))
    };
    wish.scopes.iter().any(too_much).then_some(TOKEN_INSUFFICIENT)
}

fn by_query(exchange: &Exchange<'_>) -> Wish {
    let scopes = exchange.query.iter().filter(|(key, _)| key == "scope");
    Wish {
        credentials: exchange.header(header::AUTHORIZATION).map(|header| {
            // A header that cannot be read is a wrong password, not a missing one.
            auth::basic(header).unwrap_or_default()
        }),
        refresh: None,
        wants_refresh: exchange.parameter("offline_token") == Some("true"),
        service: exchange.parameter("service").unwrap_or_default().to_owned(),
        scopes: scopes.flat_map(|(_, scope)| scope.split(' ')).map(str::to_owned).collect(),
    }
}

fn by_form(body: &[u8]) -> Wish {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let refresh = get("refresh_token").filter(|_| get("grant_type").as_deref() == Some("refresh_token"));
    let credentials = match &refresh {
        Some(_) => None,
        None => Some((get("username").unwrap_or_default(), get("password").unwrap_or_default())),
    };
    Wish {
        credentials,
        refresh,
        wants_refresh: get("access_type").as_deref() == Some("offline"),
        service: get("service").unwrap_or_default(),
        scopes: get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    }
}

/// The user behind a wish; an error for wrong credentials.
fn user(exchange: &Exchange<'_>, wish: &Wish) -> Result<Option<String>, ()> {
    if let Some(text) = &wish.refresh {
        let tokens = exchange.host.tokens.lock();
        let token = tokens.get(text).filter(|token| token.refresh && exchange.now < token.expires_at);
        return token.map(|token| token.user.clone()).ok_or(());
    }
    match &wish.credentials {
        None => Ok(None),
        Some((user, password))
            if exchange.host.knows(user, password, exchange.now).is_some()
                || exchange.host.personal_token(user, password).is_some() =>
        {
            Ok(Some(user.clone()))
        }
        Some(_) => Err(()),
    }
}

/// Whether a scope is one as Quay reads it.
fn is_scope(scope: &str) -> bool {
    let parts = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
    parts.is_some_and(|(name, actions)| {
        !name.is_empty() && actions.split(',').all(|action| matches!(action, "pull" | "push" | "*"))
    })
}

fn refused(door: Door, wish: &Wish) -> Outcome {
    match door {
        Door::Google | Door::GitHub => Err(Kind::TokenRefused.into()),
        // Robots are called after the organisation that they belong to.
        Door::Quay => {
            let robot = wish.credentials.as_ref().is_some_and(|(user, _)| user.contains('+'));
            Err(if robot { Kind::RobotRefused } else { Kind::TokenRefused }.into())
        }
        Door::Hub => refused_with("incorrect username or password"),
        Door::Harbor => Ok(with_status(401, "", JSON)),
    }
}

/// Docker Hub's own form of a refusal.
fn refused_with(details: &str) -> Outcome {
    Ok(with_status(401, json!({ "details": details }).to_string(), JSON))
}

/// The name and the actions of `repository:NAME:ACTION,…`.
fn parse_scope(scope: &str) -> Option<(&str, Vec<&str>)> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    let actions = actions.split(',').flat_map(|action| match action {
        "*" => vec!["pull", "push", "delete"],
        one => vec![one],
    });
    Some((name, actions.collect()))
}

/// What of a scope the user may do.
fn grant(exchange: &Exchange<'_>, user: Option<&str>, scope: &str) -> Option<Grant> {
    let (name, wanted) = parse_scope(scope)?;
    let allowed = wanted.into_iter().filter(|action| exchange.host.may(user, action, name));
    Some(Grant { repository: name.to_owned(), actions: allowed.map(str::to_owned).collect() })
}

fn token(exchange: &Exchange<'_>, wish: &Wish, grants: Vec<Grant>) -> super::Answer {
    let host = exchange.host;
    let user = exchange.user.as_deref();
    // What it says of a token's life is what it would be.
    let short = exchange.struck_by("short-tokens").map(|strike| strike.number("lifetime"));
    let seconds = short.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(host.limits.token_seconds);
    let life = (exchange.now, seconds);
    let text = host.grant(user, grants, false, life);
    let issued_at = exchange.shared.clock.shown(exchange.now);
    let mut body = json!({
        "token": text, "access_token": text, "expires_in": host.limits.token_seconds,
        "issued_at": pulldrill_clock::stamp(issued_at),
    });
    if !host.personality.tells_of_tokens {
        body = json!({ "token": text });
    }
    // The others have none, and take no POST with which one could be used: engines that are given one only stumble over it.
    let has_refresh = matches!(host.personality.scheme, Scheme::Bearer { door: Door::Hub, .. });
    // Whoever has a personal access token needs no other that lasts, which would be good for more.
    let lasts = wish.personal(exchange).is_none();
    if has_refresh && lasts && wish.wants_refresh && user.is_some() {
        body["refresh_token"] = host.grant(user, Vec::new(), true, life).into();
    }
    with_status(200, body.to_string(), JSON)
}
