//! Running a script of a scenario as a trainee would, in an environment of its own.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use pulldrill_clock::{SignedDuration, real};
use pulldrill_scenarios::Script;
use tokio::process::Command;

use super::SelftestOptions;
use crate::{BackendKind, KindOptions, Lab, LabError};

/// How long a script may take, in real time.
const LIMIT: Duration = Duration::from_secs(180);

/// For so long nothing must have happened before lab time is skipped for a script that waits.
const QUIET: Duration = Duration::from_millis(250);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A program that the script needs and neither this machine nor the test has.
pub(super) fn missing_program(options: &SelftestOptions, script: &Script) -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_on_path = |name: &String| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let is_given = |name: &String| given(options).any(|(given, _)| given == name);
    script.needs.iter().find(|name| !is_given(name) && !is_on_path(name)).cloned()
}

/// Runs the script beside the lab in `folder/lab`; `Err` in the result says how it failed.
pub(super) async fn run(
    options: &SelftestOptions,
    lab: &Lab,
    folder: &Path,
    script: &Script,
) -> Result<Result<(), String>, LabError> {
    run_in(options, lab, folder, &folder.join("lab"), script).await
}

/// Runs the script in a folder of its own, for the lab in another.
pub(super) async fn run_in(
    options: &SelftestOptions,
    lab: &Lab,
    folder: &Path,
    lab_folder: &Path,
    script: &Script,
) -> Result<Result<(), String>, LabError> {
    let home = folder.join("home");
    let programs = programs(options, folder)?;
    let file = folder.join("script.sh");
    fs::create_dir_all(&home)
        .and_then(|()| fs::write(&file, &script.text))
        .map_err(|source| LabError::File { action: "write", path: file.clone(), source })?;
    let child = Command::new("/bin/sh")
        .arg("-eu")
        .arg(&file)
        .current_dir(&home)
        .env_clear()
        .env("PATH", path(&programs))
        .env("HOME", &home)
        .env("LC_ALL", "C")
        .env("TMPDIR", &home)
        .env("KUBECONFIG", lab_folder.join("kubeconfig"))
        .env("PULLDRILL_DIR", lab_folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| LabError::part("/bin/sh", error))?;
    let mut output = Box::pin(real::timeout(LIMIT, child.wait_with_output()));
    let mut quiet = Quiet::new(lab);
    let ended = loop {
        tokio::select! {
            ended = &mut output => break ended,
            () = real::sleep(LOOK) => quiet.look(lab).await,
        }
    };
    match ended {
        None => Ok(Err(format!("the script did not end within {LIMIT:?}"))),
        Some(Err(error)) => Err(LabError::part("/bin/sh", error)),
        Some(Ok(output)) if output.status.success() => Ok(Ok(())),
        Some(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Ok(Err(format!("the script ended with {}: {}", output.status, text.trim())))
        }
    }
}

/// Skips lab time for a script that waits for the cluster.
struct Quiet {
    mark: (u64, u64),
    since: std::time::Instant,
}

impl Quiet {
    fn new(lab: &Lab) -> Self {
        Self { mark: lab.activity(), since: real::stopwatch() }
    }

    async fn look(&mut self, lab: &Lab) {
        let mark = lab.activity();
        if mark != self.mark {
            self.mark = mark;
            self.since = real::stopwatch();
        }
        if self.since.elapsed() >= QUIET && lab.clock_can_advance() {
            let clock = lab.clock();
            clock.skip(clock.now() + SignedDuration::from_mins(1)).await;
            clock.idle().await;
            // What the skipped time brought about is no sign of life of the script.
            self.mark = lab.activity();
        }
    }
}

/// The programs that the test was told to use, with the names that scripts know them by.
fn given(options: &SelftestOptions) -> impl Iterator<Item = (&'static str, &Path)> {
    let kind = match &options.backend {
        BackendKind::Kind(KindOptions { kind_program, .. }) => kind_program.as_deref(),
        _ => None,
    };
    let always = [("kubectl", options.kubectl.as_path()), ("pulldrill", options.program.as_path())];
    always.into_iter().chain(kind.map(|kind| ("kind", kind)))
}

/// A folder with the programs that the test was told to use.
fn programs(options: &SelftestOptions, folder: &Path) -> Result<PathBuf, LabError> {
    let programs = folder.join("bin");
    let made = fs::create_dir_all(&programs)
        .and_then(|()| given(options).try_for_each(|(name, program)| link(program, &programs.join(name))));
    made.map_err(|source| LabError::File { action: "make", path: programs.clone(), source })?;
    Ok(programs)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    std::os::unix::fs::symlink(to.canonicalize()?, at)
}

#[cfg(not(unix))]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    fs::copy(to, at.with_extension("exe")).map(drop)
}

fn path(programs: &Path) -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(programs.to_owned()).chain(env::split_paths(&inherited));
    env::join_paths(all).unwrap_or_else(|_| programs.into())
}
