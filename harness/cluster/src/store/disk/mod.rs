//! A data folder: every object of the clusters of one process, kept in a SQLite database so that they outlive it.
//!
//! Writes are numbered and decided in memory, under the store's lock; the database is written behind, by one thread,
//! several writes in a transaction. Who acknowledges a write first waits until it is there
//! ([`Store::durable`](super::Store::durable)). It is no cache: everything is in memory as well.

mod database;
mod log;
mod migrate;
mod writer;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::{Body, Key, Objects, Stored};
use crate::managed::{Claim, ManagedFields, taken_from};
use database::Database;
pub use migrate::migrate;
use writer::{Work, Writer};

/// The database in a data folder.
pub(crate) const FILE: &str = "cluster.sqlite";

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
    /// Something in the database is not what was written there.
    #[error("{place} is damaged: {what}: {reason}; restore it from a copy or begin with an empty folder")]
    Damaged {
        /// The database's path.
        place: String,
        /// Which object.
        what: String,
        /// What is wrong.
        reason: String,
    },
}

/// How far the database has come for one cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Every write up to this revision is there.
    pub(super) revision: u64,
    /// Why the latest attempt to write failed; it is tried again.
    pub(super) failure: Option<Arc<str>>,
}

/// A data folder in use. The database is closed when this and all stores on it are gone.
#[derive(Clone, Debug)]
pub struct Disk {
    work: mpsc::Sender<Work>,
    place: Arc<str>,
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
    work: mpsc::Sender<Work>,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Disk {
    /// Opens the data folder, or makes it; nobody but its owner can read it.
    ///
    /// # Errors
    /// [`DiskError::Database`].
    pub fn open(folder: &Path) -> Result<Self, DiskError> {
        let path = folder.join(FILE);
        let place: Arc<str> = path.display().to_string().into();
        let failed = |reason: String| DiskError::Database { place: place.to_string(), reason };
        let database = Database::open(folder, &path).map_err(failed)?;
        let (work, inbox) = mpsc::channel();
        let writer = Writer::new(database, inbox);
        let spawned = thread::Builder::new().name("cluster-disk".into()).spawn(move || writer.run());
        spawned.map_err(|error| failed(error.to_string()))?;
        Ok(Self { work, place })
    }

    /// What a cluster was; a new one has no objects.
    ///
    /// # Errors
    /// [`DiskError`].
    pub async fn past(&self, cluster: &str) -> Result<Past, DiskError> {
        let cluster: Arc<str> = cluster.into();
        let (own, reply) = (cluster.clone(), self.place.clone());
        let loaded = self.ask(|reply| Work::Load { cluster: own, reply }).await?;
        let mut resources: BTreeMap<Arc<str>, Objects> = BTreeMap::new();
        for row in loaded.rows {
            let damaged = |reason: String| DiskError::Damaged {
                place: reply.to_string(),
                what: format!("{} {}", row.resource, row.key),
                reason,
            };
            let body = Body::decode(&row.body).map_err(|error| damaged(error.to_string()))?;
            if Key::of(&body.value) != row.key {
                return Err(damaged("it has another name than the one that it is stored under".into()));
            }
            let object = Arc::new(Stored::new(row.key.clone(), body, row.revision));
            resources.entry(row.resource).or_default().insert(row.key, object);
        }
        let record = Record { cluster, work: self.work.clone(), progress: loaded.progress };
        Ok(Past { revision: loaded.revision, resources, record })
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
        let cluster = cluster.into();
        self.ask(|reply| Work::Forget { cluster, reply }).await
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
        self.ask(|reply| Work::Flush { reply }).await
    }

    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, DiskError> {
        let (reply, answer) = oneshot::channel();
        drop(self.work.send(work(reply)));
        let failed = |reason: String| DiskError::Database { place: self.place.to_string(), reason };
        match answer.await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(failed("its thread has ended".into())),
        }
    }
}

type Reply<T> = oneshot::Sender<Result<T, String>>;

impl Record {
    /// Notes a write, or a removal when there is no object.
    pub(super) fn note(&self, resource: &Arc<str>, key: &Key, object: Option<&Arc<Stored>>, revision: u64) {
        let write = writer::Write {
            cluster: self.cluster.clone(),
            resource: resource.clone(),
            key: key.clone(),
            object: object.cloned(),
            revision,
        };
        // A thread that is gone is found out about by who waits.
        drop(self.work.send(Work::Write(write)));
    }

    /// Waits until a revision is there.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn reached(&self, revision: u64) -> Result<(), String> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|p| p.revision >= revision || p.failure.is_some()).await;
        let reached = reached.map_err(|_| "its thread has ended".to_owned())?;
        match &reached.failure {
            Some(failure) if reached.revision < revision => Err(failure.to_string()),
            _ => Ok(()),
        }
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

/// Clusters by name, each with how far its writes have come.
type Clusters = BTreeMap<Arc<str>, watch::Sender<Progress>>;

#[cfg(test)]
mod tests;
