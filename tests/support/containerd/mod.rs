//! A containerd of the test's own: its root, state, socket and table of registries are in the test's folder. Nothing
//! is ever run by it; it pulls.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};

use super::{command::until, programs::client};

const LIMIT: Duration = Duration::from_secs(60);

/// A release, as the gate installs it.
pub(crate) struct Release {
    pub(crate) version: &'static str,
    variable: &'static str,
    config: &'static str,
}

/// The oldest that is still in use, which is told what 1.7 is told.
#[allow(dead_code, reason = "there are no recordings of it")]
pub(crate) const V1_6: Release =
    Release { version: "1.6", variable: "PULLDRILL_TEST_CONTAINERD_1_6", config: include_str!("1.7.toml") };
/// Those that there are recordings of.
pub(crate) const V1_7: Release =
    Release { version: "1.7", variable: "PULLDRILL_TEST_CONTAINERD_1_7", config: include_str!("1.7.toml") };
pub(crate) const V2_1: Release =
    Release { version: "2.1", variable: "PULLDRILL_TEST_CONTAINERD_2_1", config: include_str!("2.1.toml") };

impl Release {
    /// The program, if it is there.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        client(self.variable, &format!("containerd {}", self.version))
    }
}

/// One that runs, and ends when dropped.
pub(crate) struct Containerd {
    process: Child,
    /// Where it is spoken to.
    pub(crate) socket: PathBuf,
}

impl Containerd {
    /// Starts it in an empty folder, and waits until it listens. It trusts the authority for the registries of these names.
    pub(crate) async fn start(
        release: &Release,
        program: &Path,
        folder: &Path,
        (authority, names): (&str, impl Iterator<Item = &str>),
    ) -> Result<Self> {
        let socket = folder.join("socket");
        let ca = folder.join("ca.pem");
        std::fs::create_dir_all(folder.join("cni"))?;
        std::fs::write(&ca, authority)?;
        for name in names {
            // What images of Docker Hub are called is not where they are.
            let place = if name == "registry-1.docker.io" { "docker.io" } else { name };
            let table = folder.join("certs.d").join(place);
            std::fs::create_dir_all(&table)?;
            // Releases before 2.0 refuse the file without its last line.
            let text = format!("server = \"https://{name}\"\nca = {ca:?}\n[host]\n");
            std::fs::write(table.join("hosts.toml"), text)?;
        }
        let architecture = pulldrill_registry::site::architecture();
        let config = release.config.replace("{folder}", &folder.display().to_string());
        let config = config.replace("{architecture}", architecture);
        std::fs::write(folder.join("config.toml"), config)?;
        let log = folder.join("log");
        let mut process = Command::new(program)
            .arg("--config")
            .arg(folder.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        let connects = until(LIMIT, "containerd", async || {
            if let Some(status) = process.try_wait()? {
                bail!("containerd ended with {status}: {}", std::fs::read_to_string(&log)?);
            }
            Ok(std::os::unix::net::UnixStream::connect(&socket).is_ok().then_some(()))
        });
        connects.await?;
        Ok(Self { process, socket })
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
