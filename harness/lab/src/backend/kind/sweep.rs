//! Removing exactly what was made for a lab, from any process, as often as one likes.
//!
//! Goes by labels, and for nodes by the lab's network: never by names. Whatever else is on the machine stays.

use std::{path::Path, time::Duration};

use bollard::query_parameters::{
    ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
};
use pulldrill_clock::real;

use super::{
    KindError,
    engine::Engine,
    error::Asked,
    folder::{KindFolder, Record},
    membership::{self, Mark},
    process,
};

/// How often it looks again, when something was still there or still came.
const ROUNDS: usize = 40;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// How many looks in a row have to find nothing: an engine goes on with what it was asked for by a process that was
/// killed meanwhile.
const QUIET: usize = 2;

/// The same where something may be in the making right now, with nothing there yet that would tell: not even the
/// network is known to have been made, or the `kind` program was still at work.
const QUIET_IN_THE_MAKING: usize = 12;

/// What was removed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) containers: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) images: Vec<String>,
}

/// What is to be removed.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    record: Record,
    folder: KindFolder,
}

impl Sweep {
    /// What was made for the lab whose folder this is; `None` when there never was a real cluster.
    pub(crate) fn from_folder(lab: &Path) -> Result<Option<Self>, KindError> {
        let folder = KindFolder::of(lab);
        Ok(folder.read_record()?.map(|record| Self { record, folder }))
    }

    /// Removes it: containers with their volumes, networks, images. The folder stays; [`KindFolder::remove`] takes
    /// that away.
    pub(crate) async fn run(&self, engine: &Engine) -> Result<Removed, KindError> {
        let mut removed = Removed::default();
        let mut failure = None;
        let mut enough = if self.record.network.is_some() { QUIET } else { QUIET_IN_THE_MAKING };
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            // What is in the making, or on its way out, is seen by looking again.
            let before = removed.clone();
            let busy = process::end_left_over(&self.folder.cluster());
            if busy {
                enough = QUIET_IN_THE_MAKING;
            }
            let round = self.round(engine, quiet > 0, &mut removed).await;
            quiet = if round.is_ok() && !busy && removed == before { quiet + 1 } else { 0 };
            failure = round.err();
            if quiet == enough {
                return Ok(removed);
            }
            real::sleep(PAUSE).await;
        }
        failure.map_or(Ok(removed), Err)
    }

    /// One look. What containers are made from goes only when `idle`, after a look that found nothing: a `kind`
    /// program makes a network anew that is missing, and that one would be nobody's.
    async fn round(&self, engine: &Engine, idle: bool, removed: &mut Removed) -> Result<(), KindError> {
        let owner = &self.record.owner;
        let networks = membership::networks(engine, owner).await?;
        let mut marks = networks.clone();
        marks.extend(self.record.network.clone().map(|id| Mark { id, name: owner.network() }));
        let mut containers = membership::labelled(engine, owner).await?;
        let nodes = membership::kind_nodes(engine, &owner.name).await?;
        containers.extend(nodes.into_iter().filter(|node| membership::is_on(node, &marks)));
        containers.sort_by(|a, b| a.id.cmp(&b.id));
        containers.dedup_by(|a, b| a.id == b.id);
        for container in &containers {
            let name = membership::name(container);
            remove_container(engine, container.id.as_deref().unwrap_or(&name)).await?;
            removed.containers.push(name);
        }
        if !(idle && containers.is_empty()) {
            return Ok(());
        }
        for network in networks {
            let gone = engine.docker().remove_network(&network.id).await;
            gone.asked_if_there(|| format!("remove the network {}", network.name))?;
            removed.networks.push(network.name);
        }
        self.remove_images(engine, removed).await
    }

    async fn remove_images(&self, engine: &Engine, removed: &mut Removed) -> Result<(), KindError> {
        let options =
            ListImagesOptionsBuilder::default().all(true).filters(&self.record.owner.filter()).build();
        let found = engine.docker().list_images(Some(options)).await.asked(|| "list its images".into())?;
        for image in found {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            let gone = engine.docker().remove_image(&image.id, Some(options), None).await;
            let name = image.repo_tags.first().unwrap_or(&image.id).clone();
            gone.asked_if_there(|| format!("remove the image {name}"))?;
            removed.images.push(name);
        }
        Ok(())
    }
}

/// Removes a container, running or not, with its own volumes.
async fn remove_container(engine: &Engine, id: &str) -> Result<(), KindError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match engine.docker().remove_container(id, Some(options)).await {
        // Somebody is removing it already.
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, message }) => {
            tracing::debug!(id, message, "a container is on its way out");
            Ok(())
        }
        other => other.asked_if_there(|| format!("remove the container {id}")).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::{
        models::{ContainerCreateBody, HostConfig},
        query_parameters::{CreateContainerOptionsBuilder, InspectContainerOptions},
    };

    use super::*;
    use crate::backend::kind::{engine::Network, testing};

    /// A container as the kind program makes them: its labels, a volume of its own, none of our labels.
    async fn node(
        engine: &Engine,
        name: &str,
        cluster: &str,
        image: &str,
        network: &Network,
    ) -> (String, String) {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(["-c", testing::FOREVER].map(str::to_owned).into()),
            labels: Some(HashMap::from([
                ("io.x-k8s.kind.cluster".into(), cluster.into()),
                ("io.x-k8s.kind.role".into(), "control-plane".into()),
                // A container has the labels of its image unless it says otherwise.
                ("dev.pulldrill.lab".into(), String::new()),
            ])),
            volumes: Some(vec!["/var".into()]),
            host_config: Some(HostConfig { network_mode: Some(network.name.clone()), ..Default::default() }),
            ..Default::default()
        };
        let id = engine.docker().create_container(Some(options), body).await.unwrap().id;
        let made = engine.docker().inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
        let volume = made.mounts.unwrap().remove(0).name.unwrap();
        (id, volume)
    }

    async fn there(engine: &Engine, volume: &str) -> bool {
        let found = engine.docker().inspect_volume(volume).await;
        found.asked_if_there(|| "look".into()).unwrap().is_some()
    }

    #[tokio::test]
    async fn only_what_is_ours_goes() {
        let Some(engine) = testing::engine().await else { return };
        let (ours, theirs) = (testing::Made::new(engine.clone()), testing::Made::new(engine.clone()));
        let (image, network) = (ours.image().await, ours.network().await);
        let (their_image, their_network) = (theirs.image().await, theirs.network().await);
        ours.container("one", &image, &network).await;
        let (their_container, _) = theirs.container("one", &their_image, &their_network).await;
        let cluster = ours.owner.name.as_str();
        let (started, volume) = node(&engine, &format!("{cluster}-a"), cluster, &image, &network).await;
        engine.start_container(&started).await.unwrap();
        let (_, second) = node(&engine, &format!("{cluster}-b"), cluster, &image, &network).await;
        let (foreign, third) =
            node(&engine, &format!("{cluster}-c"), cluster, &their_image, &their_network).await;
        assert_eq!(membership::cluster(&engine, &ours.owner).await.unwrap(), membership::Whose::Foreign);
        assert_eq!(membership::cluster(&engine, &theirs.owner).await.unwrap(), membership::Whose::Nobodys);

        let removed = ours.sweep().await;
        assert_eq!(removed.containers.len(), 3, "{removed:?}");
        assert_eq!((&removed.networks, &removed.images), (&vec![network.name.clone()], &vec![image.clone()]));
        assert!(!there(&engine, &volume).await && !there(&engine, &second).await, "volumes stay behind");
        assert!(there(&engine, &third).await);
        for other in [&their_container, &foreign] {
            assert!(engine.inspect_container(other).await.unwrap().is_some());
        }
        assert!(engine.network(&their_network.id).await.is_ok());
        assert!(testing::has_image(&engine, &their_image).await);

        remove_container(&engine, &foreign).await.unwrap();
        theirs.sweep().await;
    }

    #[test]
    fn a_folder_without_a_cluster_has_nothing_to_sweep() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Sweep::from_folder(folder.path()).unwrap().is_none());
    }
}
