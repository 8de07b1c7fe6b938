//! Changing the nodes' egress rules, one change at a time: what was read is still so when it is written.
//!
//! Rules of many drills stand on the same nodes, and nodes take all their rules at once.

use std::collections::BTreeMap;

use pulldrill_cluster::network::EgressRule;
use tokio::sync::{Mutex, MutexGuard};

use super::Stage;
use crate::{LabError, backend::NodeNetwork};

/// The nodes' rules in the hands of one who changes them; everybody else waits.
pub(crate) struct Firewall<'a> {
    nodes: &'a dyn NodeNetwork,
    _turn: MutexGuard<'a, ()>,
}

impl<'a> Firewall<'a> {
    async fn take(nodes: &'a dyn NodeNetwork, turns: &'a Mutex<()>) -> Self {
        Self { nodes, _turn: turns.lock().await }
    }

    /// The rules of every node.
    pub(crate) async fn rules(&self) -> Result<BTreeMap<String, Vec<EgressRule>>, LabError> {
        self.nodes.egress().await
    }

    /// Replaces the rules of a node.
    pub(crate) async fn replace(&self, node: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
        self.nodes.set_egress(node, rules).await
    }

    /// The nodes themselves.
    pub(crate) fn nodes(&self) -> &dyn NodeNetwork {
        self.nodes
    }
}

impl Stage {
    /// The nodes' rules, to be changed.
    pub(crate) async fn firewall(&self) -> Firewall<'_> {
        Firewall::take(self.nodes(), &self.firewall_turns).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use async_trait::async_trait;
    use pulldrill_cluster::network::Action;

    use super::*;
    use crate::backend::NodeHost;

    /// A node whose every answer takes a while.
    #[derive(Default)]
    struct Slow(parking_lot::Mutex<Vec<EgressRule>>);

    #[async_trait]
    impl NodeNetwork for Slow {
        async fn egress(&self) -> Result<BTreeMap<String, Vec<EgressRule>>, LabError> {
            let rules = self.0.lock().clone();
            tokio::task::yield_now().await;
            Ok([("node-1".to_owned(), rules)].into())
        }

        async fn set_egress(&self, _: &str, rules: Vec<EgressRule>) -> Result<(), LabError> {
            tokio::task::yield_now().await;
            *self.0.lock() = rules;
            Ok(())
        }

        async fn add_hosts(&self, _: &[NodeHost]) -> Result<(), LabError> {
            Ok(())
        }

        async fn remove_hosts(&self, _: &[NodeHost]) -> Result<(), LabError> {
            Ok(())
        }

        fn resolve(&self, _: &str) -> Option<IpAddr> {
            None
        }

        fn outside(&self) -> IpAddr {
            Ipv4Addr::LOCALHOST.into()
        }

        async fn set_outside(&self, _: IpAddr) -> Result<(), LabError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn changes_at_the_same_time_are_all_kept() {
        let (nodes, turns) = (Slow::default(), Mutex::default());
        let add = async |id: &str| {
            let firewall = Firewall::take(&nodes, &turns).await;
            for (node, mut rules) in firewall.rules().await.unwrap() {
                let destination = "10.0.0.1".parse().unwrap();
                let (id, comment) = (id.to_owned(), String::new());
                rules.push(EgressRule { id, action: Action::Drop, destination, port: None, comment });
                firewall.replace(&node, rules).await.unwrap();
            }
        };
        tokio::join!(add("a"), add("b"), add("c"));
        let ids: Vec<String> = nodes.0.lock().iter().map(|rule| rule.id.clone()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}
