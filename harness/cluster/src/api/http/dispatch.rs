//! From a request to its handler: who asks, whether they may, and what the path is about.

use http::{HeaderMap, HeaderValue, Method, Request, header::UPGRADE, request::Parts};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use pulldrill_clock::secret;

use super::{
    Reply, Server, body, deprecations, discovery, gzip, images, legacy, list, machines, negotiate,
    options::Query, others, patch, pretty, read, reply, request_info::RequestInfo, reviews, roots, route,
    route::Target, slow::Patient, subresources, virtual_clusters, virtual_clusters::Entered, watch, write,
    yaml,
};
use crate::api::{Attributes, Certified, Status, User};

/// Since this minor version who streams into a pod with `GET`, as WebSockets do, needs to be able to create
/// streams as well.
const STREAMS_CREATE: u32 = 35;

/// Since this minor version each answer tells how the request is called in the log, whether there is one or not.
const AUDIT_IDS: u32 = 22;

/// A request, read and attributed.
pub(super) struct Asked {
    /// Whose rights count.
    pub(super) user: User,
    /// Who has sent it, when that is somebody else.
    pub(super) impersonator: Option<User>,
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
    /// The connection, for who takes it over.
    pub(super) upgrade: Option<OnUpgrade>,
    /// What makes the connection wait for a client that does not read.
    pub(super) patient: Option<Patient>,
}

impl Asked {
    /// For the log: whose request it is, and who has really sent it.
    fn who(&self) -> String {
        match &self.impersonator {
            Some(sender) => format!("{} as {}", sender.name, self.user.name),
            None => self.user.name.clone(),
        }
    }
}

/// Answers one request, of this cluster or of a virtual one.
pub(super) async fn handle(server: &Server, certified: Certified, request: Request<Incoming>) -> Reply {
    match virtual_clusters::enter(server, certified, request) {
        Entered::Here(certified, request) => handle_own(server, certified, request).await,
        Entered::There(server, certified, request) => handle_own(&server, certified, request).await,
        Entered::About(clusters, name, certified, request) => {
            let uri = request.uri().to_string();
            let answered = virtual_clusters::answer(server, clusters, name, certified, request).await;
            answered.unwrap_or_else(|status| refuse(&uri, &status))
        }
        Entered::Nowhere(status) => reply::refuse(&status),
    }
}

async fn handle_own(server: &Server, certified: Certified, mut request: Request<Incoming>) -> Reply {
    let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    let uri = parts.uri.to_string();
    let zips = gzip::is_wanted(&parts.method, &parts.headers);
    let indents = pretty::is_wanted(&Query::new(parts.uri.query().unwrap_or_default()), &parts.headers);
    let in_yaml = parts.uri.path().starts_with("/api") && negotiate::prefers_yaml(&parts.headers);
    let audit_id = server.release().since(AUDIT_IDS).then(|| audit_id(&parts.headers));
    let (who, answered) = match asked(server, certified, parts, incoming).await {
        Ok(asked) => (asked.who(), acknowledged(server, &Asked { upgrade, ..asked }).await),
        Err(status) => (String::new(), Ok(refuse(&uri, &status))),
    };
    let reply = answered.unwrap_or_else(|status| {
        reply::refuse(&if server.legacy() { legacy::refusal(status) } else { status })
    });
    let reply = if in_yaml { yaml::reply(reply).await } else { reply };
    let reply = match audit_id {
        Some(id) => reply::with_audit_id(reply, &id),
        None => reply,
    };
    let reply = if indents { pretty::reply(reply).await } else { reply };
    let reply = if zips { gzip::reply(reply) } else { reply };
    tracing::debug!(request = line, who, status = reply.status().as_u16(), "answered");
    reply
}

/// What the server's log of requests calls this one: what the client says, or a name of its own.
fn audit_id(headers: &HeaderMap) -> HeaderValue {
    let named = headers.get(reply::AUDIT_ID).filter(|id| !id.is_empty()).cloned();
    named
        .or_else(|| HeaderValue::from_str(&secret::uid()).ok())
        .unwrap_or_else(|| HeaderValue::from_static(""))
}

/// Who can't be made sense of is told so in plain text.
fn refuse(uri: &str, status: &Status) -> Reply {
    match status.code {
        500 => reply::text(500, format!("Internal Server Error: {uri:?}: {}\n", status.message)),
        _ => reply::refuse(status),
    }
}

async fn asked(
    server: &Server,
    certified: Certified,
    parts: Parts,
    incoming: Incoming,
) -> Result<Asked, Status> {
    let requester = server.access.authenticate(certified, &parts.headers)?;
    let has_body = !matches!(parts.method, Method::GET | Method::HEAD);
    let body = if has_body { body::read(incoming).await? } else { bytes::Bytes::new() };
    let query = Query::new(parts.uri.query().unwrap_or_default());
    Ok(Asked {
        user: requester.user,
        impersonator: requester.impersonator,
        query: if server.legacy() { legacy::query(query) } else { query },
        path: parts.uri.path().to_owned(),
        method: parts.method,
        patient: parts.extensions.get::<Patient>().cloned(),
        headers: parts.headers,
        body,
        upgrade: None,
    })
}

/// The answer, once what it acknowledges would outlive the process.
async fn acknowledged(server: &Server, asked: &Asked) -> Result<Reply, Status> {
    let reply = answer(server, asked).await?;
    if !matches!(asked.method, Method::GET | Method::HEAD) {
        server.api.store().durable().await.map_err(|error| Status::internal(error.to_string()))?;
    }
    Ok(reply)
}

async fn answer(server: &Server, asked: &Asked) -> Result<Reply, Status> {
    let info = RequestInfo::new(&asked.method, &asked.path, &asked.query);
    let answered = answer_about(server, asked, &info).await;
    let code = answered.as_ref().map_or_else(|status| status.code, |reply| reply.status().as_u16());
    server.requests.count(&asked.method, &info.attributes(), code);
    answered
}

async fn answer_about(server: &Server, asked: &Asked, info: &RequestInfo) -> Result<Reply, Status> {
    server.access.authorize(&asked.user, &info.attributes())?;
    if info.is_stream() && asked.method == Method::GET && server.release().since(STREAMS_CREATE) {
        server.access.authorize(&asked.user, &Attributes { verb: "create", ..info.attributes() })?;
    }
    // Only what is no matter of the API's has heads.
    if asked.method == Method::HEAD && asked.path.starts_with("/api") {
        return Err(Status::method_not_allowed());
    }
    if asked.path == "/version" && asked.method != Method::GET {
        return Err(Status::method_not_allowed());
    }
    let target = match route::find(server.api.resources(), &asked.path) {
        Some(Ok(target)) => target,
        found => {
            if let Some(reply) = others::answer(server, &asked.path) {
                return Ok(reply);
            }
            if found.is_some() && roots::of_no_group(server, &asked.path) {
                return Ok(roots::no_such_page());
            }
            found.transpose()?;
            let special = machines::answer(server, asked).or_else(|| images::answer(server, asked));
            if let Some(answered) = special {
                return answered;
            }
            return match discovery::answer(server, asked) {
                Some(_) if asked.method != Method::GET => Err(Status::method_not_allowed()),
                Some(reply) => Ok(reply),
                None => roots::answer(server, asked),
            };
        }
    };
    let reply = on_resource(server, asked, info, &target).await?;
    let mut reply = if server.legacy() { legacy::reply(reply) } else { reply };
    deprecations::warn(&mut reply, &target, server.release());
    Ok(reply)
}

async fn on_resource(
    server: &Server,
    asked: &Asked,
    info: &RequestInfo,
    target: &Target,
) -> Result<Reply, Status> {
    let verb = verb(asked, info, target)?;
    if makes_by_applying(server, asked, info, target) {
        let making = Attributes { verb: "create", ..info.attributes() };
        let (allowed, reason) = server.access.opinion(&asked.user, &making);
        if !allowed {
            // Real servers give nothing but the authorizer's reason here, which is often none.
            return Err(making.refused(&reason));
        }
    }
    if reviews::is_virtual(target) {
        return reviews::answer(server, asked, target);
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
    if target.subresource.is_some() && subresources::is_special(target) {
        return subresources::answer(server, asked, target).await;
    }
    match verb {
        "get" => read::get(server, asked, target),
        "list" => list::list(server, asked, target),
        "watch" => watch::watch(server, asked, target),
        "create" if target.resource.store == "bindings" => subresources::bind(server, asked, target),
        "create" => write::create(server, asked, target),
        "update" => write::update(server, asked, target),
        "patch" => patch::patch(server, asked, target),
        "delete" => write::delete(server, asked, target),
        "deletecollection" => write::delete_collection(server, asked, target),
        _ => Err(Status::method_not_allowed()),
    }
}

/// Whether a patch is of the kind that makes what is not there.
fn makes_by_applying(server: &Server, asked: &Asked, info: &RequestInfo, target: &Target) -> bool {
    info.verb == "patch"
        && target.subresource.is_none()
        && patch::Kind::of(body::media_type(&asked.headers)) == Ok(patch::Kind::Apply)
        && target.key().is_some_and(|key| server.api.store().get(&target.resource.store, &key).is_none())
}

/// The verb of a request, when it fits what the request names.
fn verb<'a>(asked: &Asked, info: &'a RequestInfo, target: &Target) -> Result<&'a str, Status> {
    let named = target.name.is_some();
    match info.verb.as_str() {
        "watch" if !matches!(asked.method, Method::GET | Method::HEAD) => Err(Status::method_not_allowed()),
        "create" if named && target.subresource.is_none() => Err(Status::method_not_allowed()),
        "update" | "patch" if !named => Err(Status::method_not_allowed()),
        // Objects of a namespace are made and removed in it.
        "create" | "deletecollection"
            if !named && target.resource.namespaced && target.namespace.is_none() =>
        {
            Err(Status::method_not_allowed())
        }
        "" => Err(Status::method_not_allowed()),
        verb => Ok(verb),
    }
}
