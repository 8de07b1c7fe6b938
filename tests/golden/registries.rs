//! The registries of the recordings, with the same names and the same manners.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_clock::{Clock, SignedDuration, Timestamp};
use pulldrill_registry::{
    Access, Account, Clients, FaultRule, HostSpec, ImageSpec, Registry, RegistryOptions, RepositorySpec,
    TokenInfo,
};
use pulldrill_tls::Authority;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::ground::{Ground, addresses};

const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";
const HUB: &str = "registry-1.docker.io";

/// A host whose certificate comes from an authority that nodes do not know.
const SELF_SIGNED: &str = "selfsigned.lab.test";

/// A registry host of the recordings.
struct Host {
    name: &'static str,
    personality: &'static str,
    /// Whether anybody may pull.
    public: bool,
    images: &'static [(&'static str, &'static str)],
}

/// Whom every host knows: somebody who may have everything, and somebody who may have nothing that is not everybody's.
const ACCOUNTS: [(&str, &str); 2] = [("labuser", "goodpass"), ("_json_key", "of nobody")];

/// Who may have what is not everybody's; the second are those with a token of ECR.
const OWNERS: [&str; 2] = ["labuser", "AWS"];

/// Repositories that every host has, with nothing in them.
const EMPTY: [&str; 4] = ["team/nosuch", "team/late", "team/late2", "backoff/app"];

const HOSTS: &[Host] = &[
    Host {
        name: "registry.lab.test",
        personality: "distribution",
        public: true,
        images: &[
            ("team/app", "1.0"),
            ("team/app", "2.0"),
            ("team/app", "8.0"),
            ("team/app", "10.0"),
            ("team/app", "11.0"),
            ("team/app", "12.0"),
        ],
    },
    Host {
        name: "private.lab.test",
        personality: "distribution",
        public: false,
        images: &[("team/secure", "1.0"), ("team/app", "1.0"), ("team/app", "7.0")],
    },
    Host {
        name: ECR,
        personality: "ecr",
        public: false,
        images: &[("team/app", "1.0"), ("team/app", "2.0"), ("team/secure", "1.0")],
    },
    Host {
        name: HUB,
        personality: "docker-hub",
        public: true,
        images: &[
            ("limited/app", "1.0"),
            ("limited/app", "5.0"),
            ("limited/headtoo", "1.0"),
            ("toklimited/app", "1.0"),
        ],
    },
    Host { name: SELF_SIGNED, personality: "distribution", public: true, images: &[("team/app", "1.0")] },
    Host { name: "http500.lab.test", personality: "distribution", public: true, images: &[] },
    Host { name: "http502.lab.test", personality: "distribution", public: true, images: &[] },
    Host { name: "http503.lab.test", personality: "distribution", public: true, images: &[] },
    Host {
        name: "corrupt.lab.test",
        personality: "distribution",
        public: true,
        images: &[("team/app", "3.0")],
    },
    Host {
        name: "truncated.lab.test",
        personality: "distribution",
        public: true,
        images: &[("team/app", "4.0"), ("team/app", "5.0")],
    },
    Host { name: "harbor.lab.test", personality: "harbor", public: false, images: &[("team/app", "1.0")] },
    Host {
        name: "asia-south1-docker.pkg.dev",
        personality: "artifact-registry",
        public: false,
        images: &[("lab/team/app", "1.0")],
    },
    Host {
        name: "slow.lab.test",
        personality: "distribution",
        public: true,
        images: &[("team/app", "6.0"), ("team/app", "9.0")],
    },
];

/// The address behind which everybody's pulls are counted.
pub(crate) const NAT: [u8; 4] = [203, 0, 113, 7];

/// The running registries: those that nodes trust, and the one that they do not.
pub(crate) struct Registries {
    trusted: Registry,
    _stranger: Registry,
}

/// Starts them and makes them known where they stand.
pub(crate) async fn start(
    clock: &Clock,
    ground: &Ground<'_>,
    authority: Arc<Authority>,
    clients: Arc<dyn Clients>,
    stop: CancellationToken,
) -> Result<Registries> {
    let registry = |authority| {
        let (clock, clients, stop) = (clock.clone(), clients.clone(), stop.clone());
        ground.registry(RegistryOptions { clock, seed: 1, authority, clients, stop })
    };
    let (trusted, stranger) = (registry(authority), registry(Arc::new(Authority::new("somebody")?)));
    let account =
        |(name, password): (&str, &str)| Account { username: name.into(), password: password.into() };
    let owners = OWNERS.map(str::to_owned).to_vec();
    for (number, host) in (20u8..).zip(HOSTS) {
        let Host { name, personality, public, images } = *host;
        let pull = if public { Access::Anonymous } else { Access::Users(owners.clone()) };
        let registry = if name == SELF_SIGNED { &stranger } else { &trusted };
        let repositories: BTreeSet<&str> = images.iter().map(|(name, _)| *name).chain(EMPTY).collect();
        let repository = |name: &str| RepositorySpec {
            name: name.into(),
            pull: pull.clone(),
            push: Access::Authenticated,
        };
        let spec = HostSpec {
            name: name.into(),
            personality: personality.into(),
            accounts: ACCOUNTS.map(account).to_vec(),
            repositories: repositories.into_iter().map(repository).collect(),
            ..HostSpec::default()
        };
        ground.host(registry, spec, number).await?;
        for (repository, tag) in images {
            push(registry, name, repository, tag)?;
        }
        if name == SELF_SIGNED {
            ground.name("badname.lab.test", addresses(number).0)?;
        }
    }
    ground.strange_places(&trusted, stop).await?;
    trusted.exhaust(HUB, IpAddr::from(NAT))?;
    let elsewhere = ImageSpec {
        build: "for others".into(),
        platforms: vec!["linux/arm64".into(), "linux/s390x".into()],
        ..ImageSpec::default()
    };
    trusted.push_image("registry.lab.test", "team/app", Some("arm-only"), &elsewhere)?;
    Ok(Registries { trusted, _stranger: stranger })
}

/// The names of the hosts that nodes trust.
pub(crate) fn trusted_names() -> impl Iterator<Item = &'static str> {
    HOSTS.iter().map(|host| host.name).filter(|name| *name != SELF_SIGNED)
}

fn push(registry: &Registry, host: &str, repository: &str, tag: &str) -> Result<()> {
    let image = ImageSpec { build: format!("{repository} {tag}"), ..ImageSpec::default() };
    registry.push_image(host, repository, Some(tag), &image)?;
    Ok(())
}

impl Registries {
    /// Pushes an image.
    pub(crate) fn push(&self, host: &str, repository: &str, tag: &str) -> Result<()> {
        push(&self.trusted, host, repository, tag)
    }

    /// Lets hosts misbehave.
    pub(crate) fn spoil(&self, faults: &BTreeMap<String, Vec<FaultRule>>) -> Result<()> {
        for (host, rules) in faults {
            self.trusted.set_faults(host, rules.clone())?;
        }
        Ok(())
    }

    /// Lets them behave again.
    pub(crate) fn mend<'a>(&self, hosts: impl Iterator<Item = &'a String>) -> Result<()> {
        for host in hosts {
            self.trusted.set_faults(host, Vec::new())?;
        }
        Ok(())
    }

    /// A token that is good until `until`; moves the clock to where such a token is issued.
    pub(crate) async fn ecr_token_until(&self, clock: &Clock, until: Timestamp) -> Result<TokenInfo> {
        clock.advance_to(until - SignedDuration::from_hours(12)).await;
        let token = self.ecr_token()?;
        anyhow::ensure!(token.expires_at == until, "the token ends at {}, not {until}", token.expires_at);
        Ok(token)
    }

    /// A token that is issued now.
    pub(crate) fn ecr_token(&self) -> Result<TokenInfo> {
        Ok(self.trusted.issue_token(ECR)?)
    }

    /// The data of the recorded secret, with a token of ours.
    pub(crate) fn ecr_secret(&self, token: &TokenInfo) -> Value {
        let config = json!({"auths": {ECR: {"username": token.username, "password": token.password}}});
        json!({".dockerconfigjson": STANDARD.encode(config.to_string())})
    }
}
