//! Containers: making, starting, looking at them, their logs, files put into them.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
};

use bollard::{
    models::{
        ContainerCreateBody, ContainerInspectResponse, HostConfig, PortBinding, RestartPolicy,
        RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder, StartContainerOptions,
        UploadToContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use futures::TryStreamExt;

use super::Engine;
use crate::backend::kind::{KindError, error::Asked, owner::Owner};

/// What a container is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    /// `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The network's name or id.
    pub(crate) network: String,
    pub(crate) capabilities: Vec<String>,
    pub(crate) sysctls: Vec<(String, String)>,
    /// TCP ports that get a free port of 127.0.0.1 on the engine's machine.
    pub(crate) publish: Vec<u16>,
}

/// What a container is.
#[derive(Clone, Debug)]
pub(crate) struct Inspected(ContainerInspectResponse);

impl Engine {
    /// Makes a container; it does not run yet. The image has to be there: nothing is pulled.
    pub(crate) async fn create_container(
        &self,
        owner: &Owner,
        spec: ContainerSpec,
    ) -> Result<String, KindError> {
        let (name, image) = (spec.name.clone(), spec.image.clone());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let made = self.docker().create_container(Some(options), body(owner, spec)).await;
        if let Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) = made {
            return Err(KindError::NotOurs { what: format!("a container named {name}") });
        }
        Ok(made.asked(|| format!("make the container {name} of the image {image}"))?.id)
    }

    /// Starts a container.
    pub(crate) async fn start_container(&self, container: &str) -> Result<(), KindError> {
        let started = self.docker().start_container(container, None::<StartContainerOptions>).await;
        started.asked(|| format!("start the container {container}"))
    }

    /// What a container is, if it is there.
    pub(crate) async fn inspect_container(&self, container: &str) -> Result<Option<Inspected>, KindError> {
        let found = self.docker().inspect_container(container, None::<InspectContainerOptions>).await;
        Ok(found.asked_if_there(|| format!("look at the container {container}"))?.map(Inspected))
    }

    /// The last lines that a container has printed.
    pub(crate) async fn logs(&self, container: &str, lines: u32) -> Result<String, KindError> {
        let options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let chunks: Vec<_> = self
            .docker()
            .logs(container, Some(options))
            .try_collect()
            .await
            .asked(|| format!("read the log of {container}"))?;
        Ok(chunks.iter().map(ToString::to_string).collect())
    }

    /// Unpacks a tar archive in a folder of a container. What is mounted there is not seen by it: on a node, use
    /// neither `/run` nor `/tmp`.
    pub(crate) async fn upload(&self, container: &str, folder: &str, tar: Vec<u8>) -> Result<(), KindError> {
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let body = bollard::body_full(Bytes::from(tar));
        let done = self.docker().upload_to_container(container, Some(options), body).await;
        done.asked(|| format!("write to {folder} in the container {container}"))
    }
}

impl Inspected {
    /// Whether it runs.
    pub(crate) fn running(&self) -> bool {
        self.0.state.as_ref().and_then(|state| state.running).unwrap_or_default()
    }

    /// What it ended with, once it has.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        self.0.state.as_ref().filter(|_| !self.running()).and_then(|state| state.exit_code)
    }

    /// Its address on a network.
    pub(crate) fn address(&self, network: &str) -> Result<Ipv4Addr, KindError> {
        let networks = self.0.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let address = networks.and_then(|all| all.get(network)).and_then(|end| end.ip_address.as_deref());
        address.and_then(|text| text.parse().ok()).ok_or_else(|| KindError::Missing {
            what: format!("the address of the container {} on the network {network}", self.name()),
        })
    }

    /// Where a port of it can be reached from the engine's machine.
    pub(crate) fn published(&self, port: u16) -> Result<SocketAddr, KindError> {
        let ports = self.0.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
        let bound = ports.and_then(|all| all.get(&format!("{port}/tcp"))?.as_ref());
        let number = bound.and_then(|all| all.iter().find_map(|one| one.host_port.as_ref()?.parse().ok()));
        number.map(|number| SocketAddr::from(([127, 0, 0, 1], number))).ok_or_else(|| KindError::Missing {
            what: format!("where port {port} of the container {} is published", self.name()),
        })
    }

    fn name(&self) -> &str {
        self.0.name.as_deref().unwrap_or_default().trim_start_matches('/')
    }
}

fn body(owner: &Owner, spec: ContainerSpec) -> ContainerCreateBody {
    let loopback = || PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some("0".into()) };
    let ports: HashMap<_, _> =
        spec.publish.iter().map(|port| (format!("{port}/tcp"), Some(vec![loopback()]))).collect();
    ContainerCreateBody {
        image: Some(spec.image),
        cmd: (!spec.command.is_empty()).then_some(spec.command),
        env: Some(spec.env),
        labels: Some(owner.labels()),
        exposed_ports: Some(ports.keys().cloned().collect()),
        host_config: Some(HostConfig {
            network_mode: Some(spec.network),
            cap_add: Some(spec.capabilities),
            sysctls: Some(spec.sysctls.into_iter().collect()),
            port_bindings: Some(ports),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}
