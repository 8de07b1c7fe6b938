//! What a registry has beyond sockets on this machine when it is served on its own: names that it resolves, and
//! what it makes images for. In a lab's own process it has none of this.

use crate::Names;

/// The site of a registry.
#[derive(Debug, Clone)]
pub struct Site {
    /// What resolves to the addresses of its hosts.
    pub names: Names,
    /// What images are made for when nothing is said, `os/architecture`.
    pub platform: String,
}

impl Default for Site {
    fn default() -> Self {
        Self { names: Names::default(), platform: "linux/amd64".to_owned() }
    }
}
