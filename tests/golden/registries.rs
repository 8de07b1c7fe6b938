//! The registries of the recordings, with the same names and the same manners.

use std::{net::IpAddr, sync::Arc};

use anyhow::Result;
use pulldrill_clock::{Clock, SignedDuration, Timestamp};
use pulldrill_cluster::network::Network;
use pulldrill_registry::{
    Access, Account, Clients, HostSpec, ImageSpec, Registry, RegistryOptions, RepositorySpec, TokenInfo,
};
use pulldrill_tls::Authority;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";
const HUB: &str = "registry-1.docker.io";

/// Host, personality, repository, tag, and whether anybody may pull.
const HOSTS: &[(&str, &str, &str, &str, bool)] = &[
    ("registry.lab.test", "distribution", "team/app", "1.0", true),
    ("private.lab.test", "distribution", "team/secure", "1.0", false),
    (ECR, "ecr", "team/app", "1.0", false),
    (HUB, "docker-hub", "limited/app", "5.0", true),
];

/// The address behind which everybody's pulls are counted.
pub(crate) const NAT: [u8; 4] = [203, 0, 113, 7];

/// The running registries.
pub(crate) struct Registries(Registry);

/// Starts them and makes them known on the network.
pub(crate) async fn start(
    clock: &Clock,
    network: &Network,
    authority: Arc<Authority>,
    clients: Arc<dyn Clients>,
    stop: CancellationToken,
) -> Result<Registries> {
    let registry = Registry::new(RegistryOptions { clock: clock.clone(), seed: 1, authority, clients, stop });
    for (number, (name, personality, repository, tag, public)) in (1u8..).zip(HOSTS) {
        let pull = if *public { Access::Anonymous } else { Access::Authenticated };
        let info = registry
            .add_host(HostSpec {
                name: (*name).into(),
                personality: (*personality).into(),
                accounts: vec![Account { username: "lab".into(), password: "lab-secret".into() }],
                repositories: vec![RepositorySpec {
                    name: (*repository).into(),
                    pull,
                    push: Access::Authenticated,
                }],
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
    registry.exhaust(HUB, IpAddr::from(NAT))?;
    // Known by name, with nothing that answers.
    network.add_host("timeout.lab.test", IpAddr::from([172, 31, 255, 15]));
    Ok(Registries(registry))
}

impl Registries {
    /// A token that is good until `until`; moves the clock to where such a token is issued.
    pub(crate) async fn ecr_token(&self, clock: &Clock, until: Timestamp) -> Result<TokenInfo> {
        clock.advance_to(until - SignedDuration::from_hours(12)).await;
        let token = self.0.issue_token(ECR)?;
        anyhow::ensure!(token.expires_at == until, "the token ends at {}, not {until}", token.expires_at);
        Ok(token)
    }

    /// What stands in `.dockerconfigjson` of the recorded secret, with a token of ours.
    pub(crate) fn docker_config(token: &TokenInfo) -> Value {
        json!({"auths": {ECR: {"username": token.username, "password": token.password}}})
    }
}
