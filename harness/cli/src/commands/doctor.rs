//! `doctor`: whether this machine has what a lab needs, and what to do if not.

use std::{
    fs, io,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use serde::Serialize;

use super::{Ground, up::on_path};
use crate::{
    exit::{Exit, Outcome},
    folder::Owner,
    output::{Tone, paint},
    parse::DEFAULT_LISTEN,
};

/// A lab with its five drills stays well below this.
const MEMORY_MIB: u64 = 512;

/// How a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Grade {
    /// It is there.
    Ok,
    /// It is not there, and most things work without.
    Optional,
    /// It is needed.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    name: &'static str,
    grade: Grade,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'static str>,
}

impl Finding {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, grade: Grade::Ok, message: message.into(), help: None }
    }

    fn lacking(name: &'static str, grade: Grade, message: impl Into<String>, help: &'static str) -> Self {
        Self { name, grade, message: message.into(), help: Some(help) }
    }
}

pub(super) fn doctor(ground: &Ground<'_>) -> Outcome {
    let findings = [
        kubectl(),
        folder(ground),
        port(),
        memory(),
        program(
            "aws",
            &["--version"],
            "needed only to run `aws ecr get-login-password`; `pulldrill ecr get-login-password` does the same",
        ),
        program(
            "docker",
            &["--version"],
            "needed only for `up --backend kind`, and to push images with docker; `pulldrill image copy` needs nothing",
        ),
        program("kind", &["version"], "needed only for `up --backend kind`: https://kind.sigs.k8s.io"),
    ];
    ground.out.data(&findings, |findings| show(findings));
    let missing = findings.iter().any(|finding| finding.grade == Grade::Missing);
    Ok(if missing { Exit::No } else { Exit::Yes })
}

fn show(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings
        .iter()
        .map(|finding| {
            let mark = match finding.grade {
                Grade::Ok => paint(Tone::Good, "✓"),
                Grade::Optional => paint(Tone::Wait, "–"),
                Grade::Missing => paint(Tone::Bad, "✗"),
            };
            let help = finding
                .help
                .map_or_else(String::new, |help| format!("\n             {}", paint(Tone::Dim, help)));
            format!("{mark} {:<10} {}{help}", finding.name, finding.message)
        })
        .collect();
    lines.join("\n")
}

fn kubectl() -> Finding {
    const HELP: &str = "any version from 1.20 on will do: https://kubernetes.io/docs/tasks/tools/";
    let Some(path) = on_path("kubectl") else {
        return Finding::lacking("kubectl", Grade::Missing, "not on the PATH", HELP);
    };
    match said(&path, &["version", "--client", "-o", "json"]).and_then(|text| version(&text)) {
        Some(version) => Finding::ok("kubectl", format!("{version} at {}", path.display())),
        None => {
            Finding::lacking("kubectl", Grade::Missing, format!("{} does not work", path.display()), HELP)
        }
    }
}

/// The version in what `kubectl version --client -o json` prints.
fn version(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(value["clientVersion"]["gitVersion"].as_str()?.to_owned())
}

fn program(name: &'static str, arguments: &[&str], help: &'static str) -> Finding {
    let text = on_path(name).and_then(|path| said(&path, arguments));
    match text.as_deref().and_then(|text| text.lines().next()) {
        Some(line) => Finding::ok(name, line),
        None => Finding::lacking(name, Grade::Optional, "not found", help),
    }
}

/// What a program prints; none if it fails.
fn said(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn folder(ground: &Ground<'_>) -> Finding {
    let path = ground.folder.path();
    if let Owner::Process(pid) = ground.folder.owner() {
        return Finding::ok("folder", format!("a lab is running in {} (process {pid})", path.display()));
    }
    match writable(path) {
        Ok(()) => Finding::ok("folder", format!("{} can be written", path.display())),
        Err(error) => Finding::lacking(
            "folder",
            Grade::Missing,
            format!("{} cannot be written: {error}", path.display()),
            "choose another folder with --dir",
        ),
    }
}

/// Tries it, in the folder or in the nearest one above that is there.
fn writable(path: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let Some(there) = absolute.ancestors().find(|path| path.exists()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let probe = there.join(format!(".pulldrill-probe-{}", std::process::id()));
    fs::File::create_new(&probe)?;
    fs::remove_file(&probe)
}

fn port() -> Finding {
    match TcpListener::bind(DEFAULT_LISTEN) {
        Ok(_) => Finding::ok("port", format!("{DEFAULT_LISTEN} is free")),
        Err(_) => match TcpListener::bind((DEFAULT_LISTEN.ip(), 0)) {
            Ok(_) => {
                Finding::ok("port", format!("{DEFAULT_LISTEN} is taken; the page will get another port"))
            }
            Err(error) => Finding::lacking(
                "port",
                Grade::Missing,
                format!("no port can be opened on {}: {error}", DEFAULT_LISTEN.ip()),
                "look at the limits of this machine or container",
            ),
        },
    }
}

fn memory() -> Finding {
    let Some(free) = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_mib(&text)) else {
        return Finding::ok("memory", "cannot be told on this system; a lab needs little");
    };
    if free >= MEMORY_MIB {
        return Finding::ok("memory", format!("{free} MiB available"));
    }
    Finding::lacking(
        "memory",
        Grade::Optional,
        format!("only {free} MiB available"),
        "a lab may become slow; end some other programs",
    )
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_old_and_new_clients() {
        let text = r#"{"clientVersion": {"major": "1", "gitVersion": "v1.20.15"}}"#;
        assert_eq!(version(text).unwrap(), "v1.20.15");
        assert!(version("garbage").is_none());
    }

    #[test]
    fn memory_is_read_as_linux_writes_it() {
        assert_eq!(available_mib("MemTotal: 8 kB\nMemAvailable:    2097152 kB\n"), Some(2048));
        assert!(available_mib("nothing").is_none());
    }

    #[test]
    fn what_can_be_written_is_found_out_without_leaving_traces() {
        let temporary = tempfile::tempdir().unwrap();
        writable(&temporary.path().join("not/yet/there")).unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(writable(&file.join("below")).is_err());
    }
}
