//! Checks of a variant: names and addresses are what they must be, manifests are manifests, nothing is given away.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use super::report::{at, wrong};
use super::{faults, neutral};
use crate::model::{Action, Personality, Registry};
use crate::{Placement, Scenario, ScenarioError, Variant};

type Outcome = Result<(), ScenarioError>;

/// Top-level names that belong to nobody.
const RESERVED_DOMAINS: [&str; 4] = [".example", ".test", ".invalid", ".internal"];

/// Checks what only shows once the values are there.
pub(crate) fn variant(scenario: &Scenario, variant: &Variant, placement: &Placement) -> Outcome {
    let rendered = |file: &str, message: String| ScenarioError::Rendered {
        file: scenario.source.display(file),
        seed: variant.seed,
        message,
    };
    for (field, value) in [("drill", &variant.drill), ("namespace", &variant.namespace)] {
        if !is_label(value) {
            return Err(wrong(
                scenario,
                at![field],
                format!("{value:?} can't be the name of a namespace"),
                "lower-case letters, digits and hyphens only, 63 at most",
            ));
        }
    }
    for (n, registry) in variant.registries.iter().enumerate() {
        if let Some(message) = address_problem(&registry.address) {
            return Err(wrong(
                scenario,
                at!["registries", n, "address"],
                message,
                "take an address of 10.0.0.0/8: it exists only inside the lab",
            ));
        }
        let is_elsewhere = placement.hosts.contains_key(&registry.handle);
        if !is_elsewhere && !may_be_played(registry) {
            let message = format!("{:?} is a name that somebody may own", registry.host);
            return Err(wrong(
                scenario,
                at!["registries", n, "host"],
                message,
                "end it with .example, or take the name of the public registry whose personality it has",
            ));
        }
    }
    for (n, step) in variant.history.iter().enumerate() {
        if let Action::BlockEgress { destination, .. } = &step.action
            && !is_network(destination)
        {
            let message = format!("{destination:?} is not a network");
            return Err(wrong(
                scenario,
                at!["history", n, "do", "block-egress", "destination"],
                message,
                "write it as 10.1.2.0/24",
            ));
        }
    }
    faults::of_values(scenario, &variant.registries, &variant.history)?;
    if let Some(nat) = &variant.nat
        && nat.parse::<Ipv4Addr>().is_err()
    {
        return Err(wrong(
            scenario,
            at!["nat"],
            format!("{nat:?} is not an address"),
            "take one of 203.0.113.0/24",
        ));
    }
    manifests(variant).map_err(|(file, message)| rendered(&file, message))?;
    if let Some((place, word)) = neutral::giveaway(variant) {
        return Err(rendered(&place, format!("a trainee would read {word:?}, which gives the cause away")));
    }
    Ok(())
}

/// All manifests parse, stay in the namespace, and contain the drill's workloads.
fn manifests(variant: &Variant) -> Result<(), (String, String)> {
    let mut objects = Vec::new();
    for (path, text) in &variant.manifests {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| (path.clone(), error.without_snippet().to_string()))?;
        for document in documents {
            let name = document.pointer("/metadata/name").and_then(Value::as_str);
            let (Some(kind), Some(_), Some(name)) =
                (document["kind"].as_str(), document["apiVersion"].as_str(), name)
            else {
                return Err((path.clone(), "a document has no apiVersion, kind or metadata.name".to_owned()));
            };
            let namespace = document.pointer("/metadata/namespace").and_then(Value::as_str);
            if kind == "Namespace" || namespace.is_some_and(|namespace| namespace != variant.namespace) {
                return Err((
                    path.clone(),
                    format!("{kind} {name:?} is not in the drill's namespace, the only one it may touch"),
                ));
            }
            objects.push(document);
        }
    }
    for workload in std::iter::once(&variant.workload).chain(&variant.others) {
        let kind = format!("{:?}", workload.kind);
        let found = objects.iter().any(|object| {
            object["kind"] == kind.as_str()
                && object["metadata"]["name"] == workload.name.as_str()
                && Containers::deserialize(&object["spec"]["template"]["spec"]).is_ok_and(|spec| {
                    spec.containers.iter().any(|container| container.name == workload.container)
                })
        });
        if !found {
            return Err((
                "scenario.yaml".to_owned(),
                format!(
                    "no manifest has the {kind} {:?} with a container {:?}",
                    workload.name, workload.container
                ),
            ));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Containers {
    containers: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn address_problem(text: &str) -> Option<String> {
    match text.parse::<Ipv4Addr>() {
        Err(_) => Some(format!("{text:?} is not an address")),
        Ok(address) if address.octets()[0] != 10 => Some(format!("{text} may belong to somebody")),
        Ok(_) => None,
    }
}

fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<Ipv4Addr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 32)
    })
}

fn may_be_played(registry: &Registry) -> bool {
    let host = registry.host.as_str();
    match registry.personality {
        Personality::DockerHub => host == "docker.io",
        Personality::Ecr => host.ends_with(".amazonaws.com"),
        Personality::ArtifactRegistry => host.ends_with("-docker.pkg.dev"),
        Personality::Ghcr => host == "ghcr.io",
        Personality::Quay if host == "quay.io" => true,
        Personality::Distribution | Personality::Harbor | Personality::Quay => {
            RESERVED_DOMAINS.iter().any(|domain| host.ends_with(domain))
        }
    }
}
