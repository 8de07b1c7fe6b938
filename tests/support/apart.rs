//! A test in a network of its own, with its own processes and mounts: nothing in it can be seen from outside, it sees
//! nothing of the machine's network, and all of it is gone when the test is. Linux and root only.

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use super::programs::{on_path, skip};

/// Tells a test which one it is, inside.
const INSIDE: &str = "PULLDRILL_TEST_APART";

/// Where the test's own DNS server is to listen: nobody else is asked.
pub(crate) const RESOLVER: &str = "172.31.255.13";

/// Makes the network; `$1` is the resolver, `$2` a folder, what comes after is run. Nobody's sockets are in `/run`; where
/// `resolv.conf` leads there, it is made anew.
const SETUP: &str = r#"
ip link set lo up
ip address add "$1/32" dev lo
resolver=$(readlink -f /etc/resolv.conf)
mount -t tmpfs tmpfs /run
echo "nameserver $1" >"$2/resolv.conf"
echo "127.0.0.1 localhost" >"$2/hosts"
mount --bind "$2/hosts" /etc/hosts
case $resolver in
  /run/*) mkdir -p "${resolver%/*}"; cp "$2/resolv.conf" "$resolver" ;;
  *) mount --bind "$2/resolv.conf" "$resolver" ;;
esac
shift 2
"#;

/// Whether the test goes on here, inside. Outside, the test is run once more inside, with `more` done by a shell
/// before that, and there is nothing left to do here; nor is there where this can't be done, which is said.
///
/// `test` is the whole name of the test.
pub(crate) fn inside(test: &str, more: &str) -> Result<bool> {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        return Ok(true);
    }
    if let Some(missing) = missing() {
        skip(missing);
        return Ok(false);
    }
    let folder = tempfile::TempDir::new()?;
    let script = format!("{SETUP}{more}exec \"$@\"");
    let output = unshare()
        .args(["sh", "-ec", &script, "sh", RESOLVER])
        .arg(folder.path())
        .arg(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, test)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .context("unshare")?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && out.contains("1 passed"), "{test}, apart:\n{out}{err}");
    Ok(false)
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// What is not there that this takes.
fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<&str>> = OnceLock::new();
    *MISSING.get_or_init(|| {
        if on_path("unshare").is_none() || on_path("ip").is_none() {
            return Some("no unshare or no ip on PATH, for a network of the test's own");
        }
        let mut tried = unshare();
        let tried = tried.arg("true").stdin(Stdio::null()).stderr(Stdio::null()).status();
        let possible = tried.is_ok_and(|status| status.success());
        (!possible).then_some("a network of the test's own takes root")
    })
}
