//! The embedded cluster's own puller, in the dialects that speak as these containerds do.

use anyhow::{Context, Result};
use pulldrill_clock::SignedDuration;
use pulldrill_cluster::{
    dialect::Dialect,
    network::Network,
    puller::{Credential, Puller, Reference},
};

use super::{Answer, Login, World};
use crate::ground::Ground;

/// Longer than anything takes.
const WHILE: SignedDuration = SignedDuration::from_mins(2);

async fn hold_against_recordings(version: &str, dialect: &str) -> Result<()> {
    pulldrill_tls::install_provider();
    let network = Network::new();
    let world = World::start(&Ground::Embedded(&network)).await?;
    let _ended = world.stop.clone().drop_guard();
    let dialect = Dialect::named(dialect).context("no such dialect")?;
    let tls = pulldrill_tls::client_config(&[world.authority.pem()])?;
    let puller = Puller::new("node-1", network.clone(), world.clock.clone(), dialect.clone(), tls, 1);
    let pull = async |image: &str, login: Option<&Login>| {
        let reference = match Reference::parse(image) {
            Ok(reference) => reference,
            // A kubelet says so before a runtime is asked.
            Err(error) => {
                let message = format!("failed to parse image reference {image:?}: {error}");
                return Ok(Answer { code: "Unknown".into(), message });
            }
        };
        let credential = login.map(|(username, password)| Credential {
            username: username.clone(),
            password: password.clone(),
        });
        let busy = world.clock.busy();
        let pulling = async {
            let (pulled, busy) = puller.pull(&reference, credential, busy).await;
            drop(busy);
            pulled
        };
        let (pulled, ()) = tokio::join!(pulling, world.clock.advance(WHILE));
        Ok(match pulled {
            Ok(image) => {
                puller.remove(&image.id);
                Answer { code: "OK".into(), message: String::new() }
            }
            Err(error) => Answer { code: format!("{:?}", error.code), message: error.message },
        })
    };
    world.hold_against(version, pull).await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_puller_says_what_containerd_1_7_said() -> Result<()> {
    hold_against_recordings("1.7", "k8s-1.20-containerd-1.7").await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_puller_says_what_containerd_2_1_said() -> Result<()> {
    hold_against_recordings("2.1", "k8s-1.36-containerd-2.1-transfer").await
}
