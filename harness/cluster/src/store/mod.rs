//! The object store: every object of one cluster, each version kept as a value, or as its encoded bytes, or both.
//!
//! A revision counter orders all writes. Behind it a bounded window of events lets watches replay what
//! happened since a revision, and lets lists go back to one. It knows nothing of kinds: names of resources
//! (`pods`, `deployments.apps`) are opaque to it, and rules about writes belong to the API layer. Everything is in
//! memory; a store on a [`Disk`] also outlives the process.

mod aging;
mod disk;
mod error;
mod events;
mod object;
mod packing;
mod seed;
mod shift;
mod space;
mod weight;
mod whole;
mod window;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::RwLock;
use pulldrill_clock::mailbox;
use tokio::sync::watch;

use aging::Aged;
pub use disk::{Disk, DiskError, Past, migrate};
use error::Refusal;
pub use error::StoreError;
pub use events::{Change, Event};
pub use object::{Body, Key, Stored};
use packing::Packing;
pub use seed::Seed;
pub use shift::shift_times;
use space::Full;
pub use space::Space;
pub(crate) use space::{Account, Need};
use window::Window;

/// The objects of one resource, in the order in which lists show them (namespace, then name).
type Objects = BTreeMap<Key, Arc<Stored>>;

/// The object store of one cluster.
#[derive(Debug)]
pub struct Store {
    inner: RwLock<Inner>,
    revision: watch::Sender<u64>,
    followers: RwLock<HashMap<Arc<str>, watch::Sender<u64>>>,
    subscribers: RwLock<Vec<mailbox::Sender<StoreChanged>>>,
    record: Option<disk::Record>,
}

/// The message that subscribers get: look at [`Store::events_since`] the last revision you saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreChanged;

#[derive(Debug)]
struct Inner {
    revision: u64,
    resources: BTreeMap<Arc<str>, Objects>,
    /// The revision of each resource's latest write.
    changed: BTreeMap<Arc<str>, u64>,
    window: Window,
    packing: Packing,
    account: Account,
    /// Events up to and including this revision are no longer in the window.
    compacted: u64,
    /// Who has seen nothing later than before this revision has to list, whatever the resource.
    floor: u64,
    aged: Option<Aged>,
    /// Nothing is written any more.
    ended: bool,
}

impl Store {
    /// An empty store that keeps `window_size` events for watches, and as many objects as there is memory.
    #[must_use]
    pub fn new(window_size: usize) -> Self {
        Self::within(window_size, Space::unlimited().account())
    }

    /// An empty store that takes no more than its account allows.
    #[must_use]
    pub(crate) fn within(window_size: usize, account: Account) -> Self {
        Self {
            inner: RwLock::new(Inner {
                revision: 1,
                resources: BTreeMap::new(),
                changed: BTreeMap::new(),
                window: Window::new(window_size),
                packing: Packing::default(),
                account,
                compacted: 1,
                floor: 0,
                aged: None,
                ended: false,
            }),
            revision: watch::Sender::new(1),
            followers: RwLock::default(),
            subscribers: RwLock::new(Vec::new()),
            record: None,
        }
    }

    /// The store of a cluster that may have lived before, and whose writes are noted on disk. Revisions go on rising;
    /// who followed the former life has to list again.
    #[must_use]
    pub fn of_past(past: Past, window_size: usize) -> Self {
        Self::of_past_within(past, window_size, Space::unlimited().account())
    }

    /// [`Store::of_past`] that takes no more than its account allows. What is there already stays.
    #[must_use]
    pub(crate) fn of_past_within(past: Past, window_size: usize, account: Account) -> Self {
        let store = Self { record: Some(past.record), ..Self::within(window_size, account) };
        store.begin(past.resources, past.revision);
        {
            let mut inner = store.inner.write();
            let Inner { resources, packing, .. } = &mut *inner;
            for (resource, objects) in resources {
                objects.values().for_each(|object| packing.queue(resource, object));
            }
        }
        store
    }

    /// Waits until everything that was written so far would be there after the end of the process. At once for a
    /// store that is in memory alone.
    ///
    /// # Errors
    /// [`StoreError::Disk`] when it could not be written.
    pub async fn durable(&self) -> Result<(), StoreError> {
        let Some(record) = &self.record else { return Ok(()) };
        record.written().await.map_err(StoreError::Disk)
    }

    /// The revision of the latest write.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner.read().revision
    }

    /// The oldest revision that [`Store::events_since`] still answers for.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.inner.read().compacted
    }

    /// The revision of the latest write to any of these resources, zero when there was none: for whoever
    /// keeps something that is made from them.
    #[must_use]
    pub fn changed(&self, resources: &[&str]) -> u64 {
        let inner = self.inner.read();
        resources.iter().filter_map(|r| inner.changed.get(*r)).copied().max().unwrap_or_default()
    }

    /// Follows the revision; for watches, which work in real time.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Follows the revision of one resource's latest write: who follows a quiet one is not woken by others.
    #[must_use]
    pub fn follow_resource(&self, resource: &str) -> watch::Receiver<u64> {
        if let Some(sender) = self.followers.read().get(resource) {
            return sender.subscribe();
        }
        let mut followers = self.followers.write();
        let sender = followers.entry(Arc::from(resource)).or_insert_with(|| watch::Sender::new(0));
        sender.subscribe()
    }

    /// How many follow one resource.
    #[must_use]
    pub fn followers_of(&self, resource: &str) -> usize {
        self.followers.read().get(resource).map_or(0, watch::Sender::receiver_count)
    }

    /// Sends a message, and with it a busy token, after every write; for parts that work in lab time.
    pub fn subscribe(&self, sender: mailbox::Sender<StoreChanged>) {
        self.subscribers.write().push(sender);
    }

    /// One object.
    #[must_use]
    pub fn get(&self, resource: &str, key: &Key) -> Option<Arc<Stored>> {
        self.inner.read().resources.get(resource)?.get(key).cloned()
    }

    /// All objects of a resource (of one namespace, or of all), and the revision they were read at.
    #[must_use]
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Stored>>, u64) {
        let mut inner = self.inner.read();
        if inner.packing.overflows() {
            drop(inner);
            self.pack();
            inner = self.inner.read();
        }
        let objects = inner.resources.get(resource);
        (objects.map(|o| select(o, namespace)).unwrap_or_default(), inner.revision)
    }

    /// Packs versions whose turn it is; whether there were any. Writes leave it to those who look at what was written, as
    /// long as these keep up.
    pub(crate) fn pack(&self) -> bool {
        let replaced = self.inner.write().pack();
        !replaced.is_empty()
    }

    /// How many objects of a resource there are.
    #[must_use]
    pub fn count(&self, resource: &str) -> usize {
        self.inner.read().resources.get(resource).map_or(0, BTreeMap::len)
    }

    /// [`Store::list`] as it would have been at an earlier revision.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when that revision is out of the window.
    pub fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Stored>>, StoreError> {
        let inner = self.inner.read();
        let mut objects = inner.resources.get(resource).cloned().unwrap_or_default();
        if revision < inner.compacted {
            return Err(StoreError::Compacted(revision));
        }
        for event in inner.window.after(revision).rev() {
            if &*event.resource == resource {
                event.undo(&mut objects);
            }
        }
        Ok(select(&objects, namespace))
    }

    /// The names of all resources that have objects.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<str>> {
        let inner = self.inner.read();
        inner.resources.iter().filter(|(_, o)| !o.is_empty()).map(|(r, _)| r.clone()).collect()
    }

    /// Everything that happened after `revision`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when that revision is out of the window: list again.
    pub fn events_since(&self, revision: u64) -> Result<Vec<Arc<Event>>, StoreError> {
        let inner = self.inner.read();
        if revision < inner.compacted {
            return Err(StoreError::Compacted(revision));
        }
        Ok(inner.window.after(revision).cloned().collect())
    }

    /// What happened to some resources after `revision`, oldest first, and up to which revision that is all.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when some of it may be out of the window: list again.
    pub fn events_of(&self, resources: &[&str], revision: u64) -> Result<(Vec<Arc<Event>>, u64), StoreError> {
        let inner = self.inner.read();
        let latest = resources.iter().filter_map(|resource| inner.changed.get(*resource)).max();
        if revision >= inner.floor && latest.is_none_or(|latest| *latest <= revision) {
            return Ok((Vec::new(), inner.revision.max(revision)));
        }
        if revision < inner.compacted {
            return Err(StoreError::Compacted(revision));
        }
        let events = inner.window.after(revision).filter(|e| resources.contains(&&*e.resource));
        Ok((events.cloned().collect(), inner.revision))
    }

    /// Stores a new object; its `metadata.resourceVersion` is set.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Full`], [`StoreError::Ended`].
    pub fn create(
        &self,
        resource: &str,
        key: Key,
        object: impl Into<Body>,
    ) -> Result<Arc<Stored>, StoreError> {
        self.write(resource, key, Need::New, |current| match current {
            Some(_) => Err(Refusal::Exists),
            None => Ok(Some(object.into())),
        })
    }

    /// Replaces an object; with `expected`, only if it is still at that revision.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`], [`StoreError::Full`], [`StoreError::Ended`].
    pub fn update(
        &self,
        resource: &str,
        key: &Key,
        expected: Option<u64>,
        object: impl Into<Body>,
    ) -> Result<Arc<Stored>, StoreError> {
        self.update_for(Need::Change, resource, key, expected, object)
    }

    /// [`Store::update`] for what it is needed for.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`], [`StoreError::Full`], [`StoreError::Ended`].
    pub(crate) fn update_for(
        &self,
        need: Need,
        resource: &str,
        key: &Key,
        expected: Option<u64>,
        object: impl Into<Body>,
    ) -> Result<Arc<Stored>, StoreError> {
        self.write(resource, key.clone(), need, |current| {
            check(current, expected)?;
            Ok(Some(object.into()))
        })
    }

    /// Removes an object and returns its last state, which carries the revision of the removal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`], [`StoreError::Ended`].
    pub fn delete(
        &self,
        resource: &str,
        key: &Key,
        expected: Option<u64>,
    ) -> Result<Arc<Stored>, StoreError> {
        self.write(resource, key.clone(), Need::End, |current| {
            check(current, expected)?;
            Ok(None)
        })
    }

    /// Refuses every write from now on: the cluster is being removed, and what comes late must not be noted for the next
    /// one of its name.
    pub(crate) fn end(&self) {
        self.inner.write().ended = true;
    }

    /// The one path of all writes: decides under the lock, numbers the change, and tells everybody.
    fn write(
        &self,
        resource: &str,
        key: Key,
        need: Need,
        decide: impl FnOnce(Option<&Arc<Stored>>) -> Result<Option<Body>, Refusal>,
    ) -> Result<Arc<Stored>, StoreError> {
        let mut guard = self.inner.write();
        let inner = &mut *guard;
        if inner.ended {
            return Err(StoreError::Ended);
        }
        let resource: Arc<str> = match inner.resources.get_key_value(resource) {
            Some((name, _)) => name.clone(),
            None => Arc::from(resource),
        };
        let revision = inner.revision + 1;
        let objects = inner.resources.entry(resource.clone()).or_default();
        let previous = objects.get(&key).cloned();
        let decision = decide(previous.as_ref()).map_err(|r| r.explain(&resource, &key))?;
        let before = previous.as_ref().map_or(0, |previous| previous.weight());
        let (change, object) = match decision {
            Some(body) => {
                let object = Arc::new(Stored::new(key.clone(), body, revision));
                inner.account.replace(before, object.weight(), need).map_err(|Full| StoreError::Full)?;
                objects.insert(key.clone(), object.clone());
                (if previous.is_some() { Change::Modified } else { Change::Added }, object)
            }
            None => {
                inner.account.replace(before, 0, need).map_err(|Full| StoreError::Full)?;
                objects.remove(&key);
                let last = previous.as_ref().map(|p| p.with(p.value().clone())).unwrap_or_default();
                (Change::Deleted, Arc::new(Stored::new(key.clone(), last, revision)))
            }
        };
        self.note(&resource, &key, (change != Change::Deleted).then_some(&object), revision);
        inner.revision = revision;
        inner.changed.insert(resource.clone(), revision);
        inner.packing.queue(&resource, &object);
        let event =
            Event { revision, resource: resource.clone(), key, change, object: object.clone(), previous };
        if let Some(gone) = inner.window.push(event, &mut inner.account) {
            inner.compacted = inner.compacted.max(gone);
            if let Some(aged) = &mut inner.aged {
                aged.from = aged.from.max(gone);
            }
        }
        let replaced = if inner.packing.presses() { inner.pack() } else { Vec::new() };
        drop(guard);
        // Many small pieces of memory: nobody shall wait for that.
        drop(replaced);
        self.announce(Some(&resource));
        Ok(object)
    }

    /// Notes a write for the disk; called under the lock, so that the notes are in order.
    fn note(&self, resource: &Arc<str>, key: &Key, object: Option<&Arc<Stored>>, revision: u64) {
        if let Some(record) = &self.record {
            record.note(resource, key, object, revision);
        }
    }

    /// Tells everybody that there was a write, to one resource or to all.
    fn announce(&self, resource: Option<&Arc<str>>) {
        for subscriber in self.subscribers.read().iter() {
            subscriber.send(StoreChanged);
        }
        let revision = self.revision();
        rise(&self.revision, revision);
        let followers = self.followers.read();
        match resource {
            Some(resource) => {
                followers.get(resource).into_iter().for_each(|follower| rise(follower, revision));
            }
            None => followers.values().for_each(|follower| rise(follower, revision)),
        }
    }
}

/// Tells a revision, unless a later one has been told.
fn rise(sender: &watch::Sender<u64>, revision: u64) {
    sender.send_if_modified(|seen| {
        let newer = revision > *seen;
        *seen = revision.max(*seen);
        newer
    });
}

fn check(current: Option<&Arc<Stored>>, expected: Option<u64>) -> Result<(), Refusal> {
    let current = current.ok_or(Refusal::NotFound)?.revision();
    match expected {
        Some(expected) if expected != current => Err(Refusal::Conflict { expected, current }),
        _ => Ok(()),
    }
}

fn select(objects: &Objects, namespace: Option<&str>) -> Vec<Arc<Stored>> {
    match namespace {
        None => objects.values().cloned().collect(),
        Some(ns) => objects
            .range(Key::new(ns, "")..)
            .take_while(|(key, _)| key.namespace == ns)
            .map(|(_, object)| object.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests;
