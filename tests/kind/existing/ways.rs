//! The other ways to the registries of a guest: a port of the one node that there is, and a name that the cluster's
//! owner leads to the Service. A drill that reaches its symptom has been reached by its nodes.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::{MOVING_OUT, NAME, PREFIX, World, run};
use crate::support::{Lab, until};

/// The first port of the node's.
const HOST_PORT: u16 = 31_600;
/// The name that the owner of the cluster gives the registries.
const OWNERS_NAME: &str = "images.owner.example";
/// The first port there.
const PORT: u16 = 5_000;
/// How many ports there are: the probe's, and one for each registry that can be on a port.
const PORTS: u16 = 3;
/// How long the Service may take to have an address.
const SERVICE: std::time::Duration = std::time::Duration::from_secs(60);

impl World {
    /// A drill fails as it should by each of the other ways, and nothing of it stays.
    pub(super) async fn other_ways(&self, before: &BTreeSet<String>) -> Result<()> {
        self.kubectl(&["cordon", &format!("{NAME}-worker2")])?;
        let hostport = self.one_drill(&format!("hostport:{HOST_PORT}"))?;
        self.ends_well(hostport, before).await.context("hostport")?;
        self.kubectl(&["uncordon", &format!("{NAME}-worker2")])?;

        let named = self.one_drill(&format!("http://{OWNERS_NAME}:{PORT}"))?;
        let address = until(SERVICE, "the Service's address", async || {
            let services = self.list("v1/services", &format!("pulldrill.dev/lab={PREFIX}")).await?;
            let address = services.first().and_then(|service| service.data["spec"]["clusterIP"].as_str());
            Ok(address.map(str::to_owned))
        });
        let address = address.await?;
        for node in ["worker", "worker2"] {
            on_node(node, &taught(&address))?;
        }
        let ended = self.ends_well(named, before).await.context("a name");
        for node in ["worker", "worker2"] {
            on_node(node, &forgotten())?;
        }
        ended
    }

    fn one_drill(&self, access: &str) -> Result<Lab> {
        let mut arguments = self.arguments_by("kubeconfig", access);
        arguments.extend(["--scenario", "wrong-tag"].map(str::to_owned));
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Lab::begin(&words, |_| {})
    }

    async fn ends_well(&self, mut lab: Lab, before: &BTreeSet<String>) -> Result<()> {
        lab.ready().await?;
        let log = lab.json(&["registry", "log", "-o", "json"])?;
        let log = log.as_array().context("no log")?;
        ensure!(log.iter().any(|entry| entry["node"].is_string()), "no node has pulled: {log:#?}");
        ensure!(lab.end_within(Signal::TERM, MOVING_OUT).await? == Some(0), "up ends well");
        let after = self.everything().await?;
        ensure!(after == *before, "left: {:?}", after.difference(before));
        Ok(())
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        let kubeconfig = self.dir.path().join("kubeconfig");
        run(Command::new(&self.kubectl).arg("--kubeconfig").arg(kubeconfig).args(words))
    }
}

/// What the owner does on a node so that it finds the name, and takes plain HTTP there.
fn taught(address: &str) -> String {
    let mut script = format!("set -eu; echo '{address} {OWNERS_NAME}' >>/etc/hosts; ");
    for port in PORT..PORT + PORTS {
        let host = format!("{OWNERS_NAME}:{port}");
        script.push_str(&format!(
            "mkdir -p /etc/containerd/certs.d/{host}; \
             printf 'server = \"http://{host}\"\\n[host]\\n' >/etc/containerd/certs.d/{host}/hosts.toml; "
        ));
    }
    script
}

fn forgotten() -> String {
    format!(
        "kept=$(grep -v {OWNERS_NAME} /etc/hosts); printf '%s\\n' \"$kept\" >/etc/hosts; \
         rm -rf /etc/containerd/certs.d/{OWNERS_NAME}:*"
    )
}

fn on_node(node: &str, script: &str) -> Result<()> {
    run(Command::new("docker").args(["exec", &format!("{NAME}-{node}"), "sh", "-c", script])).map(drop)
}
