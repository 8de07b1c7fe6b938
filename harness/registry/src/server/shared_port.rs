//! One port for all hosts: whose a connection is, the name in its TLS greeting says (SNI); where there is none, the `Host` of
//! each request. How a host answers is the same as at a port of its own: [`super::listener`].

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::RwLock;
use pulldrill_clock::real;
use rustls::server::Acceptor;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::listener::{Behind, CONNECTIONS, OUT_OF_FILES, PATIENCE};
use crate::{RegistryError, host::Host, registry::Shared};

/// The longest greeting: one TLS record.
const GREETING: usize = 5 + 16 * 1024;
/// The pause before it is looked again whether the rest of a greeting has come.
const AGAIN: Duration = Duration::from_millis(5);

/// All hosts, by the names that they are known by.
#[derive(Default)]
pub(crate) struct Doors(RwLock<All>);

#[derive(Default)]
struct All {
    by_name: BTreeMap<String, Behind>,
    /// Who answers where no name is said: the first that came.
    first: Option<Behind>,
}

impl Doors {
    /// Makes a host, or its host for tokens, known by these names.
    pub(super) fn add(&self, names: impl IntoIterator<Item = String>, behind: &Behind) {
        let mut all = self.0.write();
        all.first.get_or_insert_with(|| behind.clone());
        all.by_name.extend(names.into_iter().map(|name| (name.to_ascii_lowercase(), behind.clone())));
    }

    /// Forgets a host.
    pub(crate) fn remove(&self, host: &Arc<Host>) {
        let mut all = self.0.write();
        all.by_name.retain(|_, behind| !Arc::ptr_eq(&behind.host, host));
        if all.first.as_ref().is_some_and(|behind| Arc::ptr_eq(&behind.host, host)) {
            all.first = all.by_name.values().next().cloned();
        }
    }

    /// Whose a name is, which may have a port behind it.
    pub(super) fn find(&self, name: &str) -> Option<Behind> {
        let name = name.to_ascii_lowercase();
        let all = self.0.read();
        let bare = || name.rsplit_once(':').and_then(|(bare, _)| all.by_name.get(bare));
        all.by_name.get(&name).or_else(bare).cloned()
    }

    fn first(&self) -> Option<Behind> {
        self.0.read().first.clone()
    }
}

/// Serves all hosts at one address, those that come later as well; where that is.
pub(crate) async fn serve(shared: &Arc<Shared>, at: SocketAddr) -> Result<SocketAddr, RegistryError> {
    let fail = |source| RegistryError::Listen { host: format!("all registries at {at}"), source };
    let socket = TcpListener::bind(at).await.map_err(fail)?;
    let address = socket.local_addr().map_err(fail)?;
    let (tasks, shared) = (shared.tasks.clone(), shared.clone());
    tasks.spawn(async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = shared.stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                real::sleep(OUT_OF_FILES).await;
                continue;
            };
            let client = shared.clients.client(peer);
            let Ok(permit) = room.clone().try_acquire_owned() else { continue };
            let shared = shared.clone();
            shared.tasks.clone().spawn(async move {
                let name = tokio::select! {
                    () = shared.stop.cancelled() => return,
                    name = real::timeout(PATIENCE, asked_for(&stream)) => name.flatten(),
                };
                // A name that is nobody's gets nothing.
                let behind = match &name {
                    Some(name) => shared.doors.find(name),
                    None => shared.doors.first(),
                };
                if let Some(behind) = behind {
                    behind.serve(shared, stream, client, name.is_none()).await;
                }
                drop(permit);
            });
        }
    });
    Ok(address)
}

/// The name in the TLS greeting, which stays to be read. Nothing where there is no greeting, or no name in it.
async fn asked_for(stream: &TcpStream) -> Option<String> {
    let mut seen = vec![0; GREETING];
    let mut before = 0;
    loop {
        let length = stream.peek(&mut seen).await.ok()?;
        if length == before {
            // Nothing new, or the end: the greeting is not whole.
            if length == 0 || length == seen.len() {
                return None;
            }
            real::sleep(AGAIN).await;
            continue;
        }
        before = length;
        let mut acceptor = Acceptor::default();
        let mut rest = &seen[..length];
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest).ok()?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return accepted.client_hello().server_name().map(str::to_owned),
                Err(_) => return None,
            }
        }
    }
}
