//! The mechanics of a real `kind` cluster: containers, images, the `kind` program, what is done inside a node.
//!
//! Small functions that know Docker and nodes, and nothing of drills. What they make carries the lab's labels,
//! so that [`sweep`] can take exactly that away again, from any process.
//!
//! - [`boot`]: all of it in order. [`backend`] and [`network`]: what the lab can do with the cluster and its nodes.
//! - `engine`, `image`, `container`: Docker. `cluster`: the `kind` program.
//! - `place`: inside a node, with what `backend::node` does on any.
//! - `owner`, `membership`, `folder`, `sweep`: whose everything is, and taking it away.

mod backend;
mod boot;
pub(crate) mod cluster;
mod container;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod folder;
pub(crate) mod image;
pub(crate) mod membership;
mod network;
pub(crate) mod owner;
mod place;
mod process;
pub(crate) mod sweep;
#[cfg(test)]
pub(crate) mod testing;

use std::path::Path;

pub(super) use boot::boot;
pub(crate) use error::KindError;

use crate::LabError;

/// Removes everything that was made for the lab of a folder; what it was, in words.
pub(super) async fn sweep_folder(dir: &Path) -> Result<Vec<String>, LabError> {
    let Some(sweep) = sweep::Sweep::from_folder(dir)? else { return Ok(Vec::new()) };
    let engine = engine::Engine::connect().await?;
    let removed = sweep.run(&engine).await?;
    folder::KindFolder::of(dir).remove()?;
    let told = |what: &'static str, names: Vec<String>| {
        names.into_iter().map(move |name| format!("{what} {name}")).collect::<Vec<_>>()
    };
    Ok([
        told("container", removed.containers),
        told("network", removed.networks),
        told("image", removed.images),
    ]
    .concat())
}
