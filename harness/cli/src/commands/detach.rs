//! `up --detach`: the same lab in a process of its own, which outlives this one.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    process::{Child, Command, Stdio},
    time::Duration,
};

use pulldrill_clock::real;

use super::{Ground, up::summary};
use crate::{
    args::Up,
    exit::{Exit, Failure, Outcome},
    folder::Owner,
};

const PERIOD: Duration = Duration::from_millis(50);

/// How many lines of the log tell why a lab has not come up.
const TAIL: usize = 20;

pub(super) async fn up(ground: &Ground<'_>, up: &Up) -> Outcome {
    if let Owner::Process(pid) = ground.folder.owner() {
        let dir = ground.common.dir.clone();
        return Err(pulldrill_lab::LabError::AlreadyRunning { dir, pid }.into());
    }
    let watch = real::stopwatch();
    let (log, mut told, start) = log(ground)?;
    let mut child = spawn(ground, up, log)?;
    loop {
        if let Some(info) = ground.folder.info()?.filter(|info| info.pid == child.id()) {
            ground.out.data(&info, |info| summary(ground, up, info, watch.elapsed()));
            return Ok(Exit::Yes);
        }
        let ended = child
            .try_wait()
            .map_err(|error| Failure::infrastructure(format!("cannot watch the lab's process: {error}")))?;
        if let Some(status) = ended {
            let exit = if status.code() == Some(2) { Exit::Usage } else { Exit::Infrastructure };
            let message = format!("the lab did not come up ({status}):\n{}", tail(&mut told, start));
            return Err(Failure { exit, message, help: None });
        }
        real::sleep(PERIOD).await;
    }
}

/// The log, once to be written and once to be read (a lab that fails removes its files), and where in it this lab's
/// part begins.
fn log(ground: &Ground<'_>) -> Result<(File, File, u64), Failure> {
    let path = ground.folder.log();
    let failed = |error: std::io::Error| {
        Failure::infrastructure(format!("cannot write {}: {error}", path.display()))
            .help("choose another folder with --dir")
    };
    fs::create_dir_all(ground.folder.path()).map_err(failed)?;
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    let start = file.metadata().map_err(failed)?.len();
    let told = File::open(&path).map_err(failed)?;
    Ok((file, told, start))
}

fn spawn(ground: &Ground<'_>, up: &Up, log: File) -> Result<Child, Failure> {
    let failed =
        |error: std::io::Error| Failure::infrastructure(format!("cannot start the lab's process: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("--dir").arg(&ground.common.dir).arg("up").args(again(up));
    if let Some(folder) = &up.scenario_dir {
        command.arg("--scenario-dir").arg(folder);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
    own_group(&mut command);
    command.spawn().map_err(failed)
}

/// The options once more, without `--detach`.
fn again(up: &Up) -> Vec<String> {
    let mut words =
        vec!["--seed".to_owned(), up.seed.to_string(), "--dialect".to_owned(), up.dialect.clone()];
    if let Some(listen) = up.listen {
        words.extend(["--listen".to_owned(), listen.to_string()]);
    }
    for scenario in &up.scenarios {
        words.extend(["--scenario".to_owned(), scenario.clone()]);
    }
    if up.no_history {
        words.push("--no-history".to_owned());
    }
    words.extend(super::place::again(&up.place));
    words
}

/// So that a Ctrl-C in this terminal does not reach the lab.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

/// The last lines of a log from `start` on.
fn tail(log: &mut File, start: u64) -> String {
    let mut text = String::new();
    let read = log.seek(SeekFrom::Start(start)).and_then(|_| log.read_to_string(&mut text));
    if let Err(error) = read {
        return format!("(its log cannot be read: {error})");
    }
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command as Parsed};

    #[test]
    fn the_options_reach_the_process() {
        let words = [
            "pulldrill",
            "up",
            "--detach",
            "--seed",
            "9",
            "--listen",
            "127.0.0.1:0",
            "--scenario",
            "a",
            "--scenario",
            "b",
            "--no-history",
            "--dialect",
            "k8s-1.20-containerd-1.7",
        ];
        let Parsed::Up(first) = Args::try_parse_from(words).unwrap().command else { panic!("not up") };
        let words = ["pulldrill", "up"].into_iter().map(str::to_owned).chain(again(&first));
        let Parsed::Up(second) = Args::try_parse_from(words).unwrap().command else { panic!("not up") };
        assert!(!second.detach);
        assert_eq!(format!("{first:?}").replace("detach: true", "detach: false"), format!("{second:?}"));
    }

    #[test]
    fn a_tail_tells_only_of_this_start() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("up.log");
        fs::write(&path, "old\nerror: new\n\n").unwrap();
        let mut log = File::open(&path).unwrap();
        assert_eq!(tail(&mut log, 4), "error: new");
        let many: String = (0..50).map(|n| format!("{n}\n")).collect();
        fs::write(&path, many).unwrap();
        fs::remove_file(&path).unwrap();
        let last = tail(&mut log, 0);
        assert!(last.starts_with("30\n") && last.ends_with("49"), "{last}");
    }
}
