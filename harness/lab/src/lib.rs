//! The orchestrator: the only part that knows what a drill is.
//!
//! - [`Lab`]: a running lab and everything that can be asked of it.
//! - [`LabOptions`]: how to start one. [`LabError`]: what can go wrong.
//! - [`view`]: what a lab shows of itself, and to whom.
//! - [`selftest`]: proving that remedies solve and cheats do not.
//! - [`request`]: what can be asked where a few words are not enough.
//!
//! It programs the registries, injects the drills into a cluster through its Kubernetes API, and judges
//! them by what it observes there and in the pull log. It serves no page and parses no command line.

mod backend;
mod checks;
mod dialects;
mod ec2;
mod egress;
mod error;
mod folder;
mod inject;
mod judge;
mod lab;
mod observe;
mod options;
mod recording;
mod reference;
pub mod request;
pub mod selftest;
mod stage;
mod store;
pub mod view;

pub use backend::node::agent;
pub use backend::{plan, reaches_beyond, registry_image, sweep};
pub use dialects::{DialectChoice, dialects};
pub use ec2::Ec2Answer;
pub use error::{ErrorClass, LabError};
pub use folder::{Folder, write_private};
pub use lab::Lab;
pub use options::{BackendKind, ClockMode, ExistingOptions, KindOptions, LabOptions, RegistryAccess, Steps};
/// What an AWS call is signed by, as [`Lab::ec2`] takes it.
pub use pulldrill_registry::signature;
