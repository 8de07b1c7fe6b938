//! The SQL of a data folder: its tables, and the few statements on them.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Key, log::Log, migrate, writer::Write};

/// Each entry brings a database one version further. Never change one that has been released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE clusters (
        name TEXT PRIMARY KEY,
        reserved INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE objects (
        cluster TEXT NOT NULL,
        resource TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (cluster, resource, namespace, name)
    ) STRICT;
    CREATE TABLE kept (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// How many revisions are reserved ahead of those that are written: what was shown, but not yet written when a
/// process ended, is never numbered anew.
const RESERVED: u64 = 1_000_000;

/// How many pages the write-ahead log may grow to before a writer has to wait until they are in the tables: 64 MiB.
/// Before that, they are brought there when nobody writes ([`Database::settle`]).
const LOG_PAGES: u32 = 16_384;

/// One stored object.
pub(super) struct Row {
    pub(super) resource: Arc<str>,
    pub(super) key: Key,
    pub(super) revision: u64,
    pub(super) body: Vec<u8>,
}

/// An open database.
pub(super) struct Database {
    db: Connection,
    log: Log,
    /// The last revision that is reserved for each cluster.
    reserved: HashMap<Arc<str>, u64>,
}

impl Database {
    /// Opens or makes the database, for this process alone.
    pub(super) fn open(folder: &Path, path: &Path) -> Result<Self, String> {
        make_private(folder).map_err(|error| error.to_string())?;
        let opened = || {
            let mut db = Connection::open(path)?;
            db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            // Every commit reaches the disk before anybody is told.
            db.pragma_update(None, "synchronous", "FULL")?;
            db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
            migrate(&mut db, MIGRATIONS)?;
            Ok(db)
        };
        let db = opened().map_err(|error: rusqlite::Error| error.to_string())?;
        Ok(Self { db, log: Log::of(path), reserved: HashMap::new() })
    }

    /// Writes in one transaction: all of it, or nothing.
    pub(super) fn write(&mut self, writes: &[Write]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let mut renewed = HashMap::new();
        for write in writes {
            apply(&transaction, write)?;
            let reserved = renewed.get(&write.cluster).or_else(|| self.reserved.get(&write.cluster));
            if reserved.is_none_or(|reserved| write.revision + RESERVED / 2 > *reserved) {
                let next = reserve(&transaction, &write.cluster, write.revision)?.1;
                renewed.insert(write.cluster.clone(), next);
            }
        }
        transaction.commit()?;
        self.reserved.extend(renewed);
        Ok(())
    }

    /// Makes the next commits cheap. It may take some milliseconds: nobody should be waiting for an answer meanwhile.
    pub(super) fn prepare(&mut self) {
        if let Err(error) = self.log.take_room() {
            tracing::warn!(%error, "no room could be taken for the database's log; writes go on, slower");
        }
    }

    /// Brings what is in the write-ahead log into the tables. Nothing depends on it but how long the log gets.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn settle(&self) -> rusqlite::Result<()> {
        self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(()))
    }

    /// A cluster's objects, and the last revision that it may have shown.
    pub(super) fn load(&mut self, cluster: &Arc<str>) -> rusqlite::Result<(u64, Vec<Row>)> {
        let transaction = self.db.transaction()?;
        let (before, reserved) = reserve(&transaction, cluster, 0)?;
        let mut rows = Vec::new();
        {
            let mut select = transaction.prepare_cached(
                "SELECT resource, namespace, name, revision, body FROM objects WHERE cluster = ?1",
            )?;
            let mut found = select.query([&**cluster])?;
            while let Some(row) = found.next()? {
                let (namespace, name): (String, String) = (row.get(1)?, row.get(2)?);
                rows.push(Row {
                    resource: row.get::<_, String>(0)?.into(),
                    key: Key::new(namespace, name),
                    revision: unsigned(row.get(3)?),
                    body: row.get(4)?,
                });
            }
        }
        transaction.commit()?;
        self.reserved.insert(cluster.clone(), reserved);
        Ok((before, rows))
    }

    /// The names of all clusters.
    pub(super) fn clusters(&self) -> rusqlite::Result<Vec<String>> {
        let mut select = self.db.prepare_cached("SELECT name FROM clusters ORDER BY name")?;
        let names = select.query_map([], |row| row.get(0))?;
        names.collect()
    }

    /// Removes a cluster.
    pub(super) fn forget(&mut self, cluster: &str) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        transaction.execute("DELETE FROM objects WHERE cluster = ?1", [cluster])?;
        transaction.execute("DELETE FROM clusters WHERE name = ?1", [cluster])?;
        transaction.execute(
            "DELETE FROM kept WHERE instr(name, '/') > 0 AND substr(name, instr(name, '/') + 1) = ?1",
            [cluster],
        )?;
        transaction.commit()?;
        self.reserved.remove(cluster);
        Ok(())
    }

    /// What is kept under a name, else `new`, which is kept then.
    pub(super) fn keep(&mut self, name: &str, new: Vec<u8>) -> rusqlite::Result<Vec<u8>> {
        let transaction = self.db.transaction()?;
        let select = "SELECT value FROM kept WHERE name = ?1";
        let found: Option<Vec<u8>> = transaction.query_row(select, [name], |row| row.get(0)).optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        transaction.execute("INSERT INTO kept (name, value) VALUES (?1, ?2)", params![name, new])?;
        transaction.commit()?;
        Ok(new)
    }
}

/// The folder and what comes into it are the owner's alone: there are Secrets and keys in it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn apply(transaction: &Transaction<'_>, write: &Write) -> rusqlite::Result<()> {
    let Write { cluster, resource, key, object, revision } = write;
    match object {
        Some(object) => {
            let mut put = transaction.prepare_cached(
                // A row that stays where it is costs a page or two; a replaced one moves, and its index entry with it.
                "INSERT INTO objects (cluster, resource, namespace, name, revision, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
            )?;
            let body = object.bytes();
            put.execute(params![cluster, resource, key.namespace, key.name, signed(*revision), &body[..]])?;
        }
        None => {
            let mut remove = transaction.prepare_cached(
                "DELETE FROM objects WHERE cluster = ?1 AND resource = ?2 AND namespace = ?3 AND name = ?4",
            )?;
            remove.execute(params![cluster, resource, key.namespace, key.name])?;
        }
    }
    Ok(())
}

/// Reserves revisions ahead of `revision`; the last one that was reserved before, and the last one that is now.
fn reserve(transaction: &Transaction<'_>, cluster: &str, revision: u64) -> rusqlite::Result<(u64, u64)> {
    let select = "SELECT reserved FROM clusters WHERE name = ?1";
    let reserved: Option<i64> = transaction.query_row(select, [cluster], |row| row.get(0)).optional()?;
    let before = reserved.map_or(0, unsigned);
    let next = before.max(revision) + RESERVED;
    let put = "INSERT OR REPLACE INTO clusters (name, reserved) VALUES (?1, ?2)";
    transaction.execute(put, params![cluster, signed(next)])?;
    Ok((before, next))
}

/// SQLite's integers are signed; no revision comes near the end of them.
fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn unsigned(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_done_once_and_the_folder_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, path) = (folder.path().join("data"), folder.path().join("data/x.sqlite"));
        drop(Database::open(&inner, &path).unwrap());
        let db = Database::open(&inner, &path).unwrap();
        let version: u32 = db.db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
