//! What the nodes of a cluster alone can reach, and what they have: registries of this machine by the names that images
//! have, and images that are there without any registry.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use pulldrill_cluster::{NodeOptions, PullRate, kubelet, network::Network, puller::Reference};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{args::ClusterNodes, exit::Failure};

/// Where the registries are for the nodes: at addresses of a network that is nobody's (RFC 5737).
const FIRST: u32 = Ipv4Addr::new(192, 0, 2, 1).to_bits();
/// How many addresses that network has.
const ADDRESSES: u32 = 254;
/// The port of images whose names say none.
const HTTPS: u16 = 443;

/// A network with the registries that are asked for, and the authorities of their certificates.
pub(super) fn network(args: &ClusterNodes) -> Result<(Network, Vec<String>), Failure> {
    let mut places: BTreeMap<String, SocketAddr> = BTreeMap::new();
    let mut authorities = Vec::new();
    for folder in &args.registries {
        places.extend(served(folder)?);
        authorities.push(read(&folder.join("ca.pem"))?);
    }
    for file in &args.registry_ca {
        authorities.push(read(file)?);
    }
    places.extend(args.registry.iter().cloned());
    let network = Network::new();
    for ((name, local), number) in places.into_iter().zip(0..) {
        if number >= ADDRESSES {
            return Err(Failure::usage(format!("more than {ADDRESSES} registries are too many")));
        }
        let address = IpAddr::V4(Ipv4Addr::from_bits(FIRST + number));
        network.add_host(&name, address);
        network.add_route(address, HTTPS, local);
    }
    Ok((network, authorities))
}

/// What kind of nodes they are.
pub(super) fn nodes(args: &ClusterNodes) -> Result<NodeOptions, Failure> {
    let image = |name: &String| {
        let reference = Reference::parse(name)
            .map_err(|error| Failure::usage(format!("{name:?} is no name of an image: {error}")))?;
        Ok((reference, configuration()))
    };
    let images = args.image.iter().map(image).collect::<Result<_, Failure>>()?;
    let pull_rate = args.registry_qps.map(|per_second| PullRate {
        per_second: per_second.into(),
        burst: args.registry_burst.map_or(PullRate::DEFAULT.burst, Into::into),
    });
    let credential_providers =
        match (&args.image_credential_provider_config, &args.image_credential_provider_bin_dir) {
            (Some(file), Some(folder)) => kubelet::plugins(&read(file)?, folder)
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?,
            _ => Vec::new(),
        };
    let usual = NodeOptions::default();
    let parallel_pulls = if args.serialize_image_pulls { 1 } else { usual.parallel_pulls };
    Ok(NodeOptions { parallel_pulls, pull_rate, image_disk: args.image_disk, images, credential_providers })
}

/// What an image says of itself that nobody has built.
fn configuration() -> Value {
    json!({ "architecture": "amd64", "os": "linux", "config": {} })
}

/// The registries that `registry serve` serves from a folder, and the hosts of their tokens.
fn served(folder: &Path) -> Result<Vec<(String, SocketAddr)>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Served {
        registries: BTreeMap<String, String>,
        #[serde(default)]
        token_hosts: BTreeMap<String, String>,
    }
    let file = folder.join("lab.json");
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::usage(format!("{} names no registries: {what}", file.display()))
            .help("--registries takes the folder (--dir) of a running `pulldrill registry serve`")
    };
    let served: Served = serde_json::from_str(&read(&file)?).map_err(|error| wrong(&error))?;
    let all = served.registries.into_iter().chain(served.token_hosts);
    let place = |(name, url): (String, String)| {
        let address = url.trim_start_matches("https://").trim_end_matches('/');
        let address =
            address.parse().map_err(|_| wrong(&format_args!("{url} is no place of this machine")))?;
        Ok((name, address))
    };
    all.map(place).collect()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_registries_leads_to_them_and_to_the_hosts_of_their_tokens() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("lab.json"),
            r#"{"registries": {"r.example": "https://127.0.0.1:5000"}, "tokenHosts": {"auth.r.example": "https://127.0.0.1:5001"}}"#,
        )
        .unwrap();
        fs::write(folder.path().join("ca.pem"), "PEM").unwrap();
        let registry = vec![("other.example".to_owned(), "127.0.0.1:6000".parse().unwrap())];
        let args =
            ClusterNodes { registries: vec![folder.path().into()], registry, ..ClusterNodes::default() };
        let (network, authorities) = network(&args).unwrap();
        let names: Vec<String> = network.hosts().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["auth.r.example", "other.example", "r.example"]);
        assert_eq!(authorities, ["PEM"]);
    }

    #[test]
    fn what_leads_to_no_registry_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let args = ClusterNodes { registries: vec![folder.path().into()], ..ClusterNodes::default() };
        assert!(network(&args).unwrap_err().message.contains("lab.json"));
        for wrong in ["{}", "[", r#"{"registries": {"a": "https://elsewhere.example"}}"#] {
            fs::write(folder.path().join("lab.json"), wrong).unwrap();
            let failure = network(&args).unwrap_err();
            assert!(failure.message.contains("names no registries") && failure.help.is_some(), "{wrong}");
        }
        let image = ClusterNodes { image: vec!["UPPER:1".into()], ..ClusterNodes::default() };
        assert!(nodes(&image).unwrap_err().message.contains("UPPER:1"));
    }
}
