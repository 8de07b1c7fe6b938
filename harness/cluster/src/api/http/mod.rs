//! The HTTP face of the API: one generic path for all resources.
//!
//! [`serve`] takes connections; each request goes through authentication, authorization and
//! `dispatch`, which finds the handler by the shape of the path alone. What kinds are is never asked
//! here, except for the few virtual ones that answer questions (`reviews`).

mod backlog;
mod body;
mod connection;
mod containers;
mod deprecations;
mod discovery;
mod dispatch;
mod gzip;
mod health;
mod images;
mod legacy;
mod list;
mod list_body;
mod log;
mod machines;
mod metrics;
mod negotiate;
mod oidc;
mod options;
mod others;
mod patch;
mod pretty;
mod proxy;
mod read;
mod reply;
mod request_info;
mod reviews;
mod roots;
mod route;
mod slow;
mod stream;
mod subresources;
mod tokens;
mod transform;
mod unreachable;
mod virtual_clusters;
mod watch;
mod write;
mod yaml;

use std::sync::Arc;

use pulldrill_clock::Clock;
use pulldrill_tls::Clients;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use connection::serve;
pub use machines::{MachineChange, Machines};
pub use metrics::Requests;
use reply::Reply;
pub use virtual_clusters::VirtualClusters;

use super::{Access, Api, LogSource, SigningAuthority, Status};
use crate::{go_json::Decoded, release::Release, schema::Schema, streams::Containers};

/// What all requests share.
#[derive(Clone)]
pub struct Server {
    /// The objects and their rules.
    pub api: Arc<Api>,
    /// Who is who, and who may what.
    pub access: Arc<Access>,
    /// Whose certificates are good.
    pub clients: Clients,
    /// Who signs what users of this cluster ask for.
    pub signing: SigningAuthority,
    /// What `/version` answers.
    pub version: Arc<Value>,
    /// `host:port` as discovery tells it.
    pub address: Arc<str>,
    /// Where the output of containers comes from.
    pub logs: Arc<dyn LogSource>,
    /// How clients reach into containers.
    pub containers: Arc<dyn Containers>,
    /// How many requests there were.
    pub requests: Arc<Requests>,
    /// The connections that streams have taken over.
    pub sessions: TaskTracker,
    /// What its nodes are.
    pub machines: Arc<dyn Machines>,
    /// The clusters below `/clusters`.
    pub virtual_clusters: Option<Arc<dyn VirtualClusters>>,
    /// Ends connections and watches.
    pub stop: CancellationToken,
}

impl Server {
    fn clock(&self) -> &Clock {
        self.api.clock()
    }

    /// The release that the cluster says it is.
    fn release(&self) -> Release {
        self.api.options().release
    }

    /// The types of that release.
    fn schema(&self) -> &Schema {
        self.api.schema()
    }

    /// Decodes the body of a request, which holds an object of a kind.
    fn decode(&self, asked: &dispatch::Asked, kind: &str) -> Result<Decoded, Status> {
        body::decode(self.schema(), body::media_type(&asked.headers), &asked.body, kind)
    }

    /// Whether the cluster prints and behaves as before Kubernetes 1.24.
    fn legacy(&self) -> bool {
        self.api.options().legacy()
    }
}
