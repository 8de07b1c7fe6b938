//! What containers have written: a few lines each, kept until the pod goes.

use std::collections::HashMap;

use parking_lot::Mutex;
use pulldrill_clock::Timestamp;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written, in lab time.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

/// The logs of all containers of a cluster, by pod uid and container name.
#[derive(Debug, Default)]
pub struct Logs(Mutex<HashMap<(String, String), Logged>>);

#[derive(Debug, Default)]
struct Logged {
    current: Vec<Line>,
    previous: Option<Vec<Line>>,
}

impl Logs {
    /// The lines of a container, or of the one before it.
    #[must_use]
    pub fn lines(&self, uid: &str, container: &str, previous: bool) -> Option<Vec<Line>> {
        let all = self.0.lock();
        let logged = all.get(&(uid.to_owned(), container.to_owned()))?;
        if previous { logged.previous.clone() } else { Some(logged.current.clone()) }
    }

    /// Begins the log of a new container.
    pub(super) fn begin(&self, uid: &str, container: &str, at: Timestamp, lines: Vec<String>) {
        let mut all = self.0.lock();
        let key = (uid.to_owned(), container.to_owned());
        let lines = lines.into_iter().map(|text| Line { at, text }).collect();
        match all.get_mut(&key) {
            Some(logged) => logged.previous = Some(std::mem::replace(&mut logged.current, lines)),
            None => {
                all.insert(key, Logged { current: lines, previous: None });
            }
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
    let name = name.map_or_else(|| short_name(&image.reference), Clone::clone);
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

/// The last part of a repository: `payments-api`.
fn short_name(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.split([':', '@']).next().unwrap_or(last).to_owned()
}
