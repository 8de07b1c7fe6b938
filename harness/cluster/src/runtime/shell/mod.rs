//! A small POSIX shell: enough for the lines that people type and write into manifests.
//!
//! Lists, pipelines, redirections, variables, command substitution, arithmetic, `if`, `while`, `for`. No functions, no
//! jobs, no patterns. Embeddable shell crates run real processes on real files; this one must
//! never reach the machine it runs on, so it only knows the programs and files of its container.
//!
//! - `words` and `parse` read scripts; `expand` turns words into arguments (`arithmetic` is a part of that); `run` runs them; `builtins` are the
//!   commands that change the shell itself.

mod arithmetic;
mod builtins;
mod expand;
mod parse;
mod run;
#[cfg(test)]
mod tests;
mod trap;
mod words;

use parse::parse;
use words::Trouble;

use super::process::{Process, Source};

/// How deep scripts can start scripts.
const DEPTH: usize = 12;

/// A shell's state. Clones are subshells.
#[derive(Clone)]
struct Shell {
    process: Process,
    /// Which variables children get.
    exported: std::collections::BTreeSet<String>,
    /// `$0`, `$1`, …
    positional: Vec<String>,
    last: i32,
    exit_on_error: bool,
    /// What is run when the shell is asked to end.
    on_term: Option<String>,
    depth: usize,
}

/// Why a list ends before its end.
enum Flow {
    /// The shell exits.
    Exit(i32),
    /// So many loops are left.
    Break(usize),
    /// The next round of so many loops begins.
    Continue(usize),
}

/// Runs a shell as a program.
pub(crate) async fn main(process: Process) -> i32 {
    let mut arguments = process.arguments().to_vec();
    let mut exit_on_error = false;
    let mut script = None;
    while let Some(option) = arguments.first().filter(|a| a.starts_with('-') && a.len() > 1).cloned() {
        arguments.remove(0);
        if option == "--" {
            break;
        }
        exit_on_error |= option.contains('e');
        if option.contains('c') {
            if arguments.is_empty() {
                process.complain("-c requires an argument").await;
                return 2;
            }
            script = Some(arguments.remove(0));
            break;
        }
    }
    let name = process.words.first().cloned().unwrap_or_default();
    let mut shell = Shell {
        exported: process.variables.keys().cloned().collect(),
        positional: vec![name],
        process,
        last: 0,
        exit_on_error,
        on_term: None,
        depth: 0,
    };
    if let Some(script) = script {
        if !arguments.is_empty() {
            shell.positional = arguments;
        }
        return shell.script(&script).await;
    }
    if let Some(file) = arguments.first().cloned() {
        shell.positional = arguments;
        let path = shell.process.path(&file);
        return match shell.process.world.files.read(&path) {
            Ok(content) => shell.script(&String::from_utf8_lossy(&content)).await,
            Err(_) => {
                shell.process.complain(format!("can't open '{file}': No such file or directory")).await;
                2
            }
        };
    }
    shell.interactive().await
}

impl Shell {
    /// Runs a whole script.
    async fn script(&mut self, script: &str) -> i32 {
        let list = match parse(script) {
            Ok(list) => list,
            Err(Trouble::Unfinished) => {
                self.process.complain("syntax error: unexpected end of file").await;
                return 2;
            }
            Err(Trouble::Wrong(why)) => {
                self.process.complain(why).await;
                return 2;
            }
        };
        match self.list(&list).await {
            Err(Flow::Exit(code)) => code,
            Ok(()) | Err(_) => self.last,
        }
    }

    /// Runs what comes in, command by command.
    async fn interactive(&mut self) -> i32 {
        let terminal = self.process.terminal.is_some();
        let mut script = String::new();
        loop {
            if terminal {
                let prompt = if script.is_empty() {
                    let home = self.process.variables.get("HOME").filter(|h| *h != "/");
                    let here = match home.and_then(|home| self.process.directory.strip_prefix(home.as_str()))
                    {
                        Some(rest) => format!("~{rest}"),
                        None => self.process.directory.clone(),
                    };
                    format!("{here} # ")
                } else {
                    "> ".to_owned()
                };
                let _nobody_listens = self.process.stderr.write(prompt.as_bytes()).await;
            }
            let interrupt = self.process.interrupt.clone();
            let line = tokio::select! {
                line = read_line(&self.process.stdin) => line,
                () = interrupt.notified(), if terminal => {
                    script.clear();
                    self.last = super::process::INTERRUPTED;
                    continue;
                }
            };
            let Some(line) = line else {
                if !script.is_empty() {
                    self.process.complain("syntax error: unexpected end of file").await;
                    return 2;
                }
                return self.last;
            };
            script.push_str(&line);
            match parse(&script) {
                Err(Trouble::Unfinished) => continue,
                Err(Trouble::Wrong(why)) => {
                    self.process.complain(why).await;
                    self.last = 2;
                    if !terminal {
                        return 2;
                    }
                }
                Ok(list) => {
                    if let Err(Flow::Exit(code)) = self.list(&list).await {
                        return code;
                    }
                }
            }
            script.clear();
        }
    }
}

/// A line with its end; nothing at the end of the input. No byte more is taken than belongs to it: the rest
/// is for the program that the line starts.
async fn read_line(stdin: &Source) -> Option<String> {
    const LONGEST: usize = 64 * 1024;
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        match stdin.read(&mut byte).await {
            Ok(1) => line.push(byte[0]),
            _ if line.is_empty() => return None,
            _ => break,
        }
        if byte[0] == b'\n' || line.len() >= LONGEST {
            break;
        }
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}
