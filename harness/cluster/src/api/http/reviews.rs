//! The virtual resources: questions that are asked by creating an object, and answered in its status.

use serde_json::{Value, json};

use super::{Reply, Server, dispatch::Asked, negotiate, negotiate::Form, reply, route::Target};
use crate::api::{
    Attributes, Bearer, Errors, FieldError, ISSUER, Status, User,
    json::{items, text},
};

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
        return Err(Status::accepts_only(&["application/json", negotiate::YAML]));
    }
    asked.query.dry_run("CreateOptions")?;
    let kind = target.resource.kind.as_str();
    // Of the two, only one is younger than the oldest release that is spoken here.
    if kind == "SelfSubjectReview" && server.legacy() {
        return Err(Status::no_such_path());
    }
    let mut review = server.decode(asked, kind)?.value;
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    let spec = if review["spec"].is_object() { review["spec"].clone() } else { json!({}) };
    review["status"] = match kind {
        "SelfSubjectReview" => {
            review["metadata"]["creationTimestamp"] = server.api.stamp();
            json!({"userInfo": info(&asked.user)})
        }
        "SelfSubjectAccessReview" => {
            refuse(target, access_spec(&spec))?;
            access(server, &asked.user, &spec)
        }
        "SubjectAccessReview" => {
            refuse(target, subject_spec(&spec))?;
            access(server, &subject(&spec), &spec)
        }
        "LocalSubjectAccessReview" => {
            let namespace = target.namespace.as_deref().unwrap_or_default();
            let own = text(&review["metadata"]["namespace"]);
            refuse(target, local_spec(own, &spec))?;
            if own != namespace {
                let why = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
                return Err(Status::bad_request(why));
            }
            access(server, &subject(&spec), &spec)
        }
        "SelfSubjectRulesReview" => {
            let namespace = text(&spec["namespace"]);
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            let status = server.access.rules(&asked.user, namespace);
            // Here the answer is an object of its own, without the question.
            review = json!({"metadata": {}, "spec": {}});
            status
        }
        "TokenReview" => {
            let token = text(&spec["token"]);
            if token.is_empty() {
                let message = "token is required for TokenReview in authentication";
                return Err(Status::bad_request(message));
            }
            token_status(server, token, items(&spec["audiences"]))
        }
        _ => return Err(Status::no_such_path()),
    };
    review["apiVersion"] = target.resource.api_version(&target.version).into();
    review["kind"] = kind.into();
    Ok(reply::json(201, &review))
}

/// A user as reviews show it.
fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

/// Whom a review is about.
fn subject(spec: &Value) -> User {
    let list = |value: &Value| items(value).iter().map(|v| text(v).to_owned()).collect::<Vec<_>>();
    let extra = spec["extra"].as_object().into_iter().flatten();
    User {
        name: text(&spec["user"]).to_owned(),
        groups: list(&spec["groups"]),
        uid: text(&spec["uid"]).to_owned(),
        extra: extra.map(|(key, values)| (key.to_lowercase(), list(values))).collect(),
    }
}

/// Whether a user may do what a review describes.
fn access(server: &Server, user: &User, spec: &Value) -> Value {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let wanted = if path.is_object() {
        // Nothing is not a path, but no resource either.
        let path_text = Some(text(&path["path"])).filter(|p| !p.is_empty()).unwrap_or(" ");
        Attributes { verb: text(&path["verb"]), path: path_text, ..Attributes::default() }
    } else {
        Attributes {
            verb: text(&resource["verb"]),
            group: text(&resource["group"]),
            resource: text(&resource["resource"]),
            subresource: text(&resource["subresource"]),
            namespace: text(&resource["namespace"]),
            name: text(&resource["name"]),
            path: "",
        }
    };
    let (allowed, reason) = server.access.opinion(user, &wanted);
    let mut status = json!({"allowed": allowed});
    if !reason.is_empty() {
        status["reason"] = reason.into();
    }
    status
}

fn token_status(server: &Server, token: &str, wanted: &[Value]) -> Value {
    let ours = Value::from(ISSUER);
    let wanted = if wanted.is_empty() { std::slice::from_ref(&ours) } else { wanted };
    let reviewed = server.access.bearer(token).and_then(|Bearer { user, audiences }| {
        let fits: Vec<&str> = wanted.iter().map(text).filter(|w| audiences.iter().any(|a| a == w)).collect();
        if fits.is_empty() {
            let wanted: Vec<&str> = wanted.iter().map(text).collect();
            return Err(format!(
                "[invalid bearer token, token audiences {audiences:?} is invalid for the target audiences {wanted:?}]"
            ));
        }
        Ok(json!({"authenticated": true, "user": info(&user.authenticated()), "audiences": fits}))
    });
    reviewed.unwrap_or_else(|error| json!({"user": {}, "error": error}))
}

/// 422 when there is anything to complain about.
fn refuse(target: &Target, errors: Errors) -> Result<(), Status> {
    let errors: Vec<FieldError> = errors.into_vec();
    if errors.is_empty() {
        return Ok(());
    }
    // Without the kind: so do real servers (seen on 1.20).
    Err(Status::invalid_kind(&target.resource.group, "", "", &errors))
}

/// Exactly one thing is to be asked for.
fn access_spec(spec: &Value) -> Errors {
    let mut errors = Errors::default();
    match (spec["resourceAttributes"].is_object(), spec["nonResourceAttributes"].is_object()) {
        (true, true) => errors.invalid(
            "spec.nonResourceAttributes",
            &spec["nonResourceAttributes"],
            "cannot be specified in combination with resourceAttributes",
        ),
        (false, false) => errors.invalid(
            "spec.resourceAttributes",
            &"null".into(),
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        _ => {}
    }
    errors
}

fn subject_spec(spec: &Value) -> Errors {
    let mut errors = access_spec(spec);
    if text(&spec["user"]).is_empty() && items(&spec["groups"]).is_empty() {
        errors.invalid("spec.user", &"".into(), "at least one of user or group must be specified");
    }
    errors
}

fn local_spec(namespace: &str, spec: &Value) -> Errors {
    let mut errors = subject_spec(spec);
    let wanted = &spec["resourceAttributes"];
    if wanted.is_object() && text(&wanted["namespace"]) != namespace {
        errors.invalid(
            "spec.resourceAttributes.namespace",
            &wanted["namespace"],
            "must match metadata.namespace",
        );
    }
    if spec["nonResourceAttributes"].is_object() {
        errors.invalid(
            "spec.nonResourceAttributes",
            &spec["nonResourceAttributes"],
            "disallowed on this kind of request",
        );
    }
    errors
}
