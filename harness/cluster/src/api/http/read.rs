//! Reading one object.

use super::{
    Reply, Server, dispatch::Asked, negotiate, negotiate::Form, reply, route::Target, transform::Writer,
};
use crate::api::Status;

/// Before this minor version a status was shown as an object to whoever asked for a table. Recorded were 1.20 and 1.36.
const STATUS_TABLES: u32 = 24;

/// `GET` of one object (or of its status, which is the same object).
pub(super) fn get(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = match negotiate::form(&asked.headers)? {
        Form::Table(_) if target.subresource.is_some() && !server.release().since(STATUS_TABLES) => {
            Form::Object
        }
        form => form,
    };
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let Some(found) = server.api.store().get(&target.resource.store, &key) else {
        return Err(Status::not_found(&target.resource, &key.name));
    };
    let writer = Writer::new(server, target, form, &asked.query);
    Ok(reply::bytes(200, "application/json", writer.bytes(&found)))
}
