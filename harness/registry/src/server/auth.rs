//! Who asks, and whether they may.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, header};

use super::{exchange::Exchange, route::Route};
use crate::{
    credentials::Grant,
    failure::{Failure, Kind},
    host::{Host, ISSUED_USER},
    personality::{Door, Scheme},
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// No credentials.
    Nobody,
    /// A user, by password.
    User(String),
    /// Whoever a bearer token was given to, with what it is for.
    Bearer { user: Option<String>, grants: Vec<Grant> },
}

impl Who {
    /// The user, if it is one.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::User(user) => Some(user),
            Self::Bearer { user, .. } => user.as_deref(),
        }
    }

    /// Whether they may do this at that host.
    pub(crate) fn may(&self, host: &Host, action: &str, repository: &str) -> bool {
        match self {
            Self::Nobody => !host.personality.always_challenges && host.may(None, action, repository),
            Self::User(user) => host.may(Some(user), action, repository),
            Self::Bearer { grants, .. } => grants.iter().any(|grant| {
                grant.repository == repository && grant.actions.iter().any(|granted| granted == action)
            }),
        }
    }
}

/// A user name and password from an `Authorization: Basic` header.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// Reads the credentials of a request.
pub(crate) fn identify(exchange: &Exchange<'_>, revoked: bool) -> Result<Who, Kind> {
    let Some(header) = exchange.header(header::AUTHORIZATION) else { return Ok(Who::Nobody) };
    if let Some((user, password)) = basic(header) {
        return by_password(exchange, user, &password, revoked);
    }
    let text = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let bearer_taken = matches!(exchange.host.personality.scheme, Scheme::Bearer { .. });
    let (Some((_, text)), true) = (text, bearer_taken) else { return Err(Kind::BadCredentials) };
    let tokens = exchange.host.tokens.lock();
    let token = tokens.get(text.trim()).filter(|token| !token.refresh).ok_or(Kind::BadCredentials)?;
    if revoked || token.expires_at <= exchange.now {
        return Err(Kind::Expired);
    }
    Ok(Who::Bearer { user: token.user.clone(), grants: token.grants.clone() })
}

fn by_password(exchange: &Exchange<'_>, user: String, password: &str, revoked: bool) -> Result<Who, Kind> {
    let host = exchange.host;
    match host.personality.scheme {
        Scheme::Bearer { door: Door::Hub | Door::GitHub, .. } => return Ok(Who::Nobody),
        Scheme::Bearer { door: Door::Quay, .. } => return Err(Kind::BadCredentials),
        _ => {}
    }
    if host.knows(&user, password, exchange.now).is_some() {
        return Ok(Who::User(user));
    }
    if host.personality.scheme == Scheme::IssuedPassword && user == ISSUED_USER {
        return match host.tokens.lock().get(password) {
            None => Err(Kind::NoToken),
            Some(token) if revoked || token.expires_at <= exchange.now => Err(Kind::Expired),
            Some(_) => Ok(Who::User(user)),
        };
    }
    Err(Kind::BadCredentials)
}

/// Refuses what they may not do.
pub(crate) fn authorise(exchange: &Exchange<'_>, who: &Who, route: &Route) -> Result<(), Failure> {
    let host = exchange.host;
    let Some(repository) = route.repository() else {
        let open = !host.personality.always_challenges
            && host.personality.scheme == Scheme::Basic
            && host.accounts.read().is_empty();
        return if *who == Who::Nobody && !open { Err(Kind::UnauthenticatedBase.into()) } else { Ok(()) };
    };
    let stranger = *who == Who::Nobody;
    // Whoever only looks is sent for a token even where everybody may pull, for clients look first.
    if stranger && host.harbor.is_some() && exchange.method == Method::HEAD {
        return Err(Kind::UnauthenticatedHead.into());
    }
    if who.may(host, exchange.action(), repository) {
        return Ok(());
    }
    if stranger {
        return Err(Kind::Unauthenticated.into());
    }
    let harbor = host.harbor.as_ref().filter(|_| host.upstream.is_none());
    let missing = harbor.is_some_and(|harbor| !harbor.has_project_of(host, repository));
    Err(if missing { Kind::ProjectUnknown } else { Kind::NotAllowed }.into())
}
