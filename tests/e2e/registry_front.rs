//! `registry serve --upstream`: our credentials, words and faults in front of a real registry, here Debian's
//! `docker-registry`, with skopeo as the client.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    registry_alone::{Served, image, ok},
    support::{clean, client, on_path, pulldrill, skip},
};

/// The log-in that the real registry knows, and the same as htpasswd has it.
const LOGIN: &str = "dev:s3cret\n";
const HTPASSWD: &str = "dev:$2b$04$zBNI.pCWVWRZn.fZBkqq0ODSmID//9FH5ULFlu5eKd7lJerYpD/8i\n";

/// A real registry.
struct Real {
    process: Child,
    url: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Real {
    /// Runs one at a free port, with its content in a folder.
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("htpasswd"), HTPASSWD)?;
        let config = serde_json::json!({
            "version": 0.1,
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
            "http": {"addr": "127.0.0.1:0", "relativeurls": false},
            "auth": {"htpasswd": {"realm": "real", "path": folder.join("htpasswd")}},
        });
        std::fs::write(folder.join("config.yml"), config.to_string())?;
        let mut command = clean(Command::new(program));
        command.arg("serve").arg(folder.join("config.yml")).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let said = process.stderr.take().context("its log")?;
        let mut real = Self { process, url: String::new() };
        let mut lines = BufReader::new(said).lines();
        for line in &mut lines {
            let line: Value = serde_json::from_str(&line?)?;
            if let Some(address) = line["msg"].as_str().and_then(|text| text.strip_prefix("listening on ")) {
                real.url = format!("http://{address}");
                break;
            }
        }
        ensure!(!real.url.is_empty(), "it ended");
        // It goes on writing; somebody has to read.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(real)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_through_to_a_real_registry_and_back() -> Result<()> {
    let Some(program) = client("PULLDRILL_TEST_REGISTRY", "docker-registry") else { return Ok(()) };
    let Some(skopeo) = on_path("skopeo") else {
        skip("no skopeo on PATH");
        return Ok(());
    };
    let root = TempDir::new()?;
    let mut real = Real::start(&program, &root.path().join("real"))?;
    image(&root.path().join("image"), &"a layer ".repeat(300_000))?;
    let login = root.path().join("login");
    std::fs::write(&login, LOGIN)?;
    let login = login.to_str().context("a path")?;
    let personalities = ["--personality", "harbor=h.example", "--personality", "distribution"];
    let upstream = ["--upstream", &real.url, "--upstream-login", login];
    let served = Served::start(root.path(), &[&personalities[..], &upstream].concat()).await?;
    let skopeo = |args: &[&str]| served.run(&skopeo, args);
    let place = |name: &str| Ok::<_, anyhow::Error>(served.url(name)?.replace("https://", "docker://"));
    let (harbor, plain) = (place("h.example")?, place("registry.lab.test")?);
    let copy =
        |from: &str, to: &str| ok(&skopeo(&["--insecure-policy", "copy", "--preserve-digests", from, to])?);
    let source = format!("oci:{}", root.path().join("image").display());
    copy(&source, &format!("{harbor}/team/app:1"))?;
    // What came by one of them is there, for the other one, and for those who know the real one.
    let inspect = |args: &[&str]| -> Result<Value> {
        Ok(serde_json::from_str(&ok(&skopeo(&[&["inspect"], args].concat())?)?)?)
    };
    let here = inspect(&[&format!("{plain}/team/app:1")])?;
    let direct = format!("{}/team/app:1", real.url.replace("http://", "docker://"));
    let there = inspect(&["--tls-verify=false", "--creds", LOGIN.trim(), &direct])?;
    ensure!(here["Digest"] == there["Digest"] && here["Layers"] == there["Layers"], "{here} {there}");
    copy(&format!("{plain}/team/app:1"), &format!("dir:{}/out", root.path().display()))?;
    copy(&format!("{plain}/team/app:1"), &format!("{harbor}/team/copy:2"))?;

    // The words are ours, and so are the faults.
    let missing = skopeo(&["inspect", &format!("{harbor}/team/app:9")])?;
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    ensure!(!missing.status.success() && error.contains("artifact team/app:9 not found"), "{error}");
    let stranger = skopeo(&["inspect", "--no-creds", &format!("{plain}/team/app:1")])?;
    ensure!(!stranger.status.success(), "a stranger was let in");
    let fault =
        |args: &[&str]| ok(&pulldrill(root.path()).args(["registry", "fault"]).args(args).output()?);
    fault(&["add", "corrupt", "--part", "layer", "--host", "registry.lab.test"])?;
    let out = format!("dir:{}/corrupt", root.path().display());
    let corrupt = skopeo(&["--insecure-policy", "copy", &format!("{plain}/team/app:1"), &out])?;
    let error = String::from_utf8_lossy(&corrupt.stderr).into_owned();
    ensure!(!corrupt.status.success() && error.to_lowercase().contains("digest"), "{error}");
    fault(&["clear", "--all"])?;
    copy(&format!("{plain}/team/app:1"), &out)?;

    // Without it, clients are told what is the matter.
    real.process.kill()?;
    real.process.wait()?;
    let down = skopeo(&["inspect", "--retry-times", "0", &format!("{plain}/team/app:1")])?;
    let error = String::from_utf8_lossy(&down.stderr).into_owned();
    ensure!(!down.status.success() && error.contains("502 Bad Gateway"), "{error}");
    // That client does not show what the answer says; the log of the front does.
    let log = std::fs::read_to_string(root.path().join("serve.log"))?;
    ensure!(log.contains("the upstream registry fails") && log.contains("Connection refused"), "{log}");
    Ok(())
}

#[test]
fn what_cannot_be_stood_in_front_of_is_told_before_anything_is_served() -> Result<()> {
    let root = TempDir::new()?;
    std::fs::write(root.path().join("login"), "s3cret\n")?;
    for (args, says) in [
        (&["--upstream", "http://r.example"][..], "--personality"),
        (&["--personality", "ecr", "--upstream", "r.example"], "--upstream: \"r.example\" is no URL"),
        (&["--personality", "ecr", "--upstream", "http://me:s3cret@r.example"], "has a log-in in it"),
        (&["--personality", "ecr", "--upstream-login", "login"], "--upstream"),
        (
            &["--personality", "ecr", "--upstream", "http://r.example", "--upstream-login", "login"],
            "the first line of login is not USER:PASSWORD",
        ),
        (
            &["--personality", "ecr", "--upstream", "http://r.example", "--upstream-ca", "nowhere.pem"],
            "cannot read nowhere.pem",
        ),
    ] {
        let mut command = pulldrill(root.path());
        command.args(["registry", "serve"]).args(args).env_remove("PULLDRILL_ADMIN_TOKEN");
        let output = command.stdin(Stdio::null()).output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{args:?}: {error}");
        ensure!(error.contains(says) && !error.contains("s3cret"), "{args:?}: {error}");
    }
    Ok(())
}
