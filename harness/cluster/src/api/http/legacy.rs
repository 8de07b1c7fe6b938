//! What servers from before Kubernetes 1.24 did not know yet, where it shows in requests and answers. What they
//! don't store is [`crate::api`]'s own affair.

use http::header;

use super::{Reply, options::Query};
use crate::api::Status;

/// The query as an old server takes it: it knows nothing of field validation.
pub(super) fn query(mut query: Query) -> Query {
    query.set("fieldValidation", "Ignore");
    query
}

/// The answer about a resource as an old server gives it: it does not warn of what an object says.
pub(super) fn reply(mut reply: Reply) -> Reply {
    reply.headers_mut().remove(header::WARNING);
    reply
}

/// The refusal as an old server words it: its router does not say what there would be.
pub(super) fn refusal(mut status: Status) -> Status {
    if status.code == 406 {
        status.message.truncate(status.message.find("\n\n").unwrap_or(status.message.len()));
    }
    status
}
