//! The registries that are compared. Both end with their value.
//!
//! Debian's asks for no password, since with one it hashes it slowly at each request; ours does ask. Where content is in memory,
//! Debian's is in a folder of a memory file system: its own driver for that copies a blob anew for each piece that comes, and a large
//! one never ends.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    client::{Client, Place},
    processes::{Processes, free_port, wait},
};

/// A memory file system.
const MEMORY: &str = "/dev/shm";

/// The media types that clients of today take.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) processes: Processes,
    _folders: Vec<TempDir>,
}

impl Server {
    /// `pulldrill registry serve`, with the personality that is no vendor's.
    pub(crate) async fn ours(disk: bool) -> Result<Self> {
        let folder = TempDir::new()?;
        let dir = folder.path().join("lab");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pulldrill"));
        command.current_dir(folder.path());
        command.args(["registry", "serve", "--personality", "distribution", "--dir"]).arg(&dir);
        if disk {
            command.arg("--data").arg(folder.path().join("data"));
        }
        let mut processes = Processes::default();
        processes.start(&mut command)?;
        let info: Value =
            wait(async || Ok(serde_json::from_slice(&fs::read(dir.join("lab.json"))?)?)).await?;
        let registries = info["registries"].as_object().context("no registries")?;
        let (name, url) = registries.iter().next().context("no registry")?;
        let auth: Value = serde_json::from_slice(&fs::read(dir.join("auth.json"))?)?;
        let login = auth["auths"][name]["auth"].as_str().context("no log-in")?;
        let url = url.as_str().context("no URL")?;
        let place = Place {
            address: url.trim_start_matches("https://").trim_end_matches('/').to_owned(),
            authorization: format!("Basic {login}"),
            accept: ACCEPT,
            tls: pulldrill_tls::client_config(&[&fs::read_to_string(dir.join("ca.pem"))?])?,
        };
        Ok(Self { place, processes, _folders: vec![folder] })
    }

    /// `None` when the program is not there.
    pub(crate) async fn debian(disk: bool) -> Result<Option<Self>> {
        let Some(program) = std::env::var_os("PULLDRILL_TEST_REGISTRY").map(PathBuf::from) else {
            return Ok(None);
        };
        let folder = TempDir::new()?;
        let path = |name: &str| folder.path().join(name);
        let authority = pulldrill_tls::Authority::new("bench")?;
        let identity = authority.server(&["localhost".into()], &["127.0.0.1".parse()?])?;
        fs::write(path("server.crt"), &identity.certificate)?;
        fs::write(path("server.key"), &identity.key)?;
        let port = free_port()?;
        let data = if disk { TempDir::new()? } else { TempDir::new_in(MEMORY)? };
        let storage = serde_json::json!({"filesystem": {"rootdirectory": data.path()}});
        let mut settings = serde_json::json!({"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": storage, "http": {"addr": format!("127.0.0.1:{port}"), "secret": "of no use", "relativeurls": true,
                "tls": {"certificate": path("server.crt"), "key": path("server.key")}}});
        settings["storage"]["cache"] = serde_json::json!({"blobdescriptor": "inmemory"});
        // What is JSON is YAML.
        fs::write(path("config.yml"), settings.to_string())?;
        let mut processes = Processes::default();
        processes.start(Command::new(program).arg("serve").arg(path("config.yml")))?;
        let place = Place {
            address: format!("127.0.0.1:{port}"),
            authorization: String::new(),
            accept: ACCEPT,
            tls: pulldrill_tls::client_config(&[authority.pem()])?,
        };
        let server = Self { place, processes, _folders: vec![folder, data] };
        wait(async || Client::connect(&server.place).await?.get("/v2/").await).await?;
        Ok(Some(server))
    }
}
