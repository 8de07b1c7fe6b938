//! The lab's program on a node that is not its own: a privileged pod's, which sees the node's files below a folder.
//! It runs commands there as the node would, and takes away what they have changed.

use std::{io, path::Path, process::Stdio, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use pulldrill_clock::real;

use super::{
    NodeError, guest,
    shell::{Output, Shell},
};
use crate::LabError;

/// Where the node's files are in the agent's pod.
pub const ROOT: &str = "/host";

/// Where programs are on a node; a pod's own search path says nothing of it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long cleaning a node may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// Becomes a command on the node. Returns only when that can't be.
#[cfg(unix)]
#[must_use]
pub fn enter(command: &[String]) -> io::Error {
    use std::os::unix::{fs::chroot, process::CommandExt};
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no command");
    };
    if let Err(error) = chroot(ROOT).and_then(|()| std::env::set_current_dir("/")) {
        return error;
    }
    // The search for the program is the new process's own: through the node's shell, which has the node's path.
    let script = format!("PATH={PATH}; export PATH; exec \"$@\"");
    let mut words = vec!["-c", &script, "sh", program];
    words.extend(arguments.iter().map(String::as_str));
    std::process::Command::new("/bin/sh").args(words).env_clear().env("PATH", PATH).env("LC_ALL", "C").exec()
}

/// The same where there are no such nodes.
#[cfg(not(unix))]
#[must_use]
pub fn enter(_command: &[String]) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "only on Linux nodes")
}

/// Takes away what the lab of a prefix has changed on the node that this is the agent of.
///
/// # Errors
/// What could not be taken away, in words.
pub async fn clean(prefix: &str) -> Result<(), LabError> {
    if !Path::new(ROOT).is_dir() {
        return Err(LabError::Invalid(format!(
            "there is no node at {ROOT}: this is for an agent's pod only"
        )));
    }
    Ok(guest::clean(&Here, prefix).await?)
}

/// The node that this process is the agent of.
struct Here;

impl Shell for Here {
    fn place(&self) -> &str {
        "this node"
    }

    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>> {
        async move {
            let failed = |error: io::Error| NodeError::unreachable(self.place())(error);
            let own = std::env::current_exe().map_err(failed)?;
            let mut child = tokio::process::Command::new(own);
            child.args(["node", "enter", "--"]).args(command).stdin(Stdio::null()).kill_on_drop(true);
            let slow = || NodeError::Slow {
                command: "cleaning".into(),
                place: self.place().to_owned(),
                limit: PATIENCE,
            };
            let output = real::timeout(PATIENCE, child.output()).await.ok_or_else(slow)?.map_err(failed)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Ok(Output {
                code: output.status.code().map_or(-1, i64::from),
                stdout: text(&output.stdout),
                stderr: text(&output.stderr),
            })
        }
        .boxed()
    }
}
