//! What is done on a node, whatever kind of cluster it is of: commands, packet filter rules, images, containerd's
//! settings. It knows nothing of Docker, Kubernetes or drills.
//!
//! - [`shell`]: the way in, which is somebody else's.
//! - [`firewall`]: real egress rules, and leading addresses elsewhere. [`rules`]: those of many nodes.
//! - [`certs`], [`containerd`], [`images`]: the container runtime.
//! - [`guest`]: what a lab changes on a node that is not its own. [`agent`]: its program there.

pub mod agent;
pub(crate) mod certs;
pub(crate) mod containerd;
mod error;
pub(crate) mod firewall;
pub(crate) mod guest;
pub(crate) mod images;
pub(crate) mod rules;
pub(crate) mod shell;

pub(crate) use error::NodeError;
