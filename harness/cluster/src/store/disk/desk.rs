//! Where notes are left until they are in the [journal](super::journal), and how those who wait for theirs get them there.
//!
//! Whoever waits writes what lies on the desk, others' notes as well, unless somebody else is writing just then; who comes
//! meanwhile leaves a note for the next one. Nobody hands anything to another thread: on a machine with a quick disk and
//! busy processors that takes longer than the disk. A slow disk would hold up the runtime's threads; then those who wait
//! leave it to the disk's own thread ([`keeper`](super::keeper)).

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use pulldrill_clock::real;
use tokio::sync::watch;

use super::{
    journal::{Journal, NotWritten},
    note::Note,
    text,
};

/// How large a batch grows, in bytes, so that nobody waits long for the first of its notes.
const BATCH: usize = 4 << 20;
/// How long a write may take, in the mean of the latest ones, that those who wait do by themselves.
const QUICK: Duration = Duration::from_millis(1);
/// From how many notes on it is better to wait for others.
const CROWD: usize = 3;
/// For how long, in times of a write: so long do clients take who are busy with other things as well;
const PATIENCE: u32 = 16;
/// and never longer than anybody sees.
const MOMENT: Duration = Duration::from_millis(2);

/// How far the disk has come.
#[derive(Debug, Default)]
struct Progress {
    /// So many notes are there.
    written: u64,
    /// How many attempts to write have failed; they are tried again.
    failures: u64,
    /// Why the latest of them did.
    failure: Arc<str>,
}

/// What was noted and is not yet being written.
#[derive(Default)]
struct Notes {
    left: Vec<Note>,
    /// How many there were since the process began.
    count: u64,
    /// How many somebody waits for, if somebody does.
    wanted: Option<usize>,
}

/// Who has this writes.
pub(super) struct Pen {
    pub(super) journal: Journal,
    /// What is to be written next, in order.
    waiting: Vec<Note>,
}

/// Notes, and the journal that they go to.
pub(super) struct Desk {
    notes: Mutex<Notes>,
    /// As many came as were wanted.
    come: Condvar,
    pen: Mutex<Pen>,
    progress: watch::Sender<Progress>,
    /// How many notes came during the latest write, and in it.
    crowd: AtomicUsize,
    /// The thread was asked to write, and has not begun.
    asked: AtomicBool,
    /// The mean time of the latest writes, in nanoseconds.
    pace: AtomicU64,
}

/// What has become of what lay on the desk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// So many notes are on the disk; there may be more.
    Notes(usize),
    /// There has to be room first, in bytes.
    NoRoom(usize),
    /// Why they are not.
    Failed(String),
}

impl Desk {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            notes: Mutex::default(),
            come: Condvar::new(),
            pen: Mutex::new(Pen { journal, waiting: Vec::new() }),
            progress: watch::Sender::default(),
            crowd: AtomicUsize::default(),
            asked: AtomicBool::default(),
            pace: AtomicU64::default(),
        }
    }

    /// Leaves a note; how many there were with it.
    pub(super) fn leave(&self, note: Note) -> u64 {
        let mut notes = self.notes.lock();
        notes.left.push(note);
        notes.count += 1;
        if notes.wanted.is_some_and(|wanted| notes.left.len() >= wanted) {
            self.come.notify_one();
        }
        notes.count
    }

    /// Waits for as many notes as came lately, a moment at most.
    pub(super) fn gather(&self) {
        let crowd = self.crowd.load(Relaxed);
        let moment = MOMENT.min(Duration::from_nanos(self.pace.load(Relaxed)) * PATIENCE);
        let watch = real::stopwatch();
        let mut notes = self.notes.lock();
        notes.wanted = Some(crowd);
        while notes.left.len() < crowd
            && let Some(rest) = moment.checked_sub(watch.elapsed())
        {
            self.come.wait_for(&mut notes, rest);
        }
        notes.wanted = None;
        // Whoever found it said that somebody was asked has left a note before.
        self.asked.store(false, Relaxed);
    }

    /// How many notes there were so far.
    pub(super) fn count(&self) -> u64 {
        self.notes.lock().count
    }

    /// Whether nothing lies on it.
    pub(super) fn is_clear(&self) -> bool {
        self.is_written(self.count())
    }

    /// Whether so many notes are on the disk.
    pub(super) fn is_written(&self, count: u64) -> bool {
        self.progress.borrow().written >= count
    }

    /// Waits until so many notes are on the disk. `ask` asks the disk's own thread to write.
    ///
    /// # Errors
    /// Why they are not.
    pub(super) async fn written(
        &self,
        count: u64,
        ask: impl Fn() -> Result<(), String>,
    ) -> Result<(), String> {
        let mut progress = self.progress.subscribe();
        let failures = progress.borrow().failures;
        loop {
            {
                let progress = progress.borrow_and_update();
                if progress.written >= count {
                    return Ok(());
                }
                if progress.failures > failures {
                    return Err(progress.failure.to_string());
                }
            }
            if self.is_quick() && self.crowd.load(Relaxed) < CROWD {
                match self.pen.try_lock().map(|pen| self.write(pen)) {
                    Some(Written::Notes(_) | Written::Failed(_)) => continue,
                    Some(Written::NoRoom(_)) => self.ask(&ask)?,
                    // They tell when they are done.
                    None => {}
                }
            } else {
                self.ask(&ask)?;
            }
            progress.changed().await.map_err(text)?;
        }
    }

    fn ask(&self, ask: impl Fn() -> Result<(), String>) -> Result<(), String> {
        if self.asked.swap(true, Relaxed) {
            return Ok(());
        }
        ask().inspect_err(|_nobody| self.asked.store(false, Relaxed))
    }

    /// Takes the pen, when nobody else has it. It has to be given back.
    pub(super) fn pen(&self) -> MutexGuard<'_, Pen> {
        self.pen.lock()
    }

    /// Does something with the journal.
    pub(super) fn with_journal<T>(&self, with: impl FnOnce(&mut Journal) -> T) -> T {
        let mut pen = self.pen();
        let done = with(&mut pen.journal);
        self.give_back(pen);
        done
    }

    /// Writes what lies on the desk, as much as is a batch, and gives the pen back.
    pub(super) fn write(&self, mut pen: MutexGuard<'_, Pen>) -> Written {
        let waiting = &mut pen.waiting;
        waiting.append(&mut self.notes.lock().left);
        let mut batch = Vec::new();
        let mut count = 0;
        while batch.len() < BATCH
            && let Some(note) = waiting.get(count)
        {
            note.encode(&mut batch);
            count += 1;
        }
        let result = match count {
            0 => Ok(()),
            _ => self.append(&mut pen.journal, &batch),
        };
        let written = match result {
            Ok(()) => Written::Notes(count),
            Err(NotWritten::NoRoom) => Written::NoRoom(batch.len()),
            Err(NotWritten::Failed(error)) => Written::Failed(self.failed(&pen, &error)),
        };
        let mut done = Vec::new();
        if let Written::Notes(1..) = written {
            let rest = pen.waiting.split_off(count);
            done = mem::replace(&mut pen.waiting, rest);
            self.progress.send_modify(|progress| {
                progress.written += count as u64;
            });
            self.crowd.store(count + self.notes.lock().left.len(), Relaxed);
        }
        match written {
            // Who asks for room tells when there is some.
            Written::NoRoom(_) => drop(pen),
            _ => self.give_back(pen),
        }
        // What nobody else has any more is freed without the pen.
        drop(done);
        written
    }

    fn append(&self, journal: &mut Journal, batch: &[u8]) -> Result<(), NotWritten> {
        let watch = real::stopwatch();
        journal.append(batch)?;
        let took = u64::try_from(watch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let pace = self.pace.load(Relaxed);
        self.pace.store(pace - pace / 8 + took / 8, Relaxed);
        Ok(())
    }

    /// Tells everybody who waits that it can't be written, and why.
    pub(super) fn failed(&self, pen: &Pen, error: &io::Error) -> String {
        let failure = format!("{}: {error}", pen.journal.path().display());
        tracing::error!(%failure, notes = pen.waiting.len(), "what clients write does not reach the disk; it is tried again");
        self.fail(&failure);
        failure
    }

    /// Tells everybody who waits that there is no use in it.
    pub(super) fn fail(&self, why: &str) {
        self.progress.send_modify(|progress| {
            progress.failures += 1;
            progress.failure = why.into();
        });
    }

    /// Lets others write. Somebody may have come who found the pen taken, and waits to be told.
    pub(super) fn give_back(&self, pen: MutexGuard<'_, Pen>) {
        let some_left = !pen.waiting.is_empty();
        drop(pen);
        if some_left || !self.notes.lock().left.is_empty() {
            self.progress.send_modify(|_progress| {});
        }
    }

    fn is_quick(&self) -> bool {
        Duration::from_nanos(self.pace.load(Relaxed)) <= QUICK
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::{
        super::{
            batches::Batches,
            journal::Place,
            note::{Noted, decode},
        },
        *,
    };

    const FIRST: Place = Place { round: 1, offset: 0 };

    fn note(cluster: usize) -> Note {
        Note::Forget(cluster.to_string().into())
    }

    /// A desk with a journal that has room.
    fn desk() -> (tempfile::TempDir, Arc<Desk>) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::make(&folder.path().join("x.journal"), FIRST).unwrap();
        journal.take_room(1).unwrap();
        (folder, Arc::new(Desk::new(journal)))
    }

    /// What is in the journal: how many batches, and whose notes.
    fn written(folder: &tempfile::TempDir) -> (usize, Vec<usize>) {
        let mut batches = Batches::open(&folder.path().join("x.journal"), FIRST, None).unwrap();
        let batches: Vec<_> = std::iter::from_fn(|| batches.next().unwrap()).collect();
        let notes = batches.iter().flat_map(|batch| decode(batch)).map(|noted| match noted.unwrap() {
            Noted::Forget { cluster } => cluster.parse().unwrap(),
            Noted::Write { .. } => panic!("nobody has left such a note"),
        });
        (batches.len(), notes.collect())
    }

    fn nobody() -> Result<(), String> {
        Err("nobody is asked".into())
    }

    /// Waits until everything is written, with the help of a thread.
    async fn all_written(desk: &Arc<Desk>, count: u64) {
        let ask = || {
            let desk = desk.clone();
            std::thread::spawn(move || {
                desk.gather();
                while desk.write(desk.pen()) != Written::Notes(0) {}
            });
            Ok(())
        };
        desk.written(count, ask).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn everybody_gets_what_they_wait_for_in_the_order_of_the_notes() {
        let (folder, desk) = desk();
        let left = Arc::new(Mutex::new(Vec::new()));
        let tasks = (0..16).map(|task| {
            let (desk, left) = (desk.clone(), left.clone());
            tokio::spawn(async move {
                for n in 0..50 {
                    let count = {
                        let mut left = left.lock();
                        left.push(task * 100 + n);
                        desk.leave(note(task * 100 + n))
                    };
                    all_written(&desk, count).await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert!(desk.is_clear());
        assert_eq!(written(&folder).1, *left.lock());
    }

    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "they shall find it taken")]
    async fn who_finds_the_pen_taken_writes_when_it_is_given_back() {
        let (folder, desk) = desk();
        let taken = desk.pen();
        let waiters = (0..3).map(|n| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.written(desk.leave(note(n)), nobody).await })
        });
        let waiters: Vec<_> = waiters.collect();
        while desk.count() < 3 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        desk.give_back(taken);
        for waiter in waiters {
            waiter.await.unwrap().unwrap();
        }
        assert_eq!(written(&folder), (1, vec![0, 1, 2]), "in one batch");
    }

    #[tokio::test]
    async fn a_slow_disk_is_left_to_its_thread() {
        let (folder, desk) = desk();
        desk.pace.store(10_000_000, Relaxed);
        let asked = AtomicUsize::default();
        let count = desk.leave(note(7));
        let ask = || {
            asked.fetch_add(1, Relaxed);
            desk.gather();
            assert_eq!(desk.write(desk.pen()), Written::Notes(1));
            Ok(())
        };
        desk.written(count, ask).await.unwrap();
        assert_eq!((asked.into_inner(), written(&folder)), (1, (1, vec![7])));
        assert!(desk.pace.load(Relaxed) < 10_000_000, "it may be quick again");
        assert_eq!(desk.written(desk.leave(note(8)), nobody).await.unwrap_err(), "nobody is asked");
    }

    #[tokio::test]
    async fn many_notes_come_in_several_batches() {
        let (folder, desk) = desk();
        let long: Arc<str> = "1".repeat(BATCH / 2).into();
        for _ in 0..5 {
            desk.leave(Note::Forget(long.clone()));
        }
        all_written(&desk, desk.count()).await;
        let mut batches = Batches::open(&folder.path().join("x.journal"), FIRST, None).unwrap();
        let notes = std::iter::from_fn(|| batches.next().unwrap()).map(|batch| decode(&batch).count());
        assert_eq!(notes.collect::<Vec<_>>(), [2, 2, 1]);
    }
}
