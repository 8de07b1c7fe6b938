//! Requests that the API server hands on: to a port of a pod, to a Service, to a node's kubelet
//! (`…/pods/[SCHEME:]NAME[:PORT]/proxy/PATH`). What containers listen to answers; nothing else does.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{
    Reply, Server,
    dispatch::Asked,
    reply,
    route::Target,
    unreachable::{self, KUBELET, refused},
};
use crate::{
    api::{
        Status,
        json::{items, text},
    },
    store::Key,
};

/// Since this minor version who can't be reached is not available; before it was a failure without a reason.
const UNAVAILABLE: u32 = 22;

/// How many bytes of an answer are handed on.
const LARGEST: usize = 32 * 1024 * 1024;

/// What belongs to one connection, and what is not meant for others.
const OWN: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A name in a path: `http:web:8080`, `web:8080`, `web`.
struct Named<'a> {
    https: bool,
    name: &'a str,
    port: &'a str,
}

impl<'a> Named<'a> {
    fn of(text: &'a str, kind: &str) -> Result<Self, Status> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => ("?", "", ""),
        };
        if name.is_empty() || !matches!(scheme, "" | "http" | "https") {
            return Err(Status::bad_request(format!("invalid {kind} request {text:?}")));
        }
        Ok(Self { https: scheme == "https", name, port })
    }
}

/// Where something is.
struct Place {
    /// Whose container may listen there, if anybody's.
    pod_uid: String,
    address: String,
    port: u16,
}

/// Hands a request on.
pub(super) async fn answer(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let resource = &target.resource;
    let text = target.name.as_deref().unwrap_or_default();
    let named = Named::of(text, &resource.singular)?;
    let key = Key::new(target.namespace.as_deref().unwrap_or_default(), named.name);
    let found = server.api.get(&resource.store, &key)?;
    let place = match resource.store.as_str() {
        "pods" => of_pod(found.value(), named.port)?,
        "services" => of_service(server, &key, found.value(), named.port, text)?,
        _ => of_node(found.value(), named.port)?,
    };
    let why = match server.containers.dial(&place.pod_uid, place.port) {
        Ok(_) if named.https => "http: server gave HTTP response to HTTPS client".to_owned(),
        Ok((stream, serving)) => {
            tokio::spawn(serving);
            match exchange(stream, asked, target, &place).await {
                Ok(answer) => return Ok(answer),
                Err(why) => why,
            }
        }
        Err(_) => refused(&place.address, place.port),
    };
    let message = format!("error trying to reach service: {why}");
    Err(if server.release().since(UNAVAILABLE) {
        unavailable(message)
    } else {
        Status::new(500, "", message)
    })
}

fn unavailable(message: String) -> Status {
    Status::new(503, "ServiceUnavailable", message)
}

fn not_allowed() -> Status {
    Status::bad_request("address not allowed")
}

fn number(port: &str) -> Result<u16, Status> {
    port.parse().map_err(|_| not_allowed())
}

fn of_pod(pod: &Value, port: &str) -> Result<Place, Status> {
    let address = text(&pod["status"]["podIP"]).to_owned();
    if address.is_empty() {
        return Err(not_allowed());
    }
    let declared = || {
        let mut ports = items(&pod["spec"]["containers"]).iter().flat_map(|c| items(&c["ports"]));
        ports.find_map(|port| u16::try_from(port["containerPort"].as_u64()?).ok())
    };
    let port = if port.is_empty() { declared().unwrap_or(80) } else { number(port)? };
    Ok(Place { pod_uid: text(&pod["metadata"]["uid"]).to_owned(), address, port })
}

fn of_service(server: &Server, key: &Key, service: &Value, port: &str, asked: &str) -> Result<Place, Status> {
    // A number means the port of that number, and so its name.
    let of_number = |p: &&Value| p["port"].as_u64().is_some_and(|n| n.to_string() == port);
    let known = items(&service["spec"]["ports"]).iter().find(of_number);
    let port = known.map_or(port, |known| text(&known["name"]));
    let none = || unavailable(format!("no endpoints available for service {asked:?}"));
    let endpoints = server.api.store().get("endpoints", key).ok_or_else(none)?;
    let subsets = items(&endpoints.value()["subsets"]);
    if subsets.is_empty() {
        return Err(none());
    }
    for subset in subsets {
        let served = items(&subset["ports"]).iter().find(|p| text(&p["name"]) == port);
        let (Some(served), Some(address)) = (served, items(&subset["addresses"]).first()) else { continue };
        return Ok(Place {
            pod_uid: text(&address["targetRef"]["uid"]).to_owned(),
            address: text(&address["ip"]).to_owned(),
            port: served["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        });
    }
    Err(none())
}

fn of_node(node: &Value, port: &str) -> Result<Place, Status> {
    let address = unreachable::address(node).ok_or_else(not_allowed)?;
    let port = if port.is_empty() { KUBELET } else { number(port)? };
    Ok(Place { pod_uid: String::new(), address, port })
}

/// What follows `proxy` in the path, with its slash.
fn rest(path: &str, target: &Target) -> String {
    // Below `/api/v1`: what a thing is in, what it is and is called, and `proxy`.
    let before = if target.namespace.is_some() { 7 } else { 5 };
    let rest = path.trim_start_matches('/').splitn(before + 1, '/').nth(before);
    format!("/{}", rest.unwrap_or_default())
}

async fn exchange(
    stream: tokio::io::DuplexStream,
    asked: &Asked,
    target: &Target,
    place: &Place,
) -> Result<Reply, String> {
    let lost = |_| "EOF".to_owned();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    tokio::spawn(connection);
    let query = asked.query.encoded();
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let mut request = Request::builder()
        .method(if asked.method == Method::HEAD { Method::GET } else { asked.method.clone() })
        .uri(format!("{}{query}", rest(&asked.path, target)))
        .body(Full::new(asked.body.clone()))
        .map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    for (name, value) in asked.headers.iter().filter(|(name, _)| !OWN.contains(name)) {
        headers.append(name, value.clone());
    }
    if let Ok(host) = HeaderValue::from_str(&format!("{}:{}", place.address, place.port)) {
        headers.insert(header::HOST, host);
    }
    let (parts, body) = sender.send_request(request).await.map_err(lost)?.into_parts();
    let body: Bytes =
        Limited::new(body, LARGEST).collect().await.map_err(|error| error.to_string())?.to_bytes();
    let mut answer = reply::bytes(parts.status.as_u16(), "", body);
    answer.headers_mut().clear();
    for (name, value) in parts.headers.iter().filter(|(name, _)| !OWN.contains(name)) {
        answer.headers_mut().append(name, value.clone());
    }
    Ok(answer)
}
