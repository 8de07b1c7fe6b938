//! The file that a write is in when it is acknowledged, before it comes into the tables of the
//! [database](super::database). It knows batches and places, and nothing of what is in them.
//!
//! A batch costs one write, past the kernel's cache, of bytes that are on the disk already, which ends when it is there (Linux:
//! `O_DIRECT`, `O_DSYNC`). A commit of SQLite costs four pages, and a file that grows has the file system write what it knows of it as
//! well: 4 KiB took 0.17 ms at the end of a file on ext4, 0.15 ms over zeros, and past the cache 0.11 ms (medians, with pauses
//! between). So room is taken ahead, and what was taken is used again.
//!
//! A batch is its length (4 bytes), its checksum (4), the number of the round (8), what is in it, and zeros up to the next block;
//! numbers are little-endian, the checksum is a CRC-32 of the round and of what is in it. A round begins at the file's beginning, over
//! what former rounds left. How it is read again is a matter of [`batches`](super::batches).

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// How much room is taken at once, in bytes: some thousand writes.
const ROOM: u64 = 16 << 20;
/// With less room than this it is time for more.
const LITTLE: u64 = ROOM / 2;
/// How much room is kept for the next round.
const KEPT: u64 = 4 * ROOM;
/// How much of it is written at once, in bytes.
pub(super) const PIECE: usize = 1 << 20;
/// What comes before a batch.
pub(super) const HEAD: usize = 16;
/// Batches begin and end between blocks: no disk has larger ones that have to be written whole.
pub(super) const BLOCK: usize = 4096;

/// A place between two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) round: u64,
    /// In bytes from the beginning of the file.
    pub(super) offset: u64,
}

impl Place {
    /// Where the next round begins.
    pub(super) fn next_round(self) -> Self {
        Self { round: self.round.saturating_add(1), offset: 0 }
    }

    /// Where the next batch comes after one of so many bytes.
    pub(super) fn behind(self, batch: usize) -> Self {
        Self { offset: self.offset + whole(batch) as u64, ..self }
    }
}

/// Why a batch is not there.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// It would end behind the room that was taken: [`Journal::take_room`] first.
    NoRoom,
    /// What the file system said.
    Failed(io::Error),
}

/// A journal that is written to.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next batch comes.
    place: Place,
    /// How long the file is, in bytes; all of it is on the disk.
    room: u64,
    /// Why nothing may be written, if so.
    held: Option<String>,
    /// Where batches are put together.
    space: Vec<u8>,
}

impl Journal {
    /// Makes a journal, to be written from a place on. Nothing is left of one that was there.
    pub(super) fn make(path: &Path, place: Place) -> io::Result<Self> {
        let file = past_cache(path, OpenOptions::new().write(true).create(true).truncate(true))?;
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file, place, room: 0, held: None, space: Vec::new() })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next batch comes.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Puts a batch on the disk. One that fails is as if it had never been.
    pub(super) fn append(&mut self, batch: &[u8]) -> Result<(), NotWritten> {
        if let Some(why) = &self.held {
            return Err(NotWritten::Failed(io::Error::other(why.clone())));
        }
        let next = self.place.behind(batch.len());
        if next.offset > self.room {
            return Err(NotWritten::NoRoom);
        }
        let written = self.write(batch).or_else(|error| match error.kind() {
            // Some file systems say so only now.
            io::ErrorKind::InvalidInput => {
                self.file = through_cache(&self.path, OpenOptions::new().write(true))?;
                self.write(batch)
            }
            _ => Err(error),
        });
        written.map_err(NotWritten::Failed)?;
        self.place = next;
        Ok(())
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let whole = whole(batch.len());
        self.space.resize(whole + BLOCK, 0);
        // Past the cache, what is written has to begin between two blocks of memory as well.
        let from = self.space.as_ptr().align_offset(BLOCK);
        let blocks = &mut self.space[from..from + whole];
        let (head, rest) = blocks.split_at_mut(HEAD);
        head.copy_from_slice(&self::head(self.place.round, batch)?);
        rest[..batch.len()].copy_from_slice(batch);
        rest[batch.len()..].fill(0);
        self.file.seek(SeekFrom::Start(self.place.offset))?;
        self.file.write_all(blocks)?;
        if !ENDS_ON_DISK {
            self.file.sync_data()?;
        }
        self.space.truncate(PIECE);
        self.space.shrink_to(PIECE);
        Ok(())
    }

    /// Takes room for a batch of a length in bytes, and some more. That takes some milliseconds.
    pub(super) fn take_room(&mut self, batch: usize) -> io::Result<()> {
        let enough = self.place.behind(batch).offset.saturating_sub(self.room);
        let more = self.more_room();
        self.room = more.take(enough.max(ROOM))?;
        Ok(())
    }

    /// More room, if it is time for it. It can be taken while batches are appended.
    pub(super) fn needed_room(&self) -> Option<MoreRoom> {
        (self.room < self.place.offset + LITTLE).then(|| self.more_room())
    }

    fn more_room(&self) -> MoreRoom {
        MoreRoom { path: self.path.clone(), from: self.room }
    }

    /// Uses room that was taken, up to its end.
    pub(super) fn use_room(&mut self, end: u64) {
        self.room = self.room.max(end);
    }

    /// Lets nothing be written any more, and says why; or everything again.
    pub(super) fn hold(&mut self, why: Option<String>) {
        self.held = why;
    }

    /// Begins a round: nothing of the former ones is needed any more.
    pub(super) fn begin(&mut self, place: Place) {
        self.place = place;
        if self.room > KEPT && self.file.set_len(KEPT).is_ok() {
            self.room = KEPT;
        }
    }
}

/// The end of a journal, where room is taken.
pub(super) struct MoreRoom {
    path: PathBuf,
    from: u64,
}

impl MoreRoom {
    /// Puts zeros on the disk, behind the end; where they end.
    pub(super) fn take_some(&self) -> io::Result<u64> {
        self.take(ROOM)
    }

    fn take(&self, length: u64) -> io::Result<u64> {
        let pieces = length.div_ceil(PIECE as u64);
        let file = OpenOptions::new().write(true).open(&self.path)?;
        fill(&file, self.from, pieces).inspect_err(|_why| {
            // On a full disk somebody else needs what there was.
            drop(file.set_len(self.from));
        })?;
        Ok(self.from + pieces * PIECE as u64)
    }
}

/// Writes pieces of zeros from a place on, and waits until they are on the disk.
fn fill(mut file: &File, from: u64, pieces: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let zeros = vec![0; PIECE];
    for _ in 0..pieces {
        file.write_all(&zeros)?;
    }
    file.sync_all()
}

/// Whether a write to a file that was opened for batches ends when it is on the disk.
const ENDS_ON_DISK: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
fn open_with(path: &Path, how: &mut OpenOptions, flags: rustix::fs::OFlags) -> io::Result<File> {
    std::os::unix::fs::OpenOptionsExt::custom_flags(how, flags.bits().cast_signed()).open(path)
}

/// Not every file system can do without the cache.
#[cfg(target_os = "linux")]
fn past_cache(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    use rustix::fs::OFlags;

    open_with(path, how, OFlags::DIRECT | OFlags::DSYNC).or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput => through_cache(path, how),
        _ => Err(error),
    })
}

#[cfg(target_os = "linux")]
fn through_cache(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    open_with(path, how, rustix::fs::OFlags::DSYNC)
}

#[cfg(not(target_os = "linux"))]
fn past_cache(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    how.open(path)
}

#[cfg(not(target_os = "linux"))]
use past_cache as through_cache;

/// How much a batch takes, in bytes.
pub(super) fn whole(batch: usize) -> usize {
    (HEAD + batch).next_multiple_of(BLOCK)
}

/// What stands before a batch.
fn head(round: u64, batch: &[u8]) -> io::Result<[u8; HEAD]> {
    let length = u32::try_from(batch.len()).map_err(|_| io::Error::other("a batch of more than 4 GiB"))?;
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&checksum(round, batch).to_le_bytes());
    head[8..].copy_from_slice(&round.to_le_bytes());
    Ok(head)
}

pub(super) fn checksum(round: u64, batch: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&round.to_le_bytes());
    checksum.update(batch);
    checksum.finalize()
}

#[cfg(test)]
mod tests {
    use super::{super::batches::Batches, *};

    const FIRST: Place = Place { round: 1, offset: 0 };

    fn batches(path: &Path, place: Place) -> Vec<Vec<u8>> {
        let mut batches = Batches::open(path, place, None).unwrap();
        std::iter::from_fn(|| batches.next().unwrap()).collect()
    }

    /// A journal with room, and these batches in its first round.
    fn journal(written: &[&[u8]]) -> (tempfile::TempDir, PathBuf, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let mut journal = Journal::make(&path, FIRST).unwrap();
        journal.take_room(1).unwrap();
        written.iter().for_each(|batch| journal.append(batch).unwrap());
        (folder, path, journal)
    }

    #[test]
    fn batches_are_read_back_from_every_place_between_them() {
        let (_folder, path, mut journal) = journal(&[b"one", b""]);
        let place = journal.place();
        journal.append(b"three").unwrap();
        assert_eq!(batches(&path, FIRST), [&b"one"[..], b"", b"three"]);
        assert_eq!(batches(&path, place), [b"three"]);
        assert_eq!(batches(&path, journal.place()), [b""; 0]);
    }

    #[test]
    fn what_a_former_round_left_is_not_read() {
        let (_folder, path, mut journal) = journal(&[b"one", b"two", b"three"]);
        journal.begin(FIRST.next_round());
        assert_eq!(batches(&path, journal.place()), [b""; 0]);
        journal.append(b"new").unwrap();
        // Where it ends, one of the former round begins.
        assert_eq!(batches(&path, FIRST.next_round()), [b"new"]);
    }

    #[test]
    fn a_batch_that_was_cut_off_is_none_and_is_written_over() {
        let (_folder, path, mut journal) = journal(&[b"one"]);
        let place = journal.place();
        journal.append(b"a longer one").unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in place.offset..place.offset + 32 {
            let mut cut_off = whole.clone();
            cut_off[usize::try_from(cut).unwrap()..].fill(0);
            // A zero at its end is the same.
            if cut_off != whole {
                std::fs::write(&path, &cut_off).unwrap();
                assert_eq!(batches(&path, FIRST), [b"one"], "cut at {cut}");
            }
        }
        journal.place = place;
        journal.append(b"other").unwrap();
        assert_eq!(batches(&path, FIRST), [&b"one"[..], b"other"]);
    }

    #[test]
    fn batches_that_have_to_be_there_are_missed() {
        let (_folder, path, journal) = journal(&[b"one", b"two"]);
        let end = journal.place();
        let read = |until| {
            let mut batches = Batches::open(&path, FIRST, Some(until)).unwrap();
            while batches.next()?.is_some() {}
            io::Result::Ok(batches.place())
        };
        assert_eq!(read(end).unwrap(), end);
        assert!(read(end.behind(0)).is_err(), "there is no third");
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start((BLOCK + HEAD) as u64)).unwrap();
        file.write_all(b"x").unwrap();
        let error = read(end).unwrap_err().to_string();
        assert!(error.contains("damaged, 4096 bytes"), "{error}");
    }

    #[test]
    fn a_damaged_batch_is_missed_where_others_follow_it() {
        let long = vec![b'l'; 3 * BLOCK];
        let (_folder, path, _journal) = journal(&[b"one", &long, b"three", b"four"]);
        let whole = std::fs::read(&path).unwrap();
        let read = |damaged: &[u8]| {
            std::fs::write(&path, damaged).unwrap();
            let mut batches = Batches::open(&path, FIRST, None).unwrap();
            let mut count = 0;
            while batches.next()?.is_some() {
                count += 1;
            }
            io::Result::Ok(count)
        };
        assert_eq!(read(&whole).unwrap(), 4);
        // Every part of a head, what is in a batch, and in its last block.
        for (place, batch) in [(0, 0), (4, 0), (8, 0), (HEAD, 0), (BLOCK, 1), (3 * BLOCK, 1), (5 * BLOCK, 2)]
        {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x40;
            let error = read(&damaged).unwrap_err().to_string();
            let begin = [0, BLOCK, 5 * BLOCK][batch];
            assert!(error.contains(&format!("damaged, {begin} bytes")), "{place}: {error}");
        }
        // A whole disk block that was lost, and the last batch of all, which may not have been written to its end.
        let mut damaged = whole.clone();
        damaged[BLOCK..2 * BLOCK].fill(0);
        assert!(read(&damaged).is_err());
        let mut damaged = whole;
        damaged[6 * BLOCK + HEAD] ^= 0x40;
        assert_eq!(read(&damaged).unwrap(), 3);
    }

    #[test]
    fn a_journal_that_is_held_takes_nothing() {
        let (_folder, path, mut journal) = journal(&[b"one"]);
        journal.hold(Some("so".into()));
        assert!(matches!(journal.append(b"two"), Err(NotWritten::Failed(why)) if why.to_string() == "so"));
        journal.hold(None);
        journal.append(b"three").unwrap();
        assert_eq!(batches(&path, FIRST), [&b"one"[..], b"three"]);
        let made = Journal::make(&path, FIRST).unwrap();
        assert_eq!((made.room, batches(&path, FIRST).len()), (0, 0));
    }

    #[test]
    fn a_length_that_is_none_ends_it() {
        let (_folder, path, journal) = journal(&[b"one"]);
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(journal.place().offset)).unwrap();
        file.write_all(&[0xff; 8]).unwrap();
        file.write_all(&1u64.to_le_bytes()).unwrap();
        assert_eq!(batches(&path, FIRST), [b"one"]);
    }

    #[test]
    fn room_is_taken_before_it_is_needed_and_given_back() {
        let (_folder, path, mut journal) = journal(&[]);
        let length = || std::fs::metadata(&path).unwrap().len();
        assert!(journal.needed_room().is_none());
        let half = vec![7; usize::try_from(LITTLE).unwrap()];
        journal.append(&half).unwrap();
        let more = journal.needed_room().unwrap();
        assert!(matches!(journal.append(&half), Err(NotWritten::NoRoom)));
        let end = more.take_some().unwrap();
        journal.use_room(end);
        journal.append(&half).unwrap();
        assert_eq!(length(), 2 * ROOM);

        let large = vec![7; usize::try_from(KEPT).unwrap()];
        journal.take_room(large.len()).unwrap();
        journal.append(&large).unwrap();
        assert_eq!(batches(&path, FIRST).len(), 3);
        journal.begin(FIRST.next_round());
        assert_eq!(length(), KEPT);
        assert!(journal.needed_room().is_none());
    }
}
