//! What belongs to a lab: by its labels, and for the nodes, which the `kind` program makes, by the lab's network.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    models::ContainerSummary,
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder},
};

use super::{KindError, engine::Engine, error::Asked, owner::Owner};

/// The name of the cluster whose node a container is; set by the `kind` program.
const CLUSTER: &str = "io.x-k8s.kind.cluster";

/// What the node does; set by the `kind` program.
const ROLE: &str = "io.x-k8s.kind.role";

/// A node of the lab's cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its name, in Kubernetes and as a container.
    pub(crate) name: String,
    /// Whether it runs the control plane.
    pub(crate) control_plane: bool,
    /// Its address on the lab's network.
    pub(crate) address: Ipv4Addr,
}

/// The lab's network, as something to be recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) id: String,
    pub(super) name: String,
}

/// Who has a cluster of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// There is none.
    Nobodys,
    /// It was made by this lab.
    Ours,
    /// Somebody else has made it.
    Foreign,
}

/// Whose cluster the one with the lab's name is. One that is foreign must not be touched.
pub(crate) async fn cluster(engine: &Engine, owner: &Owner) -> Result<Whose, KindError> {
    let nodes = kind_nodes(engine, &owner.name).await?;
    let marks = networks(engine, owner).await?;
    Ok(match nodes.iter().filter(|node| is_on(node, &marks)).count() {
        _ if nodes.is_empty() => Whose::Nobodys,
        ours if ours == nodes.len() => Whose::Ours,
        _ => Whose::Foreign,
    })
}

/// The nodes of the lab's cluster, in the order of their names.
pub(crate) async fn nodes(engine: &Engine, owner: &Owner) -> Result<Vec<Node>, KindError> {
    let marks = networks(engine, owner).await?;
    let mut nodes = Vec::new();
    for summary in kind_nodes(engine, &owner.name).await?.iter().filter(|node| is_on(node, &marks)) {
        let name = name(summary);
        let missing = || KindError::Missing { what: format!("the node {name}") };
        let inspected = engine.inspect_container(&name).await?.ok_or_else(missing)?;
        let control_plane = label(summary, ROLE) == Some("control-plane");
        nodes.push(Node { address: inspected.address(&owner.network())?, name, control_plane });
    }
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

/// The networks that carry the lab's label.
pub(super) async fn networks(engine: &Engine, owner: &Owner) -> Result<Vec<Mark>, KindError> {
    let options = ListNetworksOptionsBuilder::default().filters(&owner.filter()).build();
    let found = engine.docker().list_networks(Some(options)).await.asked(|| "list its networks".into())?;
    let marks = found
        .into_iter()
        .map(|network| Mark { id: network.id.unwrap_or_default(), name: network.name.unwrap_or_default() });
    Ok(marks.collect())
}

/// The containers that carry the lab's label.
pub(super) async fn labelled(engine: &Engine, owner: &Owner) -> Result<Vec<ContainerSummary>, KindError> {
    containers(engine, &owner.filter()).await
}

/// The nodes of a kind cluster, whosever it is.
pub(super) async fn kind_nodes(engine: &Engine, name: &str) -> Result<Vec<ContainerSummary>, KindError> {
    containers(engine, &HashMap::from([("label", vec![format!("{CLUSTER}={name}")])])).await
}

async fn containers(
    engine: &Engine,
    filter: &HashMap<&'static str, Vec<String>>,
) -> Result<Vec<ContainerSummary>, KindError> {
    let options = ListContainersOptionsBuilder::default().all(true).filters(filter).build();
    engine.docker().list_containers(Some(options)).await.asked(|| "list its containers".into())
}

/// Whether a container is attached to one of these networks. One that never ran knows its network by name only.
pub(super) fn is_on(container: &ContainerSummary, marks: &[Mark]) -> bool {
    let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    networks.into_iter().flatten().any(|(name, end)| {
        let id = end.network_id.as_deref().unwrap_or_default();
        marks.iter().any(|mark| if id.is_empty() { *name == mark.name } else { id == mark.id })
    })
}

/// What a container is called.
pub(super) fn name(container: &ContainerSummary) -> String {
    let names = container.names.as_ref().and_then(|names| names.first());
    names.map(|name| name.trim_start_matches('/')).or(container.id.as_deref()).unwrap_or_default().to_owned()
}

fn label<'a>(container: &'a ContainerSummary, key: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerSummaryNetworkSettings, EndpointSettings};

    use super::*;

    fn on(name: &str, id: &str) -> ContainerSummary {
        let end = EndpointSettings { network_id: Some(id.into()), ..Default::default() };
        let networks = Some(HashMap::from([(name.to_owned(), end)]));
        ContainerSummary {
            network_settings: Some(ContainerSummaryNetworkSettings { networks }),
            ..Default::default()
        }
    }

    #[test]
    fn a_network_of_the_same_name_is_not_ours() {
        let marks = [Mark { id: "1".into(), name: "pulldrill-a".into() }];
        assert!(is_on(&on("pulldrill-a", "1"), &marks));
        assert!(!is_on(&on("pulldrill-a", "2"), &marks), "another network of that name");
        assert!(is_on(&on("pulldrill-a", ""), &marks), "made, but never started");
        assert!(!is_on(&on("kind", ""), &marks));
        assert!(!is_on(&ContainerSummary::default(), &marks));
    }
}
