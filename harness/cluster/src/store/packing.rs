//! Which versions have their values beside their JSON: the latest ones, and those that somebody works with. A value takes
//! some times the memory of its JSON, and most objects of a large cluster are only listed and watched.
//!
//! Each version that gets a value is queued. When all values together are more than is allowed, those that have waited
//! longest and have not been used since are packed. Who reads a packed one gets its value back, and has it queued again. One that
//! comes back again and again raises what is allowed for a while, so that a cluster that works with many objects stops packing them.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use super::{Inner, Key, Stored};

/// How much versions with values may weigh together before any of them is packed, in bytes.
const ALLOWED: u64 = 4 << 20;
/// How much they may weigh before a write does it by itself, which somebody waits for.
const MOST: u64 = 2 * ALLOWED;
/// What is allowed beyond that goes down by a part of itself at every look: one of so many.
const DECAY: u64 = 8192;
/// How many versions are looked at at once at most, so that nobody holds the lock longer.
const LOOKS: usize = 16;

/// A version that has its value.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) resource: Arc<str>,
    pub(super) key: Key,
    pub(super) revision: u64,
    pub(super) weight: u64,
}

/// The versions of a store that have values, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Packing {
    queue: VecDeque<Place>,
    /// What they weigh.
    weight: u64,
    /// What is allowed beyond [`ALLOWED`].
    more: u64,
    returns: Arc<Returns>,
}

/// The versions that got their values back, until the next write.
#[derive(Debug, Default)]
struct Returns {
    places: Mutex<Vec<Place>>,
    weight: AtomicU64,
    /// What those weigh that did so not for the first time.
    again: AtomicU64,
}

/// Where a packed version says that it has its value again.
#[derive(Clone, Debug)]
pub(super) struct Home {
    returns: Arc<Returns>,
    resource: Arc<str>,
    /// It has had its value back before.
    pub(super) returned: bool,
}

impl Home {
    pub(super) fn unpacked(&self, key: &Key, revision: u64, weight: u64) {
        let (resource, key) = (self.resource.clone(), key.clone());
        self.returns.places.lock().push(Place { resource, key, revision, weight });
        self.returns.weight.fetch_add(weight, Relaxed);
        if self.returned {
            self.returns.again.fetch_add(weight, Relaxed);
        }
    }
}

impl Packing {
    /// Where packed versions of a resource say what becomes of them.
    pub(super) fn home(&self, resource: &Arc<str>) -> Home {
        Home { returns: self.returns.clone(), resource: resource.clone(), returned: false }
    }

    /// A version that has its value.
    pub(super) fn queue(&mut self, resource: &Arc<str>, object: &Stored) {
        let (revision, weight) = (object.revision(), object.weight());
        self.weight += weight;
        self.queue.push_back(Place {
            resource: resource.clone(),
            key: object.key().clone(),
            revision,
            weight,
        });
    }

    /// Whether what was unpacked since the last write is too much to wait for the next one.
    pub(super) fn overflows(&self) -> bool {
        self.returns.weight.load(Relaxed) > ALLOWED
    }

    /// Whether versions have to be packed before others get values.
    pub(super) fn presses(&self) -> bool {
        self.weight + self.returns.weight.load(Relaxed) > MOST + self.more
    }

    /// The versions whose turn it is. Those for which `keep` holds have another one later.
    pub(super) fn due(&mut self, mut keep: impl FnMut(&Place) -> bool) -> Vec<Place> {
        self.more -= self.more.div_ceil(DECAY);
        if self.returns.weight.load(Relaxed) > 0 {
            let places = std::mem::take(&mut *self.returns.places.lock());
            let weight = places.iter().map(|place| place.weight).sum::<u64>();
            self.returns.weight.fetch_sub(weight, Relaxed);
            self.weight += weight;
            self.more += self.returns.again.swap(0, Relaxed);
            self.queue.extend(places);
        }
        let mut due = Vec::new();
        for _ in 0..LOOKS {
            if self.weight <= ALLOWED + self.more {
                break;
            }
            let Some(place) = self.queue.pop_front() else { break };
            if keep(&place) {
                self.queue.push_back(place);
            } else {
                self.weight -= place.weight;
                due.push(place);
            }
        }
        due
    }
}

impl Inner {
    /// Packs versions whose turn it is. Returns those that they took the place of.
    pub(super) fn pack(&mut self) -> Vec<Arc<Stored>> {
        let Self { resources, packing, window, .. } = self;
        let current = |place: &Place| {
            let object = resources.get(&place.resource).and_then(|objects| objects.get(&place.key));
            object.filter(|object| object.revision() == place.revision)
        };
        let due = packing.due(|place| current(place).is_some_and(|object| object.take_used()));
        let mut replaced = Vec::new();
        for Place { resource, key, revision, .. } in due {
            let home = packing.home(&resource);
            let packed =
                |object: &Arc<Stored>| object.packed(home.clone()).map_or_else(|| object.clone(), Arc::new);
            let current = resources.get_mut(&resource).and_then(|objects| objects.get_mut(&key));
            let current = current.filter(|object| object.revision() == revision).map(|object| {
                replaced.push(std::mem::replace(object, packed(object)));
                &*object
            });
            window.exchange(revision, |object| match current {
                Some(current) if object.revision() == revision => current.clone(),
                _ => packed(object),
            });
        }
        replaced
    }
}

#[cfg(test)]
mod tests;
