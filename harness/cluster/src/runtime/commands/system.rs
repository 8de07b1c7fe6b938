//! Programs that tell about the container, and `sleep`.

use pulldrill_clock::SignedDuration;

use super::options;
use crate::runtime::process::Process;

pub(super) async fn env(p: Process) -> i32 {
    let wanted = p.arguments();
    if p.name() == "printenv" && !wanted.is_empty() {
        let values: Vec<&String> = wanted.iter().filter_map(|name| p.variables.get(name)).collect();
        let text: String = values.iter().map(|v| format!("{v}\n")).collect();
        return p.say(text).await.err().unwrap_or(i32::from(values.len() < wanted.len()));
    }
    let mut child = p.clone();
    let mut words = wanted;
    while let Some(((name, value), rest)) =
        words.split_first().and_then(|(first, rest)| Some((first.split_once('=')?, rest)))
    {
        child.variables.insert(name.to_owned(), value.to_owned());
        words = rest;
    }
    let Some(name) = words.first() else {
        let text: String = child.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        return p.say(text).await.err().unwrap_or(0);
    };
    let Some(program) = p.world.program(name) else {
        p.complain(format!("can't execute '{name}': No such file or directory")).await;
        return 127;
    };
    child.words = words.to_vec();
    program(child).await
}

pub(super) async fn sleep(p: Process) -> i32 {
    let mut total = SignedDuration::ZERO;
    if p.arguments().is_empty() {
        return p.complain("missing operand").await;
    }
    for argument in p.arguments() {
        if argument == "infinity" || argument == "inf" {
            return std::future::pending().await;
        }
        match duration(argument) {
            Some(time) => total = total.saturating_add(time),
            None => return p.complain(format!("invalid number '{argument}'")).await,
        }
    }
    p.sleep(total).await;
    0
}

fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last().filter(char::is_ascii_alphabetic);
    let number: f64 = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    let seconds = match unit {
        None | Some('s') => number,
        Some('m') => number * 60.0,
        Some('h') => number * 3600.0,
        Some('d') => number * 86400.0,
        Some(_) => return None,
    };
    SignedDuration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_negative())
}

pub(super) async fn date(p: Process) -> i32 {
    let format = p.arguments().iter().find_map(|a| a.strip_prefix('+'));
    let now = p.world.now().to_zoned(jiff::tz::TimeZone::UTC);
    let format = format.unwrap_or("%a %b %e %H:%M:%S UTC %Y");
    match jiff::fmt::strtime::format(format, &now) {
        Ok(text) => p.say(format!("{text}\n")).await.err().unwrap_or(0),
        Err(_) => p.complain("invalid date format").await,
    }
}

pub(super) async fn hostname(p: Process) -> i32 {
    p.say(format!("{}\n", p.world.hostname)).await.err().unwrap_or(0)
}

pub(super) async fn id(p: Process) -> i32 {
    let (letters, _) = options(p.arguments());
    let text = match (letters.contains('n'), letters.contains(['u', 'g'])) {
        (true, true) => "root\n",
        (false, true) => "0\n",
        _ => "uid=0(root) gid=0(root) groups=0(root),10(wheel)\n",
    };
    p.say(text).await.err().unwrap_or(0)
}

pub(super) async fn whoami(p: Process) -> i32 {
    p.say("root\n").await.err().unwrap_or(0)
}

pub(super) async fn pwd(p: Process) -> i32 {
    p.say(format!("{}\n", p.directory)).await.err().unwrap_or(0)
}

pub(super) async fn uname(p: Process) -> i32 {
    let (letters, _) = options(p.arguments());
    let text = if letters.contains('a') {
        format!("Linux {} 6.1.0 #1 SMP x86_64 GNU/Linux\n", p.world.hostname)
    } else if letters.contains('m') {
        "x86_64\n".to_owned()
    } else if letters.contains('n') {
        format!("{}\n", p.world.hostname)
    } else {
        "Linux\n".to_owned()
    };
    p.say(text).await.err().unwrap_or(0)
}

/// `stty size`: rows and columns.
pub(super) async fn stty(p: Process) -> i32 {
    let Some(terminal) = &p.terminal else {
        return p.complain("standard input: Inappropriate ioctl for device").await;
    };
    let size = *terminal.borrow();
    if p.arguments().first().is_some_and(|a| a == "size") {
        return p.say(format!("{} {}\n", size.height, size.width)).await.err().unwrap_or(0);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1.5"), Some(SignedDuration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(SignedDuration::from_secs(120)));
        for bad in ["", "-1", "x", "1y", "nan", "1e400"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
