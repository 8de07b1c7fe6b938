//! Commands inside a running container.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use pulldrill_clock::real;

use super::Engine;
use crate::backend::{
    kind::{KindError, error::Asked},
    node::{
        NodeError,
        shell::{Output, Shell},
    },
};

/// A container as a place to run commands in.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    engine: Engine,
    container: String,
    limit: Duration,
}

impl Engine {
    /// A running container as a place to run commands in, each for at most `limit`.
    pub(crate) fn inside(&self, container: &str, limit: Duration) -> Inside {
        Inside { engine: self.clone(), container: container.to_owned(), limit }
    }

    /// Runs a command in a container to its end. The engine can't end it: one that takes longer than `limit` goes
    /// on unobserved.
    pub(crate) async fn exec(
        &self,
        container: &str,
        command: &[&str],
        limit: Duration,
    ) -> Result<Output, KindError> {
        let slow = || KindError::Slow { command: command.join(" "), place: container.to_owned(), limit };
        real::timeout(limit, self.exec_to_end(container, command)).await.ok_or_else(slow)?
    }

    async fn exec_to_end(&self, container: &str, command: &[&str]) -> Result<Output, KindError> {
        let action = || format!("run `{}` in {container}", command.join(" "));
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..Default::default()
        };
        let exec = self.docker().create_exec(container, options).await.asked(action)?.id;
        let mut output = Output::default();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let StartExecResults::Attached { output: mut chunks, .. } =
            self.docker().start_exec(&exec, None).await.asked(action)?
        {
            while let Some(chunk) = chunks.next().await {
                match chunk.asked(action)? {
                    LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                    other => stdout.extend_from_slice(&other.into_bytes()),
                }
            }
        }
        output.stdout = String::from_utf8_lossy(&stdout).into_owned();
        output.stderr = String::from_utf8_lossy(&stderr).into_owned();
        let ended = self.docker().inspect_exec(&exec).await.asked(action)?.exit_code;
        output.code = ended.ok_or_else(|| KindError::Missing { what: format!("how {} ended", action()) })?;
        Ok(output)
    }
}

impl Shell for Inside {
    fn place(&self) -> &str {
        &self.container
    }

    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>> {
        let ended = self.engine.exec(&self.container, command, self.limit);
        ended.map(|output| output.map_err(NodeError::unreachable(&self.container))).boxed()
    }
}
