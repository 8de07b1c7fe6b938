//! Taking turns at the one machine, and starting on a clean one. Not what a test itself has to leave behind:
//! [`crate::machine`].
//!
//! All that these tests and the gate make is named [`PREFIX`]. Whoever's turn it is knows that nobody else uses such
//! names now: what has one was left by a run that was killed before its end, and would make the next one fail.

use anyhow::{Context, Result};

use crate::machine::docker;

/// With what the name of everything begins that a test with a Docker engine makes.
pub(crate) const PREFIX: &str = "pulldrill-test-";

/// The lab's label for its name, on containers, networks and images.
const LAB_NAME: &str = "dev.pulldrill.name";

/// Waits for one's turn with a real cluster: a machine has room for one. It ends when the file is dropped.
pub(crate) fn turn() -> Result<std::fs::File> {
    let path = std::env::temp_dir().join("pulldrill-test-cluster.lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    sweep().context("what a killed run left")?;
    Ok(file)
}

/// Removes what killed runs left.
fn sweep() -> Result<()> {
    let named = format!("name={PREFIX}");
    remove(&["rm", "--force", "--volumes"], &docker(&["ps", "--all", "--quiet", "--filter", &named])?)?;
    remove(&["network", "rm"], &docker(&["network", "ls", "--quiet", "--filter", &named])?)?;
    let repositories = format!("reference={PREFIX}*");
    let images = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter"];
    let mut left = docker(&[&images[..], &[&repositories]].concat())?;
    for image in docker(&[&images[..], &[&format!("label={LAB_NAME}")]].concat())?.lines() {
        let of_lab = format!("{{{{index .Config.Labels \"{LAB_NAME}\"}}}}");
        if docker(&["image", "inspect", "--format", &of_lab, image])?.starts_with(PREFIX) {
            left.push_str(image);
            left.push('\n');
        }
    }
    remove(&["image", "rm", "--force"], &left)
}

/// Runs a command on every line, if there are any.
fn remove<'a>(command: &[&'a str], lines: &'a str) -> Result<()> {
    let mut arguments = command.to_vec();
    arguments.extend(lines.lines());
    if arguments.len() > command.len() {
        docker(&arguments)?;
    }
    Ok(())
}
