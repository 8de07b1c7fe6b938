//! The egress rules of many nodes, read from them and written to them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use pulldrill_clock::real;
use pulldrill_cluster::network::EgressRule;

use super::{NodeError, firewall::Firewall, shell::Shell};

/// For so long rules that were read are taken for what is there: judging asks often.
const FRESH: Duration = Duration::from_secs(1);

/// Egress rules, by node.
pub(crate) type Rules = BTreeMap<String, Vec<EgressRule>>;

/// Nodes with their packet filters.
pub(crate) struct Firewalls<S> {
    nodes: BTreeMap<String, (S, Firewall)>,
    seen: tokio::sync::Mutex<Option<(Instant, Rules)>>,
}

impl<S: Shell> Firewalls<S> {
    /// Those of these nodes.
    pub(crate) fn new(nodes: BTreeMap<String, (S, Firewall)>) -> Self {
        Self { nodes, seen: tokio::sync::Mutex::default() }
    }

    /// All nodes with the ways into them.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&String, &(S, Firewall))> {
        self.nodes.iter()
    }

    /// Every node's rules, in the order in which they are tried.
    pub(crate) async fn read(&self) -> Result<Rules, NodeError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, rules)) = &*seen
            && at.elapsed() < FRESH
        {
            return Ok(rules.clone());
        }
        let each = self.nodes.iter().map(|(name, (shell, firewall))| async move {
            Ok::<_, NodeError>((name.clone(), firewall.read(shell).await?))
        });
        let rules: Rules = try_join_all(each).await?.into_iter().collect();
        *seen = Some((real::stopwatch(), rules.clone()));
        Ok(rules)
    }

    /// Replaces the rules of a node; one that is not there has none.
    pub(crate) async fn replace(&self, node: &str, rules: &[EgressRule]) -> Result<(), NodeError> {
        let mut seen = self.seen.lock().await;
        *seen = None;
        let Some((shell, firewall)) = self.nodes.get(node) else { return Ok(()) };
        firewall.replace(shell, rules).await
    }
}
