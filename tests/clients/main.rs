//! The client matrix: what real kubectls print on the embedded cluster, held against what they printed on a real
//! API server.
//!
//! `commands.yaml` is run line by line on `pulldrill cluster serve`, with every kubectl of the recordings. Outputs and
//! exit codes are compared after `normalisation.yaml`. Where they differ, `deviations.yaml` has to say why; an entry
//! that is no longer true fails as well. `docs/clients.md` shows the whole.

#[path = "../support/command.rs"]
mod command;
mod kubelet;
mod page;
mod plan;
#[path = "../support/programs.rs"]
mod programs;
mod recording;
mod world;

use anyhow::{Context, Result};
use plan::{Deviations, Normaliser};
use similar::TextDiff;
use world::World;

/// The recorded server, and the dialect that is to be like it.
const SERVER: (&str, &str) = ("k8s-1.36", "k8s-1.36-containerd-2.1");

/// Runs all commands with one kubectl and says what is not as the list has it.
async fn hold_against_recordings(version: &str) -> Result<()> {
    let Some(kubectl) = programs::kubectl(&version.replace('.', "_")) else { return Ok(()) };
    let (server, dialect) = SERVER;
    let (rules, deviations) = (Normaliser::new()?, Deviations::load()?);
    let recorded = recording::load(server, version)?;
    let world = World::start(&kubectl, version, dialect).await?;
    let mut report = Vec::new();
    for command in plan::commands()? {
        let real =
            recorded.get(&command.label).with_context(|| format!("no recording of {}", command.label))?;
        let ours = world.run(&command).await?;
        let (real, ours) = (rules.apply(&command, real)?, rules.apply(&command, &ours)?);
        let listed = deviations.about(&command.label, version);
        match (real == ours, listed) {
            (true, Some(index)) if !deviations.entries[index].sometimes => {
                let why = &deviations.entries[index].why;
                report.push(format!("{} no longer deviates; take it off the list: {why}", command.label));
            }
            (false, None) => {
                let diff = TextDiff::from_lines(&real, &ours);
                let diff = diff.unified_diff().context_radius(1).header("real", "ours").to_string();
                report.push(format!("{} ({}) deviates:\n{diff}", command.label, command.run));
            }
            _ => {}
        }
    }
    assert!(report.is_empty(), "kubectl {version}: {} findings\n{}", report.len(), report.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_1_20_prints_what_it_printed_on_a_real_server() -> Result<()> {
    hold_against_recordings("1.20").await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_1_32_prints_what_it_printed_on_a_real_server() -> Result<()> {
    hold_against_recordings("1.32").await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_1_36_prints_what_it_printed_on_a_real_server() -> Result<()> {
    hold_against_recordings("1.36").await
}
