//! How much the stores of a process may hold together, as a real API server's etcd has a quota: what is beyond it is
//! refused with etcd's words. It counts bytes, and knows of objects only what they are written for.
//!
//! What differs from etcd: there, a full database takes deletions alone until somebody has compacted it and has disarmed its alarm.
//! Here the limit is for what is new. Changes may use a reserve beyond it, deletions are never refused, and as soon as
//! something has gone there is room again: `kubectl scale --replicas=0` helps by itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How much is beyond the limit for changes of what is there, as a part of the limit: an eighth.
const RESERVE: u64 = 8;
/// How much of the limit a virtual cluster may use: a quarter, so that one that runs away leaves room for others.
const SHARE: u64 = 4;
/// How much superseded versions may take together, as a part of the limit: a quarter.
const PAST: u64 = 4;
/// What each store may keep of them whatever the others keep, in bytes.
const OWN_PAST: u64 = 2 << 20;

/// What a write needs room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A new object.
    New,
    /// What a part of the cluster has seen of an object. It may use half of the reserve, so that it never takes the room for
    /// what somebody wants.
    Status,
    /// A change of what is wanted.
    Change,
    /// The end of an object, or a step towards it. There is always room.
    End,
}

/// The room that the stores of one process share.
#[derive(Clone, Debug)]
pub struct Space(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    limit: u64,
    /// What all objects take.
    used: AtomicU64,
    /// What versions take that are no longer the present ones.
    past: AtomicU64,
}

impl Space {
    /// So many bytes.
    #[must_use]
    pub fn of(limit: u64) -> Self {
        let (used, past) = Default::default();
        Self(Arc::new(Pool { limit, used, past }))
    }

    /// As much as there is memory.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(u64::MAX)
    }

    /// The limit, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// What all objects take, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }

    /// What superseded versions take that watches can still ask for, in bytes.
    #[must_use]
    pub fn past(&self) -> u64 {
        self.0.past.load(Relaxed)
    }

    /// Whether so much more would fit.
    pub(crate) fn has(&self, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= self.0.limit
    }

    /// The account of a store that may use all of it.
    pub(crate) fn account(&self) -> Account {
        self.account_of(self.0.limit)
    }

    /// The account of a store that may use a part of it.
    pub(crate) fn share(&self) -> Account {
        let limit = if self.0.limit == u64::MAX { u64::MAX } else { self.0.limit / SHARE };
        self.account_of(limit)
    }

    fn account_of(&self, limit: u64) -> Account {
        Account { space: self.clone(), limit, used: 0, past: 0, full: false }
    }
}

/// What one store takes; given back when the store is gone. Whoever changes it holds the store's lock.
#[derive(Debug)]
pub(crate) struct Account {
    space: Space,
    limit: u64,
    used: u64,
    past: u64,
    /// Somebody has been refused, and there has not been much room since.
    full: bool,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Account {
    /// Counts a new version in place of the one before.
    pub(super) fn replace(&mut self, before: u64, after: u64, need: Need) -> Result<(), Full> {
        let pool = &*self.space.0;
        let Some(more) = after.checked_sub(before).filter(|more| *more > 0) else {
            self.give_back(before - after);
            return Ok(());
        };
        let taken = |used: u64, limit: u64| used.checked_add(more).filter(|used| *used <= reach(limit, need));
        let fits = taken(self.used, self.limit).is_some()
            && pool.used.fetch_update(Relaxed, Relaxed, |used| taken(used, pool.limit)).is_ok();
        if fits {
            self.used += more;
            return Ok(());
        }
        if !self.full {
            self.full = true;
            let (used, limit) = (self.used, self.limit);
            tracing::warn!(
                used,
                limit,
                "the store is full: what is new is refused until something is deleted"
            );
        }
        Err(Full)
    }

    fn give_back(&mut self, less: u64) {
        self.used -= less;
        let all = self.space.0.used.fetch_sub(less, Relaxed) - less;
        if self.full && self.used < self.limit / 8 * 7 && all < self.space.0.limit / 8 * 7 {
            self.full = false;
            tracing::info!("the store has room again");
        }
    }

    /// Counts what a store begins with, whether there is room or not.
    pub(super) fn begin(&mut self, bytes: u64) {
        self.used += bytes;
        self.space.0.used.fetch_add(bytes, Relaxed);
    }

    /// A version has become one of the past.
    pub(super) fn keep(&mut self, bytes: u64) {
        self.past += bytes;
        self.space.0.past.fetch_add(bytes, Relaxed);
    }

    /// A version of the past is forgotten.
    pub(super) fn forget(&mut self, bytes: u64) {
        self.past -= bytes;
        self.space.0.past.fetch_sub(bytes, Relaxed);
    }

    /// Whether something of the past has to be forgotten.
    pub(super) fn past_is_full(&self) -> bool {
        self.past > OWN_PAST && self.space.past() > self.space.0.limit / PAST
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.space.0.used.fetch_sub(self.used, Relaxed);
        self.space.0.past.fetch_sub(self.past, Relaxed);
    }
}

/// Up to where a limit lets go what needs room.
fn reach(limit: u64, need: Need) -> u64 {
    match need {
        Need::New => limit,
        Need::Status => limit.saturating_add(limit / RESERVE / 2),
        Need::Change => limit.saturating_add(limit / RESERVE),
        Need::End => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
