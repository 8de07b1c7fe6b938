//! Uploads that have begun and not ended. Pieces of one upload come one after the other, however many clients send
//! them; whoever is cut off leaves what has arrived, to be gone on with.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use pulldrill_clock::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::store::{LeftBehind, draft::Draft};

/// Uploads of one host that may be unfinished at a time; those that have waited longest make way.
const MOST: usize = 4_096;
/// How long an upload may wait for its next piece.
const LONGEST_WAIT_SECONDS: i64 = 24 * 3600;

/// An upload.
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) repository: String,
    /// Nothing, once it has ended.
    draft: Mutex<Option<Draft>>,
    length: AtomicU64,
    /// When its last piece came, in seconds of lab time.
    since: AtomicI64,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The right to send the next piece.
pub(crate) type Turn = Arc<OwnedMutexGuard<()>>;

impl Upload {
    fn new(id: String, repository: String, draft: Draft, now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            id,
            repository,
            length: AtomicU64::new(draft.length()),
            draft: Mutex::new(Some(draft)),
            since: AtomicI64::new(now.as_second()),
            turn: Arc::default(),
        })
    }

    /// How many bytes have come.
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// Waits until nobody else is sending.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::new(self.turn.clone().lock_owned().await)
    }

    /// Makes place for so many bytes more.
    pub(crate) fn expect(&self, bytes: u64) {
        if let Some(draft) = &mut *self.draft.lock() {
            draft.expect(bytes);
        }
    }

    /// Takes the next bytes. May block.
    pub(crate) fn append(&self, piece: &[u8]) -> io::Result<()> {
        let mut draft = self.draft.lock();
        let draft = draft.as_mut().ok_or(io::ErrorKind::NotFound)?;
        draft.append(piece)?;
        self.length.store(draft.length(), Ordering::Release);
        Ok(())
    }

    /// What has come, for whoever ends it; nothing for everybody after.
    pub(crate) fn end(&self) -> Option<Draft> {
        self.draft.lock().take()
    }

    fn waits(&self) -> bool {
        self.turn.try_lock().is_ok()
    }

    fn since(&self) -> i64 {
        self.since.load(Ordering::Relaxed)
    }
}

/// All of a host.
#[derive(Default)]
pub(crate) struct Unfinished(Mutex<BTreeMap<String, Arc<Upload>>>);

impl Unfinished {
    /// Those that a process which is gone has left behind.
    pub(crate) fn of(left: Vec<LeftBehind>, now: Timestamp) -> Self {
        let uploads = left.into_iter().map(|LeftBehind { repository, id, draft }| {
            (id.clone(), Upload::new(id, repository, draft, now))
        });
        Self(Mutex::new(uploads.collect()))
    }

    /// Begins one. May block, where another one makes way.
    pub(crate) fn begin(&self, id: String, repository: String, draft: Draft, now: Timestamp) -> Arc<Upload> {
        let upload = Upload::new(id.clone(), repository, draft, now);
        let makes_way = {
            let mut all = self.0.lock();
            let full = all.len() >= MOST;
            let waiting = all.values().filter(|_| full).filter(|upload| upload.waits());
            let oldest = waiting.min_by_key(|upload| upload.since()).map(|upload| upload.id.clone());
            all.insert(id, upload.clone());
            oldest.and_then(|oldest| all.remove(&oldest))
        };
        if let Some(draft) = makes_way.and_then(|upload| upload.end()) {
            draft.discard();
        }
        upload
    }

    /// The one of that repository with that id.
    pub(crate) fn get(&self, repository: &str, id: &str, now: Timestamp) -> Option<Arc<Upload>> {
        let upload = self.0.lock().get(id).filter(|upload| upload.repository == repository).cloned()?;
        upload.since.store(now.as_second(), Ordering::Relaxed);
        Some(upload)
    }

    /// Forgets one.
    pub(crate) fn remove(&self, id: &str) -> Option<Arc<Upload>> {
        self.0.lock().remove(id)
    }

    /// Throws away those that have waited too long. May block.
    pub(crate) fn give_up(&self, now: Timestamp) -> u64 {
        let mut given_up = Vec::new();
        self.0.lock().retain(|_, upload| {
            let late = now.as_second().saturating_sub(upload.since()) > LONGEST_WAIT_SECONDS;
            let lost = late && upload.waits();
            if lost {
                given_up.push(upload.clone());
            }
            !lost
        });
        let drafts = given_up.iter().filter_map(|upload| upload.end());
        drafts.map(Draft::discard).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::SignedDuration;

    use super::*;
    use crate::{digest::Algorithm, store::Store};

    fn draft(id: &str) -> Draft {
        Store::default().draft(("h", "r"), id, Algorithm::Sha256).unwrap()
    }

    #[tokio::test]
    async fn the_oldest_that_waits_makes_way_and_what_waits_too_long_is_given_up() {
        let (all, start) = (Unfinished::default(), Timestamp::UNIX_EPOCH);
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let busy = all.begin("busy".into(), "r".into(), draft("busy"), start);
        let turn = busy.turn().await;
        for n in 1..MOST as i64 {
            all.begin(n.to_string(), "r".into(), draft("n"), at(n));
        }
        let oldest = all.get("r", "1", at(1)).unwrap();
        all.begin("last".into(), "r".into(), draft("last"), at(9_999));
        assert!(all.get("r", "1", start).is_none() && all.get("r", "2", at(2)).is_some());
        assert!(all.get("r", "busy", start).is_some(), "not while somebody is sending");
        assert!(all.get("other", "last", at(9_999)).is_none(), "ids are good in their repository only");
        assert_eq!(oldest.append(b"more").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(all.give_up(at(9_998 + LONGEST_WAIT_SECONDS)), MOST as u64 - 2);
        drop(turn);
        assert_eq!(all.give_up(at(9_998 + LONGEST_WAIT_SECONDS)), 1);
        assert!(all.get("r", "last", start).is_some());
    }
}
