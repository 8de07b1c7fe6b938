//! The client matrix: what real kubectls print on the embedded cluster, held against what they printed on a real
//! API server.
//!
//! `commands.yaml` is run line by line on `pulldrill cluster serve`, with every kubectl of the recordings. Outputs and
//! exit codes are compared after `normalisation.yaml`. Where they differ, `deviations.yaml` has to say why; an entry
//! that is no longer true fails as well. `docs/clients.md` shows the whole.

#[path = "../support/command.rs"]
mod command;
mod kubelet;
mod others;
mod page;
mod plan;
#[path = "../support/programs.rs"]
mod programs;
mod recording;
mod world;

use anyhow::{Context, Result};
use plan::{Deviations, KUBECTLS, Kubectl, Normaliser, SERVERS, Server};
use similar::TextDiff;
use world::World;

/// Runs all commands with one kubectl on the embedded likeness of a server, and says what is not as the list has it.
async fn hold_against_recordings(server: &'static Server, kubectl: &Kubectl) -> Result<()> {
    let version = kubectl.version;
    let Some(program) = programs::kubectl(&version.replace('.', "_")) else { return Ok(()) };
    let (rules, deviations) = (Normaliser::new()?, Deviations::load()?);
    let recorded = recording::load(server.recordings, kubectl.recorded)?;
    let world = World::start(&program, kubectl, server).await?;
    let mut report = Vec::new();
    for command in plan::commands()? {
        let real =
            recorded.get(&command.label).with_context(|| format!("no recording of {}", command.label))?;
        let ours = world.run(&command).await?;
        let (real, ours) = (rules.apply(&command, real)?, rules.apply(&command, &ours)?);
        let listed = deviations.about(server, kubectl, &command.label);
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
    let (count, findings) = (report.len(), report.join("\n"));
    assert!(report.is_empty(), "kubectl {version} on {}: {count} findings\n{findings}", server.version);
    Ok(())
}

/// One test for each server and kubectl.
macro_rules! matrix {
    ($($test:ident: kubectl $kubectl:literal on $server:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() -> Result<()> {
            let server = SERVERS.iter().find(|server| server.version == $server).context($server)?;
            let kubectl = KUBECTLS.iter().find(|kubectl| kubectl.version == $kubectl).context($kubectl)?;
            hold_against_recordings(server, kubectl).await
        }
    )*};
}

matrix! {
    kubectl_1_20_prints_what_it_printed_on_a_real_1_20: kubectl "1.20" on "1.20";
    kubectl_1_32_prints_what_it_printed_on_a_real_1_20: kubectl "1.32" on "1.20";
    kubectl_1_36_prints_what_it_printed_on_a_real_1_20: kubectl "1.36" on "1.20";
    kubectl_1_30_prints_on_1_20_what_1_32_printed_on_a_real_one: kubectl "1.30" on "1.20";
    kubectl_1_37_prints_on_1_20_what_1_36_printed_on_a_real_one: kubectl "1.37" on "1.20";
    kubectl_1_30_prints_on_1_36_what_1_32_printed_on_a_real_one: kubectl "1.30" on "1.36";
    kubectl_1_37_prints_on_1_36_what_1_36_printed_on_a_real_one: kubectl "1.37" on "1.36";
    kubectl_1_20_prints_what_it_printed_on_a_real_1_36: kubectl "1.20" on "1.36";
    kubectl_1_32_prints_what_it_printed_on_a_real_1_36: kubectl "1.32" on "1.36";
    kubectl_1_36_prints_what_it_printed_on_a_real_1_36: kubectl "1.36" on "1.36";
}
