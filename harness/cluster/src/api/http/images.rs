//! What is wrong with images on the machines of nodes: `PUT` and `DELETE /node-images/damaged?image=NAME[&error=TEXT]`, and
//! `/node-images/signatures?host=NAME` for hosts whose images have to be signed. For masters; no part of Kubernetes.
//!
//! The network is that of all clusters of a process, so only the one that serves them says what has to be signed.

use http::Method;
use serde_json::json;

use super::{Reply, Server, dispatch::Asked, reply};
use crate::api::{MASTERS, Status};

/// The prefix.
const IMAGES: &str = "/node-images/";

/// What a damaged store says when nobody says what.
const DAMAGE: &str = "failed to get image from containerd: content digest sha256:0: not found";

/// The answer, when the request is about images of machines.
pub(super) fn answer(server: &Server, asked: &Asked) -> Option<Result<Reply, Status>> {
    let about = asked.path.strip_prefix(IMAGES)?;
    Some(change(server, asked, about))
}

fn change(server: &Server, asked: &Asked, about: &str) -> Result<Reply, Status> {
    if !asked.user.is_in(MASTERS) {
        let message = format!("User \"{}\" cannot manage the images of nodes", asked.user.name);
        return Err(Status::new(403, "Forbidden", message));
    }
    let set = match asked.method {
        Method::PUT => true,
        Method::DELETE => false,
        _ => return Err(Status::method_not_allowed()),
    };
    let named = |parameter: &str| match asked.query.text(parameter) {
        "" => Err(Status::bad_request(format!("the query has no {parameter}"))),
        name => Ok(name),
    };
    match about {
        "damaged" => {
            let said = asked.query.text("error");
            let error = if said.is_empty() { DAMAGE } else { said };
            server.machines.damage(named("image")?, set.then_some(error))?;
        }
        "signatures" if server.virtual_clusters.is_some() => {
            server.machines.demand_signatures(named("host")?, set);
        }
        _ => return Err(Status::no_such_path()),
    }
    Ok(reply::json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})))
}
