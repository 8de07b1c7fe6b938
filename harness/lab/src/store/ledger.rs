//! The one way to add to the journal.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::{Mutex, watch};

use super::{JournalEntry, Progress, event::DrillEvent, sqlite::Database};
use crate::LabError;

/// The journal of one lab and what it amounts to.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Held from a decision until it has been folded: decisions never overtake each other.
    database: Mutex<Database>,
    progress: RwLock<BTreeMap<String, Progress>>,
    changed: watch::Sender<u64>,
}

impl Ledger {
    /// Begins a run. `changed` is counted up after every addition.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub(crate) async fn open(
        path: Option<PathBuf>,
        started_at: Timestamp,
        seed: u64,
        dialect: &str,
        changed: watch::Sender<u64>,
    ) -> Result<Self, LabError> {
        let database = Database::open(path, started_at, seed, dialect.to_owned()).await?;
        Ok(Self { database: Mutex::new(database), progress: RwLock::default(), changed })
    }

    /// Where a drill stands; a drill without events stands at the beginning.
    #[must_use]
    pub(crate) fn progress(&self, drill: &str) -> Progress {
        self.progress.read().get(drill).cloned().unwrap_or_default()
    }

    /// Looks at a drill without copying its progress.
    pub(crate) fn with<T>(&self, drill: &str, look: impl FnOnce(&Progress) -> T) -> T {
        match self.progress.read().get(drill) {
            Some(progress) => look(progress),
            None => look(&Progress::default()),
        }
    }

    /// Decides on the drill's progress what happens next, writes it and folds it in.
    ///
    /// # Errors
    /// What `decide` refused, or [`LabError::Store`]; then nothing has happened.
    pub(crate) async fn change<T>(
        &self,
        drill: &str,
        at: Timestamp,
        decide: impl FnOnce(&Progress) -> Result<(Vec<DrillEvent>, T), LabError> + Send,
    ) -> Result<T, LabError> {
        let database = self.database.lock().await;
        let (events, answer) = self.with(drill, decide)?;
        if events.is_empty() {
            return Ok(answer);
        }
        let record = |event: &DrillEvent| JournalEntry { drill: drill.to_owned(), at, event: event.clone() };
        database.append(events.iter().map(record).collect()).await?;
        {
            let mut all = self.progress.write();
            let progress = all.entry(drill.to_owned()).or_default();
            events.iter().for_each(|event| progress.apply(at, event));
        }
        self.changed.send_modify(|n| *n += 1);
        Ok(answer)
    }

    /// Writes what has happened, whatever the drill's progress.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub(crate) async fn record(&self, drill: &str, at: Timestamp, event: DrillEvent) -> Result<(), LabError> {
        self.change(drill, at, |_| Ok((vec![event], ()))).await
    }

    /// Every event of this run, as stored.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub(crate) async fn read(&self) -> Result<Vec<JournalEntry>, LabError> {
        self.database.lock().await.read(false).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::DrillState;

    #[tokio::test]
    async fn what_is_shown_is_the_fold_of_what_is_stored() {
        let (changed, seen) = watch::channel(0);
        let ledger = Ledger::open(None, Timestamp::UNIX_EPOCH, 1, "d", changed).await.unwrap();
        let at = Timestamp::UNIX_EPOCH;
        for event in [DrillEvent::Injected, DrillEvent::SymptomSeen { seen: "x".into() }] {
            ledger.record("a", at, event).await.unwrap();
        }
        let refused = ledger
            .change("a", at, |progress| -> Result<(Vec<DrillEvent>, ()), LabError> {
                assert_eq!(progress.state, DrillState::Open);
                Err(LabError::Invalid("no".into()))
            })
            .await;
        assert!(refused.is_err());
        let mut folded = Progress::default();
        for record in ledger.read().await.unwrap() {
            folded.apply(record.at, &record.event);
        }
        assert_eq!(folded, ledger.progress("a"));
        assert_eq!(*seen.borrow(), 2);
    }
}
