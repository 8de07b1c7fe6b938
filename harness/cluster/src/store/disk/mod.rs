//! A data folder: every object of the clusters of one process, kept so that they outlive it.
//!
//! Writes are numbered and decided in memory, and noted under the store's lock. A note is safe when it is in a journal, and
//! who acknowledges a write waits for that ([`Store::durable`](super::Store::durable)). From there it comes into the tables
//! of a SQLite database, which is what the next process begins with. It is no cache: everything is in memory as well.

mod batches;
mod database;
mod desk;
mod journal;
mod keeper;
mod migrate;
mod note;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use thiserror::Error;
use tokio::sync::oneshot;

use super::{Body, Key, Objects, Stored};
use crate::managed::{Claim, ManagedFields, taken_from};
use database::{Database, Unsettled};
use desk::Desk;
use journal::Journal;
use keeper::{Awake, Keeper, Work};
pub use migrate::migrate;
use note::{Note, Write};

/// The database in a data folder.
pub(crate) const FILE: &str = "cluster.sqlite";
/// The journal beside it.
const JOURNAL: &str = "cluster.journal";

/// Why a data folder can't be used.
#[derive(Debug, Error)]
pub enum DiskError {
    /// The database can't be opened, read or written.
    #[error(
        "cannot use {place}: {reason}; check that the folder is writable, has room, and that no other process uses it"
    )]
    Database {
        /// The database's path.
        place: String,
        /// What SQLite said.
        reason: String,
    },
    /// Something in the folder is not what was written there.
    #[error("cannot use {place}: {what}: {reason}; restore it from a copy or begin with an empty folder")]
    Damaged {
        /// The path of the folder, or of the database in it.
        place: String,
        /// Which object, or that it is the journal.
        what: String,
        /// What is wrong.
        reason: String,
    },
}

/// A data folder in use. The database is closed when this and all stores on it are gone.
#[derive(Clone, Debug)]
pub struct Disk {
    office: Office,
    place: Arc<str>,
}

/// Where notes are taken, and the thread that looks after them.
#[derive(Clone)]
struct Office {
    desk: Arc<Desk>,
    awake: Arc<Awake>,
    work: mpsc::Sender<Work>,
}

/// What a cluster was when it was last seen.
#[derive(Debug)]
pub struct Past {
    /// The last revision that the cluster may have shown.
    pub(super) revision: u64,
    pub(super) resources: BTreeMap<Arc<str>, Objects>,
    pub(super) record: Record,
}

/// Where a store notes its writes.
#[derive(Debug)]
pub(super) struct Record {
    cluster: Arc<str>,
    office: Office,
}

impl Disk {
    /// Opens the data folder, or makes it; nobody but its owner can read it.
    ///
    /// # Errors
    /// [`DiskError::Database`], and [`DiskError::Damaged`] when what a killed process has left can't be read.
    pub fn open(folder: &Path) -> Result<Self, DiskError> {
        let path = folder.join(FILE);
        let place: Arc<str> = path.display().to_string().into();
        let failed = |reason: String| DiskError::Database { place: place.to_string(), reason };
        let mut database = Database::open(folder, &path).map_err(failed)?;
        let path = folder.join(JOURNAL);
        let settled = Keeper::recover(&mut database, &path).map_err(|error| match error {
            Unsettled::Failed(reason) => failed(reason),
            Unsettled::Damaged(reason) => {
                DiskError::Damaged { place: folder.display().to_string(), what: JOURNAL.into(), reason }
            }
        })?;
        let journal = Journal::make(&path, settled).map_err(|error| failed(text(error)))?;
        let (desk, awake) = (Arc::new(Desk::new(journal)), Arc::default());
        let (work, inbox) = mpsc::channel();
        let office = Office { desk, awake, work };
        let (desk, awake) = (office.desk.clone(), office.awake.clone());
        let keeper = Keeper { database, desk, awake, inbox, path, settled };
        let spawned = thread::Builder::new().name("cluster-disk".into()).spawn(move || keeper.run());
        spawned.map_err(|error| failed(text(error)))?;
        Ok(Self { office, place })
    }

    /// What a cluster was; a new one has no objects.
    ///
    /// # Errors
    /// [`DiskError`].
    pub async fn past(&self, cluster: &str) -> Result<Past, DiskError> {
        let cluster: Arc<str> = cluster.into();
        let (own, reply) = (cluster.clone(), self.place.clone());
        let (revision, rows) = self.ask(|reply| Work::Load { cluster: own, reply }).await?;
        let mut resources: BTreeMap<Arc<str>, Objects> = BTreeMap::new();
        for row in rows {
            let damaged = |reason: String| DiskError::Damaged {
                place: reply.to_string(),
                what: format!("{} {}", row.resource, row.key),
                reason,
            };
            let body = Body::decode(&row.body).map_err(|error| damaged(format!("it is damaged: {error}")))?;
            if Key::of(&body.value) != row.key {
                return Err(damaged("it has another name than the one that it is stored under".into()));
            }
            let object = Arc::new(Stored::new(row.key.clone(), body, row.revision));
            resources.entry(row.resource).or_default().insert(row.key, object);
        }
        let record = Record { cluster, office: self.office.clone() };
        Ok(Past { revision, resources, record })
    }

    /// The names of all clusters that have a past.
    ///
    /// # Errors
    /// [`DiskError::Database`].
    pub async fn clusters(&self) -> Result<Vec<String>, DiskError> {
        self.ask(|reply| Work::Clusters { reply }).await
    }

    /// Removes a cluster with all its objects, and what was kept under `SOMETHING/cluster`.
    ///
    /// # Errors
    /// [`DiskError::Database`].
    pub async fn forget(&self, cluster: &str) -> Result<(), DiskError> {
        self.office.leave(Note::Forget(cluster.into()));
        self.flush().await
    }

    /// A piece of the process's own (a key, say): the one that was kept, else `new`, which is kept from now on.
    ///
    /// # Errors
    /// [`DiskError::Database`].
    pub async fn keep(&self, name: &str, new: Vec<u8>) -> Result<Vec<u8>, DiskError> {
        let name = name.to_owned();
        self.ask(|reply| Work::Keep { name, new, reply }).await
    }

    /// Waits until everything that was noted is there.
    ///
    /// # Errors
    /// [`DiskError::Database`].
    pub async fn flush(&self) -> Result<(), DiskError> {
        self.office.written().await.map_err(|reason| self.failed(reason))
    }

    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, DiskError> {
        let (reply, answer) = oneshot::channel();
        drop(self.office.work.send(work(reply)));
        let answer = answer.await.unwrap_or_else(|_| Err("its thread has ended".into()));
        answer.map_err(|reason| self.failed(reason))
    }

    fn failed(&self, reason: String) -> DiskError {
        DiskError::Database { place: self.place.to_string(), reason }
    }
}

type Reply<T> = oneshot::Sender<Result<T, String>>;

impl Office {
    fn leave(&self, note: Note) {
        self.desk.leave(note);
        if self.awake.has_to_be_told() {
            // A thread that is gone is found out about by who waits.
            drop(self.work.send(Work::Wake));
        }
    }

    /// Waits until everything that was noted so far is on the disk.
    async fn written(&self) -> Result<(), String> {
        self.desk.written(self.desk.count(), || self.work.send(Work::Write).map_err(text)).await
    }
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office").finish_non_exhaustive()
    }
}

impl Record {
    /// Notes a write, or a removal when there is no object.
    pub(super) fn note(&self, resource: &Arc<str>, key: &Key, object: Option<&Arc<Stored>>, revision: u64) {
        self.office.leave(self.write(resource, key, object, revision));
    }

    /// Notes what a store begins with: after a crash all of it is there, or nothing.
    pub(super) fn note_first(&self, resources: &BTreeMap<Arc<str>, Objects>) {
        let writes = resources.iter().flat_map(|(resource, objects)| {
            objects
                .iter()
                .map(move |(key, object)| self.write(resource, key, Some(object), object.revision()))
        });
        self.office.leave(Note::Together(writes.collect()));
    }

    fn write(&self, resource: &Arc<str>, key: &Key, object: Option<&Arc<Stored>>, revision: u64) -> Note {
        Note::Write(Write {
            cluster: self.cluster.clone(),
            resource: resource.clone(),
            key: key.clone(),
            object: object.cloned(),
            revision,
        })
    }

    /// Waits until everything that was noted so far is on the disk.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn written(&self) -> Result<(), String> {
        self.office.written().await
    }
}

impl Body {
    /// Reads what [`Stored::bytes`] has made.
    pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut value: serde_json::Value = serde_json::from_slice(bytes)?;
        let managed = match taken_from(&mut value) {
            Some(Claim::Entries(entries)) => entries,
            _ => ManagedFields::default(),
        };
        Ok(Self { value, managed })
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
