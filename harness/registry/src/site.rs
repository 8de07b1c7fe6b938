//! What a registry has beyond sockets on this machine when it is served on its own: names that it resolves, and
//! what it makes images for, and a
//! network interface. In a lab's own process it has none of this.

use std::sync::Arc;

use crate::{Interface, Names};

/// The site of a registry.
#[derive(Clone)]
pub struct Site {
    /// What resolves to the addresses of its hosts.
    pub names: Names,
    /// What images are made for when nothing is said, `os/architecture`.
    pub platform: String,
    /// Where hosts get addresses of their own; without one they are served on this machine only.
    pub interface: Option<Arc<Interface>>,
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
        Self { names: Names::default(), platform: "linux/amd64".to_owned(), interface: None }
    }
}
