//! What a registry has beyond sockets on this machine when it is served on its own: names that it resolves, and
//! what it makes images for, a network interface, and a folder for its content. In a lab's own process it has none of
//! this.

use std::{path::Path, sync::Arc};

use crate::{Interface, Names, RegistryError, store::Store};

/// The site of a registry.
#[derive(Clone)]
pub struct Site {
    /// What resolves to the addresses of its hosts.
    pub names: Names,
    /// What images are made for when nothing is said, `os/architecture`.
    pub platform: String,
    /// Where hosts get addresses of their own; without one they are served on this machine only.
    pub interface: Option<Arc<Interface>>,
    /// Where content is kept; see [`Site::keep_in`].
    pub kept: Kept,
}

/// Where content is kept: in memory, unless a folder has been given.
#[derive(Clone, Default)]
pub struct Kept(pub(crate) Store);

impl Site {
    /// Keeps content in a folder, and finds there again what an earlier process had kept: as OCI image layouts, one for
    /// each repository, `FOLDER/hosts/HOST/TEAM+APP`. Otherwise content is in memory.
    ///
    /// # Errors
    /// [`RegistryError::Data`] when it cannot be used, belongs to another process or has somebody else's files in it.
    pub fn keep_in(mut self, folder: &Path) -> Result<Self, RegistryError> {
        let fail = |source| RegistryError::Data { path: folder.to_owned(), source };
        self.kept = Kept(Store::open(folder).map_err(fail)?);
        Ok(self)
    }
}

/// This machine's architecture as images name it.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Default for Site {
    fn default() -> Self {
        Self {
            names: Names::default(),
            platform: "linux/amd64".to_owned(),
            interface: None,
            kept: Kept::default(),
        }
    }
}
