//! A mirror of a real cluster's objects, kept by watches, in the form in which the lab looks at objects.
//!
//! It shows what the API server showed, version by version, a moment later. It writes nothing to the cluster.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    api::DynamicObject,
    core::ApiResource,
    runtime::watcher::{self, Event, watcher},
};
use pulldrill_clock::real;
use pulldrill_cluster::store::{Key, Store};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{LabError, inject::objects::resource_named};

/// How many versions of objects are remembered for those who come late.
const WINDOW: usize = 20_000;

/// How long the first list of each resource may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the lab looks at in the namespaces of drills.
pub(crate) const NAMESPACED: [&str; 10] = [
    "pods",
    "events",
    "secrets",
    "serviceaccounts",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
];

/// What it looks at beside them.
pub(crate) const CLUSTER_WIDE: [&str; 2] = ["namespaces", "nodes"];

/// Whether the objects of a resource (`deployments.apps`) are looked at.
pub(crate) fn is_followed(resource: &str) -> bool {
    NAMESPACED.iter().chain(&CLUSTER_WIDE).any(|followed| *followed == resource)
}

/// The mirror; it ends with its token.
pub(crate) struct Mirror {
    client: Client,
    store: Arc<Store>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Which objects of a resource are followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Only this namespace's.
    pub(crate) namespace: Option<String>,
    /// Only those with these labels, as a selector.
    pub(crate) labels: Option<String>,
}

impl Mirror {
    /// A mirror that shows nothing yet.
    pub(crate) fn new(client: Client, stop: CancellationToken) -> Self {
        Self { client, store: Arc::new(Store::new(WINDOW)), stop, tasks: TaskTracker::new() }
    }

    /// The mirrored objects.
    pub(crate) fn objects(&self) -> &Arc<Store> {
        &self.store
    }

    /// Follows resources from now on; returns when what is there already is mirrored. What the cluster does
    /// not serve (`batch/v1` CronJobs before Kubernetes 1.21) is left out.
    pub(crate) async fn follow(&self, resources: &[&'static str], scope: &Scope) -> Result<(), LabError> {
        let mut waiting = Vec::new();
        for resource in resources {
            let Some(served) = self.served(resource).await? else {
                tracing::debug!(resource, "this cluster does not serve it");
                continue;
            };
            let api: Api<DynamicObject> = match &scope.namespace {
                Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &served),
                None => Api::all_with(self.client.clone(), &served),
            };
            let (synced, is_synced) = watch::channel(false);
            let follower = Follower {
                resource,
                kind: served,
                namespace: scope.namespace.clone(),
                store: self.store.clone(),
                synced,
            };
            let config =
                watcher::Config { label_selector: scope.labels.clone(), ..watcher::Config::default() };
            self.tasks.spawn(follower.run(api, config, self.stop.clone()));
            waiting.push((*resource, is_synced));
        }
        for (resource, mut synced) in waiting {
            let done = real::timeout(PATIENCE, synced.wait_for(|synced| *synced)).await;
            if !matches!(done, Some(Ok(_))) {
                return Err(LabError::part("cluster", format!("{resource}: no list came in {PATIENCE:?}")));
            }
        }
        Ok(())
    }

    /// The resource in the version that the cluster serves.
    async fn served(&self, name: &'static str) -> Result<Option<ApiResource>, LabError> {
        let wanted = resource_named(name);
        let failed = |error: kube::Error| LabError::part("cluster", format!("{name}: {error}"));
        let known = if wanted.group.is_empty() {
            self.client.list_core_api_resources("v1").await
        } else {
            self.client.list_api_group_resources(&wanted.api_version).await
        };
        let list = match known {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = list.resources.into_iter().find(|resource| resource.name == wanted.plural);
        Ok(found.map(|found| ApiResource { kind: found.kind, ..wanted }))
    }

    /// Waits until nothing follows any more, once the token is cancelled.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Keeps one resource.
struct Follower {
    resource: &'static str,
    kind: ApiResource,
    namespace: Option<String>,
    store: Arc<Store>,
    synced: watch::Sender<bool>,
}

impl Follower {
    async fn run(self, api: Api<DynamicObject>, config: watcher::Config, stop: CancellationToken) {
        let events = watcher(api, config);
        pin_mut!(events);
        let mut listed = BTreeSet::new();
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                None => return,
                Some(Ok(event)) => self.take(event, &mut listed),
                Some(Err(error)) => {
                    tracing::debug!(resource = self.resource, %error, "a watch is begun anew");
                    real::sleep(Duration::from_millis(250)).await;
                }
            }
        }
    }

    fn take(&self, event: Event<DynamicObject>, listed: &mut BTreeSet<Key>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                if let Some(key) = self.put(object) {
                    listed.insert(key);
                }
            }
            Event::InitDone => {
                let (all, _) = self.store.list(self.resource, self.namespace.as_deref());
                for gone in all.iter().map(|object| object.key()).filter(|key| !listed.contains(key)) {
                    self.remove(gone);
                }
                listed.clear();
                self.synced.send_replace(true);
            }
            Event::Apply(object) => drop(self.put(object)),
            Event::Delete(object) => {
                // The last state first: it tells since when the object was leaving.
                if let Some(key) = self.put(object) {
                    self.remove(&key);
                }
            }
        }
    }

    fn put(&self, mut object: DynamicObject) -> Option<Key> {
        object.metadata.managed_fields = None;
        let mut value = serde_json::to_value(object).ok()?;
        value["apiVersion"] = Value::from(self.kind.api_version.as_str());
        value["kind"] = Value::from(self.kind.kind.as_str());
        let key = Key::of(&value);
        let written = match self.store.get(self.resource, &key) {
            Some(known) if same(known.value(), &value) => return Some(key),
            Some(_) => self.store.update(self.resource, &key, None, value),
            None => self.store.create(self.resource, key.clone(), value),
        };
        if let Err(error) = written {
            tracing::warn!(resource = self.resource, %error, "an object could not be mirrored");
        }
        Some(key)
    }

    fn remove(&self, key: &Key) {
        let _already_gone = self.store.delete(self.resource, key, None);
    }
}

/// Whether two versions differ in their number at most: a watch that is begun anew shows what is known.
fn same(known: &Value, new: &Value) -> bool {
    let without_version = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        value
    };
    without_version(known) == without_version(new)
}
