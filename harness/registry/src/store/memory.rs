//! Content in memory: everything that was ever stored, by digest. Nothing is forgotten, since what a tag pointed at
//! once stays evidence; so there is a limit to all of it together.

use std::{collections::HashMap, io};

use bytes::Bytes;
use parking_lot::RwLock;

use super::draft::Room;

/// How much is stored at most, so that a client cannot use up the machine.
const MOST: usize = 2 << 30;

/// All content.
#[derive(Default)]
pub(crate) struct Memory {
    stored: RwLock<Stored>,
    pub(super) room: Room,
}

#[derive(Default)]
struct Stored {
    by_digest: HashMap<String, Bytes>,
    total: usize,
}

impl Memory {
    /// Stores what has this digest.
    pub(super) fn put(&self, digest: &str, bytes: Bytes) -> io::Result<()> {
        let mut stored = self.stored.write();
        if !stored.by_digest.contains_key(digest) {
            if stored.total + bytes.len() > MOST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            stored.total += bytes.len();
            stored.by_digest.insert(digest.to_owned(), bytes);
        }
        Ok(())
    }

    /// What has this digest.
    pub(super) fn get(&self, digest: &str) -> Option<Bytes> {
        self.stored.read().by_digest.get(digest).cloned()
    }
}
