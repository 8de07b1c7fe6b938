//! The nodes' egress rules, as people list and change them.

use std::collections::BTreeMap;

use pulldrill_cluster::network::{Action, EgressRule};

use crate::{LabError, backend::NodeNetwork, request::EgressRequest, stage::Firewall, view::EgressView};

/// Every node's rules.
type Rules = BTreeMap<String, Vec<EgressRule>>;

/// The rules of a node, or of all.
pub(crate) async fn list(nodes: &dyn NodeNetwork, node: Option<&str>) -> Result<Vec<EgressView>, LabError> {
    let all = nodes.egress().await?;
    check_node(&all, node)?;
    let wanted = all.iter().filter(|(name, _)| node.is_none_or(|node| node == *name));
    Ok(wanted.flat_map(|(node, rules)| rules.iter().map(|rule| view(node, rule))).collect())
}

/// Puts an allowing rule before all others; what was added.
pub(crate) async fn allow(
    firewall: &Firewall<'_>,
    request: &EgressRequest,
) -> Result<Vec<EgressView>, LabError> {
    let all = firewall.rules().await?;
    check_node(&all, request.node.as_deref())?;
    let text = request.destination.trim();
    let destination = match (text.parse(), firewall.nodes().resolve(text)) {
        (Ok(range), _) => range,
        (_, Some(address)) => pulldrill_cluster::network::Cidr::host(address),
        (Err(error), None) => {
            return Err(LabError::Invalid(format!("{error}, nor a host that the nodes can resolve")));
        }
    };
    let mut added = Vec::new();
    for (node, mut rules) in all {
        if request.node.as_deref().is_some_and(|wanted| wanted != node) {
            continue;
        }
        let (id, port, comment) = (free_id(&rules), request.port, request.comment.clone());
        let rule = EgressRule { id, action: Action::Allow, destination, port, comment };
        added.push(view(&node, &rule));
        rules.insert(0, rule);
        firewall.replace(&node, rules).await?;
    }
    Ok(added)
}

/// Removes a rule.
pub(crate) async fn delete(firewall: &Firewall<'_>, node: &str, id: &str) -> Result<(), LabError> {
    let mut all = firewall.rules().await?;
    check_node(&all, Some(node))?;
    let mut rules = all.remove(node).unwrap_or_default();
    let before = rules.len();
    rules.retain(|rule| rule.id != id);
    if rules.len() == before {
        return Err(LabError::UnknownRule { node: node.to_owned(), id: id.to_owned() });
    }
    firewall.replace(node, rules).await
}

/// An id that no rule of a node has.
pub(crate) fn free_id(rules: &[EgressRule]) -> String {
    let taken = |id: &String| rules.iter().any(|rule| rule.id == *id);
    let mut ids = (1..).map(|n: u32| format!("rule-{n}"));
    ids.find(|id| !taken(id)).unwrap_or_default()
}

fn check_node(all: &Rules, node: Option<&str>) -> Result<(), LabError> {
    match node {
        Some(node) if !all.contains_key(node) => Err(LabError::UnknownNode {
            node: node.to_owned(),
            known: all.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
        _ => Ok(()),
    }
}

fn view(node: &str, rule: &EgressRule) -> EgressView {
    let action = match rule.action {
        Action::Allow => "allow",
        Action::Drop => "drop",
        Action::Reject => "reject",
    };
    EgressView {
        node: node.to_owned(),
        id: rule.id.clone(),
        action: action.to_owned(),
        destination: String::from(rule.destination),
        port: rule.port,
        comment: rule.comment.clone(),
    }
}
