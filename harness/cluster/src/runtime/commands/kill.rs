//! `kill`: signals for the only process that others can name, the container's first one.

use std::sync::atomic::Ordering;

use crate::runtime::process::Process;

/// The signals that end a server, by all their names; a first process gets none that it has no handler for.
const ENDING: [&str; 6] = ["TERM", "15", "INT", "2", "QUIT", "3"];

/// `kill [-SIGNAL | -s SIGNAL] PID …`.
pub(super) async fn kill(process: Process) -> i32 {
    let mut words = process.arguments();
    let mut signal = "TERM".to_owned();
    while let Some((option, rest)) = words.split_first().filter(|(first, _)| first.starts_with('-')) {
        words = rest;
        signal = match option.as_str() {
            "--" => break,
            "-l" => return process.say("HUP INT QUIT KILL USR1 USR2 TERM\n").await.err().unwrap_or(0),
            "-s" => {
                let Some((named, rest)) = words.split_first() else { break };
                words = rest;
                named.clone()
            }
            other => other.trim_start_matches('-').to_owned(),
        };
    }
    if words.is_empty() {
        return process.complain("you need to specify whom to kill").await;
    }
    let signal = signal.to_ascii_uppercase();
    let signal = signal.strip_prefix("SIG").unwrap_or(&signal);
    let mut code = 0;
    for word in words {
        match word.parse::<i64>() {
            Ok(1) if ENDING.contains(&signal) => {
                let world = &process.world;
                if matches!(signal, "TERM" | "15") {
                    world.terminate.store(true, Ordering::Release);
                }
                world.asked.notify_one();
            }
            Ok(1) => {}
            Ok(pid) => code = process.complain(format!("can't kill pid {pid}: No such process")).await,
            Err(_) => code = process.complain(format!("invalid number '{word}'")).await,
        }
    }
    code
}
