//! Programs that move text: `echo`, `cat`, `head`, `tail`, `wc`, `grep`, `basename`.

use super::options;
use crate::runtime::process::{BROKEN_PIPE, Process, WHOLE};

pub(super) async fn echo(p: Process) -> i32 {
    let (mut newline, mut escapes, mut words) = (true, false, p.arguments());
    while let Some((first, rest)) = words.split_first() {
        let letters = first.strip_prefix('-').filter(|l| !l.is_empty());
        let Some(letters) = letters.filter(|l| l.chars().all(|c| "neE".contains(c))) else { break };
        newline &= !letters.contains('n');
        escapes |= letters.contains('e');
        words = rest;
    }
    let mut text = words.join(" ");
    if escapes {
        for (from, to) in [("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\\\", "\\")] {
            text = text.replace(from, to);
        }
    }
    if newline {
        text.push('\n');
    }
    p.say(text).await.err().unwrap_or(0)
}

pub(super) async fn cat(p: Process) -> i32 {
    let (_, files) = options(p.arguments());
    let mut code = 0;
    if files.is_empty() {
        return copy(&p).await;
    }
    for file in files {
        if file == "-" {
            code = code.max(copy(&p).await);
            continue;
        }
        match p.world.files.read(&p.path(file)) {
            Ok(content) => {
                if let Err(broken) = p.say(content.as_slice()).await {
                    return broken;
                }
            }
            Err(error) => code = p.complain(format!("can't open '{file}': {error}")).await,
        }
    }
    code
}

/// Copies the input to the output as it comes.
async fn copy(p: &Process) -> i32 {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match p.stdin.read(&mut buffer).await {
            Ok(0) => return 0,
            Ok(n) => {
                if let Err(broken) = p.say(&buffer[..n]).await {
                    return broken;
                }
            }
            Err(_) => return BROKEN_PIPE,
        }
    }
}

/// What the files contain, or the input when there are none.
async fn contents(p: &Process, files: &[String]) -> Result<Vec<u8>, i32> {
    if files.is_empty() {
        return p.read_all().await.map_err(|_| 1);
    }
    let mut all = Vec::new();
    for file in files {
        match p.world.files.read(&p.path(file)) {
            Ok(content) => all.extend_from_slice(&content),
            Err(error) => return Err(p.complain(format!("{file}: {error}")).await),
        }
    }
    Ok(all)
}

/// The number after an option like `-n 5` or `-n5`, or of the form `-5`, and the rest.
fn count(arguments: &[String], letter: char) -> (Option<&str>, &[String]) {
    let Some((first, rest)) = arguments.split_first() else { return (None, arguments) };
    let Some(option) = first.strip_prefix('-') else { return (None, arguments) };
    match option.strip_prefix(letter) {
        Some("") => match rest.split_first() {
            Some((number, rest)) => (Some(number), rest),
            None => (None, rest),
        },
        Some(number) => (Some(number), rest),
        None if option.starts_with(|c: char| c.is_ascii_digit()) => (Some(option), rest),
        None => (None, arguments),
    }
}

fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|b| *b == b'\n').collect()
}

/// The input up to the end of a line: whoever writes it may wait for an answer before going on.
async fn beginning(p: &Process, lines: usize) -> Result<Vec<u8>, i32> {
    let (mut all, mut buffer, mut ends) = (Vec::new(), vec![0; 16 * 1024], 0);
    while ends < lines && all.len() < WHOLE {
        match p.stdin.read(&mut buffer).await {
            Ok(0) => break,
            Ok(n) => {
                ends += buffer[..n].iter().filter(|b| **b == b'\n').count();
                all.extend_from_slice(&buffer[..n]);
            }
            Err(_) => return Err(1),
        }
    }
    Ok(all)
}

pub(super) async fn head(p: Process) -> i32 {
    let (number, files) = count(p.arguments(), 'n');
    let number: usize = number.and_then(|n| n.parse().ok()).unwrap_or(10);
    let content = if files.is_empty() { beginning(&p, number).await } else { contents(&p, files).await };
    match content {
        Ok(content) => p
            .say(lines(&content).into_iter().take(number).collect::<Vec<_>>().concat())
            .await
            .err()
            .unwrap_or(0),
        Err(code) => code,
    }
}

/// `tail -n N`, and `tail -c +N`, with which `kubectl cp --retries` goes on where it was cut off.
pub(super) async fn tail(p: Process) -> i32 {
    let arguments = p.arguments();
    let bytes = arguments.first().is_some_and(|a| a.starts_with("-c"));
    let (number, files) = count(arguments, if bytes { 'c' } else { 'n' });
    let number = number.unwrap_or("10").to_owned();
    let content = match contents(&p, files).await {
        Ok(content) => content,
        Err(code) => return code,
    };
    let from_start = number.starts_with('+');
    let Ok(wanted) = number.trim_start_matches(['+', '-']).parse::<usize>() else {
        return p.complain(format!("invalid number '{number}'")).await;
    };
    let pieces: Vec<&[u8]> = if bytes { content.chunks(1).collect() } else { lines(&content) };
    let skip = if from_start { wanted.saturating_sub(1) } else { pieces.len().saturating_sub(wanted) };
    let start: usize = pieces.iter().take(skip).map(|piece| piece.len()).sum();
    p.say(&content[start..]).await.err().unwrap_or(0)
}

pub(super) async fn wc(p: Process) -> i32 {
    let (letters, files) = options(p.arguments());
    let content = match contents(&p, files).await {
        Ok(content) => content,
        Err(code) => return code,
    };
    let counts = [
        ('l', content.iter().filter(|b| **b == b'\n').count()),
        ('w', content.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).count()),
        ('c', content.len()),
    ];
    let wanted = counts.iter().filter(|(c, _)| letters.is_empty() || letters.contains(*c));
    let text: Vec<String> = wanted.map(|(_, n)| n.to_string()).collect();
    p.say(format!("{}\n", text.join(" "))).await.err().unwrap_or(0)
}

/// Lines that contain a text (not a pattern), with `-v`, `-i`, `-c` and `-q`.
pub(super) async fn grep(p: Process) -> i32 {
    let (letters, rest) = options(p.arguments());
    let Some((wanted, files)) = rest.split_first() else {
        p.complain("no pattern").await;
        return 2;
    };
    let Ok(content) = contents(&p, files).await else { return 2 };
    let fold = |text: &str| if letters.contains('i') { text.to_lowercase() } else { text.to_owned() };
    let wanted = fold(wanted);
    let found: Vec<&[u8]> = lines(&content)
        .into_iter()
        .filter(|line| fold(&String::from_utf8_lossy(line)).contains(&wanted) != letters.contains('v'))
        .collect();
    let said = match (letters.contains('q'), letters.contains('c')) {
        (true, _) => Ok(()),
        (_, true) => p.say(format!("{}\n", found.len())).await,
        _ => p.say(found.concat()).await,
    };
    said.err().unwrap_or(i32::from(found.is_empty()))
}

pub(super) async fn basename(p: Process) -> i32 {
    let name = p.arguments().first().map_or("", String::as_str).trim_end_matches('/');
    p.say(format!("{}\n", name.rsplit('/').next().unwrap_or(name))).await.err().unwrap_or(0)
}
