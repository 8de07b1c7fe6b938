//! Bringing a SQLite database to the newest version of its tables.

use rusqlite::Connection;

/// Does the steps that a database has not seen, each in a transaction of its own. How many it has seen it remembers in
/// `user_version`.
///
/// # Errors
/// SQLite's.
pub fn migrate(db: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let seen: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, step) in (1u32..).zip(steps).filter(|(version, _)| *version > seen) {
        let transaction = db.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
