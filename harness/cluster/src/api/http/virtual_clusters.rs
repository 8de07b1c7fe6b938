//! Virtual clusters: `/clusters/<name>` before any path is another cluster. They are made with `PUT`, removed with
//! `DELETE` and listed with `GET /clusters`, by the masters of the cluster that serves them.
//!
//! Below the prefix everything is that cluster's own: its objects, its roles, its tokens, and the users whose certificates
//! it has signed. Of those that come from the process's own authority only a master's count there.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Method, Request, Uri, uri::PathAndQuery};
use hyper::body::Incoming;
use serde_json::json;

use super::{Reply, Server, body, reply};
use crate::api::{Certified, Errors, MASTERS, Status, names};

/// The prefix.
const CLUSTERS: &str = "/clusters";

/// The clusters that are served beside the process's own.
pub trait VirtualClusters: Send + Sync {
    /// The cluster of a name.
    fn find(&self, name: &str) -> Option<Server>;
    /// The names of all, in order.
    fn names(&self) -> Vec<String>;
    /// Makes a cluster, unless it is there; its kubeconfig, and whether it is new.
    fn create(&self, name: String) -> BoxFuture<'_, Result<(String, bool), Status>>;
    /// Removes a cluster; whether there was one.
    fn delete(&self, name: String) -> BoxFuture<'_, Result<bool, Status>>;
}

/// Where a request is to go.
pub(super) enum Entered {
    /// To the server that took it.
    Here(Certified, Request<Incoming>),
    /// To a virtual cluster, without the prefix.
    There(Box<Server>, Certified, Request<Incoming>),
    /// It is about virtual clusters: their name, if it names one.
    About(Arc<dyn VirtualClusters>, Option<String>, Certified, Request<Incoming>),
    /// There is no such cluster.
    Nowhere(Status),
}

/// Finds out whether a request is for a virtual cluster.
pub(super) fn enter(server: &Server, certified: Certified, mut request: Request<Incoming>) -> Entered {
    let Some(clusters) = &server.virtual_clusters else { return Entered::Here(certified, request) };
    let rest = match request.uri().path().strip_prefix(CLUSTERS) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => return Entered::Here(certified, request),
    };
    let (name, path) = match rest.split_once('/') {
        Some((name, path)) if !path.is_empty() => (name, Some(path)),
        Some((name, _)) => (name, None),
        None => (rest, None),
    };
    let Some(path) = path else {
        let name = (!name.is_empty()).then(|| name.to_owned());
        return Entered::About(clusters.clone(), name, certified, request);
    };
    let Some(there) = clusters.find(name) else { return Entered::Nowhere(unknown(name)) };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    match PathAndQuery::try_from(format!("/{path}{query}")) {
        Ok(inner) => {
            *request.uri_mut() = Uri::from(inner);
            let certified = certified.abroad(&there.signing);
            Entered::There(Box::new(there), certified, request)
        }
        Err(error) => Entered::Nowhere(Status::bad_request(error.to_string())),
    }
}

/// Answers a request about virtual clusters.
pub(super) async fn answer(
    server: &Server,
    clusters: Arc<dyn VirtualClusters>,
    name: Option<String>,
    certified: Certified,
    request: Request<Incoming>,
) -> Result<Reply, Status> {
    let (parts, incoming) = request.into_parts();
    let requester = server.access.authenticate(certified, &parts.headers)?;
    if !requester.user.is_in(MASTERS) {
        let message = format!("User \"{}\" cannot manage virtual clusters", requester.user.name);
        return Err(Status::new(403, "Forbidden", message));
    }
    body::read(incoming).await?;
    match (&parts.method, name) {
        (&Method::GET, None) => Ok(reply::json(200, &json!({"clusters": clusters.names()}))),
        (&Method::PUT, Some(name)) => {
            check(&name)?;
            let (kubeconfig, new) = clusters.create(name).await?;
            Ok(reply::bytes(if new { 201 } else { 200 }, "application/yaml", kubeconfig))
        }
        (&Method::DELETE, Some(name)) => match clusters.delete(name.clone()).await? {
            true => Ok(reply::json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))),
            false => Err(unknown(&name)),
        },
        _ => Err(Status::method_not_allowed()),
    }
}

fn check(name: &str) -> Result<(), Status> {
    let mut errors = Errors::default();
    names::check_label(&"name", &name.into(), &mut errors);
    match errors.into_vec().first() {
        None => Ok(()),
        Some(error) => Err(Status::bad_request(format!("no name for a virtual cluster: {error}"))),
    }
}

fn unknown(name: &str) -> Status {
    Status::new(404, "NotFound", format!("clusters \"{name}\" not found"))
}
