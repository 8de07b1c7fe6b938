//! helm: a small chart is installed, upgraded, rolled back and uninstalled, and each step waited for.

use anyhow::{Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::{Api, api::ListParams};

use super::host::Host;
use crate::{
    plan::{SERVERS, Server},
    programs,
};

/// Installs, upgrades, rolls back, uninstalls.
async fn lifecycle(server: &Server) -> Result<()> {
    let Some(helm) = programs::client("PULLDRILL_TEST_HELM", "helm") else { return Ok(()) };
    let host = Host::start(server.dialect).await?;
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/files/chart");
    let run = async |arguments: &[&str]| host.run(&helm, arguments).await;
    let deployments: Api<Deployment> = Api::namespaced(host.client().await?, "shop");
    let word = async || {
        let deployment = deployments.get("web-main").await?;
        let command =
            deployment.spec.template.spec.and_then(|spec| spec.containers.into_iter().next()?.command);
        Ok::<_, anyhow::Error>(command.and_then(|command| command.last().cloned()).unwrap_or_default())
    };

    let place = ["--namespace", "shop"];
    let wait = ["--wait", "--timeout", "60s"];
    let with = |words: &[&'static str], more: &[&[&'static str]]| [words, &more.concat(), &place].concat();
    run(&with(&["install", "web", chart, "--create-namespace"], &[&wait])).await?;
    ensure!(word().await? == "echo first; sleep infinity");
    run(&with(&["upgrade", "web", chart, "--set", "word=second"], &[&wait])).await?;
    ensure!(word().await? == "echo second; sleep infinity");
    run(&with(&["rollback", "web", "1"], &[&wait])).await?;
    ensure!(word().await? == "echo first; sleep infinity");

    let history = run(&with(&["history", "web"], &[])).await?;
    ensure!(history.lines().count() == 4 && history.contains("Rollback to 1"), "{history}");
    let listed = run(&with(&["list", "--short"], &[])).await?;
    ensure!(listed.trim() == "web", "{listed}");
    let secrets: Api<Secret> = Api::namespaced(host.client().await?, "shop");
    let records = secrets.list(&ListParams::default().labels("owner=helm,name=web")).await?.items;
    ensure!(records.len() == 3 && records.iter().all(|s| s.type_.as_deref() == Some("helm.sh/release.v1")));

    // An image that is not there: helm gives up, and says so.
    let stuck = with(
        &["upgrade", "web", chart, "--set", "image=registry.example/none:1"],
        &[&["--wait", "--timeout", "3s"]],
    );
    let error = run(&stuck).await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("UPGRADE FAILED"), "{error}");

    run(&with(&["uninstall", "web"], &[&wait])).await?;
    ensure!(deployments.get_opt("web-main").await?.is_none());
    let left = secrets.list(&ListParams::default().labels("owner=helm")).await?.items;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_keeps_releases_on_a_cluster() -> Result<()> {
    lifecycle(&SERVERS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_keeps_releases_on_an_old_cluster() -> Result<()> {
    lifecycle(&SERVERS[1]).await
}
