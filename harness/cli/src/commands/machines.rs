//! `cluster node`: the machines of a cluster that is served, and of its virtual clusters.

use serde_json::{Value, json};

use super::{Ground, virtual_clusters::ask};
use crate::{
    args::{Machine, MachineImage, OfCluster, OneMachine},
    client::segment,
    exit::{Exit, Failure, Outcome},
};

pub(super) async fn machines(ground: &Ground<'_>, command: &Machine) -> Outcome {
    let (method, one, switch, done) = match command {
        Machine::List(of) => return list(ground, of).await,
        Machine::Image(command) => return images(ground, command).await,
        Machine::Add(one) => ("PUT", one, "", "added"),
        Machine::Remove(one) => ("DELETE", one, "", "removed"),
        Machine::Stop(one) => ("POST", one, "/stop", "stopped"),
        Machine::Start(one) => ("POST", one, "/start", "started"),
    };
    let OneMachine { name, of } = one;
    let path = format!("{}/machines/{}{switch}", root(of), segment(name));
    ask(ground, method, &path).await?;
    ground.out.data(&json!({ "name": name, "state": done }), |_| format!("node {name} is {done}"));
    Ok(Exit::Yes)
}

async fn images(ground: &Ground<'_>, command: &MachineImage) -> Outcome {
    let damaged = |of: &OfCluster, image: &str, error: Option<&str>| {
        let error = error.map(|error| format!("&error={}", segment(error))).unwrap_or_default();
        format!("{}/node-images/damaged?image={}{error}", root(of), segment(image))
    };
    let signatures = |host: &str| format!("/node-images/signatures?host={}", segment(host));
    let (method, path, name, state) = match command {
        MachineImage::Damage { image, error, of } => {
            ("PUT", damaged(of, image, error.as_deref()), image, "damaged")
        }
        MachineImage::Repair { image, of } => ("DELETE", damaged(of, image, None), image, "good"),
        MachineImage::DemandSignatures { host } => ("PUT", signatures(host), host, "to be signed"),
        MachineImage::TakeUnsigned { host } => ("DELETE", signatures(host), host, "taken unsigned"),
    };
    ask(ground, method, &path).await?;
    ground.out.data(&json!({ "name": name, "state": state }), |_| match command {
        MachineImage::Damage { .. } | MachineImage::Repair { .. } => format!("image {name} is {state}"),
        _ => format!("images of {name} are {state}"),
    });
    Ok(Exit::Yes)
}

async fn list(ground: &Ground<'_>, of: &OfCluster) -> Outcome {
    let text = ask(ground, "GET", &format!("{}/machines", root(of))).await?;
    let listed: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::infrastructure(format!("the cluster's answer makes no sense: {error}")))?;
    ground.out.data(&listed, |listed| {
        let line = |machine: &Value| {
            let state = if machine["on"] == true { "on" } else { "off" };
            format!("{} {state}", machine["name"].as_str().unwrap_or_default())
        };
        let lines: Vec<String> = listed["machines"].as_array().into_iter().flatten().map(line).collect();
        if lines.is_empty() { "no machines".to_owned() } else { lines.join("\n") }
    });
    Ok(Exit::Yes)
}

/// Where a cluster begins.
fn root(of: &OfCluster) -> String {
    of.cluster.as_deref().map(|name| format!("/clusters/{}", segment(name))).unwrap_or_default()
}
