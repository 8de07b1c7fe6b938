//! Where content is kept: in memory, or on disk. What differs between the two ends here; which repository has what, and
//! who may have it, is decided above and is the same for both.
//!
//! - `memory`, `disk`: the two. `layout`: one repository on disk. `files`: files that are there whole or not at all.
//! - [`draft`]: content that is still arriving. [`blob`]: content to be read. `cache`: what was wanted lately.
//!
//! Everything here may block; [`Store::offload`] keeps that from those who must not wait. On disk content goes out and
//! comes in by pieces, so that its size is no matter. The kernel can't copy files to sockets here as it could without
//! TLS: what is sent has to be encrypted by this process.

pub(crate) mod blob;
mod cache;
mod disk;
pub(crate) mod draft;
mod files;
mod layout;
mod memory;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::{RwLockReadGuard, RwLockWriteGuard};
use pulldrill_clock::Timestamp;

pub(crate) use self::disk::{Disk, LeftBehind};
use self::{
    blob::Blob,
    draft::{Arrived, Draft},
    memory::Memory,
};
use crate::{
    digest::Algorithm,
    repository::{Place, Repository},
};

/// A host and one of its repositories.
pub(crate) type Whose<'a> = (&'a str, &'a str);

/// Where content is kept. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Store {
    Memory(Arc<Memory>),
    Disk(Arc<Disk>),
}

impl Default for Store {
    fn default() -> Self {
        Self::Memory(Arc::default())
    }
}

impl Store {
    /// In a folder, which is made if needed and belongs to this process from then on.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Disk::open(folder).map(|disk| Self::Disk(Arc::new(disk)))
    }

    /// Whether what is done here may take its time.
    pub(crate) fn may_block(&self) -> bool {
        matches!(self, Self::Disk(_))
    }

    /// Does something that uses the store without holding up others: at once where it takes no time, else on a thread
    /// for such things.
    pub(crate) async fn offload<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if !self.may_block() {
            return work();
        }
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// While this is held, nothing is taken away: from before content is brought until a repository says that it has
    /// it.
    pub(crate) fn bringing(&self) -> Option<RwLockReadGuard<'_, ()>> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(disk.bringing()),
        }
    }

    /// While this is held, nothing is brought, and nobody else takes anything away.
    pub(crate) fn taking(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(disk.taking()),
        }
    }

    /// Where an upload begins.
    pub(crate) fn draft(&self, of: Whose<'_>, id: &str, algorithm: Algorithm) -> io::Result<Draft> {
        match self {
            Self::Memory(memory) => Ok(Draft::in_memory(&memory.room, algorithm)),
            Self::Disk(disk) => disk.draft(of, id, algorithm),
        }
    }

    /// Keeps what has arrived and has that digest.
    pub(crate) fn keep(&self, to: Whose<'_>, draft: Draft, digest: &str) -> io::Result<()> {
        match (self, draft.arrived()) {
            (Self::Memory(memory), Arrived::Memory(bytes)) => memory.put(digest, bytes),
            (Self::Disk(disk), Arrived::File(path, file)) => disk.keep(to, &path, &file, digest),
            _ => Err(io::Error::other("an upload of another store")),
        }
    }

    /// Keeps some bytes that have that digest.
    pub(crate) fn put(&self, to: Whose<'_>, digest: &str, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::Memory(memory) => memory.put(digest, bytes),
            Self::Disk(disk) => disk.put(to, digest, &bytes),
        }
    }

    /// Lets one more repository have what is there. False when it is not there.
    pub(crate) fn link(&self, to: Whose<'_>, digest: &str) -> io::Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.get(digest).is_some()),
            Self::Disk(disk) => disk.link(to, digest),
        }
    }

    /// Takes content from a repository that has said that it no longer has it. Memory forgets nothing.
    pub(crate) fn let_go(&self, of: Whose<'_>, digest: &str) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(disk) => disk.let_go(of, digest),
        }
    }

    /// Takes what nobody living has; gives how much that was. Memory forgets nothing.
    pub(crate) fn sweep(&self, living: &HashSet<String>) -> io::Result<u64> {
        match self {
            Self::Memory(_) => Ok(0),
            Self::Disk(disk) => disk.sweep(living),
        }
    }

    /// What has a digest.
    pub(crate) fn get(&self, digest: &str) -> io::Result<Option<Blob>> {
        match self {
            Self::Memory(memory) => Ok(memory.get(digest).map(Blob::Bytes)),
            Self::Disk(disk) => disk.get(digest),
        }
    }

    /// What has a digest, if that can be said at once.
    pub(crate) fn at_hand(&self, digest: &str) -> Option<Bytes> {
        match self {
            Self::Memory(memory) => memory.get(digest),
            Self::Disk(disk) => disk.cached(digest),
        }
    }

    /// What has a digest, whole: for manifests and what else is small.
    pub(crate) fn read(&self, digest: &str) -> io::Result<Option<Bytes>> {
        match self {
            Self::Memory(memory) => Ok(memory.get(digest)),
            Self::Disk(disk) => disk.read(digest),
        }
    }

    /// Makes a repository as it is now last.
    pub(crate) fn record(&self, of: Whose<'_>, now: &Repository) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(disk) => disk.record(of, now),
        }
    }

    /// The repositories of a host as they were left.
    pub(crate) fn load(&self, host: &str, now: Timestamp) -> io::Result<BTreeMap<String, Place>> {
        match self {
            Self::Memory(_) => Ok(BTreeMap::new()),
            Self::Disk(disk) => disk.load(host, now),
        }
    }

    /// What was kept beside the repositories of a host.
    pub(crate) fn aside(&self, host: &str) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Memory(_) => Ok(None),
            Self::Disk(disk) => disk.aside(host),
        }
    }

    /// Keeps something beside the repositories of a host, in place of what was kept there before.
    pub(crate) fn keep_aside(&self, host: &str, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(disk) => disk.keep_aside(host, text),
        }
    }

    /// The uploads of a host that were not finished.
    pub(crate) fn left_behind(&self, host: &str) -> io::Result<Vec<LeftBehind>> {
        match self {
            Self::Memory(_) => Ok(Vec::new()),
            Self::Disk(disk) => disk.left_behind(host),
        }
    }
}
