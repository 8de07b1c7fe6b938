//! The program in a container: an image made of it on the spot, and runs of that. Nothing is pulled.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt,
    bollard::models::PortBinding,
    core::{IntoContainerPort, WaitFor},
    runners::AsyncRunner,
};

use super::answers::Peer;
use crate::machine::docker;

const NAME: &str = "pulldrill-test-registry";
const TAG: &str = "peer";
const PORT: u16 = 5000;

/// Listens, keeps what is pushed in the container, and lets it be deleted again.
const CONFIG: &str = "version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: :5000
";

/// An image of this machine, gone when dropped.
pub(crate) struct Image {
    removed: bool,
}

impl Image {
    /// An image of one program.
    pub(crate) fn of(program: &Path, htpasswd: &str) -> Result<Self> {
        let root = tempfile::tempdir()?;
        let at = |path: &str| root.path().join(path.trim_start_matches('/'));
        let put = |from: &Path, to: &str| -> Result<()> {
            let to = at(to);
            fs::create_dir_all(to.parent().context("a folder")?)?;
            fs::copy(from, &to).with_context(|| format!("{from:?}"))?;
            Ok(())
        };
        put(program, "/registry")?;
        for library in libraries(program)? {
            put(Path::new(&library), &library)?;
        }
        for folder in ["etc", "tmp", "var/lib/registry"] {
            fs::create_dir_all(at(folder))?;
        }
        fs::write(at("etc/registry.yml"), CONFIG)?;
        fs::write(at("etc/htpasswd"), htpasswd)?;
        let archive = tempfile::NamedTempFile::new()?;
        let mut tar = Command::new("tar");
        tar.arg("-cf").arg(archive.path()).arg("-C").arg(root.path()).arg(".");
        let packed = tar.stdin(Stdio::null()).status()?;
        ensure!(packed.success(), "tar ended with {packed}");
        let archive = archive.path().to_str().context("a path")?;
        docker(&["import", archive, &format!("{NAME}:{TAG}")])?;
        Ok(Self { removed: false })
    }

    /// Takes it away.
    pub(crate) fn remove(mut self) -> Result<()> {
        self.removed = true;
        docker(&["image", "rm", &format!("{NAME}:{TAG}")]).map(drop)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !self.removed {
            drop(docker(&["image", "rm", "--force", &format!("{NAME}:{TAG}")]));
        }
    }
}

/// What a program is linked with, as paths of this machine; nothing for one that is linked with nothing.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let listed = Command::new("ldd").arg(program).stdin(Stdio::null()).output()?;
    let text = String::from_utf8(listed.stdout)?;
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(str::to_owned).collect())
}

/// A running program.
pub(crate) struct Container {
    running: ContainerAsync<GenericImage>,
    port: u16,
}

impl Container {
    /// Starts it, for everybody or for one user only, and waits until it listens.
    pub(crate) async fn run(_of: &Image, closed: bool) -> Result<Self> {
        let image = GenericImage::new(NAME, TAG)
            .with_entrypoint("/registry")
            .with_exposed_port(PORT.tcp())
            .with_wait_for(WaitFor::message_on_stderr("listening on"));
        // Published for this machine only.
        let local = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None };
        let mut request =
            image.with_cmd(["serve", "/etc/registry.yml"]).with_host_config_modifier(move |host| {
                host.publish_all_ports = Some(false);
                host.port_bindings = Some([(format!("{PORT}/tcp"), Some(vec![local.clone()]))].into());
            });
        if closed {
            request = request
                .with_env_var("REGISTRY_AUTH", "htpasswd")
                .with_env_var("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm")
                .with_env_var("REGISTRY_AUTH_HTPASSWD_PATH", "/etc/htpasswd");
        }
        let running = request.start().await?;
        let port = running.get_host_port_ipv4(PORT.tcp()).await?;
        Ok(Self { running, port })
    }

    /// What to send requests to.
    pub(crate) fn peer(&self) -> Result<Peer> {
        Peer::new(&format!("http://127.0.0.1:{}", self.port), None)
    }

    /// Stops it and takes it away.
    pub(crate) async fn end(self) -> Result<()> {
        Ok(self.running.rm().await?)
    }
}
