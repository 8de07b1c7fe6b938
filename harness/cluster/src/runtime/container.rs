//! One running container: its main process, those that clients start beside it, and who is attached.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use pulldrill_clock::{Busy, Clock};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    furnish::furnish,
    images, listener,
    process::{INTERRUPTED, Process, Sink, Source, World},
    terminal::{Feeder, Newlines, cooked, feed, raw},
    work::Work,
};
use crate::{
    puller::{Image, words},
    streams::{Dialed, Ended, Output, PIPE, Running, Session, Size},
};

/// The exit code of what was killed: 128 + SIGKILL.
pub(crate) const KILLED: i32 = 137;

/// The exit code of what ended when it was asked to: 128 + SIGTERM.
pub(crate) const TERMINATED: i32 = 143;

/// Where programs are looked for.
const SEARCHED: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Keeps what a container writes.
pub(crate) type Log = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What a container is made from.
pub(crate) struct Spec {
    pub(crate) id: String,
    pub(crate) image: Arc<Image>,
    /// Command and arguments, where the pod gives them.
    pub(crate) command: Vec<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) directory: String,
    pub(crate) hostname: String,
    pub(crate) stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) tty: bool,
    pub(crate) log: Log,
    /// The file that it may leave its last words in.
    pub(crate) termination_log: String,
    /// Where it answers HTTP, if its program does.
    pub(crate) http: Option<u16>,
}

/// A running container.
pub(crate) struct Container {
    id: String,
    world: Arc<World>,
    variables: BTreeMap<String, String>,
    directory: String,
    /// What its main process is, when that is a program of ours.
    main: Option<Vec<String>>,
    tty: Option<watch::Sender<Size>>,
    stdin_once: bool,
    interrupt: Arc<Notify>,
    feeder: Mutex<Option<Feeder>>,
    attached: Mutex<Attached>,
    /// Everything in it ends.
    stop: CancellationToken,
    execs: Mutex<u64>,
    http: Option<(u16, Bytes)>,
    log: Log,
}

/// Who gets what the main process writes.
#[derive(Default)]
struct Attached {
    stdout: Vec<Sink>,
    stderr: Vec<Sink>,
}

impl Container {
    /// Makes a container; its main process does not run yet.
    pub(crate) fn new(clock: &Clock, spec: Spec) -> (Arc<Self>, Start) {
        let main = images::main(&spec.image, &spec.command, &spec.arguments);
        let programs = images::programs(&spec.image).map(|(programs, _)| programs);
        let world = Arc::new(World {
            files: super::Files::new(clock.shown_now()),
            hostname: spec.hostname,
            clock: clock.clone(),
            programs: programs.unwrap_or_default(),
            servers: images::servers(&spec.image),
            terminate: AtomicBool::default(),
            asked: Notify::default(),
        });
        let mut variables = BTreeMap::from([
            ("PATH".to_owned(), SEARCHED.to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
            ("HOSTNAME".to_owned(), world.hostname.clone()),
        ]);
        variables.extend(spec.variables);
        let (feeder, input) = feed();
        let stdin = if spec.stdin { Source::new(Box::new(input)) } else { Source::nothing() };
        let name = images::short_name(&spec.image.reference);
        let version = spec.image.labels.get("org.opencontainers.image.version");
        let greeting = version.map_or_else(|| format!("{name}\n"), |version| format!("{name} {version}\n"));
        let directory = if spec.directory.is_empty() { "/".to_owned() } else { spec.directory };
        furnish(&world, &directory, &spec.termination_log);
        let container = Arc::new(Self {
            id: spec.id,
            variables,
            directory,
            main,
            tty: spec.tty.then(|| watch::channel(Size::default()).0),
            stdin_once: spec.stdin_once,
            interrupt: Arc::default(),
            feeder: Mutex::new(spec.stdin.then_some(feeder)),
            attached: Mutex::default(),
            stop: CancellationToken::new(),
            execs: Mutex::default(),
            http: spec.http.map(|port| (port, greeting.into())),
            log: spec.log,
            world,
        });
        (container, Start { stdin })
    }

    /// Whether its main process is a program of ours, which ends by itself or not.
    pub(crate) fn runs(&self) -> bool {
        self.main.is_some()
    }

    pub(crate) fn files(&self) -> &super::Files {
        &self.world.files
    }

    /// Why the main process can't be started.
    pub(crate) fn start_error(&self) -> Option<String> {
        let name = self.main.as_ref()?.first().map_or("", String::as_str);
        if self.world.program(name).is_some() {
            return None;
        }
        Some(format!(
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
             failed: unable to start container process: error during container init: {}",
            not_found(name)
        ))
    }

    /// Runs the main process to its end.
    pub(crate) async fn run(self: Arc<Self>, start: Start) -> (i32, Busy) {
        let clock = self.world.clock.clone();
        let job = async move {
            let (stdout, from_stdout) = duplex(PIPE);
            let (stderr, from_stderr) = duplex(PIPE);
            let stdout = Sink::new(Box::new(stdout));
            // A pipe that nobody writes to has to be closed, or its pump would wait for ever.
            let stderr = match self.tty {
                Some(_) => {
                    drop(stderr);
                    stdout.clone()
                }
                None => Sink::new(Box::new(stderr)),
            };
            let mut process = self.process(
                self.main.clone().unwrap_or_default(),
                start.stdin,
                stdout,
                stderr,
                self.tty.as_ref().map(watch::Sender::subscribe),
                self.interrupt.clone(),
            );
            process.first = true;
            let program = async {
                let code = tokio::select! {
                    code = launch(process) => code,
                    () = self.stop.cancelled() => KILLED,
                };
                self.feeder.lock().take();
                code
            };
            let pumps = futures::future::join(
                self.pump(from_stdout, |attached| &mut attached.stdout),
                self.pump(from_stderr, |attached| &mut attached.stderr),
            );
            let (code, _) = futures::future::join(program, pumps).await;
            // The last line needs no end of its own.
            (self.log)(b"");
            *self.attached.lock() = Attached::default();
            self.stop.cancel();
            code
        };
        Work::new(&clock, job).await
    }

    fn process(
        &self,
        words: Vec<String>,
        stdin: Source,
        stdout: Sink,
        stderr: Sink,
        terminal: Option<watch::Receiver<Size>>,
        interrupt: Arc<Notify>,
    ) -> Process {
        let mut variables = self.variables.clone();
        if terminal.is_some() {
            variables.insert("TERM".to_owned(), "xterm".to_owned());
        }
        Process {
            words,
            variables,
            directory: self.directory.clone(),
            stdin,
            stdout,
            stderr,
            terminal,
            interrupt,
            first: false,
            world: self.world.clone(),
        }
    }

    /// Hands on what the main process writes: to the log, and to all who are attached. Who does not read makes
    /// it wait; who is gone is forgotten.
    async fn pump(&self, mut from: DuplexStream, of: fn(&mut Attached) -> &mut Vec<Sink>) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            (self.log)(&buffer[..n]);
            let sinks = of(&mut self.attached.lock()).clone();
            for sink in sinks {
                let gone = tokio::select! {
                    written = sink.write(&buffer[..n]) => written.is_err(),
                    () = self.stop.cancelled() => true,
                };
                if gone {
                    of(&mut self.attached.lock()).retain(|other| !other.is(&sink));
                }
            }
        }
    }

    /// Asks its main process to end (SIGTERM); what has no handler for that does not notice.
    pub(crate) fn terminate(&self) {
        self.world.terminate.store(true, Ordering::Release);
        self.world.asked.notify_one();
    }

    /// Whether somebody inside can end a main process that is none of ours.
    pub(crate) fn can_be_killed(&self) -> bool {
        self.world.program("kill").is_some()
    }

    /// Waits until a server that is its main process has been killed.
    pub(crate) async fn serve(self: Arc<Self>) -> (i32, Busy) {
        let clock = self.world.clock.clone();
        let job = async move {
            tokio::select! {
                () = self.world.asked.notified() => 0,
                () = self.stop.cancelled() => KILLED,
            }
        };
        Work::new(&clock, job).await
    }

    /// Ends everything in it.
    pub(crate) fn kill(&self) {
        self.stop.cancel();
    }

    /// Runs a command beside the main process.
    pub(crate) fn exec(self: Arc<Self>, command: Vec<String>, session: Session) -> Running {
        Box::pin(async move {
            let name = command.first().map_or("", String::as_str);
            if self.world.program(name).is_none() {
                return Ended::Failed(format!(
                    "failed to exec in container: failed to start exec \"{}\": OCI runtime exec failed: exec failed: \
                     unable to start container process: {}",
                    self.next_exec(),
                    not_found(name)
                ));
            }
            let clock = self.world.clock.clone();
            let stop = self.stop.clone();
            let job = async move {
                tokio::select! {
                    code = self.beside(command, session) => code,
                    () = stop.cancelled() => KILLED,
                }
            };
            let (code, _busy) = Work::new(&clock, job).await;
            Ended::Exit(code)
        })
    }

    fn next_exec(&self) -> String {
        let mut execs = self.execs.lock();
        *execs += 1;
        words::hex_id(&[&self.id, "exec", &execs.to_string()])
    }

    async fn beside(&self, command: Vec<String>, session: Session) -> i32 {
        let interrupt: Arc<Notify> = Arc::default();
        let sink = |output: Option<Output>| output.map_or_else(Sink::nowhere, Sink::new);
        let Some(terminal) = session.tty else {
            let stdin = session.stdin.map_or_else(Source::nothing, Source::new);
            let (stdout, stderr) = (sink(session.stdout), sink(session.stderr));
            return launch(self.process(command, stdin, stdout, stderr, None, interrupt)).await;
        };
        let screen = session.stdout.map(|output| Box::new(Newlines::new(output)) as Output);
        let screen = sink(screen);
        let (feeder, input) = feed();
        let process = self.process(
            command,
            Source::new(Box::new(input)),
            screen.clone(),
            screen.clone(),
            Some(terminal),
            interrupt.clone(),
        );
        let keyboard = async {
            if let Some(stdin) = session.stdin {
                cooked(stdin, &screen, &feeder, &interrupt).await;
            }
            drop(feeder);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            code = launch(process) => code,
            () = keyboard => KILLED,
        }
    }

    /// Connects somebody to the main process, until it ends.
    pub(crate) fn attach(self: Arc<Self>, session: Session) -> Running {
        let screen = session.stdout.map(|output| match self.tty {
            Some(_) => Sink::new(Box::new(Newlines::new(output))),
            None => Sink::new(output),
        });
        let errors = session.stderr.map(Sink::new);
        {
            let mut attached = self.attached.lock();
            attached.stdout.extend(screen.clone());
            attached.stderr.extend(errors.clone());
        }
        Box::pin(async move {
            let outputs: Vec<Sink> = screen.iter().cloned().chain(errors).collect();
            let keyboard = async {
                let feeder = self.feeder.lock().clone();
                if let (Some(stdin), Some(feeder)) = (session.stdin, feeder) {
                    let echo = screen.unwrap_or_else(Sink::nowhere);
                    match self.tty {
                        Some(_) => cooked(stdin, &echo, &feeder, &self.interrupt).await,
                        None => raw(stdin, &feeder).await,
                    }
                    drop(echo);
                    if self.stdin_once {
                        self.feeder.lock().take();
                    }
                }
                std::future::pending::<()>().await;
            };
            let resize = async {
                if let (Some(mut sizes), Some(tty)) = (session.tty, &self.tty) {
                    while sizes.changed().await.is_ok() {
                        tty.send_replace(*sizes.borrow_and_update());
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = keyboard => {}
                () = resize => {}
            }
            let mut attached = self.attached.lock();
            let Attached { stdout, stderr } = &mut *attached;
            for sinks in [stdout, stderr] {
                sinks.retain(|sink| !outputs.iter().any(|own| own.is(sink)));
            }
            Ended::Exit(0)
        })
    }

    /// Connects to a port that it listens at.
    pub(crate) fn dial(&self, port: u16) -> Option<Dialed> {
        let (_, greeting) = self.http.as_ref().filter(|(own, _)| *own == port)?;
        Some(listener::dial(greeting.clone()))
    }
}

/// What the main process begins with.
pub(crate) struct Start {
    stdin: Source,
}

/// Runs a program; an interrupt at its terminal ends it, unless it is a shell, which sees to that itself.
async fn launch(process: Process) -> i32 {
    let name = process.words.first().cloned().unwrap_or_default();
    let Some(program) = process.world.program(&name) else { return 127 };
    let interrupt = process.interrupt.clone();
    let ends = process.terminal.is_some() && process.words.len() > 1;
    tokio::select! {
        code = program(process) => code,
        () = interrupt.notified(), if ends => INTERRUPTED,
    }
}

/// What the runtime says of a program that is not there.
fn not_found(name: &str) -> String {
    if name.contains('/') {
        format!("exec: {name:?}: stat {name}: no such file or directory: unknown")
    } else {
        format!("exec: {name:?}: executable file not found in $PATH: unknown")
    }
}
