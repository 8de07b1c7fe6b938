//! The page in a real browser: a drill turns from failing to solved in front of one's eyes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place};

use crate::support::{Lab, kubectls, on_path, skip, until};

/// How long a browser may take to end.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Headless Chromium behind its driver, ended when dropped.
struct Browser {
    driver: Child,
    port: u16,
    client: Client,
    /// Kept open: the driver ends when it can't write any more.
    _said: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// None when Chromium or its driver is not installed.
    async fn start() -> Result<Option<Self>> {
        let (Some(driver), Some(chromium)) = (on_path("chromedriver"), on_path("chromium")) else {
            skip("no chromium and chromedriver on PATH");
            return Ok(None);
        };
        let mut driver =
            Command::new(driver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said = BufReader::new(driver.stdout.take().context("stdout")?);
        let port: u16 = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .context("chromedriver does not say its port")?;
        let profile = tempfile::TempDir::new()?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--window-size=1400,1000",
        ];
        let mut arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let mut capabilities = serde_json::map::Map::new();
        capabilities.insert("browserName".into(), json!("chrome"));
        capabilities.insert("goog:chromeOptions".into(), json!({"binary": chromium, "args": arguments}));
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(Some(Self { driver, port, client, _said: said, _profile: profile }))
    }

    /// Tells the driver to end, and its browser with it.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        connection.set_read_timeout(Some(SHUTDOWN))?;
        write!(connection, "GET /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        // It answers when its browsers have ended.
        connection.read(&mut [0]).map(drop)
    }

    /// Whether the driver ends within a while.
    fn ended(&mut self) -> bool {
        let ended = until(SHUTDOWN, "the driver's end", async || Ok(self.driver.try_wait()?));
        block_in_place(|| Handle::current().block_on(ended)).is_ok()
    }

    /// What a person would read on the page.
    async fn text(&self) -> Result<String> {
        let text = self.client.execute("return document.querySelector('main').innerText", vec![]).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page says something, without any help.
    async fn until_it_says(&self, word: &str) -> Result<()> {
        until(Duration::from_secs(30), word, async || {
            Ok(self.text().await?.to_lowercase().contains(&word.to_lowercase()).then_some(()))
        })
        .await
        .with_context(|| format!("the page never said {word}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A killed driver leaves its browsers running; one that is told to shut down ends them first.
        if self.shut_down().is_err() || !self.ended() {
            drop(self.driver.kill());
            drop(self.driver.wait());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_turns_from_failing_to_solved_without_a_reload() -> Result<()> {
    let Some((_, kubectl)) = kubectls().pop() else { return Ok(()) };
    let Some(browser) = Browser::start().await? else { return Ok(()) };
    let lab = Lab::up(&["--scenario", "wrong-tag"]).await?;
    let (id, namespace) = lab.drill_of("wrong-tag")?;
    browser.client.goto(&format!("{}/drills/{id}", lab.web()?)).await?;
    browser.until_it_says("ImagePull").await?;
    browser.until_it_says("Back-off pulling image").await?;
    browser.client.execute("window.neverReloaded = true", vec![]).await?;

    let pods = lab.kubectl_ok(&kubectl, &["get", "deployments", "-n", &namespace, "-o", "json"])?;
    let pods: Value = serde_json::from_str(&pods)?;
    let stuck = pods["items"]
        .as_array()
        .context("items")?
        .iter()
        .find(|d| d["status"]["updatedReplicas"].as_i64() != d["status"]["availableReplicas"].as_i64());
    let name = stuck.context("a stuck deployment")?["metadata"]["name"].as_str().context("name")?.to_owned();
    lab.kubectl_ok(&kubectl, &["rollout", "undo", &format!("deployment/{name}"), "-n", &namespace])?;
    let advanced = lab.pulldrill(&["clock", "advance", "2m"])?;
    assert_eq!(advanced.status.code(), Some(0), "{}", String::from_utf8_lossy(&advanced.stderr));

    browser.until_it_says("solved").await?;
    let same = browser.client.execute("return window.neverReloaded === true", vec![]).await?;
    assert_eq!(same, json!(true), "the page was loaded again");
    let checked = lab.pulldrill(&["check", &id])?;
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    Ok(())
}
