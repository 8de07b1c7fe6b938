//! What many stores begin with: objects made once, and shared until somebody writes to them.

use std::{collections::BTreeMap, sync::Arc};

use pulldrill_clock::secret;

use super::{Account, Objects, Past, Store, Stored};

/// Objects whose uid nobody asks for: they can be the same in every cluster.
const ALIKE: [&str; 3] =
    [".rbac.authorization.k8s.io", ".apiregistration.k8s.io", ".flowcontrol.apiserver.k8s.io"];

/// The first state of stores.
#[derive(Clone, Debug)]
pub struct Seed {
    revision: u64,
    resources: BTreeMap<Arc<str>, Objects>,
}

impl Seed {
    /// The present state of a store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        let inner = store.inner.read();
        Self { revision: inner.revision, resources: inner.resources.clone() }
    }

    /// How much a store takes that begins with it, in bytes.
    #[must_use]
    pub(crate) fn weight(&self) -> u64 {
        weight(&self.resources)
    }

    /// The objects for one more store: those that have an identity get one of their own.
    fn objects(&self) -> BTreeMap<Arc<str>, Objects> {
        let mut resources = self.resources.clone();
        let alike = |resource: &str| ALIKE.iter().any(|end| resource.ends_with(end));
        let own = resources.iter_mut().filter(|(resource, _)| !alike(resource));
        for (key, object) in own.flat_map(|(_, objects)| objects) {
            let mut body = object.with(object.value().clone());
            body.value["metadata"]["uid"] = secret::uid().into();
            *object = Arc::new(Stored::new(key.clone(), body, object.revision()));
        }
        resources
    }
}

impl Store {
    /// A store in memory that begins with the objects of a seed.
    #[must_use]
    pub(crate) fn of_seed(seed: &Seed, window_size: usize, account: Account) -> Self {
        let store = Self::within(window_size, account);
        store.begin(seed.objects(), seed.revision);
        store
    }

    /// Begins with these objects; whoever follows from before has to list.
    pub(super) fn begin(&self, resources: BTreeMap<Arc<str>, Objects>, revision: u64) {
        let mut inner = self.inner.write();
        inner.revision = revision.max(1);
        inner.compacted = inner.revision;
        inner.floor = inner.revision;
        for (resource, objects) in &resources {
            let latest = objects.values().map(|object| object.revision()).max();
            inner.changed.insert(resource.clone(), latest.unwrap_or_default());
        }
        inner.account.begin(weight(&resources));
        inner.resources = resources;
        drop(inner);
        self.announce(None);
    }
}

fn weight(resources: &BTreeMap<Arc<str>, Objects>) -> u64 {
    resources.values().flat_map(BTreeMap::values).map(|object| object.weight()).sum()
}

impl Past {
    /// The same, or the objects of a seed when there was no life before.
    #[must_use]
    pub fn or_seed(mut self, seed: &Seed) -> Self {
        if self.resources.is_empty() {
            self.resources = seed.objects();
            self.revision = self.revision.max(seed.revision);
            self.record.note_first(&self.resources);
        }
        self
    }
}
