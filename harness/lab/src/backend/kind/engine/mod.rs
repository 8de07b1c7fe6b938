//! A Docker engine: networks, containers, images, commands inside containers.
//!
//! Knows nothing of Kubernetes. Everything it creates carries the labels of an [`Owner`](super::owner::Owner).

mod address;
mod container;
mod exec;
mod network;
#[cfg(test)]
mod tests;

use std::path::Path;

use bollard::Docker;

use super::KindError;

pub(crate) use address::config_folder;
pub(crate) use container::ContainerSpec;
pub(crate) use exec::Inside;
#[cfg(test)]
pub(crate) use network::Network;

/// A connection to a Docker engine; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    docker: Docker,
    host: String,
    architecture: String,
}

impl Engine {
    /// Connects to the engine that the `docker` command of this user would use.
    pub(crate) async fn connect() -> Result<Self, KindError> {
        Self::connect_as(&|name| std::env::var(name).ok()).await
    }

    /// [`Engine::connect`] with another environment.
    pub(crate) async fn connect_as(env: &(dyn Fn(&str) -> Option<String> + Sync)) -> Result<Self, KindError> {
        let mut tried = Vec::new();
        for host in address::candidates(env) {
            address::check(&host, env)?;
            match Self::open(&host).await {
                Ok(engine) => return Ok(engine),
                Err(why) => tried.push(format!("{host}: {why}")),
            }
        }
        Err(KindError::NoEngine { tried: tried.join("; ") })
    }

    async fn open(host: &str) -> Result<Self, String> {
        if let Some(socket) = host.strip_prefix("unix://")
            && !Path::new(socket).exists()
        {
            return Err("no such socket".into());
        }
        let said = |error: bollard::errors::Error| error.to_string();
        let docker =
            Docker::connect_with_host(host).map_err(said)?.negotiate_version().await.map_err(said)?;
        let version = docker.version().await.map_err(said)?;
        Ok(Self { docker, host: host.to_owned(), architecture: version.arch.unwrap_or_default() })
    }

    /// Where it listens, as a value of `DOCKER_HOST`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The processor that its containers run on, in Go's words: `amd64`, `arm64`.
    pub(crate) fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The engine's API.
    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }
}
