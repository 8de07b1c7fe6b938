//! What containers have written: a few lines each, kept until the pod goes.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use parking_lot::Mutex;
use pulldrill_clock::Timestamp;

use crate::runtime::images::short_name;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written, in lab time.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

/// A part of what one run of a container has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which run it is: each restart is one more.
    pub run: u64,
    /// The number of the line that comes next.
    pub next: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// The logs of all containers of a cluster, by pod uid and container name.
#[derive(Debug, Default)]
pub struct Logs(Mutex<HashMap<(String, String), Logged>>);

/// How many lines are kept of one container; real ones are rotated away by size.
const LINES: usize = 10_000;

/// The longest line; what is longer is cut into several.
const LONGEST: usize = 16 * 1024;

#[derive(Debug, Default)]
struct Logged {
    current: Written,
    previous: Option<Written>,
}

/// What one container has written.
#[derive(Debug, Default)]
struct Written {
    lines: VecDeque<Line>,
    /// The number of the first line that is kept.
    first: usize,
    /// A line that has no end yet.
    partial: Vec<u8>,
    /// Which run of the container it is.
    run: u64,
}

impl Written {
    fn next(&self) -> usize {
        self.first + self.lines.len()
    }

    fn push(&mut self, at: Timestamp, text: String) {
        self.lines.push_back(Line { at, text });
        if self.lines.len() > LINES {
            self.lines.pop_front();
            self.first += 1;
        }
    }

    fn end_line(&mut self, at: Timestamp) {
        let line = std::mem::take(&mut self.partial);
        self.push(at, String::from_utf8_lossy(&line).into_owned());
    }
}

impl Logs {
    /// The lines of a container, or of the one before it.
    #[must_use]
    pub fn lines(&self, uid: &str, container: &str, previous: bool) -> Option<Vec<Line>> {
        self.since(uid, container, previous, 0).map(|part| part.lines)
    }

    /// The lines of a container, or of its run before, from a number on.
    #[must_use]
    pub fn since(&self, uid: &str, container: &str, previous: bool, from: usize) -> Option<Part> {
        let all = self.0.lock();
        let logged = all.get(&(uid.to_owned(), container.to_owned()))?;
        let written = if previous { logged.previous.as_ref()? } else { &logged.current };
        let lines = written.lines.iter().skip(from.saturating_sub(written.first)).cloned().collect();
        Some(Part { run: written.run, next: written.next(), lines })
    }

    /// Begins the log of a new container. Its numbers go on where those of the one before it ended.
    pub(super) fn begin(&self, uid: &str, container: &str, at: Timestamp, lines: Vec<String>) {
        let mut all = self.0.lock();
        let logged = all.entry((uid.to_owned(), container.to_owned()));
        let logged = match logged {
            Entry::Occupied(there) => {
                let logged = there.into_mut();
                let (first, run) = (logged.current.next(), logged.current.run + 1);
                let new = Written { first, run, ..Written::default() };
                logged.previous = Some(std::mem::replace(&mut logged.current, new));
                logged
            }
            Entry::Vacant(free) => free.insert(Logged::default()),
        };
        for line in lines {
            logged.current.push(at, line);
        }
    }

    /// Takes in what a container writes; nothing at all is the end of its last line.
    pub(super) fn append(&self, uid: &str, container: &str, at: Timestamp, bytes: &[u8]) {
        let mut all = self.0.lock();
        let Some(logged) = all.get_mut(&(uid.to_owned(), container.to_owned())) else { return };
        let written = &mut logged.current;
        for byte in bytes {
            match byte {
                b'\n' => written.end_line(at),
                byte => written.partial.push(*byte),
            }
            if written.partial.len() >= LONGEST {
                written.end_line(at);
            }
        }
        if bytes.is_empty() && !written.partial.is_empty() {
            written.end_line(at);
        }
    }

    /// Forgets a pod.
    pub(super) fn forget<'a>(&self, uid: &str, containers: impl Iterator<Item = &'a String>) {
        let mut all = self.0.lock();
        for container in containers {
            all.remove(&(uid.to_owned(), container.clone()));
        }
    }
}

/// What a container says when it starts.
pub(super) fn first_words(image: &crate::puller::Image, arguments: &[String], exits: bool) -> Vec<String> {
    if image.architecture != "amd64" {
        let program = image.command.first().map_or("/app", String::as_str);
        return vec![format!("exec {program}: exec format error")];
    }
    if exits {
        return said(if arguments.is_empty() { &image.command } else { arguments });
    }
    let name = image.labels.get("org.opencontainers.image.title");
    let version = image.labels.get("org.opencontainers.image.version");
    let name = name.map_or_else(|| short_name(&image.reference).to_owned(), Clone::clone);
    let version = version.map(|v| format!(" {v}")).unwrap_or_default();
    vec![format!("{name}{version} starting"), "listening on 0.0.0.0:8080".to_owned()]
}

/// What a command that only echoes would print.
fn said(command: &[String]) -> Vec<String> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let echoed = match words.as_slice() {
        [shell, "-c", script, ..] if shell.ends_with("sh") => script.strip_prefix("echo ").map(str::to_owned),
        ["echo" | "/bin/echo", rest @ ..] => Some(rest.join(" ")),
        _ => None,
    };
    echoed.map(|text| text.trim_matches(['"', '\'']).to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_numbered_and_bounded() {
        let (logs, at) = (Logs::default(), Timestamp::UNIX_EPOCH);
        logs.begin("u", "c", at, vec!["first".to_owned()]);
        logs.append("u", "c", at, b"sec");
        let texts = |previous, from| {
            let Part { next, lines, .. } = logs.since("u", "c", previous, from).unwrap();
            (next, lines.into_iter().map(|l| l.text).collect::<Vec<_>>())
        };
        assert_eq!(texts(false, 0), (1, vec!["first".to_owned()]));
        logs.append("u", "c", at, b"ond\n\nlast");
        logs.append("u", "c", at, b"");
        assert_eq!(texts(false, 1), (4, vec!["second".to_owned(), String::new(), "last".to_owned()]));
        logs.begin("u", "c", at, Vec::new());
        assert_eq!(texts(true, 3).1, ["last"]);
        assert_eq!(texts(false, 0), (4, Vec::new()));
        assert_eq!([true, false].map(|previous| logs.since("u", "c", previous, 0).unwrap().run), [0, 1]);
        for n in 0..LINES + 5 {
            logs.append("u", "c", at, format!("{n}\n").as_bytes());
        }
        let (next, lines) = texts(false, 0);
        assert_eq!((next, lines.len(), lines[0].as_str()), (4 + LINES + 5, LINES, "5"));
        logs.append("u", "c", at, &vec![b'x'; 3 * LONGEST]);
        assert_eq!(texts(false, next).1.len(), 3);
        assert!(logs.since("u", "other", false, 0).is_none());
    }
}
