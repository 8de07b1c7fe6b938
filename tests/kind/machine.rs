//! What there is on this machine besides files: what a lab makes there has to be gone when it has ended.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::turn::PREFIX;

/// Everything that Docker and the firewall have, one line each; where the machine is not this test's alone, only
/// what a lab of the tests' names would have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory(BTreeSet<String>);

impl Inventory {
    /// As of now.
    pub(crate) fn take() -> Result<Self> {
        let mut all = BTreeSet::new();
        for (what, args) in [
            ("container", &["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"][..]),
            ("network", &["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"]),
            ("volume", &["volume", "ls", "-q"]),
            ("image", &["images", "-a", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]),
        ] {
            all.extend(docker(args)?.lines().map(|line| format!("{what} {line}")));
        }
        // Only who may change rules can list them.
        if rustix::process::geteuid().is_root() {
            let rules = output(&mut Command::new("iptables-save"))?;
            let rules = rules.lines().filter(|line| line.starts_with("-A"));
            all.extend(rules.map(|line| format!("rule {line}")));
        }
        if std::env::var_os("PULLDRILL_REQUIRE_KIND").is_none() {
            all.retain(|line| line.contains(PREFIX));
        }
        Ok(Self(all))
    }

    /// Fails unless everything is as it was then.
    pub(crate) fn is_still_so(&self) -> Result<()> {
        let now = Self::take()?;
        let left: Vec<_> = now.0.difference(&self.0).collect();
        let lost: Vec<_> = self.0.difference(&now.0).collect();
        ensure!(left.is_empty() && lost.is_empty(), "left behind: {left:#?}; taken away: {lost:#?}");
        Ok(())
    }
}

/// What a `docker` command prints.
pub(crate) fn docker(args: &[&str]) -> Result<String> {
    output(Command::new("docker").args(args))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
