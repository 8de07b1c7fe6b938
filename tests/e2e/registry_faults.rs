//! `registry fault` and `registry log`: the same words for registries that are served alone and for those of a lab.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    registry_alone::Served,
    support::{Lab, pulldrill, until},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a command and reads its JSON; else its exit code and what it said.
fn run(mut command: Command, words: &[&str]) -> Result<Result<Value, (Option<i32>, String)>> {
    let output = command.args(words).args(["-o", "json"]).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(Ok(serde_json::from_slice(&output.stdout)?));
    }
    Ok(Err((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())))
}

/// A `registry log -f` that ends with its owner.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Plays one story with whoever serves the registries of a folder.
async fn story(root: &Path, client: &reqwest::Client, host: &str, url: &str) -> Result<()> {
    let ask = |words: &[&str]| run(pulldrill(root), &[&["registry", "fault"], words].concat());
    let done = |words: &[&str]| ask(words)?.map_err(|(_, error)| anyhow::anyhow!("{words:?}: {error}"));
    let url = format!("{url}/v2/some/thing/manifests/1");
    let status = async |path: &str| -> Result<u16> { Ok(client.get(path).send().await?.status().as_u16()) };
    ensure!(done(&["list"])? == serde_json::json!([]));
    let before = status(&url).await?;
    let words =
        ["add", "status", "--status", "418", "--host", host, "--repository", "some/thing", "--times", "2"];
    let added = done(&words)?;
    ensure!(
        added[0]["rule"]["with"]["status"] == "418" && added.as_array().is_some_and(|all| all.len() == 1)
    );
    let html = done(&["add", "html", "--host", host, "--method", "PUT"])?;

    // Before the requests, so that what is followed comes while it is followed.
    let mut follow = pulldrill(root);
    follow.args(["registry", "log", "-f", "--json", "--host", host, "--repository", "some/thing"]);
    let mut follow = Following(follow.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?);
    let mut lines = BufReader::new(follow.0.stdout.take().context("output")?).lines();
    let mut next = || -> Result<Value> { Ok(serde_json::from_str(&lines.next().context("it ended")??)?) };
    ensure!(next()?["status"] == before);
    ensure!((status(&url).await?, status(&url).await?) == (418, 418));
    ensure!(status(&url).await? == before, "twice was all");
    for expected in [418, 418, before] {
        let entry = next()?;
        ensure!(entry["status"] == expected && entry["host"] == host, "{entry}");
        ensure!(entry["path"] == "/v2/some/thing/manifests/1", "{entry}");
    }
    // What nobody reads any more ends.
    drop(lines);
    status(&url).await?;
    until(LIMIT, "the end of what nobody reads", async || Ok(follow.0.try_wait()?)).await?;

    let listed = done(&["list", "--host", host])?;
    ensure!(listed[0]["id"] == added[0]["id"] && listed[0]["struck"] == 2, "{listed}");
    let id = added[0]["id"].to_string();
    ensure!(done(&["clear", &id])?[0]["id"] == added[0]["id"]);
    ensure!(done(&["list"])?[0]["id"] == html[0]["id"]);
    ensure!(done(&["clear", "--all", "--host", host])?.as_array().is_some_and(|all| all.len() == 1));
    ensure!(done(&["list"])? == serde_json::json!([]));
    for (words, says) in [
        (&["clear", &id][..], "no registry has a fault"),
        (&["list", "--host", "nowhere.example"], "no registry \"nowhere.example\" here; there are: "),
        (&["add", "html", "--host", "nowhere.example"], "no registry \"nowhere.example\" here; there are: "),
        (&["add", "html", "--status", "42"], "html: status is \"42\"; it has to be a number from 200 to 599"),
    ] {
        let Err((code, error)) = ask(words)? else { anyhow::bail!("{words:?} was accepted") };
        ensure!(code == Some(2) && error.contains(says), "{words:?}: {code:?} {error}");
    }
    Ok(())
}

fn client(folder: &Path) -> Result<reqwest::Client> {
    pulldrill_tls::install_provider();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(folder.join("ca.pem"))?)?;
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_alone_misbehave_when_they_are_told_to() -> Result<()> {
    let root = TempDir::new()?;
    let args = ["--personality", "distribution", "--personality", "harbor=h.example"];
    let served = Served::start(root.path(), &args).await?;
    let client = client(&root.path().join("lab"))?;
    story(root.path(), &client, "h.example", &served.url("h.example")?).await?;
    let all = run(pulldrill(root.path()), &["registry", "fault", "add", "html"])?;
    ensure!(all.is_ok_and(|added| added.as_array().is_some_and(|added| added.len() == 2)), "one for each");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registries_of_a_lab_misbehave_when_the_instructor_says_so() -> Result<()> {
    let lab = Lab::up(&["--scenario", "wrong-tag"]).await?;
    let info = lab.description()?;
    let (host, url) =
        info["registries"].as_object().and_then(|all| all.iter().next()).context("a registry")?;
    let url = url.as_str().context("a URL")?;
    story(lab.root(), &client(&lab.dir())?, host, url).await?;
    // What is wrong may be the answer: without the instructor's token nobody is told.
    let faults = format!("{}/api/v1/faults", lab.web()?.trim_end_matches('/'));
    let asked = reqwest::Client::builder().no_proxy().build()?.get(faults).send().await?;
    ensure!(asked.status() == 403 || asked.status() == 401, "{}", asked.status());
    Ok(())
}
