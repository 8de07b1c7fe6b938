//! One piece of stored content, ready to be read from its beginning to its end.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;

/// Content: in memory, or in an open file of its own. An open file stays readable whatever becomes of its name.
pub(crate) enum Blob {
    Bytes(Bytes),
    File(File, u64),
}

impl Blob {
    /// All of it, for what is known to be small.
    pub(crate) fn whole(self) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(file, length) => {
                let mut all = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
                file.take(length).read_to_end(&mut all)?;
                Ok(all.into())
            }
        }
    }

    /// A part of it: so many bytes from there.
    pub(crate) fn part(self, first: u64, length: u64) -> io::Result<Self> {
        match self {
            Self::Bytes(bytes) => {
                let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Self::Bytes(bytes.slice(at(first)..at(first.saturating_add(length)))))
            }
            Self::File(mut file, _) => {
                file.seek(SeekFrom::Start(first))?;
                Ok(Self::File(file, length))
            }
        }
    }

    /// Reads it.
    pub(crate) fn reader(self) -> Box<dyn Read> {
        match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::File(file, length) => Box::new(file.take(length)),
        }
    }
}
