//! An OCI registry with the manners of the well-known ones, and a log of everything it serves.
//!
//! One [`Registry`] serves any number of hosts, each on a TLS listener of its own, each with a personality
//! (plain distribution, Docker Hub, ECR, Harbor, Artifact Registry, GitHub's, Quay), accounts, quotas and faults. Quotas and
//! tokens follow the lab clock; sockets are on real time.
//!
//! - [`control`]: what the owner can do, here or from afar; [`registry`]: doing it. [`spec`]: what the owner says about a host. [`client`]: who is behind
//!   a connection. [`pull_log`]: what was served. [`Fault`]: misbehaving on purpose. [`image`]: content.
//! - [`admin`]: the same from afar, over HTTP. [`site`]: what it has when it is served on its own. [`names`]: what resolves, [`dns`]: for whom. [`interface`]: where it has addresses of its own.
//! - inside: `server` speaks HTTP; `host` is one host's state; `personality` and `failure` are its words;
//!   `quota`, `credentials`, `personal`, `content`, `digest`, `name` are what their names say.
//! - what there is: `repository` says who has what, `stock` changes it (in turn, at the `desk`), `store` keeps the content,
//!   in memory or on disk, `unfinished` what is still arriving, and [`garbage`] takes away what nobody needs.
//!
//! - `harbor`: what a Harbor knows beside its images.
//! - `upstream`: the real registry that a host may stand in front of.
//!
//! It knows nothing of Kubernetes or drills.

pub mod admin;
pub mod client;
mod content;
pub mod control;
mod credentials;
mod desk;
mod digest;
pub mod dns;
pub mod error;
mod failure;
mod fault;
pub mod garbage;
mod harbor;
mod host;
pub mod image;
mod images;
pub mod interface;
#[cfg(test)]
mod laws;
mod name;
pub mod names;
mod personal;
mod personality;
mod program;
pub mod pull_log;
mod quota;
pub mod registry;
mod repository;
mod server;
pub mod site;
pub mod spec;
mod stock;
mod store;
mod unfinished;
mod upstream;

/// Signatures of AWS requests, for other APIs than those here.
pub mod signature {
    pub use crate::server::sigv4::{Authorization, Request};
}

pub use admin::{AdminClient, AdminClientOptions};
pub use client::{AddressBook, Client, Clients, Direct};
pub use control::{AcceptedLogin, Control, ImagePlace, Inspected, Inspection, Login};
pub use dns::Dns;
pub use error::{HostError, RegistryError};
pub use fault::{Fault, HostFault};
pub use garbage::Garbage;
pub use image::{Content, ImageRef, ImageSpec};
pub use interface::Interface;
pub use names::Names;
pub use personal::{PersonalToken, TokenScope};
pub use pull_log::{Entry, PullLog, Served};
pub use pulldrill_faults::scope as fault_tables;
pub use pulldrill_faults::{FaultKind, FaultRule, Parameter, Part, RuleError, Schedule, Scope, Shape, Stage};
pub use quota::profiles as limit_profiles;
pub use registry::{Registry, RegistryOptions};
pub use site::Site;
pub use spec::{Access, AccessKey, Account, HostInfo, HostSpec, RepositorySpec, TokenInfo, UpstreamSpec};
