//! Making a whole store older: what an advance of the clock does to objects, and to those who follow them. Which times of an
//! object move is [`super::shift`]'s.

use std::sync::Arc;

use pulldrill_clock::SignedDuration;

use super::{Event, Need, Store, Stored, shift_times};

/// The latest time that the world was made older.
#[derive(Debug)]
pub(super) struct Aged {
    /// The revision just before.
    pub(super) at: u64,
    /// The window still holds what happened after this revision and before that.
    pub(super) from: u64,
}

impl Store {
    /// Makes every object older by `by` and ends every watch, as a restored backup would: shown times move,
    /// revisions rise, and whoever follows has to list again (or see [`Store::missed_by_aging`]).
    pub fn shift_times(&self, by: SignedDuration) {
        let mut guard = self.inner.write();
        let inner = &mut *guard;
        if inner.ended {
            return;
        }
        let mut revision = inner.revision;
        let present = |event: &Event, object: &Arc<Stored>| {
            let current = inner.resources.get(&event.resource).and_then(|objects| objects.get(&event.key));
            current.is_some_and(|current| current.revision() == object.revision())
        };
        inner.window.supersede(present, &mut inner.account);
        inner.aged = Some(Aged { at: revision, from: inner.compacted });
        for (resource, objects) in &mut inner.resources {
            for (key, object) in objects {
                revision += 1;
                let mut body = object.with(object.value().clone());
                shift_times(&mut body.value, by);
                body.managed.shift_times(by);
                let older = Arc::new(Stored::new(key.clone(), body, revision));
                inner.packing.queue(resource, &older);
                // The times are as long as they were: there is always room.
                let counted = inner.account.replace(object.weight(), older.weight(), Need::End);
                debug_assert_eq!(counted, Ok(()));
                *object = older;
                self.note(resource, key, Some(object), revision);
            }
        }
        inner.revision = revision + 1;
        inner.compacted = inner.revision;
        inner.floor = inner.revision;
        drop(guard);
        self.announce(None);
    }

    /// For whoever follows and can't list again: what happened between `revision` and the moment when the
    /// world was made older. `None` when that is not the (only) reason why `revision` is out of the window.
    #[must_use]
    pub fn missed_by_aging(&self, revision: u64) -> Option<Vec<Arc<Event>>> {
        let inner = self.inner.read();
        let aged = inner.aged.as_ref().filter(|aged| (aged.from..=aged.at).contains(&revision))?;
        let missed = |e: &&Arc<Event>| e.revision <= aged.at;
        Some(inner.window.after(revision).filter(missed).cloned().collect())
    }
}
