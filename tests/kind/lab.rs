//! A lab on a kind cluster of its own, from `up` to `down`, started by somebody whose shell is full of proxies.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    machine::{Inventory, docker},
    support::{self, Lab},
    turn,
};

/// What the cluster is called.
const NAME: &str = "pulldrill-test-lab";
/// Its one node.
const NODE: &str = "pulldrill-test-lab-control-plane";
/// Nobody listens there; whatever is sent there fails.
const NOWHERE: &str = "http://127.0.0.1:9";

/// How long a cluster may take to be taken away.
const LAST_WORK: Duration = Duration::from_secs(90);

/// What a kind cluster is made from.
pub(crate) struct Parts {
    kind: PathBuf,
    image: String,
}

impl Parts {
    /// What the environment names; nothing, loudly, where it names nothing.
    pub(crate) fn named() -> Option<Self> {
        Some(Self { kind: support::kind()?, image: support::node_image()? })
    }

    /// The arguments of `up` for a cluster of a name.
    pub(crate) fn arguments<'a>(&'a self, name: &'a str) -> Result<Vec<&'a str>> {
        let kind = self.kind.to_str().ok_or_else(|| anyhow::anyhow!("{:?}", self.kind))?;
        Ok(vec!["--backend", "kind", "--name", name, "--kind-binary", kind, "--node-image", &self.image])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_symptoms_on_real_kubernetes_and_nothing_left_afterwards() -> Result<()> {
    let Some(parts) = Parts::named() else { return Ok(()) };
    let _turn = turn::turn()?;
    let before = Inventory::take()?;
    let mut lab = Lab::up_with(&parts.arguments(NAME)?, |command| {
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, NOWHERE);
        }
    })
    .await?;

    let status = lab.json(&["status", "-o", "json"])?;
    ensure!(status["dialect"].as_str().is_some_and(|d| d.starts_with("Kubernetes ")), "{status}");
    let drills = status["drills"].as_array().cloned().unwrap_or_default();
    let open = drills.iter().filter(|drill| drill["state"] == "open").count();
    ensure!(open == 5, "{open} drills are open: {status:#}");
    for (_, kubectl) in support::kubectls() {
        let pods = lab.kubectl_ok(&kubectl, &["get", "pods", "-A"])?;
        let stuck = pods.lines().filter(|l| l.contains("ImagePull")).filter_map(|l| l.split(' ').next());
        let stuck: std::collections::BTreeSet<&str> = stuck.collect();
        ensure!(stuck.len() == 5, "{pods}");
    }
    proxies_stay_outside()?;
    nothing_leads_outside()?;
    pods_are_no_nodes(&lab)?;
    let advanced = lab.pulldrill(&["clock", "advance", "1h"])?;
    ensure!(advanced.status.code() == Some(2), "the clock of a real kubelet was moved: {advanced:?}");

    let ended = lab.end_within(Signal::TERM, LAST_WORK).await?;
    ensure!(ended == Some(0), "the lab ended with {ended:?}");
    before.is_still_so()
}

/// What the user's shell has is in no container.
fn proxies_stay_outside() -> Result<()> {
    for container in [NODE, "pulldrill-pulldrill-test-lab-registry"] {
        let seen = docker(&["inspect", "--format", "{{json .Config.Env}}", container])?;
        ensure!(!seen.contains(NOWHERE), "{container}: {seen}");
    }
    Ok(())
}

/// A node asks the lab for every name, and the lab knows its own only; every other registry is a closed port.
fn nothing_leads_outside() -> Result<()> {
    let on_node = |script: &str| docker(&["exec", NODE, "sh", "-c", script]);
    let resolver = on_node("cat /etc/resolv.conf")?;
    ensure!(resolver.lines().count() == 1, "{resolver}");
    ensure!(on_node("getent ahostsv4 registry.unknown.example || echo unknown")?.trim() == "unknown");
    let tried = on_node(
        "ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d registry.unknown.example/a/b:1 2>&1 || true",
    )?;
    ensure!(tried.contains("connection refused"), "{tried}");
    Ok(())
}

/// What a pod asks a registry for is not taken for its node's pull.
fn pods_are_no_nodes(lab: &Lab) -> Result<()> {
    let log = lab.json(&["registry", "log", "-o", "json"])?;
    let entries = log.as_array().cloned().unwrap_or_default();
    let of_node = |entry: &&Value| entry["node"] == NODE;
    ensure!(entries.iter().filter(of_node).count() > 10, "{log:#}");
    let host = lab.json(&["node", "egress", "list", "-o", "json"])?;
    ensure!(host.as_array().is_some_and(|rules| rules.len() == 1), "{host:#}");
    let info: Value = serde_json::from_str(&std::fs::read_to_string(lab.dir().join("lab.json"))?)?;
    let mut registry = info["registries"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let registry = registry.rfind(|name| name.starts_with("registry.")).unwrap_or_default();
    let last = entries.last().and_then(|entry| entry["seq"].as_u64()).unwrap_or_default();
    // The network of some pod, entered from its node; curl is the node's.
    let script = format!(
        "pid=$(pgrep -f coredns | head -n 1); nsenter -t $pid -n curl -sk --max-time 10 -o /dev/null -w '%{{http_code}}' \
         --resolve {registry}:443:$(getent ahostsv4 {registry} | awk 'NR==1 {{print $1}}') https://{registry}/v2/"
    );
    let answer = docker(&["exec", NODE, "sh", "-c", &script])?;
    ensure!(["200", "401"].contains(&answer.trim()), "a pod does not reach {registry}: {answer}");
    let log =
        lab.json(&["registry", "log", "-o", "json", "--since", &last.to_string(), "--host", registry])?;
    let by_curl = |entry: &&Value| entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("curl"));
    let seen: Vec<Value> = log.as_array().into_iter().flatten().filter(by_curl).cloned().collect();
    ensure!(!seen.is_empty() && seen.iter().all(|entry| entry["node"].is_null()), "{log:#}");
    Ok(())
}
