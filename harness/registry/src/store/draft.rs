//! Content that is still arriving. It is hashed on the way, so that nobody has to read it again at its end; unless
//! it is to have a digest of another algorithm than was thought, or comes from before a restart.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use crate::digest::{Algorithm, Hasher};

/// The largest content in memory.
const LARGEST: u64 = 512 << 20;
/// What all content that is still arriving may hold in memory.
const MOST: u64 = 1 << 30;

/// What arrives, as far as it has come.
pub(crate) struct Draft {
    kept: Kept,
    length: u64,
    hasher: Option<Hasher>,
}

enum Kept {
    Memory(Vec<u8>, Reserved),
    File(PathBuf, File),
}

/// What a draft is when it has arrived.
pub(crate) enum Arrived {
    Memory(Bytes),
    /// Written, but not yet synchronised.
    File(PathBuf, File),
}

/// Memory that drafts hold together.
#[derive(Default, Clone)]
pub(crate) struct Room(Arc<AtomicU64>);

/// One draft's part of it, given back when dropped.
struct Reserved(Room, u64);

impl Reserved {
    fn more(&mut self, bytes: u64) -> io::Result<()> {
        let used = self.0.0.fetch_add(bytes, Ordering::Relaxed);
        if used + bytes > MOST || self.1 + bytes > LARGEST {
            self.0.0.fetch_sub(bytes, Ordering::Relaxed);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.1 += bytes;
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Draft {
    /// Nothing yet, in memory.
    pub(super) fn in_memory(room: &Room, algorithm: Algorithm) -> Self {
        let kept = Kept::Memory(Vec::new(), Reserved(room.clone(), 0));
        Self { kept, length: 0, hasher: Some(Hasher::new(algorithm)) }
    }

    /// Nothing yet, in a file that is made.
    pub(super) fn in_file(path: PathBuf, algorithm: Algorithm) -> io::Result<Self> {
        let file = File::options().read(true).append(true).create_new(true).open(&path)?;
        Ok(Self { kept: Kept::File(path, file), length: 0, hasher: Some(Hasher::new(algorithm)) })
    }

    /// What a process that is gone had received.
    pub(super) fn left_behind(path: PathBuf) -> io::Result<Self> {
        let file = File::options().read(true).append(true).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { kept: Kept::File(path, file), length, hasher: None })
    }

    /// How many bytes have come.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Makes place for so many bytes more, where they are kept in memory: what grows bit by bit is moved again and again. What nobody
    /// has sent yet takes addresses and no memory, and counts for nothing.
    pub(crate) fn expect(&mut self, bytes: u64) {
        if let Kept::Memory(kept, reserved) = &mut self.kept
            && reserved.1.saturating_add(bytes) <= LARGEST
            && let Ok(bytes) = usize::try_from(bytes)
        {
            // Without it, it grows as it can.
            let _placed = kept.try_reserve_exact(bytes);
        }
    }

    /// Takes the next bytes: all of them or none.
    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.kept {
            Kept::Memory(bytes, reserved) => {
                reserved.more(piece.len() as u64)?;
                bytes.extend_from_slice(piece);
            }
            Kept::File(_, file) => {
                if let Err(error) = file.write_all(piece) {
                    // What was written of it would be taken for the beginning of the next piece.
                    file.set_len(self.length)?;
                    return Err(error);
                }
            }
        }
        self.length += piece.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(())
    }

    /// The digest of what has come.
    pub(crate) fn digest(&mut self, algorithm: Algorithm) -> io::Result<String> {
        match self.hasher.take() {
            Some(hasher) if hasher.algorithm() == algorithm => Ok(hasher.finish()),
            _ => match &self.kept {
                Kept::Memory(bytes, _) => Ok(algorithm.digest(bytes)),
                Kept::File(path, _) => algorithm.digest_of(File::open(path)?),
            },
        }
    }

    /// The end of it.
    pub(super) fn arrived(self) -> Arrived {
        match self.kept {
            Kept::Memory(bytes, _) => Arrived::Memory(bytes.into()),
            Kept::File(path, file) => Arrived::File(path, file),
        }
    }

    /// Throws it away.
    pub(crate) fn discard(self) {
        if let Kept::File(path, file) = self.kept {
            drop(file);
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an unfinished upload is not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::digest;

    #[test]
    fn what_arrives_is_hashed_on_the_way_or_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draft");
        let mut draft = Draft::in_file(path.clone(), Algorithm::Sha256).unwrap();
        draft.append(b"one ").unwrap();
        drop(draft);
        let mut draft = Draft::left_behind(path.clone()).unwrap();
        assert_eq!(draft.length(), 4);
        draft.append(b"two").unwrap();
        assert_eq!(draft.digest(Algorithm::Sha256).unwrap(), digest(b"one two"));
        draft.discard();
        assert!(!path.exists());
        let mut draft = Draft::in_memory(&Room::default(), Algorithm::Sha256);
        draft.append(b"one two").unwrap();
        assert_eq!(
            draft.digest(Algorithm::Sha512).unwrap(),
            Algorithm::Sha512.digest(b"one two"),
            "another algorithm than was thought"
        );
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let room = Room::default();
        let mut draft = Draft::in_memory(&room, Algorithm::Sha256);
        draft.append(b"some").unwrap();
        draft.expect(10_000);
        let capacity = |draft: &Draft| match &draft.kept {
            Kept::Memory(bytes, _) => bytes.capacity(),
            Kept::File(..) => 0,
        };
        assert_eq!((capacity(&draft), room.0.load(Ordering::Relaxed)), (10_004, 4), "nothing has come of it");
        for much in [LARGEST, u64::MAX] {
            draft.expect(much);
            assert_eq!(capacity(&draft), 10_004, "more than may come");
        }
        room.0.fetch_add(MOST, Ordering::Relaxed);
        assert_eq!(draft.append(b"more").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(draft.length(), 4, "none of it");
        drop(draft);
        assert_eq!(room.0.load(Ordering::Relaxed), MOST);
    }
}
