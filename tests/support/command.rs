//! Running programs apart from the user's own settings, and waiting for what they do.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};
use pulldrill_clock::real;

/// The `pulldrill` program on the lab folder `root/lab`.
pub(crate) fn pulldrill(root: &Path) -> Command {
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_pulldrill")));
    command.current_dir(root).env("PULLDRILL_DIR", root.join("lab")).env("HOME", root);
    command
}

/// Keeps the user's own Kubernetes and proxy settings out of a test.
pub(crate) fn clean(mut command: Command) -> Command {
    for name in
        ["KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env_remove(name);
    }
    command
}

/// Asks again until there is an answer; an error, or the end of the time, ends it.
pub(crate) async fn until<T>(
    limit: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let watch = real::stopwatch();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        ensure!(watch.elapsed() < limit, "waited {limit:?} for {what}");
        real::sleep(Duration::from_millis(25)).await;
    }
}
