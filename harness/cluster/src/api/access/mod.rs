//! Who is who, and who may what.
//!
//! A request first gets a user ([`Access::authenticate`]): by certificate, by token, or none in particular,
//! and perhaps another one whom that user acts as (`impersonation`). Then the user is asked for rights
//! (`authorizer`): what roles grant (`rbac`), and what nobody may (`evidence`). Writers of roles answer for
//! what they give away (`escalation`); what roles there are at first is data (`bootstrap`).

mod attributes;
mod authorizer;
mod bootstrap;
mod escalation;
mod evidence;
mod fixed;
mod impersonation;
mod rbac;
mod tokens;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use pulldrill_tls::Clients;
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use fixed::FixedTokens;

pub use attributes::Attributes;
pub(crate) use bootstrap::first_objects;
pub(crate) use rbac::aggregated;
pub(super) use {
    escalation::check as check_escalation,
    rbac::Policy,
    tokens::{Bearer, Bound, ISSUER, Issuer, Token},
};

use super::{Api, SigningAuthority, Status, User};

/// The group that may do everything.
pub(super) const MASTERS: &str = "system:masters";

/// The group of the people who practise.
pub(super) const TRAINEES: &str = "pulldrill:trainees";

/// Where a token comes in the list of WebSocket protocols, for clients that can't set headers.
const PROTOCOL_TOKEN: &str = "base64url.bearer.authorization.k8s.io.";

/// The authentication and authorization of one cluster.
#[derive(Clone, Debug)]
pub struct Access {
    api: Arc<Api>,
    fixed: Arc<FixedTokens>,
}

/// What the certificate of a connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Certified {
    /// There is none.
    Nobody,
    /// It is good.
    User(User),
    /// It is not.
    Wrong(Arc<[CertificateDer<'static>]>),
}

impl Certified {
    /// Judges a client's chain.
    pub(super) fn of(chain: &[CertificateDer<'_>], clients: &Clients) -> Self {
        match chain.first() {
            None => Self::Nobody,
            Some(_) if !clients.vouch_for(chain) => {
                Self::Wrong(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
            }
            // A good one that names nobody says nothing.
            Some(own) => User::of_certificate(own).map_or(Self::Nobody, Self::User),
        }
    }

    /// What the certificate is worth at a virtual cluster: the masters are the same, and others are known who were
    /// signed there.
    pub(super) fn abroad(self, theirs: &SigningAuthority) -> Self {
        match self {
            Self::User(user) if !user.is_in(MASTERS) => Self::Wrong(Arc::default()),
            Self::Wrong(chain) if theirs.vouch_for(&chain) => {
                chain.first().and_then(|own| User::of_certificate(own)).map_or(Self::Nobody, Self::User)
            }
            same => same,
        }
    }
}

/// Who decides about what users may, beside what is decided for masters (`--authorization-mode` of kube-apiserver).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// Roles and their bindings.
    #[default]
    Rbac,
    /// Nobody: whatever roles do not grant is allowed as well.
    AlwaysAllow,
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requester {
    /// Whose rights count.
    pub(super) user: User,
    /// Who has sent it, when that is somebody else.
    pub(super) impersonator: Option<User>,
}

impl Access {
    /// The access to an API.
    #[must_use]
    pub fn new(api: Arc<Api>) -> Self {
        Self { api, fixed: Arc::default() }
    }

    /// Takes a token of the caller's own choice for a user, good for ever.
    pub fn accept(&self, token: &str, user: User) {
        self.fixed.accept(token, user);
    }

    /// Who a token belongs to, while it is good.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn bearer(&self, token: &str) -> Result<Bearer, String> {
        if let Some(user) = self.fixed.user(token) {
            return Ok(Bearer { user, audiences: vec![ISSUER.to_owned()] });
        }
        self.api.issuer().bearer(token, self.api.store(), self.api.clock().now())
    }

    /// Finds out who makes a request: by certificate, by token, or nobody in particular.
    ///
    /// # Errors
    /// 401 for a bad token or certificate, 403 for an impersonation that is not allowed, 500 for a senseless one.
    pub(super) fn authenticate(
        &self,
        certified: Certified,
        headers: &HeaderMap,
    ) -> Result<Requester, Status> {
        let user = match (certified, token(headers)) {
            (Certified::User(user), _) => self.of_release(user).authenticated(),
            (_, Some(token)) => self.token_user(&token)?.authenticated(),
            (Certified::Wrong(_), None) => return Err(Status::unauthorized()),
            (Certified::Nobody, None) => User::anonymous(),
        };
        Ok(match impersonation::impersonated(&self.api, &user, headers)? {
            Some(other) => Requester { user: other, impersonator: Some(user) },
            None => Requester { user, impersonator: None },
        })
    }

    fn token_user(&self, token: &str) -> Result<User, Status> {
        let bearer = self.bearer(token).map_err(|error| {
            tracing::debug!(error, "a token is refused");
            Status::unauthorized()
        })?;
        let for_us = bearer.audiences.iter().any(|audience| audience == ISSUER);
        if for_us { Ok(bearer.user) } else { Err(Status::unauthorized()) }
    }

    /// A certified user as the release knows them: older ones don't tell the certificate.
    fn of_release(&self, user: User) -> User {
        if self.api.options().legacy() { User { extra: Default::default(), ..user } } else { user }
    }

    /// Decides about a request.
    ///
    /// # Errors
    /// 403.
    pub(super) fn authorize(&self, user: &User, wanted: &Attributes<'_>) -> Result<(), Status> {
        authorizer::authorize(&self.api, user, wanted)
    }

    /// Whether somebody may do something, and why.
    pub(super) fn opinion(&self, user: &User, wanted: &Attributes<'_>) -> (bool, String) {
        let opinion = authorizer::opinion(&self.api, user, wanted);
        (opinion.allowed, opinion.reason)
    }

    /// The answer to "what may I do?".
    pub(super) fn rules(&self, user: &User, namespace: &str) -> Value {
        authorizer::review_rules(&self.api, user, namespace)
    }
}

/// Whether somebody may do something.
pub(super) fn authorized(api: &Api, user: &User, wanted: &Attributes<'_>) -> bool {
    authorizer::opinion(api, user, wanted).allowed
}

/// The token in the headers of a request. An `Authorization` that is no bearer's says nothing.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = |name| headers.get(name).map(|v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()));
    if let Some(authorization) = value(header::AUTHORIZATION) {
        let mut words = authorization.trim().split(' ');
        let scheme = words.next().unwrap_or_default();
        let token = words.next().filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            return Some(token.to_owned());
        }
    }
    let protocols = value(header::SEC_WEBSOCKET_PROTOCOL)?;
    let encoded = protocols.split(',').find_map(|p| p.trim().strip_prefix(PROTOCOL_TOKEN))?;
    let decoded = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).unwrap_or_default();
    // One that can't be read is still one, and a bad one.
    Some(String::from_utf8(decoded).unwrap_or_default())
}

#[cfg(test)]
mod tests;
