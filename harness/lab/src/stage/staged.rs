//! One drill's part of the stage, and the translation from a scenario's words to the registry's.

use std::{collections::BTreeSet, sync::Arc};

use pulldrill_clock::Timestamp;
use pulldrill_registry as registry;
use pulldrill_scenarios::{Access, Account, Build, PersonalToken, Personality, Registry, TokenScope};

use crate::{
    backend::NodeHost,
    checks::evidence::{Content, Served},
    folder::ACCESS_KEY,
};

/// What is kept for one drill.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) hosts: Vec<Host>,
    pub(super) node_hosts: Vec<NodeHost>,
    pub(super) accepted: Arc<BTreeSet<Content>>,
    pub(super) served: Arc<Vec<Served>>,
}

/// One registry of a drill.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// What the scenario calls it.
    pub(crate) handle: String,
    /// What image references call it.
    pub(crate) name: String,
    /// What clients connect to, and the registry's own name for it.
    pub(crate) endpoint: String,
    /// Where it is on this machine.
    pub(crate) url: String,
    /// The URL of the API beside it, on this machine: ECR's.
    pub(crate) api: Option<String>,
    /// How it answers.
    pub(crate) personality: Personality,
    /// The ECR region.
    pub(crate) region: Option<String>,
    /// The account that is the trainee's.
    pub(crate) trainee: Option<Account>,
}

impl Host {
    pub(super) fn new(spec: &Registry, info: &registry::HostInfo) -> Self {
        Self {
            handle: spec.handle.clone(),
            name: spec.host.clone(),
            endpoint: spec.endpoint().to_owned(),
            url: info.url.clone(),
            api: info.token_host.as_ref().map(|(_, address)| format!("https://{address}")),
            personality: spec.personality,
            region: spec.region.clone(),
            trainee: spec.accounts.iter().find(|account| account.trainee).cloned(),
        }
    }
}

/// A registry as the nodes know it, and the separate host for its tokens.
pub(super) fn node_hosts(spec: &Registry, info: &registry::HostInfo) -> Result<Vec<NodeHost>, String> {
    let address = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    let mut hosts = vec![NodeHost {
        image_host: spec.host.clone(),
        name: spec.endpoint().to_owned(),
        address: address(&spec.address)?,
        local: info.address,
        resolves: spec.resolves,
        trusted: spec.trusted,
    }];
    if let (Some(token), Some((_, local))) = (&spec.token_host, &info.token_host) {
        hosts.push(NodeHost {
            image_host: token.name.clone(),
            name: token.name.clone(),
            address: address(&token.address)?,
            local: *local,
            resolves: true,
            trusted: spec.trusted,
        });
    }
    Ok(hosts)
}

/// A registry as the registry crate wants it; `end` is that of its history.
pub(super) fn spec(spec: &Registry, end: Timestamp) -> registry::HostSpec {
    registry::HostSpec {
        name: spec.endpoint().to_owned(),
        personality: spec.personality.name().to_owned(),
        accounts: spec
            .accounts
            .iter()
            .map(|a| registry::Account { username: a.username.clone(), password: a.password.clone() })
            .collect(),
        repositories: spec
            .repositories
            .iter()
            .map(|repository| registry::RepositorySpec {
                name: repository.name.clone(),
                pull: access(&repository.pull),
                push: access(&repository.push),
            })
            .collect(),
        personal_tokens: spec.personal_tokens.iter().map(|token| personal_token(token, end)).collect(),
        limits: spec.limits.clone(),
        region: spec.region.clone(),
        account: spec.account_id.clone(),
        access_keys: vec![registry::AccessKey {
            id: ACCESS_KEY.0.to_owned(),
            secret: ACCESS_KEY.1.to_owned(),
        }],
        auth_host: spec.token_host.as_ref().map(|host| host.name.clone()),
        address: spec.resolves.then(|| spec.address.parse().ok()).flatten(),
        auth_address: spec.token_host.as_ref().and_then(|host| host.address.parse().ok()),
        faults: spec.faults.clone(),
        ..registry::HostSpec::default()
    }
}

fn personal_token(token: &PersonalToken, end: Timestamp) -> registry::PersonalToken {
    registry::PersonalToken {
        username: token.username.clone(),
        token: token.token.clone(),
        scope: match token.scope {
            TokenScope::Admin => registry::TokenScope::Admin,
            TokenScope::Write => registry::TokenScope::Write,
            TokenScope::Read => registry::TokenScope::Read,
            TokenScope::PublicRead => registry::TokenScope::PublicRead,
        },
        expires_at: token.expires.map(|expires| end + pulldrill_clock::seconds(expires.as_secs())),
    }
}

fn access(access: &Access) -> registry::Access {
    match access {
        Access::Anonymous => registry::Access::Anonymous,
        Access::Authenticated => registry::Access::Authenticated,
        Access::Users(users) => registry::Access::Users(users.clone()),
        Access::Nobody => registry::Access::Users(Vec::new()),
    }
}

/// A build as the registry crate wants it.
pub(super) fn image(build: &Build) -> registry::ImageSpec {
    registry::ImageSpec {
        build: build.content.clone(),
        layers: build.layers,
        size: build.size,
        ..registry::ImageSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pulldrill_scenarios::{LIMITS, PersonalToken, TokenScope};

    use super::{personal_token, registry};

    #[test]
    fn personal_access_tokens_end_when_the_scenario_says() {
        let end: pulldrill_clock::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut token = PersonalToken {
            username: "dev".into(),
            token: "dckr_pat_x".into(),
            scope: TokenScope::Read,
            expires: Some(pulldrill_clock::SignedDuration::from_hours(-2)),
        };
        let made = personal_token(&token, end);
        assert_eq!((made.scope, made.token.as_str()), (registry::TokenScope::Read, "dckr_pat_x"));
        assert_eq!(made.expires_at.unwrap().to_string(), "2026-03-01T10:00:00Z");
        token.expires = None;
        assert_eq!(personal_token(&token, end).expires_at, None);
    }

    #[test]
    fn scenarios_know_the_profiles_of_limits_that_registries_know() {
        let known: BTreeSet<&str> = registry::limit_profiles().collect();
        assert!(LIMITS.iter().all(|name| known.contains(name)), "{known:?}");
        let missing = |name: &&&str| name.starts_with("docker-hub") && !LIMITS.contains(name);
        assert_eq!(known.iter().find(missing), None);
    }
}
