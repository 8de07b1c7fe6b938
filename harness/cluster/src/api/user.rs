//! Who makes a request.

use x509_parser::prelude::{FromDer, X509Certificate};

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, for example `trainee` or `system:node:node-1`.
    pub name: String,
    /// The groups, for example `system:masters`.
    pub groups: Vec<String>,
}

impl User {
    /// A part of the cluster itself, which may do everything: `system:serviceaccount:kube-system:<name>`.
    #[must_use]
    pub fn controller(name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:kube-system:{name}"),
            groups: vec!["system:masters".into()],
        }
    }

    /// A service account.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")],
        }
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".into(), groups: vec!["system:unauthenticated".into()] }
    }

    /// The user that a client certificate is about: its common name, and its organisations as groups. Whether
    /// the certificate is genuine is for the TLS layer to know.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
        let groups = subject.iter_organization().filter_map(|o| o.as_str().ok()).map(str::to_owned).collect();
        Some(Self { name, groups })
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
