//! The thread that owns the [database](super::database). It brings there what is in the [journal](super::journal), when
//! nobody writes or there is much of it, takes room for the journal ahead, and writes what nobody waits for.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use pulldrill_clock::real;

use super::{
    Reply,
    batches::Batches,
    database::{Database, Row, Unsettled},
    desk::{Desk, Written},
    journal::Place,
    text,
};

/// After how long what nobody waits for is written.
const SOON: Duration = Duration::from_millis(5);
/// How long after a failure it is tried again, when nothing else comes.
const AGAIN: Duration = Duration::from_secs(1);
/// After how long without a note the journal comes into the tables.
const QUIET: Duration = Duration::from_millis(200);
/// How much of the journal comes into the tables at once, in bytes: so long does nobody get an answer of this thread.
const PIECE: u64 = 4 << 20;
/// With less than this, in bytes, others can wait for the rest of it.
const LITTLE: u64 = 256 << 10;
/// How long the journal may get before it comes there anyway, in bytes.
const LONG: u64 = 32 << 20;

pub(super) enum Work {
    /// There are notes again.
    Wake,
    /// Write what lies on the desk.
    Write,
    Load {
        cluster: Arc<str>,
        reply: Reply<(u64, Vec<Row>)>,
    },
    Clusters {
        reply: Reply<Vec<String>>,
    },
    Keep {
        name: String,
        new: Vec<u8>,
        reply: Reply<Vec<u8>>,
    },
}

/// Whether the thread looks at the desk from time to time, or has to be told when there is something.
#[derive(Default)]
pub(super) struct Awake(AtomicBool);

impl Awake {
    /// Has to be told, and counts as told from now on.
    pub(super) fn has_to_be_told(&self) -> bool {
        !self.0.load(SeqCst) && !self.0.swap(true, SeqCst)
    }

    fn sleep(&self) {
        self.0.store(false, SeqCst);
    }

    fn stay(&self) {
        self.0.store(true, SeqCst);
    }
}

pub(super) struct Keeper {
    pub(super) database: Database,
    pub(super) desk: Arc<Desk>,
    pub(super) awake: Arc<Awake>,
    pub(super) inbox: mpsc::Receiver<Work>,
    /// Where the journal is.
    pub(super) path: PathBuf,
    /// Up to where it is in the tables.
    pub(super) settled: Place,
}

/// What the thread does when nobody asks for anything.
#[derive(Default)]
struct Rest {
    /// How long it waits for work; until there is some, without a time.
    time: Option<Duration>,
    /// How many notes there were at its last look, and since when.
    count: u64,
    since: Option<Instant>,
    /// It is bringing the journal into the tables.
    settling: bool,
    /// Nothing is written, since that has failed.
    held: bool,
}

/// Tells who waits that the thread is gone, whyever.
struct End(Arc<Desk>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.fail("its thread has ended");
    }
}

impl Keeper {
    /// Brings into the tables what a former process has left in the journal. Where another round begins: nothing of the
    /// journal is needed any more.
    ///
    /// # Errors
    /// What can't be read or written; that the journal is damaged, or not the one that the tables were made from.
    pub(super) fn recover(database: &mut Database, path: &Path) -> Result<Place, Unsettled> {
        let settled = database.settled()?;
        let length = std::fs::metadata(path).map_or(0, |found| found.len());
        if length < settled.offset {
            let why = format!("{} belongs to it, and is missing or was cut off", path.display());
            return Err(Unsettled::Damaged(why));
        }
        if length == 0 {
            return Ok(settled);
        }
        let mut left = Batches::open(path, settled, None)?;
        database.settle(&mut left, u64::MAX, true)
    }

    /// Works until nobody is left who could bring more.
    pub(super) fn run(mut self) {
        let _end = End(self.desk.clone());
        let mut rest = Rest::default();
        loop {
            let work = match rest.time {
                Some(time) => self.inbox.recv_timeout(time),
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match work {
                Ok(work) => self.take(work),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            rest = self.look(rest);
        }
        if let Err(error) = self.settle_all().and_then(|()| self.begin_round()) {
            tracing::error!(%error, "the latest writes are in the journal, or lost");
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Wake => {}
            // Who waits for it is told why it is not there.
            Work::Write => {
                self.desk.gather();
                drop(self.write());
            }
            Work::Load { cluster, reply } => drop(reply.send(self.of_tables(|db| db.load(&cluster)))),
            Work::Clusters { reply } => drop(reply.send(self.of_tables(|db| db.clusters()))),
            // What was kept for a cluster that was forgotten has to be gone.
            Work::Keep { name, new, reply } => drop(reply.send(self.of_tables(|db| db.keep(&name, new)))),
        }
    }

    /// Asks the database when everything that was noted is there.
    fn of_tables<T>(&mut self, ask: impl FnOnce(&mut Database) -> rusqlite::Result<T>) -> Result<T, String> {
        self.settle_all()?;
        ask(&mut self.database).map_err(text)
    }

    /// Does what there is to do, and says how long to rest then.
    fn look(&mut self, mut rest: Rest) -> Rest {
        let count = self.desk.count();
        if count != rest.count {
            rest = Rest { count, since: Some(real::stopwatch()), ..rest };
        }
        let clear = self.desk.is_clear();
        // With something wrong there is all the more reason to make the journal short: its room is used again.
        let wrong = (!clear && self.write().is_err()) | self.take_room().is_err();
        let quiet = clear && rest.since.is_none_or(|since| since.elapsed() >= QUIET);
        rest.settling |= quiet || wrong || rest.held || self.unsettled() > LONG;
        rest.time = Some(if wrong { AGAIN } else { SOON });
        if rest.settling {
            match self.settle_more() {
                Ok(settled) => {
                    rest.settling = !settled;
                    if std::mem::take(&mut rest.held) {
                        self.desk.with_journal(|journal| journal.hold(None));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal does not come into the tables; it is tried again");
                    // What is acknowledged now would be lost if that is for good.
                    self.desk.with_journal(|journal| journal.hold(Some(error)));
                    return Rest { held: true, settling: false, time: Some(AGAIN), ..rest };
                }
            }
            if rest.settling && !wrong {
                rest.time = Some(Duration::ZERO);
            }
        }
        if quiet && !rest.settling {
            self.awake.sleep();
            // Who came before did not tell.
            rest.time = (self.desk.count() != count).then(|| {
                self.awake.stay();
                SOON
            });
        }
        rest
    }

    /// Writes what lies on the desk; what comes meanwhile is for the next time.
    fn write(&self) -> Result<(), String> {
        let count = self.desk.count();
        while !self.desk.is_written(count) {
            match self.desk.write(self.desk.pen()) {
                Written::Notes(_) => {}
                Written::NoRoom(batch) => {
                    let mut pen = self.desk.pen();
                    let taken = pen.journal.take_room(batch);
                    taken.map_err(|error| self.desk.failed(&pen, &error))?;
                }
                Written::Failed(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Takes room ahead while others write.
    fn take_room(&self) -> Result<(), String> {
        let needed = self.desk.with_journal(|journal| journal.needed_room());
        let Some(more) = needed else { return Ok(()) };
        let taken = more.take_some();
        let end = taken
            .map_err(text)
            .inspect_err(|error| tracing::warn!(%error, "no room could be taken for the journal"))?;
        self.desk.with_journal(|journal| journal.use_room(end));
        Ok(())
    }

    /// Up to where the journal is written.
    fn place(&self) -> Place {
        self.desk.with_journal(|journal| journal.place())
    }

    /// How much of the journal is not in the tables, in bytes.
    fn unsettled(&self) -> u64 {
        self.place().offset - self.settled.offset
    }

    /// Brings everything into the tables that was noted till now.
    fn settle_all(&mut self) -> Result<(), String> {
        self.write()?;
        let place = self.place();
        while self.settled.offset < place.offset {
            self.settle(place, PIECE, false)?;
            // Those who have left it to this thread do not wait for all of it.
            self.write()?;
        }
        Ok(())
    }

    /// Brings a piece of the journal into the tables, and begins another round when little is left: nobody writes
    /// meanwhile. Whether it has.
    fn settle_more(&mut self) -> Result<bool, String> {
        if self.unsettled() > LITTLE {
            self.settle(self.place(), PIECE, false)?;
        }
        match self.unsettled() {
            0 if self.settled.offset == 0 => Ok(true),
            0..=LITTLE => self.begin_round().map(|()| true),
            _ => Ok(false),
        }
    }

    fn begin_round(&mut self) -> Result<(), String> {
        let desk = self.desk.clone();
        let mut pen = desk.pen();
        let begun = self.settle(pen.journal.place(), u64::MAX, true);
        match &begun {
            Ok(()) => pen.journal.begin(self.settled),
            // A commit that could not be brought to the disk may still be found there by the next process. Only another one
            // makes sure of where that begins to read.
            Err(error) => pen.journal.hold(Some(error.clone())),
        }
        desk.give_back(pen);
        begun
    }

    fn settle(&mut self, until: Place, limit: u64, next_round: bool) -> Result<(), String> {
        let mut batches = Batches::open(&self.path, self.settled, Some(until)).map_err(text)?;
        self.settled = self.database.settle(&mut batches, limit, next_round).map_err(text)?;
        Ok(())
    }
}
