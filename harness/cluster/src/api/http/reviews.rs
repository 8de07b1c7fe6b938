//! The virtual resources: questions that are asked by creating an object, and answered in its status.

use serde_json::{Value, json};

use super::{Reply, Server, body, dispatch::Asked, negotiate, negotiate::Form, reply, route::Target};
use crate::api::{
    Attributes, Errors, Status, User,
    json::{items, text},
};

/// How long a token lives when the client does not say.
const TOKEN_SECONDS: i64 = 3600;

/// Whether a target is one of them.
pub(super) fn is_virtual(target: &Target) -> bool {
    matches!(target.resource.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers a question.
pub(super) fn answer(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    if asked.method != http::Method::POST || target.name.is_some() {
        return Err(Status::method_not_allowed());
    }
    if negotiate::form(&asked.headers)? != Form::Object {
        return Err(Status::not_acceptable());
    }
    let kind = target.resource.kind.as_str();
    let mut review = body::decode(body::media_type(&asked.headers), &asked.body, kind)?;
    let spec = review["spec"].clone();
    let status = match kind {
        "SelfSubjectReview" => json!({"userInfo": info(&asked.user)}),
        "SelfSubjectAccessReview" => access(server, &asked.user, &spec),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            let groups = items(&spec["groups"]).iter().map(|g| text(g).to_owned()).collect();
            access(server, &User { name: text(&spec["user"]).to_owned(), groups }, &spec)
        }
        "SelfSubjectRulesReview" => server.access.rules(&server.api, &asked.user, text(&spec["namespace"])),
        "TokenReview" => match server.access.token_user(text(&spec["token"]), server.clock()) {
            Some(user) => json!({"authenticated": true, "user": info(&user)}),
            None => json!({"authenticated": false, "user": {}, "error": "invalid bearer token"}),
        },
        _ => return Err(Status::no_such_path()),
    };
    review["apiVersion"] = target.resource.api_version(&target.version).into();
    review["kind"] = kind.into();
    review["status"] = status;
    Ok(reply::json(201, &review))
}

fn info(user: &User) -> Value {
    json!({"username": user.name, "groups": user.groups})
}

/// Whether a user may do what a review describes.
fn access(server: &Server, user: &User, spec: &Value) -> Value {
    let path = &spec["nonResourceAttributes"];
    let allowed = if path.is_object() {
        server.access.may_read_path(user, text(&path["verb"]), text(&path["path"]))
    } else {
        let wanted = &spec["resourceAttributes"];
        let attributes = Attributes {
            verb: text(&wanted["verb"]),
            group: text(&wanted["group"]),
            resource: text(&wanted["resource"]),
            subresource: text(&wanted["subresource"]),
            namespace: text(&wanted["namespace"]),
            name: text(&wanted["name"]),
        };
        server.access.authorize(&server.api, user, &attributes)
    };
    json!({"allowed": allowed.is_ok()})
}

/// `POST` to the `token` of a service account.
pub(super) fn token(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let account = server.api.get("serviceaccounts", &key)?;
    let mut request = body::decode(body::media_type(&asked.headers), &asked.body, "TokenRequest")?;
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(TOKEN_SECONDS);
    if seconds < 600 {
        let mut errors = Errors::default();
        let detail = "may not specify a duration less than 10 minutes";
        errors.invalid("spec.expirationSeconds", &seconds.into(), detail);
        let errors = errors.into_vec();
        return Err(Status::invalid_kind("authentication.k8s.io", "TokenRequest", "", &errors));
    }
    let clock = server.clock();
    let expires = clock.now() + pulldrill_clock::seconds(seconds);
    let token = server.access.issue(User::service_account(&key.namespace, &key.name), expires);
    request["apiVersion"] = "authentication.k8s.io/v1".into();
    request["kind"] = "TokenRequest".into();
    request["metadata"] = json!({"name": key.name, "namespace": key.namespace, "uid": account.meta("uid")});
    if !request["spec"].is_object() {
        request["spec"] = json!({});
    }
    request["spec"]["expirationSeconds"] = seconds.into();
    let shown = clock.shown(expires).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    request["status"] = json!({"token": token, "expirationTimestamp": shown});
    Ok(reply::json(201, &request))
}
