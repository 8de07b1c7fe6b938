//! What there is on the nodes of somebody's cluster: a guest leaves it as it was.

use std::{collections::BTreeSet, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    existing::{NAME, run},
    support::until,
};

/// The nodes of the cluster.
const NODES: [&str; 3] = ["control-plane", "worker", "worker2"];
/// What a lab can change on a node: packet filter, names, and containerd's trust in registries.
const NODE_STATE: &str = "iptables-save | grep -v '^#' | sed 's/ \\[[0-9]*:[0-9]*\\]//' | sort; cat /etc/hosts; \
                          nft list tables 2>/dev/null | grep -i pulldrill; ls -RA /etc/containerd";
/// How long a cluster takes to forget a Service on its nodes.
const SETTLING: Duration = Duration::from_secs(60);

/// What there is on each node.
pub(crate) fn as_they_are() -> Result<Vec<String>> {
    let state = |node: &&str| {
        run(Command::new("docker").args(["exec", &format!("{NAME}-{node}"), "sh", "-c", NODE_STATE]))
    };
    NODES.iter().map(state).collect()
}

/// Nothing is on the nodes but what was there before.
pub(crate) async fn are_again(before: &[String]) -> Result<()> {
    let clean =
        until(
            SETTLING,
            "the nodes to be as they were",
            async || Ok((as_they_are()? == before).then_some(())),
        );
    if let Err(error) = clean.await {
        let now = as_they_are()?;
        let lines = |texts: &[String]| -> BTreeSet<String> {
            texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
        };
        let (before, now) = (lines(before), lines(&now));
        let left: Vec<_> = now.difference(&before).collect();
        let lost: Vec<_> = before.difference(&now).collect();
        bail!("{error}; left: {left:#?}; lost: {lost:#?}");
    }
    Ok(())
}
