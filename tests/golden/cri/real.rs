//! Real containerds, each in a network of its own with the registries on an interface of it.

use std::sync::Arc;

use anyhow::Result;
use pulldrill_registry::{Dns, Interface, Names};

use super::{World, grpc};
use crate::{
    apart::{self, RESOLVER},
    containerd::{Containerd, Release, V1_7, V2_1},
    ground::{Ground, REFUSING, SILENT},
    registries::trusted_names,
};

/// An address where nobody listens, and one at the other end of a cable whose owner is somebody else.
fn strange_addresses() -> String {
    format!(
        "ip address add {REFUSING}/32 dev lo
         ip link add nowhere type veth peer name void
         ip link set nowhere up
         ip link set void up
         ip route add {SILENT}/32 dev nowhere
         ip neighbour add {SILENT} lladdr 02:00:00:00:00:01 dev nowhere nud permanent
        "
    )
}

fn hold_against_recordings(release: &Release, test: &str) -> Result<()> {
    let Some(program) = release.program() else { return Ok(()) };
    if !apart::inside(&format!("{}::{test}", module()), &strange_addresses())? {
        return Ok(());
    }
    pulldrill_tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let names = Names::default();
        let interface = Arc::new(Interface::named("lo").await?);
        let world = World::start(&Ground::Own { interface, names: names.clone() }).await?;
        let dns = Dns::bind(format!("{RESOLVER}:53").parse()?).await?;
        tokio::spawn(dns.serve(names, world.stop.clone()));
        let folder = tempfile::TempDir::new()?;
        let trust = (world.authority.pem(), trusted_names());
        let containerd = Containerd::start(release, &program, folder.path(), trust).await?;
        let pull = async |image: &str, login: Option<&_>| grpc::pull(&containerd.socket, image, login).await;
        world.hold_against(release.version, pull).await
    })
}

/// The path of this module as tests are named.
fn module() -> &'static str {
    module_path!().split_once("::").map_or("", |(_, path)| path)
}

#[test]
fn containerd_1_7_says_of_our_registries_what_it_said() -> Result<()> {
    hold_against_recordings(&V1_7, "containerd_1_7_says_of_our_registries_what_it_said")
}

#[test]
fn containerd_2_1_says_of_our_registries_what_it_said() -> Result<()> {
    hold_against_recordings(&V2_1, "containerd_2_1_says_of_our_registries_what_it_said")
}
