//! What runs inside containers.
//!
//! Nothing here touches the machine: programs are functions (`commands`), files are kept in memory
//! (`files`), time is the lab's. Which programs an image has is data (`images`). A new program is a row in
//! `commands` and a word in `images.yaml`.
//!
//! - [`Runtime`]: the running containers of a cluster, and how clients reach into them.
//! - `container`: one of them: main process, log, who is attached.
//! - `process`: what a program gets; `work` counts it for the clock; `terminal` is between it and people.
//! - `shell`: the program that runs others. `listener`: what answers at ports.
//!
//! It knows no protocol, and nothing of pods but the uid that containers are found by.

mod commands;
pub(crate) mod container;
mod files;
mod furnish;
pub(crate) mod images;
mod listener;
mod process;
mod shell;
mod terminal;
mod work;

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use pulldrill_clock::Clock;

use container::{Container, Spec, Start};
use files::Files;

use crate::{
    puller::words,
    streams::{Containers, Dialed, Running, Session},
};

/// The running containers of a cluster, by pod uid and name.
pub struct Runtime {
    clock: Clock,
    containers: Mutex<HashMap<(String, String), Arc<Container>>>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({} containers)", self.containers.lock().len())
    }
}

impl Runtime {
    /// No container runs yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, containers: Mutex::default() }
    }

    /// Adds a container, in place of one of the same name.
    pub(crate) fn create(&self, pod_uid: &str, name: &str, spec: Spec) -> (Arc<Container>, Start) {
        let (container, start) = Container::new(&self.clock, spec);
        let key = (pod_uid.to_owned(), name.to_owned());
        let before = self.containers.lock().insert(key, container.clone());
        if let Some(before) = before {
            before.kill();
        }
        (container, start)
    }

    /// What is in a file of a container.
    pub(crate) fn file(&self, pod_uid: &str, name: &str, path: &str) -> Option<Arc<Vec<u8>>> {
        self.find(pod_uid, name)?.files().read(&files::resolve("/", path)).ok()
    }

    /// Asks the main process of a container to end (SIGTERM).
    pub(crate) fn terminate(&self, pod_uid: &str, name: &str) {
        if let Some(container) = self.find(pod_uid, name) {
            container.terminate();
        }
    }

    /// Ends a container and what runs in it.
    pub(crate) fn remove(&self, pod_uid: &str, name: &str) {
        let gone = self.containers.lock().remove(&(pod_uid.to_owned(), name.to_owned()));
        if let Some(gone) = gone {
            gone.kill();
        }
    }

    /// Ends all containers of a pod.
    pub(crate) fn remove_pod(&self, pod_uid: &str) {
        let mut gone = Vec::new();
        self.containers.lock().retain(|(uid, _), container| {
            if uid == pod_uid {
                gone.push(container.clone());
            }
            uid != pod_uid
        });
        gone.iter().for_each(|container| container.kill());
    }

    fn find(&self, pod_uid: &str, name: &str) -> Option<Arc<Container>> {
        self.containers.lock().get(&(pod_uid.to_owned(), name.to_owned())).cloned()
    }
}

impl Containers for Runtime {
    fn exec(
        &self,
        pod_uid: &str,
        container: &str,
        command: Vec<String>,
        session: Session,
    ) -> Option<Running> {
        Some(self.find(pod_uid, container)?.exec(command, session))
    }

    fn attach(&self, pod_uid: &str, container: &str, session: Session) -> Option<Running> {
        Some(self.find(pod_uid, container)?.attach(session))
    }

    fn dial(&self, pod_uid: &str, port: u16) -> Result<Dialed, String> {
        let containers: Vec<Arc<Container>> = {
            let all = self.containers.lock();
            all.iter().filter(|((uid, _), _)| uid == pod_uid).map(|(_, c)| c.clone()).collect()
        };
        let sandbox = words::hex_id(&[pod_uid, "sandbox"]);
        containers.iter().find_map(|c| c.dial(port)).ok_or_else(|| {
            let namespace = words::identity(&[pod_uid, "network"]);
            format!(
                "error forwarding port {port} to pod {sandbox}, uid : failed to execute portforward in network \
                 namespace \"/var/run/netns/cni-{namespace}\": failed to connect to localhost:{port} inside namespace \
                 \"{sandbox}\", IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused IPv6 dial tcp6: address \
                 localhost: no suitable address found "
            )
        })
    }
}
