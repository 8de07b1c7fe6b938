//! What the owner of a registry can do with it, wherever it runs: in this process, or behind the admin API.
//!
//! Clients of the registry never come here; they speak HTTP to its hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use async_trait::async_trait;
use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Content, Fault, FaultRule, HostInfo, HostSpec, ImageRef, ImageSpec, PullLog, Registry, RegistryError,
    TokenInfo,
};

/// An image in a repository of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImagePlace {
    /// The host.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// A tag or a digest.
    pub reference: String,
}

/// A name and a password that somebody would use at a host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Login {
    /// The host.
    pub host: String,
    /// The user name.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("host", &self.host)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What is to be looked up, all at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Inspection {
    /// Digests of manifests.
    pub manifests: BTreeSet<String>,
    /// Credentials.
    pub logins: BTreeSet<Login>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Inspected {
    /// What each manifest contains, by digest; those that were never stored are missing.
    pub contents: BTreeMap<String, Content>,
    /// The credentials that are good now.
    pub accepted: Vec<AcceptedLogin>,
}

/// Credentials that are good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AcceptedLogin {
    /// Which.
    pub login: Login,
    /// Until when, where they end.
    pub until: Option<Timestamp>,
}

/// A registry under its owner's control.
///
/// Every function fails with [`RegistryError::Unreachable`] when the registry runs elsewhere and does not answer.
#[async_trait]
pub trait Control: Send + Sync {
    /// The certificate of the authority that signs the hosts' certificates, PEM.
    async fn authority(&self) -> Result<String, RegistryError>;

    /// Serves one more host. See [`Registry::add_host`].
    async fn add_host(&self, spec: HostSpec) -> Result<HostInfo, RegistryError>;

    /// Stops serving a host and forgets what was in it; fine when there is none.
    async fn remove_host(&self, name: &str) -> Result<(), RegistryError>;

    /// Makes an image and puts it into a repository. See [`Registry::push_image`].
    async fn push_image(
        &self,
        host: &str,
        repository: &str,
        tag: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<ImageRef, RegistryError>;

    /// Copies an image as a user who must be allowed to push. See [`Registry::copy`].
    async fn copy(&self, from: &ImagePlace, to: &ImagePlace, user: &str) -> Result<ImageRef, RegistryError>;

    /// A token as it would be had it been issued then. See [`Registry::issue_token_at`].
    async fn issue_token(&self, host: &str, at: Timestamp) -> Result<TokenInfo, RegistryError>;

    /// Uses up the anonymous quota of an address. See [`Registry::exhaust`].
    async fn exhaust(&self, host: &str, client: IpAddr) -> Result<(), RegistryError>;

    /// A host's faults. See [`Registry::faults`].
    async fn faults(&self, host: &str) -> Result<Vec<Fault>, RegistryError>;

    /// Adds a fault to those that a host has. See [`Registry::add_fault`].
    async fn add_fault(&self, host: &str, rule: FaultRule) -> Result<Fault, RegistryError>;

    /// Takes a fault from a host. See [`Registry::remove_fault`].
    async fn remove_fault(&self, host: &str, id: u64) -> Result<(), RegistryError>;

    /// Replaces a host's faults. See [`Registry::set_faults`].
    async fn set_faults(&self, host: &str, rules: Vec<FaultRule>) -> Result<(), RegistryError>;

    /// Looks up contents and credentials, as of now.
    async fn inspect(&self, wanted: &Inspection) -> Result<Inspected, RegistryError>;

    /// What the hosts have seen: the log itself, or a mirror that follows it.
    fn pull_log(&self) -> &PullLog;
}

#[async_trait]
impl Control for Registry {
    async fn authority(&self) -> Result<String, RegistryError> {
        Ok(self.authority_pem().to_owned())
    }

    async fn add_host(&self, spec: HostSpec) -> Result<HostInfo, RegistryError> {
        Self::add_host(self, spec).await
    }

    async fn remove_host(&self, name: &str) -> Result<(), RegistryError> {
        Self::remove_host(self, name).await;
        Ok(())
    }

    async fn push_image(
        &self,
        host: &str,
        repository: &str,
        tag: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<ImageRef, RegistryError> {
        let (this, host, repository) = (self.clone(), host.to_owned(), repository.to_owned());
        let (tag, spec) = (tag.map(str::to_owned), spec.clone());
        self.apart(move || this.push_image(&host, &repository, tag.as_deref(), &spec)).await
    }

    async fn copy(&self, from: &ImagePlace, to: &ImagePlace, user: &str) -> Result<ImageRef, RegistryError> {
        let place = |place: &ImagePlace| {
            let ImagePlace { host, repository, reference } = place.clone();
            (host, repository, reference)
        };
        let (from, to) = (place(from), place(to));
        let (this, user) = (self.clone(), user.to_owned());
        self.apart(move || this.copy((&from.0, &from.1, &from.2), (&to.0, &to.1, &to.2), &user)).await
    }

    async fn issue_token(&self, host: &str, at: Timestamp) -> Result<TokenInfo, RegistryError> {
        self.issue_token_at(host, at)
    }

    async fn exhaust(&self, host: &str, client: IpAddr) -> Result<(), RegistryError> {
        Self::exhaust(self, host, client)
    }

    async fn faults(&self, host: &str) -> Result<Vec<Fault>, RegistryError> {
        Self::faults(self, host)
    }

    async fn add_fault(&self, host: &str, rule: FaultRule) -> Result<Fault, RegistryError> {
        Self::add_fault(self, host, rule)
    }

    async fn remove_fault(&self, host: &str, id: u64) -> Result<(), RegistryError> {
        Self::remove_fault(self, host, id)
    }

    async fn set_faults(&self, host: &str, rules: Vec<FaultRule>) -> Result<(), RegistryError> {
        Self::set_faults(self, host, rules)
    }

    async fn inspect(&self, wanted: &Inspection) -> Result<Inspected, RegistryError> {
        let accepted = |login: &Login| {
            let until = self.credentials(&login.host, &login.username, &login.password)?;
            Some(AcceptedLogin { login: login.clone(), until })
        };
        let accepted = wanted.logins.iter().filter_map(accepted).collect();
        let (this, manifests) = (self.clone(), wanted.manifests.clone());
        let contents = self.apart(move || {
            let content = |digest: String| Some((digest.clone(), this.content_of(&digest)?));
            Ok(manifests.into_iter().filter_map(content).collect())
        });
        Ok(Inspected { contents: contents.await?, accepted })
    }

    fn pull_log(&self) -> &PullLog {
        Self::pull_log(self)
    }
}
