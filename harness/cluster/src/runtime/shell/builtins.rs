//! The commands that change the shell itself.

use super::{Flow, Shell, read_line, words::is_name};

/// Runs a builtin. `None` when there is none of that name.
pub(super) async fn run(shell: &mut Shell, words: &[String]) -> Option<Result<(), Flow>> {
    let (name, arguments) = words.split_first()?;
    let first = arguments.first().map(String::as_str);
    let number = first.and_then(|n| n.parse::<i32>().ok());
    shell.last = match name.as_str() {
        ":" | "wait" => 0,
        "trap" => shell.trap(arguments),
        "cd" => change_directory(shell, first).await,
        "exit" => return Some(Err(Flow::Exit(number.unwrap_or(shell.last) & 255))),
        "break" => return Some(Err(Flow::Break(levels(number)))),
        "continue" => return Some(Err(Flow::Continue(levels(number)))),
        "export" => export(shell, arguments).await,
        "unset" => {
            for name in arguments {
                shell.process.variables.remove(name);
                shell.exported.remove(name);
            }
            0
        }
        "set" => {
            for option in arguments {
                match option.as_str() {
                    "-e" | "-eu" | "-ex" => shell.exit_on_error = true,
                    "+e" => shell.exit_on_error = false,
                    _ => {}
                }
            }
            0
        }
        "shift" => {
            if shell.positional.len() > 1 {
                shell.positional.remove(1);
            }
            0
        }
        "read" => read(shell, arguments).await,
        "command" | "type" | "which" if name != "which" || shell.process.world.program("which").is_none() => {
            return find(shell, name, arguments).await;
        }
        _ => return None,
    };
    Some(Ok(()))
}

fn levels(number: Option<i32>) -> usize {
    number.and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1)
}

async fn change_directory(shell: &mut Shell, to: Option<&str>) -> i32 {
    let home = shell.process.variables.get("HOME").cloned().unwrap_or_else(|| "/".to_owned());
    let to = to.unwrap_or(&home).to_owned();
    let path = shell.process.path(&to);
    match shell.process.world.files.get(&path) {
        Ok(node) if node.is_directory() => {
            shell.process.directory = path;
            0
        }
        Ok(_) => shell.process.complain(format!("cd: can't cd to {to}: Not a directory")).await,
        Err(error) => shell.process.complain(format!("cd: can't cd to {to}: {error}")).await,
    }
}

async fn export(shell: &mut Shell, arguments: &[String]) -> i32 {
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        if name.is_empty() || !name.chars().all(is_name) {
            return shell.process.complain(format!("export: {argument}: bad variable name")).await;
        }
        if let Some(value) = value {
            shell.process.variables.insert(name.to_owned(), value.to_owned());
        }
        shell.exported.insert(name.to_owned());
    }
    0
}

async fn read(shell: &mut Shell, arguments: &[String]) -> i32 {
    let names: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let Some(line) = read_line(&shell.process.stdin).await else { return 1 };
    let mut rest = line.trim();
    for (index, name) in names.iter().enumerate() {
        let value = if index + 1 == names.len() {
            std::mem::take(&mut rest)
        } else {
            let (value, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = more.trim_start();
            value
        };
        shell.process.variables.insert((*name).clone(), value.to_owned());
    }
    0
}

/// Says where commands are. `command NAME …` itself runs NAME.
async fn find(shell: &mut Shell, name: &str, arguments: &[String]) -> Option<Result<(), Flow>> {
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let looks = name != "command" || arguments.iter().any(|a| a == "-v" || a == "-V");
    if !looks {
        let words: Vec<String> = wanted.into_iter().cloned().collect();
        if words.is_empty() {
            return Some(Ok(()));
        }
        return Some(Box::pin(shell.run(words, Vec::new())).await);
    }
    shell.last = 0;
    for command in wanted {
        let found = shell.process.world.program(command).map(|_| format!("/bin/{command}\n"));
        match found {
            Some(line) => drop(shell.process.say(line).await),
            None => shell.last = 127,
        }
    }
    Some(Ok(()))
}
