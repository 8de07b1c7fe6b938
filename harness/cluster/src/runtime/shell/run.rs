//! Running what was read: lists, pipelines, loops, and programs with their redirections.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{BoxFuture, join_all};
use tokio::io::AsyncWrite;

use super::{
    Flow, Shell, builtins,
    parse::{Command, List, Pipeline, Redirect, When},
    words::Word,
};
use crate::runtime::process::{INTERRUPTED, Sink, Source, World, pipe};

impl Shell {
    /// Runs pipelines one after the other.
    pub(super) fn list<'a>(&'a mut self, list: &'a List) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            for (index, (when, pipeline)) in list.iter().enumerate() {
                let wanted = match when {
                    When::Always => true,
                    When::AfterSuccess => self.last == 0,
                    When::AfterFailure => self.last != 0,
                };
                if !wanted {
                    continue;
                }
                self.pipeline(pipeline).await?;
                self.trapped().await?;
                let decides = list.get(index + 1).is_some_and(|(next, _)| *next != When::Always);
                if self.exit_on_error && self.last != 0 && !decides && !pipeline.not {
                    return Err(Flow::Exit(self.last));
                }
            }
            Ok(())
        })
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<(), Flow> {
        match pipeline.commands.as_slice() {
            [one] => self.command(one).await?,
            many => {
                let mut stages = Vec::new();
                let mut before: Option<Source> = None;
                for (index, command) in many.iter().enumerate() {
                    let mut stage = self.clone();
                    if let Some(source) = before.take() {
                        stage.process.stdin = source;
                    }
                    if index + 1 < many.len() {
                        let (writer, reader) = pipe();
                        stage.process.stdout = writer;
                        before = Some(reader);
                    }
                    stages.push(async move { stage.apart(command).await });
                }
                self.last = join_all(stages).await.last().copied().unwrap_or(0);
            }
        }
        if pipeline.not {
            self.last = i32::from(self.last == 0);
        }
        Ok(())
    }

    /// Runs a command in a shell of its own.
    async fn apart(mut self, command: &Command) -> i32 {
        match self.command(command).await {
            Err(Flow::Exit(code)) => code,
            Ok(()) | Err(_) => self.last,
        }
    }

    async fn command(&mut self, command: &Command) -> Result<(), Flow> {
        match command {
            Command::Simple { assignments, words, redirects } => {
                self.simple(assignments, words, redirects).await
            }
            Command::Group { redirects, .. }
            | Command::If { redirects, .. }
            | Command::While { redirects, .. }
            | Command::For { redirects, .. } => {
                let streams = self.streams();
                if self.redirect(redirects).await.is_err() {
                    self.last = 1;
                    return Ok(());
                }
                let done = self.compound(command).await;
                self.restore(streams);
                done
            }
        }
    }

    async fn compound(&mut self, command: &Command) -> Result<(), Flow> {
        match command {
            Command::Group { body, apart: false, .. } => self.list(body).await,
            Command::Group { body, .. } => {
                let mut inner = self.clone();
                self.last = match inner.list(body).await {
                    Err(Flow::Exit(code)) => code,
                    Ok(()) | Err(_) => inner.last,
                };
                Ok(())
            }
            Command::If { branches, otherwise, .. } => {
                for (condition, body) in branches {
                    if self.condition(condition).await? {
                        return self.list(body).await;
                    }
                }
                self.last = 0;
                match otherwise {
                    Some(body) => self.list(body).await,
                    None => Ok(()),
                }
            }
            Command::While { condition, until, body, .. } => {
                let mut last = 0;
                while self.condition(condition).await? != *until {
                    let round = self.list(body).await;
                    last = self.last;
                    if self.after_round(round)? {
                        break;
                    }
                    // A loop that never waits must not keep the thread to itself.
                    tokio::task::yield_now().await;
                }
                self.last = last;
                Ok(())
            }
            Command::For { name, words, body, .. } => {
                self.last = 0;
                for value in self.arguments(words).await {
                    self.process.variables.insert(name.clone(), value);
                    let round = self.list(body).await;
                    if self.after_round(round)? {
                        break;
                    }
                }
                Ok(())
            }
            Command::Simple { .. } => Ok(()),
        }
    }

    /// Whether a list succeeds; its failures end nothing.
    async fn condition(&mut self, list: &List) -> Result<bool, Flow> {
        let exits = std::mem::take(&mut self.exit_on_error);
        let done = self.list(list).await;
        self.exit_on_error = exits;
        done.map(|()| self.last == 0)
    }

    /// Whether a loop ends after a round.
    fn after_round(&self, round: Result<(), Flow>) -> Result<bool, Flow> {
        match round {
            Ok(()) | Err(Flow::Continue(1)) => Ok(false),
            Err(Flow::Break(1)) => Ok(true),
            Err(Flow::Break(n)) => Err(Flow::Break(n - 1)),
            Err(Flow::Continue(n)) => Err(Flow::Continue(n - 1)),
            Err(exit) => Err(exit),
        }
    }

    async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
    ) -> Result<(), Flow> {
        let arguments = self.arguments(words).await;
        if words.is_empty() {
            // `$?` is then what the last command substitution left, if there is one.
            self.last = 0;
        }
        let mut values = Vec::new();
        for (name, word) in assignments {
            values.push((name.clone(), self.text(word).await));
        }
        let streams = self.streams();
        if self.redirect(redirects).await.is_err() {
            self.restore(streams);
            self.last = 1;
            return Ok(());
        }
        let done = if arguments.is_empty() {
            self.process.variables.extend(values);
            Ok(())
        } else {
            self.run(arguments, values).await
        };
        self.restore(streams);
        done
    }

    /// Runs a builtin or a program with variables of its own.
    pub(super) async fn run(
        &mut self,
        words: Vec<String>,
        values: Vec<(String, String)>,
    ) -> Result<(), Flow> {
        if let Some(done) = builtins::run(self, &words).await {
            return done;
        }
        let name = words.first().cloned().unwrap_or_default();
        let Some(program) = self.process.world.program(&name) else {
            self.process.complain(format!("{name}: not found")).await;
            self.last = 127;
            return Ok(());
        };
        let mut child = self.process.clone();
        child.words = words;
        child.variables.retain(|name, _| self.exported.contains(name));
        child.variables.extend(values);
        // A shell at the terminal takes interrupts itself.
        let asks = matches!(child.words.as_slice(), [shell] if shell.ends_with("sh"));
        let interrupt = self.process.interrupt.clone();
        self.last = if self.process.terminal.is_some() && !asks {
            tokio::select! {
                code = program(child) => code,
                () = interrupt.notified() => INTERRUPTED,
            }
        } else {
            program(child).await
        };
        Ok(())
    }

    fn streams(&self) -> (Source, Sink, Sink) {
        (self.process.stdin.clone(), self.process.stdout.clone(), self.process.stderr.clone())
    }

    fn restore(&mut self, (stdin, stdout, stderr): (Source, Sink, Sink)) {
        (self.process.stdin, self.process.stdout, self.process.stderr) = (stdin, stdout, stderr);
    }

    async fn redirect(&mut self, redirects: &[Redirect]) -> Result<(), ()> {
        for redirect in redirects {
            let target = self.text(&redirect.target).await;
            if redirect.how == ">&" {
                match (redirect.stream, target.as_str()) {
                    (1, "2") => self.process.stdout = self.process.stderr.clone(),
                    (2, "1") => self.process.stderr = self.process.stdout.clone(),
                    _ => {
                        self.process.complain(format!("{target}: Bad file descriptor")).await;
                        return Err(());
                    }
                }
                continue;
            }
            let path = self.process.path(&target);
            let world = self.process.world.clone();
            let opened = if redirect.how == "<" {
                world.files.read(&path).map(|content| {
                    let content = content.as_ref().clone();
                    self.process.stdin = Source::new(Box::new(io::Cursor::new(content)));
                })
            } else {
                world.files.write(&path, b"", redirect.how == ">>", world.now()).map(|()| {
                    let sink = Sink::new(Box::new(Appender { world: world.clone(), path }));
                    if redirect.stream == 2 {
                        self.process.stderr = sink;
                    } else {
                        self.process.stdout = sink;
                    }
                })
            };
            if let Err(error) = opened {
                let verb = if redirect.how == "<" { "open" } else { "create" };
                self.process.complain(format!("can't {verb} {target}: {error}")).await;
                return Err(());
            }
        }
        Ok(())
    }
}

/// Writes at the end of a file.
struct Appender {
    world: Arc<World>,
    path: String,
}

impl AsyncWrite for Appender {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.world.files.write(&self.path, bytes, true, self.world.now());
        Poll::Ready(written.map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
