//! The nodes' egress rules, as people list and change them.

use std::sync::Arc;

use pulldrill_cluster::network::{Action, EgressRule, Network};

use crate::{LabError, backend::Backend, request::EgressRequest, view::EgressView};

/// The rules of a node, or of all.
pub(crate) fn list(backend: &Arc<dyn Backend>, node: Option<&str>) -> Result<Vec<EgressView>, LabError> {
    let all = backend.egress();
    check_node(backend, node)?;
    let wanted = all.iter().filter(|(name, _)| node.is_none_or(|node| node == *name));
    Ok(wanted.flat_map(|(node, rules)| rules.iter().map(|rule| view(node, rule))).collect())
}

/// Puts an allowing rule before all others; what was added.
pub(crate) fn allow(
    backend: &Arc<dyn Backend>,
    network: &Network,
    request: &EgressRequest,
) -> Result<Vec<EgressView>, LabError> {
    check_node(backend, request.node.as_deref())?;
    let text = request.destination.trim();
    let destination = match (text.parse(), network.resolve(text)) {
        (Ok(range), _) => range,
        (_, Some(address)) => pulldrill_cluster::network::Cidr::host(address),
        (Err(error), None) => {
            return Err(LabError::Invalid(format!("{error}, nor a host that the nodes can resolve")));
        }
    };
    let mut added = Vec::new();
    for (node, mut rules) in backend.egress() {
        if request.node.as_deref().is_some_and(|wanted| wanted != node) {
            continue;
        }
        let (id, port, comment) = (free_id(&rules), request.port, request.comment.clone());
        let rule = EgressRule { id, action: Action::Allow, destination, port, comment };
        added.push(view(&node, &rule));
        rules.insert(0, rule);
        backend.set_egress(&node, rules)?;
    }
    Ok(added)
}

/// Removes a rule.
pub(crate) fn delete(backend: &Arc<dyn Backend>, node: &str, id: &str) -> Result<(), LabError> {
    check_node(backend, Some(node))?;
    let mut rules = backend.egress().remove(node).unwrap_or_default();
    let before = rules.len();
    rules.retain(|rule| rule.id != id);
    if rules.len() == before {
        return Err(LabError::UnknownRule { node: node.to_owned(), id: id.to_owned() });
    }
    backend.set_egress(node, rules)
}

/// An id that no rule of a node has.
pub(crate) fn free_id(rules: &[EgressRule]) -> String {
    let taken = |id: &String| rules.iter().any(|rule| rule.id == *id);
    let mut ids = (1..).map(|n: u32| format!("rule-{n}"));
    ids.find(|id| !taken(id)).unwrap_or_default()
}

fn check_node(backend: &Arc<dyn Backend>, node: Option<&str>) -> Result<(), LabError> {
    let all = backend.egress();
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
