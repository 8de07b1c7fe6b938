//! The virtual clusters of a process: complete control planes on one listener, each with objects, roles and tokens of its
//! own. What they begin with is made once and shared until it is written to, so that one more costs little.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use parking_lot::RwLock;
use pulldrill_clock::secret;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{
    ClusterError,
    first::first_objects,
    kept_authority, kept_signer,
    kubeconfig::{self, Credential},
    plane::{ControlPlane, Plan, Site},
};
use crate::{
    api::{Api, ApiOptions, SigningAuthority, Status, User, http},
    store::{Seed, Store},
};

/// How many events a virtual cluster keeps for watches.
const WINDOW: usize = 1_000;

/// The user of a virtual cluster's kubeconfig.
const ADMIN: &str = "kubernetes-admin";

pub(super) struct VirtualClusters {
    site: Arc<Site>,
    running: RwLock<BTreeMap<String, Arc<Virtual>>>,
    /// Who is known in all of them: tokens and users.
    masters: RwLock<Vec<(String, User)>>,
    /// One of them is made or removed at a time.
    changing: tokio::sync::Mutex<()>,
    seed: OnceCell<Seed>,
    stop: CancellationToken,
}

struct Virtual {
    plane: ControlPlane,
    token: String,
}

impl VirtualClusters {
    pub(super) fn new(site: Arc<Site>, stop: CancellationToken) -> Self {
        let (running, masters, changing, seed) = Default::default();
        Self { site, running, masters, changing, seed, stop }
    }

    /// Takes a token for a user of every cluster, those to come included.
    pub(super) fn accept(&self, token: &str, user: &User) {
        // In this order, and by who starts one in the other, so that none is left out.
        self.masters.write().push((token.to_owned(), user.clone()));
        for one in self.running.read().values() {
            one.plane.access.accept(token, user.clone());
        }
    }

    /// Starts those that lived before.
    pub(super) async fn resume(&self) -> Result<(), ClusterError> {
        let Some(disk) = &self.site.disk else { return Ok(()) };
        for name in disk.clusters().await?.into_iter().filter(|name| !name.is_empty()) {
            self.start(&name).await?;
        }
        Ok(())
    }

    /// Waits until all have ended, after they were stopped.
    pub(super) async fn ended(&self) {
        let all: Vec<_> = self.running.read().values().cloned().collect();
        for one in all {
            one.plane.tasks.wait().await;
        }
    }

    /// What all of them begin with.
    async fn seed(&self) -> Result<&Seed, ClusterError> {
        self.seed.get_or_try_init(async || self.first_state()).await
    }

    async fn start(&self, name: &str) -> Result<Arc<Virtual>, ClusterError> {
        let seed = self.seed().await?;
        let account = self.site.space.share();
        let mut token = secret::token();
        let mut signer = None;
        let mut signing = SigningAuthority::later();
        let store = match &self.site.disk {
            None => Store::of_seed(seed, WINDOW, account),
            Some(disk) => {
                signer = Some(kept_signer(disk, name).await?);
                signing = kept_authority(disk, name).await?;
                let kept = disk.keep(&format!("token/{name}"), token.into_bytes()).await?;
                token = String::from_utf8_lossy(&kept).into_owned();
                Store::of_past_within(disk.past(name).await?.or_seed(seed), WINDOW, account)
            }
        };
        let stop = self.stop.child_token();
        let plan = Plan { name, store, begins: false, signer, signing, stop };
        let plane = ControlPlane::start(&self.site, plan)?;
        plane.access.accept(&token, User::named(ADMIN, &["system:masters"]));
        let started = Arc::new(Virtual { plane, token });
        self.running.write().insert(name.to_owned(), started.clone());
        for (token, user) in &*self.masters.read() {
            started.plane.access.accept(token, user.clone());
        }
        Ok(started)
    }

    /// What a cluster has before anybody comes, made in a store that nobody sees.
    fn first_state(&self) -> Result<Seed, ClusterError> {
        let store = Arc::new(Store::new(1));
        let release = self.site.release();
        let options = ApiOptions { admission: true, seed: self.site.seed, release, ..ApiOptions::default() };
        let api = Api::with_options(store.clone(), self.site.clock.clone(), options);
        first_objects(&api, self.site.authority.pem(), release)?;
        Ok(Seed::of(&store))
    }

    fn kubeconfig(&self, name: &str, one: &Virtual) -> String {
        kubeconfig::write(
            &format!("https://{}/clusters/{name}", self.site.address),
            self.site.authority.pem(),
            name,
            ADMIN,
            &Credential::Token(&one.token),
        )
    }
}

impl http::VirtualClusters for VirtualClusters {
    fn find(&self, name: &str) -> Option<http::Server> {
        self.running.read().get(name).map(|one| one.plane.server.clone())
    }

    fn names(&self) -> Vec<String> {
        self.running.read().keys().cloned().collect()
    }

    fn create(&self, name: String) -> BoxFuture<'_, Result<(String, bool), Status>> {
        Box::pin(async move {
            let _one_at_a_time = self.changing.lock().await;
            let present = self.running.read().get(&name).cloned();
            let (one, new) = match present {
                Some(present) => (present, false),
                None => {
                    let seed = self.seed().await.map_err(failed)?;
                    if !self.site.space.has(seed.weight()) {
                        return Err(Status::full());
                    }
                    (self.start(&name).await.map_err(failed)?, true)
                }
            };
            one.plane.api.store().durable().await.map_err(|error| Status::internal(error.to_string()))?;
            Ok((self.kubeconfig(&name, &one), new))
        })
    }

    fn delete(&self, name: String) -> BoxFuture<'_, Result<bool, Status>> {
        Box::pin(async move {
            let _one_at_a_time = self.changing.lock().await;
            let Some(one) = self.running.write().remove(&name) else { return Ok(false) };
            one.plane.server.stop.cancel();
            one.plane.tasks.wait().await;
            one.plane.api.store().end();
            if let Some(disk) = &self.site.disk {
                disk.forget(&name).await.map_err(failed)?;
            }
            Ok(true)
        })
    }
}

fn failed(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}
