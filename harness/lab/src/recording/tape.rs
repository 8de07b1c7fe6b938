//! The changes seen in one namespace. It is bounded: the oldest go first, and it knows how many went.

use std::{collections::VecDeque, sync::Arc};

use pulldrill_clock::{SignedDuration, Timestamp};
use pulldrill_cluster::store::{Change, Stored, shift_times};

use crate::view::ChangeView;

/// One version of an object, when it was seen.
pub(super) struct Seen {
    /// The time that clients were shown then.
    pub(super) shown: Timestamp,
    /// How far shown times lay in the past then; the object's own times are of that.
    pub(super) shift: SignedDuration,
    pub(super) change: Change,
    pub(super) object: Arc<Stored>,
}

/// The changes of one namespace, the oldest first.
pub(super) struct Tape {
    seen: VecDeque<Seen>,
    room: usize,
    dropped: u64,
}

impl Tape {
    pub(super) fn new(room: usize) -> Self {
        Self { seen: VecDeque::new(), room, dropped: 0 }
    }

    pub(super) fn keep(&mut self, seen: Seen) {
        self.seen.push_back(seen);
        if self.seen.len() > self.room {
            self.seen.pop_front();
            self.dropped += 1;
        }
    }

    /// Changes were lost. What is on the tape has a hole from here on, so it is worth nothing.
    pub(super) fn missed(&mut self) {
        self.dropped += 1 + self.seen.len() as u64;
        self.seen.clear();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Everything, with times as they are shown when shown times lie `shift` in the past.
    pub(super) fn shown(&self, shift: SignedDuration) -> Vec<ChangeView> {
        self.seen.iter().map(|seen| seen.view(shift)).collect()
    }
}

impl Seen {
    fn view(&self, shift: SignedDuration) -> ChangeView {
        let older = shift - self.shift;
        let mut object = self.object.value().clone();
        if !older.is_zero() {
            shift_times(&mut object, older);
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let at = (self.shown - older).duration_since(Timestamp::UNIX_EPOCH);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a date fit")]
        let t = at.as_millis() as f64 / 1000.0;
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        ChangeView { t, change: word(self.change).into(), kind, object }
    }
}

/// The word that a watch uses.
fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "ADDED",
        Change::Modified => "MODIFIED",
        Change::Deleted => "DELETED",
    }
}
