//! `cluster create`, `delete` and `list`: the virtual clusters of a cluster that is served, asked for with the admin's
//! kubeconfig in its folder.

use std::{fs, path::Path};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::Ground;
use crate::{
    client::segment,
    exit::{Exit, Failure, Outcome},
    folder::Owner,
};

pub(super) async fn create(ground: &Ground<'_>, name: &str, kubeconfig: Option<&Path>) -> Outcome {
    let text = ask(ground, "PUT", &format!("/clusters/{}", segment(name))).await?;
    let path = kubeconfig.map_or_else(|| ground.folder.kubeconfig_of(name), Path::to_owned);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::infrastructure(format!("cannot write {}: {error}", path.display()))
            .help("the cluster is there; run the same again with --kubeconfig FILE to get its kubeconfig")
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    pulldrill_lab::write_private(&path, &text).map_err(|error| failed(&error))?;
    let made = json!({"name": name, "kubeconfig": path});
    ground.out.data(&made, |_| format!("virtual cluster {name}: kubeconfig {}", path.display()));
    Ok(Exit::Yes)
}

pub(super) async fn delete(ground: &Ground<'_>, name: &str) -> Outcome {
    ask(ground, "DELETE", &format!("/clusters/{}", segment(name))).await?;
    drop(fs::remove_file(ground.folder.kubeconfig_of(name)));
    ground.out.data(&json!({"name": name}), |_| format!("virtual cluster {name} is gone"));
    Ok(Exit::Yes)
}

pub(super) async fn list(ground: &Ground<'_>) -> Outcome {
    let text = ask(ground, "GET", "/clusters").await?;
    let listed: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::infrastructure(format!("the cluster's answer makes no sense: {error}")))?;
    ground.out.data(&listed, |listed| {
        let names: Vec<&str> =
            listed["clusters"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if names.is_empty() { "no virtual clusters".to_owned() } else { names.join("\n") }
    });
    Ok(Exit::Yes)
}

/// Sends a request as the admin of the folder's cluster.
pub(super) async fn ask(ground: &Ground<'_>, method: &str, path: &str) -> Result<String, Failure> {
    let dir = ground.folder.path().display();
    if ground.folder.owner() == Owner::Nobody {
        return Err(Failure::usage(format!("no cluster is served in {dir}"))
            .help("`pulldrill cluster serve` serves one; --dir names another folder"));
    }
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::infrastructure(format!("cannot use the kubeconfig in {dir}: {error}"))
    };
    let read = Kubeconfig::read_from(ground.folder.path().join("kubeconfig")).map_err(|e| unusable(&e))?;
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(&error))?;
    // Whatever the environment says: it is a cluster of this machine.
    config.proxy_url = None;
    let client = kube::Client::try_from(config).map_err(|error| unusable(&error))?;
    let request = http::Request::builder().method(method).uri(path).body(Vec::new());
    let request = request.map_err(|error| Failure::usage(format!("{path} is no path: {error}")))?;
    client.request_text(request).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code < 500 => Failure::usage(status.message.clone()),
        other => Failure::infrastructure(format!("the cluster in {dir} answers: {other}")),
    })
}
