//! The HTTP face of the API: one generic path for all resources.
//!
//! [`serve`] takes connections; each request goes through authentication, authorization and
//! `dispatch`, which finds the handler by the shape of the path alone. What kinds are is never asked
//! here, except for the few virtual ones that answer questions (`reviews`).

mod body;
mod connection;
mod discovery;
mod dispatch;
mod legacy;
mod list;
mod log;
mod negotiate;
mod options;
mod patch;
mod read;
mod reply;
mod reviews;
mod roots;
mod route;
mod slow;
mod subresources;
mod transform;
mod watch;
mod write;

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use connection::serve;
use reply::Reply;

use super::{Access, Api, LogSource};

/// What all requests share.
#[derive(Clone)]
pub struct Server {
    /// The objects and their rules.
    pub api: Arc<Api>,
    /// Who is who, and who may what.
    pub access: Arc<Access>,
    /// What `/version` answers.
    pub version: Arc<Value>,
    /// `host:port` as discovery tells it.
    pub address: Arc<str>,
    /// Where the output of containers comes from.
    pub logs: Arc<dyn LogSource>,
    /// Ends connections and watches.
    pub stop: CancellationToken,
}

impl Server {
    fn clock(&self) -> &Clock {
        self.api.clock()
    }

    /// Whether the cluster prints and behaves as before Kubernetes 1.24.
    fn legacy(&self) -> bool {
        self.api.options().legacy_tokens
    }
}
