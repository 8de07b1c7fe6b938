//! What the API gives a Service: an address of its own, and ports on every node. And what it takes back when the
//! Service becomes one of another type.

use std::{collections::HashSet, net::Ipv4Addr, ops::RangeInclusive};

use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    api::{
        Api, Errors, Status,
        json::{items, items_mut, text},
    },
    resources::Resource,
};

const RESOURCE: &str = "services";

/// What the addresses of Services begin with.
const RANGE: [u8; 2] = [10, 96];
/// Since this minor version the refusal of an address names it, and in better English.
const NEWER_WORDS: u32 = 23;

/// The ports that Services get on nodes.
const NODE_PORTS: RangeInclusive<i64> = 30_000..=32_767;

/// What a Service without an address has of those that have one.
const ADDRESS_FIELDS: [&str; 5] =
    ["clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"];

/// Gives a Service what it lacks. `old` is what it was before, if it is changed: what was given stays.
///
/// # Errors
/// 422 for a port that others have, or that none can have.
pub(in crate::api) fn allocate(
    api: &Api,
    resource: &Resource,
    old: Option<&Value>,
    service: &mut Value,
) -> Result<(), Status> {
    if resource.store != RESOURCE || !service["spec"].is_object() {
        return Ok(());
    }
    if let Some(old) = old {
        let (old, new) = (&old["spec"], &mut service["spec"]);
        keep_address(old, new);
        keep_ports(old, new);
        drop_fields(old, new);
    }
    address(api, resource, old, service)?;
    node_ports(api, resource, old, service)
}

fn has_address(spec: &Value) -> bool {
    spec["type"] != "ExternalName"
}

fn has_node_ports(spec: &Value) -> bool {
    match text(&spec["type"]) {
        "NodePort" => true,
        "LoadBalancer" => spec["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

/// A change that says nothing of the address means the one that there is.
fn keep_address(old: &Value, new: &mut Value) {
    if has_address(old) && has_address(new) && text(&new["clusterIP"]).is_empty() {
        for field in ["clusterIP", "clusterIPs"].into_iter().filter(|field| !old[*field].is_null()) {
            new[field] = old[field].clone();
        }
    }
    // Whoever changes one of the two forms means both.
    let (one, all) = (new["clusterIP"] != old["clusterIP"], new["clusterIPs"] != old["clusterIPs"]);
    if has_address(new) && one && !all && new["clusterIPs"].is_array() {
        new["clusterIPs"][0] = new["clusterIP"].clone();
    }
}

/// Node ports that a change says nothing of stay; those of a Service that has none any more go.
fn keep_ports(old: &Value, new: &mut Value) {
    let (had, has) = (has_node_ports(old), has_node_ports(new));
    for port in items_mut(new, "ports").filter(|_| had) {
        let same = |o: &&Value| o["port"] == port["port"] && o["protocol"] == port["protocol"];
        let before = items(&old["ports"]).iter().find(same).map(|old| old["nodePort"].clone());
        let Some(before) = before.filter(|before| !before.is_null()) else { continue };
        match port["nodePort"].as_i64().unwrap_or(0) {
            0 if has => port["nodePort"] = before,
            now if !has && before == now => remove(port, "nodePort"),
            _ => {}
        }
    }
}

/// What belongs to the old type only, and was not changed along with it.
fn drop_fields(old: &Value, new: &mut Value) {
    let mut gone: Vec<&str> = Vec::new();
    if has_address(old) && !has_address(new) {
        gone.extend(ADDRESS_FIELDS);
    }
    let outside = |spec: &Value| matches!(text(&spec["type"]), "NodePort" | "LoadBalancer");
    if outside(old) && !outside(new) {
        gone.push("externalTrafficPolicy");
    }
    if old["type"] == "LoadBalancer" && new["type"] != "LoadBalancer" {
        gone.push("allocateLoadBalancerNodePorts");
    }
    for field in gone {
        if new[field] == old[field] {
            remove(new, field);
        }
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// Gives a Service an address of its own, unless it has or wants none.
///
/// # Errors
/// 422 for an address that it can't have.
fn address(api: &Api, resource: &Resource, old: Option<&Value>, service: &mut Value) -> Result<(), Status> {
    let spec = &mut service["spec"];
    if !has_address(spec) {
        return Ok(());
    }
    let asked = text(&spec["clusterIP"]).to_owned();
    if asked.is_empty() {
        let taken = api.list(RESOURCE, None);
        let address = loop {
            let number: u16 = api.draw(|rng| rng.random_range(256..u16::MAX));
            let [high, low] = number.to_be_bytes();
            let address = format!("10.96.{high}.{low}");
            if taken.iter().all(|s| s.value()["spec"]["clusterIP"] != *address) {
                break address;
            }
        };
        spec["clusterIP"] = address.into();
    }
    if spec["clusterIPs"].is_null() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
    // Whether it may change is another question.
    let kept = old.is_some_and(|old| !text(&old["spec"]["clusterIP"]).is_empty());
    match asked.parse::<Ipv4Addr>() {
        Ok(wanted) if !kept => claim(api, resource, wanted, service),
        _ => Ok(()),
    }
}

/// Refuses an address that others have, or that none can have.
fn claim(api: &Api, resource: &Resource, wanted: Ipv4Addr, service: &Value) -> Result<(), Status> {
    let [a, b, ..] = wanted.octets();
    let taken = || {
        let own = &service["metadata"];
        let others = api.list(RESOURCE, None);
        others.iter().any(|other| {
            other.value()["spec"]["clusterIP"] == wanted.to_string()
                && is_other(&other.value()["metadata"], own)
        })
    };
    let older = !api.release().since(NEWER_WORDS);
    let why = match ([a, b], older) {
        (RANGE, _) if !taken() => return Ok(()),
        (RANGE, _) => "provided IP is already allocated".to_owned(),
        (_, true) => {
            "provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16".to_owned()
        }
        (_, false) => format!(
            "the provided IP ({wanted}) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
        ),
    };
    let why = if older {
        format!("failed to allocated ip:{wanted} with error:{why}")
    } else {
        format!("failed to allocate IP {wanted}: {why}")
    };
    let mut errors = Errors::default();
    errors.invalid("spec.clusterIPs", &service["spec"]["clusterIPs"], &why);
    Err(Status::invalid(resource, text(&service["metadata"]["name"]), &errors.into_vec()))
}

/// Gives each port of a Service that is reached through nodes a port on them.
fn node_ports(
    api: &Api,
    resource: &Resource,
    old: Option<&Value>,
    service: &mut Value,
) -> Result<(), Status> {
    let wants = has_node_ports(&service["spec"]);
    let asked: Vec<i64> =
        items(&service["spec"]["ports"]).iter().map(|port| port["nodePort"].as_i64().unwrap_or(0)).collect();
    if !wants && asked.iter().all(|port| *port == 0) {
        return Ok(());
    }
    let mut taken = taken(api, &service["metadata"]);
    let before: Vec<i64> = old.map(|old| numbers(old).collect()).unwrap_or_default();
    let mut errors = Errors::default();
    for (index, port) in asked.iter().enumerate().filter(|(_, port)| **port != 0) {
        let field = format!("spec.ports[{index}].nodePort");
        if service["spec"]["type"] == "ClusterIP" {
            errors.forbidden(field, "may not be used when `type` is 'ClusterIP'");
        } else if before.contains(port) {
            taken.insert(*port);
        } else if !NODE_PORTS.contains(port) {
            let range = format!("{}-{}", NODE_PORTS.start(), NODE_PORTS.end());
            let why = format!("provided port is not in the valid range. The range of valid ports is {range}");
            errors.invalid(field, &json!(port), &why);
        } else if !taken.insert(*port) {
            errors.invalid(field, &json!(port), "provided port is already allocated");
        }
    }
    let errors = errors.into_vec();
    if !errors.is_empty() {
        return Err(Status::invalid(resource, text(&service["metadata"]["name"]), &errors));
    }
    let open =
        items_mut(&mut service["spec"], "ports").filter(|port| port["nodePort"].as_i64().unwrap_or(0) == 0);
    for port in open.filter(|_| wants) {
        let free = NODE_PORTS.clone().filter(|port| !taken.contains(port)).count();
        if free == 0 {
            return Err(Status::internal("failed to allocate a nodePort: range is full"));
        }
        let number = loop {
            let number = api.draw(|rng| rng.random_range(NODE_PORTS.clone()));
            if taken.insert(number) {
                break number;
            }
        };
        port["nodePort"] = json!(number);
    }
    Ok(())
}

fn numbers(service: &Value) -> impl Iterator<Item = i64> {
    items(&service["spec"]["ports"])
        .iter()
        .filter_map(|port| port["nodePort"].as_i64())
        .filter(|port| *port != 0)
}

fn is_other(meta: &Value, own: &Value) -> bool {
    meta["name"] != own["name"] || meta["namespace"] != own["namespace"]
}

/// The node ports of all other Services.
fn taken(api: &Api, own: &Value) -> HashSet<i64> {
    let others = api.list(RESOURCE, None);
    others
        .iter()
        .filter(|other| is_other(&other.value()["metadata"], own))
        .flat_map(|other| numbers(other.value()))
        .collect()
}
