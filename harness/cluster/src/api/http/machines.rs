//! The machines that nodes are: `GET /machines` lists them, `PUT` and `DELETE /machines/<name>` add one and take it away,
//! `POST /machines/<name>/stop` and `/start` are its switch. For the masters of the cluster; no part of Kubernetes.

use http::Method;
use serde_json::json;

use super::{Reply, Server, dispatch::Asked, reply};
use crate::api::{MASTERS, Status};

/// The prefix.
const MACHINES: &str = "/machines";

/// What can be done to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineChange {
    /// A new one, empty of images but for those that all nodes have from the beginning.
    Add,
    /// Away with it, and all that it has stored.
    Remove,
    /// Off, as if its power had failed.
    Stop,
    /// On again.
    Start,
}

/// The machines of a cluster.
pub trait Machines: Send + Sync {
    /// Their names in order, and whether they are on.
    fn list(&self) -> Vec<(String, bool)>;
    /// Does something to one.
    ///
    /// # Errors
    /// 404 when there is none of that name, 409 when it is so already, 400 for a name that is none.
    fn change(&self, change: MachineChange, name: &str) -> Result<(), Status>;
    /// Lets the container runtime of each answer this error when it is asked for an image, or no longer.
    ///
    /// # Errors
    /// 400 for a name that no image can have.
    fn damage(&self, image: &str, error: Option<&str>) -> Result<(), Status>;
    /// Whether images from a host have to be signed, where runtimes look at signatures.
    fn demand_signatures(&self, host: &str, demanded: bool);
}

/// The answer, when the request is about machines.
pub(super) fn answer(server: &Server, asked: &Asked) -> Option<Result<Reply, Status>> {
    let rest = asked.path.strip_prefix(MACHINES)?;
    let rest = rest.trim_end_matches('/');
    (rest.is_empty() || rest.starts_with('/')).then(|| about(server, asked, rest.trim_start_matches('/')))
}

fn about(server: &Server, asked: &Asked, rest: &str) -> Result<Reply, Status> {
    if !asked.user.is_in(MASTERS) {
        let message = format!("User \"{}\" cannot manage the machines of nodes", asked.user.name);
        return Err(Status::new(403, "Forbidden", message));
    }
    let change = match (&asked.method, rest.split_once('/')) {
        (&Method::GET, None) if rest.is_empty() => {
            let all = server.machines.list().into_iter();
            let all: Vec<_> = all.map(|(name, on)| json!({"name": name, "on": on})).collect();
            return Ok(reply::json(200, &json!({"machines": all})));
        }
        (&Method::PUT, None) if !rest.is_empty() => (MachineChange::Add, rest),
        (&Method::DELETE, None) if !rest.is_empty() => (MachineChange::Remove, rest),
        (&Method::POST, Some((name, "stop"))) => (MachineChange::Stop, name),
        (&Method::POST, Some((name, "start"))) => (MachineChange::Start, name),
        (_, Some((_, switch))) if !matches!(switch, "stop" | "start") => return Err(Status::no_such_path()),
        _ => return Err(Status::method_not_allowed()),
    };
    server.machines.change(change.0, change.1)?;
    Ok(reply::json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})))
}
