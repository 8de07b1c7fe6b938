//! Reading one object.

use super::{Reply, Server, dispatch::Asked, negotiate, reply, route::Target, transform::Writer};
use crate::api::Status;

/// `GET` of one object (or of its status, which is the same object).
pub(super) fn get(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = negotiate::form(&asked.headers)?;
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let Some(found) = server.api.store().get(&target.resource.store, &key) else {
        return Err(Status::not_found(&target.resource, &key.name));
    };
    let writer = Writer::new(server, target, form, &asked.query);
    Ok(reply::bytes(200, "application/json", writer.bytes(&found)))
}
