//! Who makes a request.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// An authenticated user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name, for example `trainee` or `system:node:node-1`.
    pub name: String,
    /// The groups, for example `system:masters`.
    pub groups: Vec<String>,
    /// What tells the user from an earlier one of the same name, where that is known.
    pub uid: String,
    /// What else is known, for example the pod that a token is bound to.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Which credential a request was made with.
pub(super) const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

impl User {
    /// A user of whom nothing else is known.
    #[must_use]
    pub fn named(name: impl Into<String>, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// A part of the cluster itself, which may do everything: `system:serviceaccount:kube-system:<name>`.
    #[must_use]
    pub fn controller(name: &str) -> Self {
        Self::named(format!("system:serviceaccount:kube-system:{name}"), &["system:masters"])
    }

    /// A service account.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        let name = format!("system:serviceaccount:{namespace}:{name}");
        Self::named(name, &["system:serviceaccounts", &of_namespace])
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::named("system:anonymous", &["system:unauthenticated"])
    }

    /// The user that a client certificate is about: its common name, and its organisations as groups. Whether
    /// the certificate is genuine is for the TLS layer to know. Its digest goes with it, as since 1.32.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        // Of several the last one counts, as in Go.
        let name =
            subject.iter_common_name().last()?.as_str().ok().filter(|name| !name.is_empty())?.to_owned();
        let groups = subject.iter_organization().filter_map(|o| o.as_str().ok()).map(str::to_owned).collect();
        let digest: String = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        let extra = BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={digest}")])]);
        Some(Self { name, groups, extra, uid: String::new() })
    }

    /// The same user as one who has been authenticated.
    #[must_use]
    pub fn authenticated(mut self) -> Self {
        if !self.is_in("system:authenticated") {
            self.groups.push("system:authenticated".into());
        }
        self
    }

    /// Whether the user is in a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}
