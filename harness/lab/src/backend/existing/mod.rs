//! Somebody's cluster, in which the lab is a guest: it makes namespaces of its own, is reached as the cluster allows,
//! and leaves nothing behind. It touches nothing that does not carry its label.
//!
//! - [`connect`]: the context that was named. [`survey`]: a look around.
//! - [`ports`]: where registries will be. [`places`]: where they are.
//! - [`plan`]: everything that is made, of [`manifests`], under [`names`]. [`rights`]: whether it may be made.
//! - [`forward`]: the way to the registry's owner's door. [`probe`]: whether nodes find the other one.
//! - [`agents`]: the way into the nodes, where that is allowed. [`access`], [`open`]: what is changed there, and whether it
//!   can be. [`nodes`]: the nodes as drills see them.
//! - [`cluster`]: the running lab's side of it. [`trainee`]: others' access.
//! - [`state`], [`sweep`]: removing it, also from another process.

mod access;
mod agents;
mod cluster;
mod connect;
mod forward;
mod manifests;
mod names;
mod nodes;
mod open;
mod places;
mod plan;
mod ports;
mod probe;
mod rights;
mod state;
mod survey;
mod sweep;
#[cfg(test)]
mod tests;
mod trainee;

use std::path::Path;

use pulldrill_clock::secret;
use pulldrill_scenarios::{Catalogue, Need, Placement, Variant};
use tokio_util::sync::CancellationToken;

use super::Booted;
use crate::{ExistingOptions, LabError, LabOptions, folder::Folder, inject::Objects, lab};
use cluster::Guest;
use connect::Connection;
use names::Names;
use plan::{Drawn, Plan};
use ports::Ports;
use state::State;

/// Which names a scenario has to have others for.
pub(super) fn placement(options: &ExistingOptions, catalogue: &Catalogue, scenario: &str) -> Placement {
    Ports::of(options, catalogue).placement(scenario, &options.namespace_prefix)
}

/// A name in a drill that has to be led to the lab's registry and can be somebody else's. Nodes have other workloads, so
/// that only names can be led elsewhere that nobody has (RFC 2606).
pub(super) fn public_name(variant: &Variant) -> Option<&str> {
    if !variant.needs.contains(&Need::HostMapping) {
        return None;
    }
    let names = variant.registries.iter().flat_map(|registry| {
        let tokens = registry.token_host.as_ref().map(|host| host.name.as_str());
        [Some(registry.host.as_str()), Some(registry.endpoint()), tokens].into_iter().flatten()
    });
    names.into_iter().find(|name| !name.ends_with(".example"))
}

/// The options with the ports of the registries decided.
pub(super) async fn settle(
    options: &ExistingOptions,
    catalogue: &Catalogue,
) -> Result<ExistingOptions, LabError> {
    let connection = Connection::open(options).await?;
    ports::settle(options, catalogue, &survey::taken(&connection.client).await)
}

/// What would be made, as YAML.
pub(super) async fn planned(options: &LabOptions, existing: &ExistingOptions) -> Result<String, LabError> {
    let connection = Connection::open(existing).await?;
    let nodes = survey::nodes(&connection.client).await?;
    plan(options, existing, &nodes, &Drawn::shown())?.yaml()
}

/// The plan of a lab for these nodes.
fn plan(
    options: &LabOptions,
    existing: &ExistingOptions,
    nodes: &[survey::NodeSeen],
    drawn: &Drawn,
) -> Result<Plan, LabError> {
    let catalogue = lab::catalogue(options)?;
    let variants = lab::variants(&catalogue, options)?;
    let namespaces: Vec<String> = variants.iter().map(|variant| variant.namespace.clone()).collect();
    let nodes: Vec<String> = survey::used(nodes).map(|node| node.name.clone()).collect();
    Plan::new(existing, &Ports::of(existing, &catalogue), &namespaces, &nodes, drawn)
}

/// Moves in. What has been made when it fails is removed again.
pub(super) async fn boot(
    options: &LabOptions,
    existing: &ExistingOptions,
    folder: Option<&Folder>,
    stop: &CancellationToken,
) -> Result<Booted, LabError> {
    let connection = Connection::open(existing).await?;
    let names = Names::new(&existing.namespace_prefix);
    options.steps.begin(&format!("Looking at the cluster of the context {}", connection.context));
    let drawn = Drawn { run: secret::uid(), token: secret::token() };
    let rights = rights::needed(&plan(options, existing, &[], &drawn)?, &names);
    rights::check(&connection.client, &connection.context, &rights).await?;
    let nodes = survey::nodes(&connection.client).await?;
    options.steps.begin(&survey::summary(&nodes));
    let plan = plan(options, existing, &nodes, &drawn)?;
    sweep::check_free(&connection.client, &names, &plan.namespaces()).await?;

    let state = State {
        context: connection.context.clone(),
        kubeconfig: connection.kubeconfig.clone(),
        prefix: existing.namespace_prefix.clone(),
        run: drawn.run.clone(),
    };
    if let Some(folder) = folder {
        state.write(folder)?;
    }
    options.steps.begin("Making the namespaces, and the registry in its own");
    let moved_in = async {
        plan.apply(&Objects::new(connection.client.clone())).await?;
        let ports = Ports::of(existing, &lab::catalogue(options)?);
        let access = existing.registry_access.clone();
        let guest =
            Guest { connection: connection.clone(), names, plan, access, ports, nodes, state: state.clone() };
        cluster::boot(options, guest, drawn.token, folder, stop).await
    };
    let booted = tokio::select! {
        () = stop.cancelled() => Err(LabError::part("lab", "it was stopped")),
        booted = moved_in => booted,
    };
    if booted.is_err() {
        options.steps.begin("Removing what was made");
        match sweep::sweep(&connection.client, &state).await {
            Ok(_) => folder.map_or(Ok(()), |folder| State::forget(folder.path()))?,
            Err(error) => tracing::error!(%error, "not everything that was made could be removed"),
        }
    }
    booted
}

/// Whether a lab of this folder has, or may have, made anything on somebody's cluster.
pub(super) fn left_in(dir: &Path) -> bool {
    dir.join(state::FILE).exists()
}

/// Removes what the lab of a folder has made on somebody's cluster; what that was, in words.
pub(super) async fn sweep(dir: &Path) -> Result<Vec<String>, LabError> {
    let Some(state) = State::read(dir)? else { return Ok(Vec::new()) };
    pulldrill_tls::install_provider();
    let options = ExistingOptions {
        context: Some(state.context.clone()),
        kubeconfig: state.kubeconfig.clone(),
        ..ExistingOptions::default()
    };
    let connection = Connection::open(&options).await?;
    let removed = sweep::sweep(&connection.client, &state).await?;
    State::forget(dir)?;
    Ok(removed)
}
