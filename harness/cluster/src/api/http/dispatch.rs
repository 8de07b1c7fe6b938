//! From a request to its handler: who asks, whether they may, and what the path is about.

use http::{HeaderMap, Method, Request, request::Parts};
use hyper::body::Incoming;

use super::{
    Reply, Server, body, discovery, legacy, list, options::Query, patch, read, reply, reviews, roots, route,
    route::Target, subresources, watch, write,
};
use crate::api::{Attributes, Status, User};

/// A request, read and attributed.
pub(super) struct Asked {
    /// Who asks.
    pub(super) user: User,
    /// The method.
    pub(super) method: Method,
    /// The path.
    pub(super) path: String,
    /// The query.
    pub(super) query: Query,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The whole body.
    pub(super) body: bytes::Bytes,
}

/// Answers one request.
pub(super) async fn handle(server: &Server, certified: Option<User>, request: Request<Incoming>) -> Reply {
    let (parts, incoming) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    let answered = match asked(server, certified, parts, incoming).await {
        Ok(asked) => answer(server, &asked).await,
        Err(status) => Err(status),
    };
    let reply = answered.unwrap_or_else(|status| reply::refuse(&status));
    let reply = if server.legacy() { legacy::reply(reply) } else { reply };
    tracing::debug!(request = line, status = reply.status().as_u16(), "answered");
    reply
}

async fn asked(
    server: &Server,
    certified: Option<User>,
    parts: Parts,
    incoming: Incoming,
) -> Result<Asked, Status> {
    let user = server.access.authenticate(certified, &parts.headers)?;
    let has_body = !matches!(parts.method, Method::GET | Method::HEAD);
    let body = if has_body { body::read(incoming).await? } else { bytes::Bytes::new() };
    let query = Query::new(parts.uri.query().unwrap_or_default());
    Ok(Asked {
        user,
        query: if server.legacy() { legacy::query(query) } else { query },
        path: parts.uri.path().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    })
}

async fn answer(server: &Server, asked: &Asked) -> Result<Reply, Status> {
    let target = match route::find(server.api.resources(), &asked.path) {
        Some(target) => target?,
        None => {
            server.access.may_read_path(&asked.user, asked.method.as_str(), &asked.path)?;
            return match discovery::answer(server, asked) {
                Some(reply) => Ok(reply),
                None => roots::answer(server, asked),
            };
        }
    };
    let verb = verb(asked, &target)?;
    server.access.authorize(
        &server.api,
        &asked.user,
        &Attributes {
            verb,
            group: &target.resource.group,
            resource: &target.resource.plural,
            subresource: target.subresource.as_deref().unwrap_or_default(),
            namespace: target.namespace.as_deref().unwrap_or_default(),
            name: target.name.as_deref().unwrap_or_default(),
        },
    )?;
    if reviews::is_virtual(&target) {
        return reviews::answer(server, asked, &target);
    }
    if server.legacy() && legacy::lacks(&target) {
        return Err(Status::no_such_path());
    }
    let allowed = match &target.subresource {
        Some(name) => match target.resource.subresource(name) {
            Some(subresource) => subresource.verbs.iter().any(|v| v == verb),
            None => return Err(Status::no_such_path()),
        },
        None => target.resource.allows(verb),
    };
    if !allowed {
        return Err(Status::method_not_allowed());
    }
    if target.subresource.is_some() && subresources::is_special(&target) {
        return subresources::answer(server, asked, &target).await;
    }
    match verb {
        "get" => read::get(server, asked, &target),
        "list" => list::list(server, asked, &target),
        "watch" => watch::watch(server, asked, &target),
        "create" => write::create(server, asked, &target),
        "update" => write::update(server, asked, &target),
        "patch" => patch::patch(server, asked, &target),
        "delete" => write::delete(server, asked, &target),
        "deletecollection" => write::delete_collection(server, asked, &target),
        _ => Err(Status::method_not_allowed()),
    }
}

/// The verb of a request, as authorization and discovery name it.
fn verb(asked: &Asked, target: &Target) -> Result<&'static str, Status> {
    let named = target.name.is_some();
    let watching = target.watch || asked.query.flag("watch");
    match asked.method {
        Method::GET | Method::HEAD if watching && target.subresource.is_none() => Ok("watch"),
        Method::GET | Method::HEAD if named => Ok("get"),
        Method::GET | Method::HEAD => Ok("list"),
        Method::POST if !named || target.subresource.is_some() => Ok("create"),
        Method::PUT if named => Ok("update"),
        Method::PATCH if named => Ok("patch"),
        Method::DELETE if named => Ok("delete"),
        Method::DELETE => Ok("deletecollection"),
        _ => Err(Status::method_not_allowed()),
    }
}
