//! Garbage: blobs that no manifest of their repository has as a part, manifests and blobs that were deleted, uploads
//! that nobody goes on with. In memory only the last of these are given up: what a lab's hosts once served is evidence.
//!
//! Pushes wait while this goes on, pulls don't. A blob may lie about for a while before it counts as garbage, because a
//! push ends with the manifest; and one that goes meanwhile makes the push fail, never the image: a manifest is only
//! taken in while all its parts are there.

use std::{collections::HashSet, io};

use pulldrill_clock::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{Registry, RegistryError};

/// What was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Garbage {
    /// Pieces of content that nobody had any more.
    pub content: u64,
    /// Uploads that had waited for a day.
    pub uploads: u64,
}

impl Registry {
    /// Takes away what nobody needs; blobs that no manifest needs when they have lain about for that long.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn collect_garbage(&self, grace: SignedDuration) -> Result<Garbage, RegistryError> {
        let this = self.clone();
        self.apart(move || this.collect(grace)).await
    }

    fn collect(&self, grace: SignedDuration) -> Result<Garbage, RegistryError> {
        let now = self.0.clock.now();
        let hosts: Vec<_> = self.0.hosts.read().values().cloned().collect();
        let uploads = hosts.iter().map(|host| host.unfinished.give_up(now)).sum();
        let swept = || -> io::Result<u64> {
            let taking = self.0.store.taking();
            if taking.is_none() {
                return Ok(0);
            }
            let mut living = HashSet::new();
            for host in &hosts {
                host.thin_out(grace.as_secs(), now, &mut living)?;
            }
            self.0.store.sweep(&living)
        };
        let fail = |source| RegistryError::Store { what: "thin out", host: "all hosts".to_owned(), source };
        Ok(Garbage { content: swept().map_err(fail)?, uploads })
    }
}
