//! What runs in the lab's pod on a node of an existing cluster. Nobody types these commands.

use pulldrill_lab::agent;
use tokio_util::sync::CancellationToken;

use super::{Ground, up::stop_on_signals};
use crate::exit::{Exit, Failure, Outcome};

/// Waits until it is told to end, and cleans the node.
pub(super) async fn agent(ground: &Ground<'_>, lab: &str) -> Outcome {
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    ground.out.remark(&format!("at the disposal of the lab {lab}, until SIGTERM"));
    stop.cancelled().await;
    clean(ground, lab).await
}

/// Cleans the node.
pub(super) async fn clean(ground: &Ground<'_>, lab: &str) -> Outcome {
    agent::clean(lab).await?;
    ground.out.remark(&format!("this node has nothing of the lab {lab}"));
    Ok(Exit::Yes)
}

/// Becomes a command on the node; this is why it could not.
pub(super) fn enter(command: &[String]) -> Failure {
    let error = agent::enter(command);
    let command = command.first().map(String::as_str).unwrap_or_default();
    Failure::infrastructure(format!("{command:?} can't be run on the node at {}: {error}", agent::ROOT))
}
