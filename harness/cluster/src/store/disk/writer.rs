//! The thread that owns the database: takes work as it comes, writes what is there in one transaction, and says how
//! far it has come.
//!
//! Every transaction costs a wait for the disk, whoever it is for. Of many clients that write one thing after another, half would bring
//! their next one just after a transaction has begun, and wait for two. So it is given a moment to those who are expected.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use pulldrill_clock::real;
use tokio::sync::watch;

use super::{
    Clusters, Key, Progress, Reply, Stored,
    database::{Database, Row},
};

/// How many writes a transaction takes at most, so that nobody waits long for the first of them.
const BATCH: usize = 4096;
/// How long after a failure it is tried again, when nothing else comes.
const AGAIN: Duration = Duration::from_secs(1);
/// For how long others are waited for at most: less than anybody sees.
const MOMENT: Duration = Duration::from_millis(2);
/// After how long without a write the database is tidied.
const QUIET: Duration = Duration::from_millis(200);

/// One write of a store.
pub(super) struct Write {
    pub(super) cluster: Arc<str>,
    pub(super) resource: Arc<str>,
    pub(super) key: Key,
    /// Nothing, when it was removed.
    pub(super) object: Option<Arc<Stored>>,
    pub(super) revision: u64,
}

/// A cluster's past.
pub(super) struct Loaded {
    pub(super) revision: u64,
    pub(super) rows: Vec<Row>,
    pub(super) progress: watch::Receiver<Progress>,
}

pub(super) enum Work {
    Write(Write),
    Load { cluster: Arc<str>, reply: Reply<Loaded> },
    Clusters { reply: Reply<Vec<String>> },
    Forget { cluster: Arc<str>, reply: Reply<()> },
    Keep { name: String, new: Vec<u8>, reply: Reply<Vec<u8>> },
    Flush { reply: Reply<()> },
}

pub(super) struct Writer {
    database: Database,
    inbox: mpsc::Receiver<Work>,
    clusters: Clusters,
    /// What has to be written yet, in order.
    waiting: Vec<Write>,
    /// How many writes came during the last transaction, and in it.
    expected: usize,
    /// For how long they are waited for: half of what that transaction took.
    moment: Duration,
    /// It failed.
    failed: bool,
    /// Something was written since it was tidied.
    untidy: bool,
}

impl Writer {
    pub(super) fn new(database: Database, inbox: mpsc::Receiver<Work>) -> Self {
        let (clusters, waiting, expected, moment, failed, untidy) = Default::default();
        Self { database, inbox, clusters, waiting, expected, moment, failed, untidy }
    }

    /// Works until nobody is left who could bring more.
    pub(super) fn run(mut self) {
        loop {
            // What failed is tried again from time to time, and whenever something new comes.
            let first = match (self.waiting.is_empty(), self.untidy) {
                (false, _) if !self.failed => Err(mpsc::RecvTimeoutError::Timeout),
                (false, _) => self.inbox.recv_timeout(AGAIN),
                (true, true) => self.inbox.recv_timeout(QUIET),
                (true, false) => self.inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            };
            match first {
                Ok(work) => self.take(work),
                Err(mpsc::RecvTimeoutError::Timeout) if self.waiting.is_empty() => self.tidy(),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    drop(self.write());
                    return;
                }
            }
            self.gather();
            drop(self.write());
            self.drain();
            self.expected += self.waiting.len();
        }
    }

    /// Takes what is there.
    fn drain(&mut self) {
        while self.waiting.len() < BATCH
            && let Ok(work) = self.inbox.try_recv()
        {
            self.take(work);
        }
    }

    /// Takes what is there, and waits a moment for what is expected besides.
    fn gather(&mut self) {
        let watch = real::stopwatch();
        self.drain();
        while (1..self.expected.min(BATCH)).contains(&self.waiting.len())
            && let Some(rest) = self.moment.checked_sub(watch.elapsed())
            && let Ok(work) = self.inbox.recv_timeout(rest)
        {
            self.take(work);
            self.drain();
        }
    }

    fn tidy(&mut self) {
        self.untidy = false;
        if let Err(error) = self.database.settle() {
            tracing::warn!(%error, "the write-ahead log stays as it is; it is tried again after the next write");
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Write(write) => self.waiting.push(write),
            Work::Load { cluster, reply } => drop(reply.send(self.load(&cluster))),
            Work::Clusters { reply } => drop(reply.send(self.database.clusters().map_err(text))),
            Work::Forget { cluster, reply } => {
                self.waiting.retain(|write| write.cluster != cluster);
                self.clusters.remove(&cluster);
                drop(reply.send(self.database.forget(&cluster).map_err(text)));
            }
            Work::Keep { name, new, reply } => {
                drop(reply.send(self.database.keep(&name, new).map_err(text)));
            }
            Work::Flush { reply } => drop(reply.send(self.write())),
        }
    }

    fn load(&mut self, cluster: &Arc<str>) -> Result<Loaded, String> {
        self.write()?;
        let (revision, rows) = self.database.load(cluster).map_err(text)?;
        let (told, progress) = watch::channel(Progress { revision: revision.max(1), failure: None });
        self.clusters.insert(cluster.clone(), told);
        Ok(Loaded { revision, rows, progress })
    }

    /// Writes what waits, and tells who waits for it.
    fn write(&mut self) -> Result<(), String> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let watch = real::stopwatch();
        let written = self.database.write(&self.waiting).map_err(text);
        self.moment = MOMENT.min(watch.elapsed() / 2);
        self.expected = self.waiting.len();
        self.failed = written.is_err();
        let failure: Option<Arc<str>> = written.as_ref().err().map(|error| error.as_str().into());
        if let Some(error) = &failure {
            tracing::error!(%error, writes = self.waiting.len(), "what clients write does not reach the disk; it is tried again");
        }
        let mut reached = std::collections::BTreeMap::new();
        for write in &self.waiting {
            reached.insert(write.cluster.clone(), write.revision);
        }
        for (cluster, revision) in reached {
            let Some(told) = self.clusters.get(&cluster) else { continue };
            told.send_modify(|progress| {
                progress.failure = failure.clone();
                if failure.is_none() {
                    progress.revision = progress.revision.max(revision);
                }
            });
        }
        if failure.is_none() {
            self.waiting.clear();
            self.untidy = true;
            self.database.prepare();
        }
        written
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that expects so many writes, and the other end of its inbox.
    fn expecting(expected: usize, moment: Duration) -> (tempfile::TempDir, Writer, mpsc::Sender<Work>) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), &folder.path().join("x.sqlite")).unwrap();
        let (sender, inbox) = mpsc::channel();
        (folder, Writer { expected, moment, ..Writer::new(database, inbox) }, sender)
    }

    fn write(revision: u64) -> Work {
        let (cluster, resource, key) = ("c".into(), "pods".into(), Key::new("", "a"));
        Work::Write(Write { cluster, resource, key, object: None, revision })
    }

    #[test]
    fn those_who_are_expected_come_into_the_same_transaction() {
        let (_folder, mut writer, sender) = expecting(3, Duration::from_secs(600));
        let others =
            std::thread::spawn(move || (1..4).for_each(|revision| sender.send(write(revision)).unwrap()));
        let first = writer.inbox.recv().unwrap();
        writer.take(first);
        writer.gather();
        assert_eq!(writer.waiting.len(), 3);
        others.join().unwrap();
    }

    #[test]
    fn nobody_waits_for_those_who_do_not_come() {
        for (expected, moment, sent) in
            [(1, 600_000, 1), (0, 600_000, 1), (5, 600_000, 0), (5, 20, 1), (2, 600_000, 3)]
        {
            let (_folder, mut writer, sender) = expecting(expected, Duration::from_millis(moment));
            (0..sent).for_each(|revision| sender.send(write(revision)).unwrap());
            writer.gather();
            assert_eq!(writer.waiting.len() as u64, sent, "{expected} expected");
        }
    }
}
