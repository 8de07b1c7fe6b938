//! `TokenRequest`: a token for a service account, asked for by creating one.

use serde_json::{Value, json};

use super::{Reply, Server, dispatch::Asked, reply, route::Target};
use crate::{
    api::{
        Bound, Errors, ISSUER, Status, Token,
        json::{default, items, text},
    },
    store::{Key, Stored},
};

/// How long a token lives when the client does not say.
const SECONDS: i64 = 3600;

/// Tokens have names of their own since this minor version, and may be bound to nodes.
const NAMED: u32 = 30;

const GROUP: &str = "authentication.k8s.io";

/// `POST` to the `token` of a service account.
pub(super) fn create(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let mut request = server.decode(asked, "TokenRequest")?.value;
    let dry_run = asked.query.dry_run("CreateOptions")?;
    let account = server.api.get("serviceaccounts", &key)?;
    let mut spec = request["spec"].take();
    if !spec.is_object() {
        spec = json!({});
    }
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(SECONDS);
    let mut audiences: Vec<String> = items(&spec["audiences"]).iter().map(|a| text(a).to_owned()).collect();
    if audiences.is_empty() {
        audiences = vec![ISSUER.to_owned()];
    }
    refuse_durations(seconds)?;
    let named = server.release().since(NAMED);
    let bound = bound(server, &spec["boundObjectRef"], &key, named)?;
    let clock = server.clock();
    let expires = clock.now() + pulldrill_clock::seconds(seconds);
    let token = Token {
        account: key,
        uid: account.meta("uid").to_owned(),
        bound,
        audiences: audiences.clone(),
        expires: Some(expires),
    };
    spec["audiences"] = audiences.into();
    spec["expirationSeconds"] = seconds.into();
    default(&mut spec, "boundObjectRef", Value::Null);
    let token = if dry_run { String::new() } else { server.api.issuer().issue(token, clock, named)? };
    let shown = pulldrill_clock::stamp(clock.shown(expires));
    let answer = json!({"kind": "TokenRequest", "apiVersion": format!("{GROUP}/v1"),
        "metadata": metadata(server, &account), "spec": spec,
        "status": {"token": token, "expirationTimestamp": shown}});
    Ok(reply::json(201, &answer))
}

/// The account's own name, where the release fills it in.
fn metadata(server: &Server, account: &Stored) -> Value {
    if server.legacy() {
        return json!({"creationTimestamp": null});
    }
    let of_account = |field: &str| account.value()["metadata"][field].clone();
    json!({"name": of_account("name"), "namespace": of_account("namespace"), "uid": of_account("uid"),
        "creationTimestamp": server.api.stamp()})
}

/// 422 for a token that would live too long or too short.
fn refuse_durations(seconds: i64) -> Result<(), Status> {
    let mut errors = Errors::default();
    let mut invalid = |detail| errors.invalid("spec.expirationSeconds", &seconds.into(), detail);
    if seconds < 600 {
        invalid("may not specify a duration less than 10 minutes");
    } else if seconds > 1 << 32 {
        invalid("may not specify a duration larger than 2^32 seconds");
    }
    let errors = errors.into_vec();
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid_kind(GROUP, "TokenRequest", "", &errors)) }
}

/// The object that a token is to be bound to.
fn bound(server: &Server, reference: &Value, account: &Key, nodes: bool) -> Result<Option<Bound>, Status> {
    if !reference.is_object() {
        return Ok(None);
    }
    let field = |name: &str| text(&reference[name]);
    let (resource, namespace) = match (field("apiVersion"), field("kind")) {
        ("v1", "Pod") => ("pods", account.namespace.as_str()),
        ("v1", "Secret") => ("secrets", account.namespace.as_str()),
        ("v1", "Node") if nodes => ("nodes", ""),
        (version, kind) => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let of = format!("{group}/{version}, Kind={kind}");
            return Err(Status::bad_request(format!("cannot bind token to object of type {of}")));
        }
    };
    let key = Key::new(namespace, field("name"));
    let object = server.api.get(resource, &key)?;
    let uid = object.meta("uid").to_owned();
    let wanted = field("uid");
    if !wanted.is_empty() && wanted != uid {
        return Err(another(field("kind"), &key.name, wanted));
    }
    let spec = &object.value()["spec"];
    let runs_as = text(&spec["serviceAccountName"]);
    if resource == "pods" && runs_as != account.name {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            account.name
        )));
    }
    let node = Some(text(&spec["nodeName"])).filter(|name| resource == "pods" && !name.is_empty());
    let node = node.map(|name| {
        let node = server.api.store().get("nodes", &Key::new("", name));
        (name.to_owned(), node.map(|node| node.meta("uid").to_owned()).unwrap_or_default())
    });
    Ok(Some(Bound { resource, key, uid, node }))
}

/// 409 for an object that is another one of the same name.
fn another(kind: &str, name: &str, uid: &str) -> Status {
    let mut status = Status::new(
        409,
        "Conflict",
        format!(
            "Operation cannot be fulfilled on {kind} {name:?}: the UID in the bound object reference ({uid}) does not \
             match the UID in record. The object might have been deleted and then recreated"
        ),
    );
    status.details = json!({"name": name, "kind": kind});
    status
}
