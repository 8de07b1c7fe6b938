//! Reading a [journal](super::journal) again.
//!
//! It ends where no batch of its round is: one that was not written to its end was never acknowledged. But nothing is written
//! before the batch before it is on the disk, so where others of the round follow, there was one that somebody was told is
//! safe. The last batch of all is the only one that can be damaged without anybody seeing it, as in SQLite's own log.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::journal::{BLOCK, HEAD, PIECE, Place, checksum, whole};

/// How far behind the end others are looked for, in bytes: further than the longest batch reaches.
const BEHIND: u64 = 8 << 20;

/// The batches of a round, from a place on.
pub(super) struct Batches {
    file: BufReader<File>,
    /// Where the next one is read.
    place: Place,
    /// Where they end, if that is known.
    until: Option<Place>,
    /// How much of the file is left behind that.
    left: u64,
}

/// What stands before a batch.
struct Head {
    length: u32,
    checksum: u32,
    round: u64,
}

impl Head {
    fn read(bytes: [u8; HEAD]) -> Self {
        let [length, checksum] =
            [0, 4].map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let mut round = [0; 8];
        round.copy_from_slice(&bytes[8..]);
        Self { length, checksum, round: u64::from_le_bytes(round) }
    }
}

impl Batches {
    /// Those of the journal at a path, up to another place or to where they end.
    pub(super) fn open(path: &Path, place: Place, until: Option<Place>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = until.map_or(file.metadata()?.len(), |until| until.offset);
        let left = end.saturating_sub(place.offset);
        file.seek(SeekFrom::Start(place.offset))?;
        Ok(Self { file: BufReader::with_capacity(PIECE, file), place, until, left })
    }

    /// Where the next one is read.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The next one; nothing at the end of what was acknowledged.
    ///
    /// # Errors
    /// The file system's; that there was more than can be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let batch = self.read()?;
        let missed = batch.is_none()
            && match self.until {
                Some(until) => until != self.place,
                None => self.go_on()?,
            };
        if missed {
            let why = format!("the journal is damaged, {} bytes from its beginning", self.place.offset);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(batch)
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; HEAD];
        if self.left < HEAD as u64 {
            return Ok(None);
        }
        self.file.read_exact(&mut head)?;
        self.left -= HEAD as u64;
        let head = Head::read(head);
        if head.round != self.place.round || u64::from(head.length) > self.left {
            return Ok(None);
        }
        let mut batch = Vec::new();
        (&mut self.file).take(u64::from(head.length)).read_to_end(&mut batch)?;
        self.left -= u64::from(head.length);
        let zeros = (whole(batch.len()) - HEAD - batch.len()) as u64;
        self.file.seek_relative(zeros.cast_signed())?;
        self.left = self.left.saturating_sub(zeros);
        if checksum(self.place.round, &batch) != head.checksum {
            return Ok(None);
        }
        self.place = self.place.behind(batch.len());
        Ok(Some(batch))
    }

    /// Whether others of the round are behind the place where there is none.
    fn go_on(&mut self) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(self.place.offset + BLOCK as u64))?;
        let mut behind = Vec::new();
        (&mut self.file).take(BEHIND).read_to_end(&mut behind)?;
        let mut blocks = (0..behind.len()).step_by(BLOCK);
        Ok(blocks.any(|at| is_batch(&behind[at..], self.place.round)))
    }
}

/// Whether a whole batch of a round begins here.
fn is_batch(bytes: &[u8], round: u64) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk() else { return false };
    let head = Head::read(*head);
    let batch = usize::try_from(head.length).ok().and_then(|length| rest.get(..length));
    head.round == round && batch.is_some_and(|batch| checksum(round, batch) == head.checksum)
}
