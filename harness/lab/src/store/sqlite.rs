//! The database, owned by one thread.
//!
//! Everybody else sends it work and waits for the answer; several waiting appends go into one transaction.
//! A migration is one step of `MIGRATIONS`; the database remembers in `user_version` how many it has seen.

use std::{path::PathBuf, sync::mpsc, thread};

use jiff::Timestamp;
use pulldrill_cluster::store::migrate;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::event::{DrillEvent, JournalEntry};
use crate::LabError;

/// Each entry brings a database one version further. Never change one that has been released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        seed TEXT NOT NULL,
        dialect TEXT NOT NULL
    ) STRICT;
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (id),
        drill TEXT NOT NULL,
        at TEXT NOT NULL,
        event TEXT NOT NULL CHECK (json_valid(event))
    ) STRICT;
    CREATE INDEX events_of_a_run ON events (run, drill, seq);
"];

type Reply<T> = oneshot::Sender<Result<T, String>>;

enum Work {
    Append { records: Vec<JournalEntry>, reply: Reply<()> },
    Read { run: Option<i64>, reply: Reply<Vec<JournalEntry>> },
}

/// The sending side of the owner thread. The thread ends when the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Database {
    work: mpsc::Sender<Work>,
    run: i64,
}

impl Database {
    /// Opens (or makes) a database and begins a new run in it; `None` keeps it in memory.
    pub(super) async fn open(
        path: Option<PathBuf>,
        started_at: Timestamp,
        seed: u64,
        dialect: String,
    ) -> Result<Self, LabError> {
        let (work, inbox) = mpsc::channel();
        let (ready, opened) = oneshot::channel();
        let place = path.as_ref().map_or_else(|| "memory".into(), |path| path.display().to_string());
        let spawned = thread::Builder::new().name("lab-store".into()).spawn(move || {
            let opening = open(path.as_ref())
                .and_then(|db| begin(&db, started_at, seed, &dialect).map(|run| (db, run)));
            match opening {
                Ok((mut db, run)) => {
                    drop(ready.send(Ok(run)));
                    serve(&mut db, run, &inbox);
                }
                Err(error) => drop(ready.send(Err(error.to_string()))),
            }
        });
        spawned.map_err(|error| LabError::Store(error.to_string()))?;
        match opened.await {
            Ok(Ok(run)) => Ok(Self { work, run }),
            Ok(Err(message)) => Err(LabError::Store(format!("{place}: {message}"))),
            Err(_) => Err(LabError::Store(format!("{place}: its thread ended"))),
        }
    }

    /// Writes events; when this returns they survive the end of the process.
    pub(super) async fn append(&self, records: Vec<JournalEntry>) -> Result<(), LabError> {
        self.ask(|reply| Work::Append { records, reply }).await
    }

    /// The events of this run, or of all, oldest first.
    pub(super) async fn read(&self, all_runs: bool) -> Result<Vec<JournalEntry>, LabError> {
        let run = (!all_runs).then_some(self.run);
        self.ask(|reply| Work::Read { run, reply }).await
    }

    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, LabError> {
        let (reply, answer) = oneshot::channel();
        drop(self.work.send(work(reply)));
        match answer.await {
            Ok(answer) => answer.map_err(LabError::Store),
            Err(_) => Err(LabError::Store("its thread has ended".into())),
        }
    }
}

fn open(path: Option<&PathBuf>) -> rusqlite::Result<Connection> {
    let mut db = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    migrate(&mut db, MIGRATIONS)?;
    Ok(db)
}

fn begin(db: &Connection, started_at: Timestamp, seed: u64, dialect: &str) -> rusqlite::Result<i64> {
    db.execute(
        "INSERT INTO runs (started_at, seed, dialect) VALUES (?1, ?2, ?3)",
        (started_at.to_string(), seed.to_string(), dialect),
    )?;
    Ok(db.last_insert_rowid())
}

fn serve(db: &mut Connection, own: i64, inbox: &mpsc::Receiver<Work>) {
    while let Ok(first) = inbox.recv() {
        let mut waiting = vec![first];
        waiting.extend(inbox.try_iter());
        let mut appends = Vec::new();
        for work in waiting {
            match work {
                Work::Append { records, reply } => appends.push((records, reply)),
                Work::Read { run, reply } => {
                    flush(db, own, &mut appends);
                    drop(reply.send(read(db, run).map_err(|e| e.to_string())));
                }
            }
        }
        flush(db, own, &mut appends);
    }
}

fn flush(db: &mut Connection, run: i64, appends: &mut Vec<(Vec<JournalEntry>, Reply<()>)>) {
    if appends.is_empty() {
        return;
    }
    let written = append(db, run, appends.iter().flat_map(|(records, _)| records));
    let outcome = written.map_err(|error| error.to_string());
    for (_, reply) in appends.drain(..) {
        drop(reply.send(outcome.clone()));
    }
}

fn append<'a>(
    db: &mut Connection,
    run: i64,
    records: impl Iterator<Item = &'a JournalEntry>,
) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO events (run, drill, at, event) VALUES (?1, ?2, ?3, ?4)")?;
        for record in records {
            let event = serde_json::to_string(&record.event)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            insert.execute((run, &record.drill, record.at.to_string(), event))?;
        }
    }
    transaction.commit()
}

fn read(db: &Connection, run: Option<i64>) -> rusqlite::Result<Vec<JournalEntry>> {
    let mut select =
        db.prepare_cached("SELECT drill, at, event FROM events WHERE ?1 IS NULL OR run = ?1 ORDER BY seq")?;
    let rows = select.query_map([run], |row| {
        let (at, event): (String, String) = (row.get(1)?, row.get(2)?);
        Ok(JournalEntry { drill: row.get(0)?, at: parsed(1, at.parse())?, event: parsed_event(&event)? })
    })?;
    rows.collect()
}

fn parsed_event(text: &str) -> rusqlite::Result<DrillEvent> {
    parsed(2, serde_json::from_str(text))
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    column: usize,
    outcome: Result<T, E>,
) -> rusqlite::Result<T> {
    outcome.map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(drill: &str, event: DrillEvent) -> JournalEntry {
        JournalEntry { drill: drill.into(), at: Timestamp::UNIX_EPOCH, event }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_for_the_next_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.sqlite");
        let open = || Database::open(Some(path.clone()), Timestamp::UNIX_EPOCH, 7, "d".into());
        let first = open().await.unwrap();
        let records = vec![record("a", DrillEvent::Injected), record("b", DrillEvent::Solved)];
        first.append(records.clone()).await.unwrap();
        // A second owner on the same file sees it although the first has not closed anything.
        let second = open().await.unwrap();
        assert_eq!(second.read(true).await.unwrap(), records);
        assert!(second.read(false).await.unwrap().is_empty());
        assert_eq!(first.read(false).await.unwrap(), records);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.sqlite");
        std::fs::write(&path, "this is not a database, but it is long enough to look at").unwrap();
        let error =
            Database::open(Some(path.clone()), Timestamp::UNIX_EPOCH, 7, "d".into()).await.unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn migrations_are_done_once() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, MIGRATIONS).unwrap();
        migrate(&mut db, MIGRATIONS).unwrap();
        let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
    }
}
