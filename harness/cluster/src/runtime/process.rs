//! What a program in a container gets: its words, its variables, its streams, and the container around it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::AtomicBool},
};

use futures::future::BoxFuture;
use pulldrill_clock::{Busy, Clock, SignedDuration, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, empty, sink},
    sync::{Mutex, Notify, watch},
};

use super::{commands, files::Files};
use crate::streams::{Input, Output, PIPE, Size};

/// The most that a program takes in as a whole.
pub(crate) const WHOLE: usize = 64 * 1024 * 1024;

/// The exit code after a broken pipe: 128 + SIGPIPE.
pub(crate) const BROKEN_PIPE: i32 = 141;

/// The exit code after an interrupt: 128 + SIGINT.
pub(crate) const INTERRUPTED: i32 = 130;

/// What a container is made of, whatever runs in it.
pub(crate) struct World {
    pub(crate) files: Files,
    pub(crate) hostname: String,
    pub(crate) clock: Clock,
    /// The programs that its image has, and its servers.
    pub(crate) programs: Vec<String>,
    pub(crate) servers: &'static [String],
    /// Whether its first process has been asked to end (SIGTERM), and who waits for that or the like.
    pub(crate) terminate: AtomicBool,
    pub(crate) asked: Notify,
}

impl World {
    /// The time as programs in it see it.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.shown_now()
    }

    /// A program by its name or path, if the image has it.
    pub(crate) fn program(&self, name: &str) -> Option<commands::Program> {
        let last = name.rsplit('/').next().unwrap_or(name);
        if self.servers.iter().any(|server| server == last) {
            return Some(commands::SERVER);
        }
        let short = ["/bin/", "/usr/bin/"].iter().find_map(|dir| name.strip_prefix(dir)).unwrap_or(name);
        self.programs.iter().any(|p| p == short).then(|| commands::find(short)).flatten()
    }
}

/// An input that several programs can read from, one after the other.
#[derive(Clone)]
pub(crate) struct Source(Arc<Mutex<Input>>);

impl Source {
    pub(crate) fn new(input: Input) -> Self {
        Self(Arc::new(Mutex::new(input)))
    }

    pub(crate) fn nothing() -> Self {
        Self::new(Box::new(empty()))
    }

    /// Reads some bytes; none at the end.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().await.read(buffer).await
    }
}

/// An output that several programs can write to.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Mutex<Output>>);

impl Sink {
    pub(crate) fn new(output: Output) -> Self {
        Self(Arc::new(Mutex::new(output)))
    }

    pub(crate) fn nowhere() -> Self {
        Self::new(Box::new(sink()))
    }

    /// Whether it is the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut output = self.0.lock().await;
        output.write_all(bytes).await?;
        output.flush().await
    }
}

/// A pipe between two programs.
pub(crate) fn pipe() -> (Sink, Source) {
    let (writer, reader): (DuplexStream, DuplexStream) = duplex(PIPE);
    (Sink::new(Box::new(writer)), Source::new(Box::new(reader)))
}

/// A program's surroundings. Clones are its children.
#[derive(Clone)]
pub(crate) struct Process {
    /// Its name and arguments.
    pub(crate) words: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) directory: String,
    pub(crate) stdin: Source,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    /// The terminal's size, where there is a terminal.
    pub(crate) terminal: Option<watch::Receiver<Size>>,
    /// Somebody pressed ^C.
    pub(crate) interrupt: Arc<Notify>,
    /// Whether it is the container's first one, or began in it.
    pub(crate) first: bool,
    pub(crate) world: Arc<World>,
}

impl Process {
    /// Its arguments, without its name.
    pub(crate) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// What it is called in its own messages.
    pub(crate) fn name(&self) -> &str {
        let name = self.words.first().map_or("", String::as_str);
        name.rsplit('/').next().unwrap_or(name)
    }

    pub(crate) fn path(&self, path: &str) -> String {
        super::files::resolve(&self.directory, path)
    }

    /// Writes to its output. The exit code that follows when nobody reads any more.
    pub(crate) async fn say(&self, text: impl AsRef<[u8]>) -> Result<(), i32> {
        self.stdout.write(text.as_ref()).await.map_err(|_| BROKEN_PIPE)
    }

    /// Complains: `name: text`. Returns the exit code 1.
    pub(crate) async fn complain(&self, text: impl std::fmt::Display) -> i32 {
        let line = format!("{}: {text}\n", self.name());
        let _nobody_listens = self.stderr.write(line.as_bytes()).await;
        1
    }

    /// Reads its input to the end.
    pub(crate) async fn read_all(&self) -> io::Result<Vec<u8>> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        loop {
            match self.stdin.read(&mut buffer).await? {
                0 => return Ok(all),
                n if all.len() + n > WHOLE => return Err(io::ErrorKind::OutOfMemory.into()),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// Waits in lab time.
    pub(crate) async fn sleep(&self, time: SignedDuration) {
        let clock = &self.world.clock;
        let Ok(until) = clock.now().checked_add(time) else { return std::future::pending().await };
        let busy: Busy = clock.busy();
        drop(clock.sleep_until(busy, until).await);
    }
}

/// What running a program comes to: its exit code.
pub(crate) type Exit = BoxFuture<'static, i32>;
