//! The registries of the recordings, with the same names and the same manners.

use std::{net::IpAddr, sync::Arc};

use anyhow::Result;
use pulldrill_clock::{Clock, SignedDuration, Timestamp};
use pulldrill_cluster::network::{Action, EgressRule, Network};
use pulldrill_registry::{
    Access, Account, Clients, HostSpec, ImageSpec, Registry, RegistryOptions, RepositorySpec, TokenInfo,
};
use pulldrill_tls::Authority;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";
const HUB: &str = "registry-1.docker.io";

/// A host whose certificate comes from an authority that nodes do not know.
const SELF_SIGNED: &str = "selfsigned.lab.test";

/// Host, personality, repository, tag, and whether anybody may pull.
const HOSTS: &[(&str, &str, &str, &str, bool)] = &[
    ("registry.lab.test", "distribution", "team/app", "1.0", true),
    ("private.lab.test", "distribution", "team/secure", "1.0", false),
    (ECR, "ecr", "team/app", "1.0", false),
    (HUB, "docker-hub", "limited/app", "5.0", true),
    (SELF_SIGNED, "distribution", "team/app", "1.0", true),
];

/// The address behind which everybody's pulls are counted.
pub(crate) const NAT: [u8; 4] = [203, 0, 113, 7];

/// The running registries: those that nodes trust, and the one that they do not.
pub(crate) struct Registries {
    trusted: Registry,
    _stranger: Registry,
}

/// Starts them and makes them known on the network.
pub(crate) async fn start(
    clock: &Clock,
    network: &Network,
    authority: Arc<Authority>,
    clients: Arc<dyn Clients>,
    stop: CancellationToken,
) -> Result<Registries> {
    let registry = |authority| {
        let (clock, clients, stop) = (clock.clone(), clients.clone(), stop.clone());
        Registry::new(RegistryOptions { clock, seed: 1, authority, clients, stop })
    };
    let (trusted, stranger) = (registry(authority), registry(Arc::new(Authority::new("somebody")?)));
    for (number, (name, personality, repository, tag, public)) in (1u8..).zip(HOSTS) {
        let pull = if *public { Access::Anonymous } else { Access::Authenticated };
        let registry = if *name == SELF_SIGNED { &stranger } else { &trusted };
        let info = registry
            .add_host(HostSpec {
                name: (*name).into(),
                personality: (*personality).into(),
                accounts: vec![Account { username: "labuser".into(), password: "goodpass".into() }],
                repositories: [*repository, "team/nosuch"]
                    .map(|name| RepositorySpec {
                        name: name.into(),
                        pull: pull.clone(),
                        push: Access::Authenticated,
                    })
                    .into(),
                ..HostSpec::default()
            })
            .await?;
        let image = ImageSpec { build: format!("{repository} {tag}"), ..ImageSpec::default() };
        registry.push_image(name, repository, Some(tag), &image)?;
        let address = IpAddr::from([172, 31, 255, number]);
        network.add_host(name, address);
        network.add_route(address, 443, info.address);
        if let Some((token_host, at)) = info.token_host {
            let address = IpAddr::from([172, 31, 254, number]);
            network.add_host(&token_host, address);
            network.add_route(address, 443, at);
        }
    }
    trusted.exhaust(HUB, IpAddr::from(NAT))?;
    let elsewhere = ImageSpec {
        build: "for others".into(),
        platforms: vec!["linux/arm64".into(), "linux/s390x".into()],
        ..ImageSpec::default()
    };
    trusted.push_image("registry.lab.test", "team/app", Some("arm-only"), &elsewhere)?;
    // Known by name, with nothing that answers, and with somebody who refuses.
    network.add_host("timeout.lab.test", IpAddr::from([172, 31, 255, 15]));
    let refused = IpAddr::from([172, 31, 255, 16]);
    network.add_host("refused.lab.test", refused);
    let refuse = EgressRule {
        id: "refuse".into(),
        action: Action::Reject,
        destination: "172.31.255.16".parse()?,
        port: None,
        comment: String::new(),
    };
    network.add_egress("node-1", refuse);
    Ok(Registries { trusted, _stranger: stranger })
}

impl Registries {
    /// A token that is good until `until`; moves the clock to where such a token is issued.
    pub(crate) async fn ecr_token(&self, clock: &Clock, until: Timestamp) -> Result<TokenInfo> {
        clock.advance_to(until - SignedDuration::from_hours(12)).await;
        let token = self.trusted.issue_token(ECR)?;
        anyhow::ensure!(token.expires_at == until, "the token ends at {}, not {until}", token.expires_at);
        Ok(token)
    }

    /// What stands in `.dockerconfigjson` of the recorded secret, with a token of ours.
    pub(crate) fn docker_config(token: &TokenInfo) -> Value {
        json!({"auths": {ECR: {"username": token.username, "password": token.password}}})
    }
}
