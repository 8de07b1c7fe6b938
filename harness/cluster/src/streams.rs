//! The seam between the protocols that carry streams and the processes that use them.
//!
//! A protocol (WebSocket, SPDY) gets the [`Ends`] of a session and moves bytes; a process in a container gets
//! the [`Session`]. Neither knows the other. All pipes are bounded: who does not read makes the other wait.

use std::fmt;

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    sync::watch,
};

/// How much a pipe holds before its writer has to wait.
pub const PIPE: usize = 64 * 1024;

/// What a process reads from.
pub type Input = Box<dyn AsyncRead + Send + Unpin>;

/// What a process writes to.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// What a client wants to be connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its input.
    pub stdin: bool,
    /// The process's output.
    pub stdout: bool,
    /// The process's other output; a terminal has none.
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

/// The process's side of a session.
#[derive(Default)]
pub struct Session {
    /// What the client sends.
    pub stdin: Option<Input>,
    /// To the client.
    pub stdout: Option<Output>,
    /// To the client, apart from the former.
    pub stderr: Option<Output>,
    /// The terminal and its size, when there is one.
    pub tty: Option<watch::Receiver<Size>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(stdin {}, tty {})", self.stdin.is_some(), self.tty.is_some())
    }
}

/// The client's side of a session.
#[derive(Debug, Default)]
pub struct Ends {
    /// Where the client's input goes; shut down at its end.
    pub stdin: Option<DuplexStream>,
    /// What the process writes.
    pub stdout: Option<DuplexStream>,
    /// What it writes apart.
    pub stderr: Option<DuplexStream>,
    /// Where new sizes go.
    pub resize: Option<watch::Sender<Size>>,
}

/// Both sides of a new session.
#[must_use]
pub fn session(wanted: Wanted) -> (Session, Ends) {
    let (mut near, mut far) = (Session::default(), Ends::default());
    if wanted.stdin {
        let (reader, writer) = duplex(PIPE);
        near.stdin = Some(Box::new(reader));
        far.stdin = Some(writer);
    }
    if wanted.stdout {
        let (writer, reader) = duplex(PIPE);
        near.stdout = Some(Box::new(writer));
        far.stdout = Some(reader);
    }
    if wanted.stderr && !wanted.tty {
        let (writer, reader) = duplex(PIPE);
        near.stderr = Some(Box::new(writer));
        far.stderr = Some(reader);
    }
    if wanted.tty {
        let (sender, receiver) = watch::channel(Size::default());
        (near.tty, far.resize) = (Some(receiver), Some(sender));
    }
    (near, far)
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The process has exited with a code.
    Exit(i32),
    /// The runtime could not run it, in its words.
    Failed(String),
}

/// What goes on in a session; it ends with it, and dropping it ends the session.
pub type Running = BoxFuture<'static, Ended>;

/// A connection to what listens in a pod, and what serves it while it is run.
pub type Dialed = (DuplexStream, BoxFuture<'static, ()>);

/// Reaches into running containers.
pub trait Containers: Send + Sync {
    /// Runs a command in a container. `None` when no such container runs.
    fn exec(&self, pod_uid: &str, container: &str, command: Vec<String>, session: Session)
    -> Option<Running>;

    /// Connects to the main process of a container. `None` when no such container runs.
    fn attach(&self, pod_uid: &str, container: &str, session: Session) -> Option<Running>;

    /// Connects to a port of a pod.
    ///
    /// # Errors
    /// The runtime's words, when nothing listens there.
    fn dial(&self, pod_uid: &str, port: u16) -> Result<Dialed, String>;
}
