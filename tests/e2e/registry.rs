//! `registry serve`: the registry as a program of its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use pulldrill_registry::{AdminClient, AdminClientOptions, Control, HostSpec, ImageSpec};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::support::pulldrill;

const TOKEN: &str = "a token of some length";

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_alone_is_controlled_from_afar_and_ends_when_it_is_told_to() -> Result<()> {
    for signal in [Signal::TERM, Signal::INT] {
        let root = tempfile::tempdir()?;
        let mut command = tokio::process::Command::from(pulldrill(root.path()));
        command.args(["registry", "serve", "--admin", "127.0.0.1:0", "--dns", "127.0.0.1:0", "-o", "json"]);
        // Nothing of a usual machine is there where it runs.
        command.env_clear().env("PULLDRILL_ADMIN_TOKEN", TOKEN).current_dir("/");
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("output")?).lines();
        let mut text = String::new();
        let served: Value = loop {
            text.push_str(&lines.next_line().await?.context("it ended")?);
            if let Ok(served) = serde_json::from_str(&text) {
                break served;
            }
        };
        let address: SocketAddr = served["admin"].as_str().context("address")?.parse()?;
        assert!(served["dns"].is_string() && served["interface"].is_null(), "{served}");
        let stop = CancellationToken::new();
        let options = AdminClientOptions {
            address,
            token: TOKEN.into(),
            patience: Duration::from_secs(30),
            stop: stop.clone(),
        };
        let client = AdminClient::connect(options).await?;
        let spec =
            HostSpec { name: "r.example".into(), personality: "distribution".into(), ..HostSpec::default() };
        client.add_host(spec).await?;
        client.push_image("r.example", "app", Some("1"), &ImageSpec::default()).await?;
        kill_process(Pid::from_raw(i32::try_from(child.id().context("pid")?)?).context("pid")?, signal)?;
        let ended = pulldrill_clock::real::timeout(Duration::from_secs(30), child.wait()).await;
        assert_eq!(ended.context("it does not end")??.code(), Some(0));
        stop.cancel();
    }
    Ok(())
}

#[test]
fn a_registry_without_a_token_of_its_own_is_not_served() -> Result<()> {
    let root = tempfile::tempdir()?;
    for token in [None, Some(""), Some("short")] {
        let mut command = pulldrill(root.path());
        command.args(["registry", "serve", "--admin", "127.0.0.1:0"]).env_remove("PULLDRILL_ADMIN_TOKEN");
        command.envs(token.map(|token| ("PULLDRILL_ADMIN_TOKEN", token)));
        let output = command.output()?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("PULLDRILL_ADMIN_TOKEN"), "{error}");
    }
    Ok(())
}
