//! The SQL of a data folder: its tables, and the few statements on them. Writes come here from the
//! [journal](super::journal), many in a transaction, and nobody waits for that.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use thiserror::Error;

use super::{
    Key,
    batches::Batches,
    journal::Place,
    migrate,
    note::{self, Noted},
    text,
};

/// Each entry brings a database one version further. Never change one that has been released.
const MIGRATIONS: &[&str] = &[
    "
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
",
    "
    -- Up to where the journal is in the tables.
    CREATE TABLE settled (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        round INTEGER NOT NULL,
        offset INTEGER NOT NULL
    ) STRICT;
    INSERT INTO settled VALUES (1, 1, 0);
",
];

/// How many revisions are reserved ahead of those that are written: what was shown, but not yet written when a
/// process ended, is never numbered anew.
const RESERVED: u64 = 1_000_000;

/// Why the journal does not come into the tables.
#[derive(Debug, Error)]
pub(super) enum Unsettled {
    /// It is not what was written there.
    #[error("{0}")]
    Damaged(String),
    /// What SQLite or the file system said.
    #[error("{0}")]
    Failed(String),
}

impl From<rusqlite::Error> for Unsettled {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Unsettled {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

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
    /// The last revision that is reserved for each cluster.
    reserved: HashMap<Arc<str>, u64>,
}

impl Database {
    /// Opens or makes the database, for this process alone.
    pub(super) fn open(folder: &Path, path: &Path) -> Result<Self, String> {
        make_private(folder).map_err(text)?;
        let opened = || -> rusqlite::Result<_> {
            let mut db = Connection::open(path)?;
            db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            // The journal is written over after a commit: it has to be on the disk by then.
            db.pragma_update(None, "synchronous", "FULL")?;
            migrate(&mut db, MIGRATIONS)?;
            Ok(db)
        };
        Ok(Self { db: opened().map_err(text)?, reserved: HashMap::new() })
    }

    /// Up to where the journal is in the tables.
    pub(super) fn settled(&self) -> rusqlite::Result<Place> {
        self.db.query_row("SELECT round, offset FROM settled", [], |row| {
            Ok(Place { round: unsigned(row.get(0)?), offset: unsigned(row.get(1)?) })
        })
    }

    /// Brings batches of the journal into the tables, in one transaction, up to where they end or to where more than
    /// `limit` bytes are read; it goes on from there, or with another round.
    ///
    /// # Errors
    /// [`Unsettled`].
    pub(super) fn settle(
        &mut self,
        batches: &mut Batches,
        limit: u64,
        next_round: bool,
    ) -> Result<Place, Unsettled> {
        let begun = batches.place();
        let transaction = self.db.transaction()?;
        let mut renewed = HashMap::new();
        while batches.place().offset - begun.offset < limit
            && let Some(batch) = batches.next()?
        {
            for noted in note::decode(&batch) {
                let noted = noted.map_err(|why| Unsettled::Damaged(why.into()))?;
                keep(&transaction, &noted, &self.reserved, &mut renewed)?;
            }
        }
        let settled = if next_round { batches.place().next_round() } else { batches.place() };
        let put = "UPDATE settled SET round = ?1, offset = ?2";
        transaction.execute(put, params![signed(settled.round), signed(settled.offset)])?;
        transaction.commit()?;
        for (cluster, reserved) in renewed {
            match reserved {
                Some(reserved) => self.reserved.insert(cluster, reserved),
                None => self.reserved.remove(&cluster),
            };
        }
        Ok(settled)
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

/// Does in the tables what was noted, and reserves revisions ahead of it; in `renewed` nothing is of a cluster that is gone.
fn keep(
    transaction: &Transaction<'_>,
    noted: &Noted<'_>,
    reserved: &HashMap<Arc<str>, u64>,
    renewed: &mut HashMap<Arc<str>, Option<u64>>,
) -> rusqlite::Result<()> {
    match *noted {
        Noted::Forget { cluster } => {
            renewed.insert(cluster.into(), None);
            forget(transaction, cluster)
        }
        Noted::Write { cluster, resource, namespace, name, revision, body } => {
            match body {
                Some(body) => {
                    let mut put = transaction.prepare_cached(
                        // A row that stays where it is costs a page or two; a replaced one moves, and its index entry with it.
                        "INSERT INTO objects (cluster, resource, namespace, name, revision, body)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
                    )?;
                    put.execute(params![cluster, resource, namespace, name, signed(revision), body])?;
                }
                None => {
                    let mut remove = transaction.prepare_cached(
                        "DELETE FROM objects WHERE cluster = ?1 AND resource = ?2 AND namespace = ?3 AND name = ?4",
                    )?;
                    remove.execute(params![cluster, resource, namespace, name])?;
                }
            }
            let before = renewed.get(cluster).copied().unwrap_or_else(|| reserved.get(cluster).copied());
            if before.is_none_or(|before| revision.saturating_add(RESERVED / 2) > before) {
                let next = reserve(transaction, cluster, revision)?.1;
                renewed.insert(cluster.into(), Some(next));
            }
            Ok(())
        }
    }
}

/// Removes a cluster.
fn forget(transaction: &Transaction<'_>, cluster: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM objects WHERE cluster = ?1", [cluster])?;
    transaction.execute("DELETE FROM clusters WHERE name = ?1", [cluster])?;
    transaction.execute(
        "DELETE FROM kept WHERE instr(name, '/') > 0 AND substr(name, instr(name, '/') + 1) = ?1",
        [cluster],
    )?;
    Ok(())
}

/// Reserves revisions ahead of `revision`; the last one that was reserved before, and the last one that is now.
fn reserve(transaction: &Transaction<'_>, cluster: &str, revision: u64) -> rusqlite::Result<(u64, u64)> {
    let select = "SELECT reserved FROM clusters WHERE name = ?1";
    let reserved: Option<i64> = transaction.query_row(select, [cluster], |row| row.get(0)).optional()?;
    let before = reserved.map_or(0, unsigned);
    let next = before.max(revision).saturating_add(RESERVED);
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
    use super::{super::keeper::Keeper, *};

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

    #[test]
    fn a_folder_of_the_time_before_the_journal_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let mut old = Connection::open(&path).unwrap();
        migrate(&mut old, &MIGRATIONS[..1]).unwrap();
        let insert = "INSERT INTO objects VALUES ('c', 'pods', 'ns', 'a', 7, CAST('{}' AS BLOB))";
        old.execute(insert, []).unwrap();
        drop(old);
        let mut db = Database::open(folder.path(), &path).unwrap();
        assert_eq!(db.settled().unwrap(), Place { round: 1, offset: 0 });
        assert_eq!(db.load(&"c".into()).unwrap().1[0].revision, 7);
    }

    #[test]
    fn a_journal_that_is_missing_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Database::open(folder.path(), &folder.path().join("x.sqlite")).unwrap();
        db.db.execute("UPDATE settled SET offset = 100", []).unwrap();
        let journal = folder.path().join("x.journal");
        let error = Keeper::recover(&mut db, &journal).unwrap_err();
        assert!(matches!(error, Unsettled::Damaged(_)));
        let error = error.to_string();
        assert!(error.contains("x.journal") && error.contains("missing"), "{error}");
        fs::write(&journal, [0; 100]).unwrap();
        assert_eq!(Keeper::recover(&mut db, &journal).unwrap(), Place { round: 2, offset: 0 });
    }
}
