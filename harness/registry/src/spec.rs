//! What the owner of the registry says about a host: plain data, no behaviour but questions about it.

use std::net::{IpAddr, SocketAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_clock::Timestamp;
use pulldrill_faults::FaultRule;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    PersonalToken, RegistryError,
    host::{self, token_name},
};

/// A registry host to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct HostSpec {
    /// Its name, as clients connect to it (`registry-1.docker.io`).
    pub name: String,
    /// How it answers: a name of the table in `crate::personality`.
    pub personality: String,
    /// Who can log in.
    pub accounts: Vec<Account>,
    /// Who of them administers it by the API beside it, where there is such a thing (Harbor); `admin` always does.
    pub administrators: Vec<String>,
    /// What Docker Hub takes in place of their passwords.
    pub personal_tokens: Vec<PersonalToken>,
    /// What there is from the start, and who may use it.
    pub repositories: Vec<RepositorySpec>,
    /// A profile of limits; without one, the personality's own.
    pub limits: Option<String>,
    /// The ECR region; without one it is read from the name.
    pub region: Option<String>,
    /// The ECR account number; without one it is read from the name.
    pub account: Option<String>,
    /// Keys with which calls of its AWS API have to be signed; without any, every signature is taken.
    pub access_keys: Vec<AccessKey>,
    /// The name of the separate host that issues tokens; without one, the personality's own.
    pub auth_host: Option<String>,
    /// The address at which its clients reach it at port 443, where the registry owns addresses of its own.
    pub address: Option<IpAddr>,
    /// The same for the separate host.
    pub auth_address: Option<IpAddr>,
    /// How long its tokens are good, in place of what its profile of limits says.
    pub token_lifetime_seconds: Option<u32>,
    /// A port of all addresses at which its clients reach it by plain HTTP as well.
    pub plain_port: Option<u16>,
    /// A port of all addresses at which it is reached as at its usual one, with TLS.
    pub tls_port: Option<u16>,
    /// Where it listens; without one, at a free port of 127.0.0.1.
    pub listen: Option<SocketAddr>,
    /// The same for the separate host.
    pub auth_listen: Option<SocketAddr>,
    /// The real registry that it stands in front of: then that has the content.
    pub upstream: Option<UpstreamSpec>,
    /// How it misbehaves from the start.
    pub faults: Vec<FaultRule>,
}

impl HostSpec {
    /// A host that answers so, at the name that such hosts usually have.
    ///
    /// # Errors
    /// [`RegistryError::NoPersonality`].
    pub fn usual(personality: &str) -> Result<Self, RegistryError> {
        let spec = Self { personality: personality.to_owned(), ..Self::default() };
        Ok(Self { name: host::personality(&spec)?.usual_host.to_owned(), ..spec })
    }

    /// Whether a separate host goes with it, which issues its tokens.
    ///
    /// # Errors
    /// [`RegistryError::NoPersonality`].
    pub fn has_token_host(&self) -> Result<bool, RegistryError> {
        Ok(token_name(self)?.is_some())
    }
}

/// Someone who can log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Account {
    /// Both as `Authorization: Basic` and the files of clients have them.
    #[must_use]
    pub fn basic(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password))
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A real registry, as somebody knows it who stands in front of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpstreamSpec {
    /// Where it is: `https://HOST` or `http://HOST`, with a port if need be.
    pub url: String,
    /// As whom everything is asked there; anonymously without.
    #[serde(default)]
    pub login: Option<Account>,
    /// The certificates of those who may have signed its own, PEM; without any, those that this machine trusts.
    #[serde(default)]
    pub authority: Option<String>,
}

impl UpstreamSpec {
    /// Whether its address is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.parsed().map(drop)
    }

    /// Its address, if it is one.
    pub(crate) fn parsed(&self) -> Result<Url, String> {
        let url = Url::parse(&self.url).map_err(|error| format!("{:?} is no URL: {error}", self.url))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("{url} is neither http://HOST nor https://HOST"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its URL has a log-in in it, which belongs elsewhere".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{url} has more than a host in it; a registry is at the root of its host"));
        }
        Ok(url)
    }
}

/// A key of an AWS user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A repository and who may use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositorySpec {
    /// The path inside the host.
    pub name: String,
    /// Who may pull.
    pub pull: Access,
    /// Who may push and delete.
    pub push: Access,
}

/// Who may do something. Nobody is `Users` of an empty list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Everybody, without a log-in.
    Anonymous,
    /// Everybody who has logged in.
    Authenticated,
    /// These users.
    Users(Vec<String>),
}

impl Access {
    /// Whether this user (or nobody in particular) may.
    #[must_use]
    pub fn allows(&self, user: Option<&str>) -> bool {
        match (self, user) {
            (Self::Anonymous, _) | (Self::Authenticated, Some(_)) => true,
            (Self::Users(users), Some(user)) => users.iter().any(|known| known == user),
            _ => false,
        }
    }
}

/// A host that is being served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostInfo {
    /// Its name.
    pub name: String,
    /// Where it is on this machine, as a URL.
    pub url: String,
    /// The same as an address.
    pub address: SocketAddr,
    /// The separate host that issues its tokens (Docker Hub's, or ECR's JSON API), where there is one.
    pub token_host: Option<(String, SocketAddr)>,
}

/// A token with which to log in at an ECR-like host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// Always `AWS`.
    pub username: String,
    /// The secret.
    pub password: String,
    /// Until when it is good, in lab time.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for TokenInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenInfo").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
