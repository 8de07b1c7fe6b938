//! What has to run for a client: a containerd or a Docker engine of its own, which nobody else sees.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};

use crate::{
    command::until,
    containerd::{Containerd, Release, V1_6, V1_7, V2_1},
    matrix::{Client, Engine},
    person::Person,
    programs::{self, on_path, optional, skip},
    world::{INSECURE, PLAIN, World},
};

const LIMIT: Duration = Duration::from_secs(60);

/// What is needed of a client; `None` where it is not all there, which has been said.
pub(crate) fn programs(client: &Client) -> Option<Vec<PathBuf>> {
    let containerd = |release: &Release| {
        let program = release.program()?;
        Some(vec![program.with_file_name("ctr"), program])
    };
    match client.engine {
        Some(Engine::Containerd1_6) => containerd(&V1_6),
        Some(Engine::Containerd1_7) => containerd(&V1_7),
        Some(Engine::Containerd2_1) => containerd(&V2_1),
        Some(Engine::Docker) => {
            let found = ["docker", "dockerd"].map(on_path);
            let found: Option<Vec<_>> = found.into_iter().collect();
            if found.is_none() {
                optional("no docker or no dockerd on PATH");
            }
            found
        }
        None if client.script.is_some() => {
            let python = programs::client("PULLDRILL_TEST_PYTHON_REGISTRIES", "Python with oras");
            python.map(|program| vec![program])
        }
        None => {
            let found = on_path(&client.name);
            if found.is_none() {
                skip(&format!("no {} on PATH", client.name));
            }
            found.map(|program| vec![program])
        }
    }
}

/// One that runs.
pub(crate) enum Running {
    None,
    Containerd(#[expect(dead_code, reason = "it ends when it is dropped")] Containerd),
    Docker(Child),
}

impl Running {
    pub(crate) async fn start(world: &World, person: &Person, programs: &[PathBuf]) -> Result<Self> {
        let folder = person.folder();
        let release = match person.client.engine {
            None => return Ok(Self::None),
            Some(Engine::Docker) => return docker(person, &programs[1]).await,
            Some(Engine::Containerd1_6) => &V1_6,
            Some(Engine::Containerd1_7) => &V1_7,
            Some(Engine::Containerd2_1) => &V2_1,
        };
        let trust = (world.authority.pem(), world.known());
        Ok(Self::Containerd(Containerd::start(release, &programs[1], folder, trust).await?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Docker(process) = self {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// An engine without networks, as nothing is run by it.
async fn docker(person: &Person, program: &Path) -> Result<Running> {
    let folder = person.folder();
    let log = folder.join("dockerd.log");
    let host = |image: &str| image.split('/').next().unwrap_or_default().to_owned();
    let mut process = person
        .command(program)
        .args(["--bridge", "none", "--iptables=false", "--ip6tables=false", "--storage-driver", "vfs"])
        .args(["--insecure-registry", &host(INSECURE), "--insecure-registry", &host(PLAIN)])
        .arg("--host")
        .arg(format!("unix://{}", folder.join("docker.sock").display()))
        .arg("--data-root")
        .arg(folder.join("data"))
        .arg("--exec-root")
        .arg(folder.join("exec"))
        .arg("--pidfile")
        .arg(folder.join("dockerd.pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log)?)
        .spawn()?;
    until(LIMIT, "dockerd", async || {
        if let Some(status) = process.try_wait()? {
            bail!("dockerd ended with {status}: {}", std::fs::read_to_string(&log)?);
        }
        let ready = std::fs::read_to_string(&log)?.contains("API listen on");
        Ok(ready.then_some(()))
    })
    .await?;
    Ok(Running::Docker(process))
}
