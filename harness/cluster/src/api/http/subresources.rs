//! Subresources that are more than a part of their object.

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    Reply, Server, body,
    dispatch::Asked,
    log,
    options::{FieldValidation, delete_options},
    patch::{Kind, check_options},
    proxy, reply,
    route::Target,
    stream, tokens,
    write::{read_kind, write_options},
};
use crate::{
    api::{
        Apply, Errors, Status, WriteOptions, convert,
        json::{self as fields, items, text},
    },
    go_json::Decoded,
    patch::apply::gvk,
    store::{Key, Stored},
};

/// Whether a subresource is answered here.
pub(super) fn is_special(target: &Target) -> bool {
    !matches!(
        target.subresource.as_deref(),
        None | Some("status" | "approval" | "finalize" | "ephemeralcontainers")
    )
}

/// Answers for one of them.
pub(super) async fn answer(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    match target.subresource.as_deref().unwrap_or_default() {
        "scale" => scale(server, asked, target),
        "log" => log::log(server, asked, target),
        "eviction" => eviction(server, asked, target),
        "binding" => binding(server, asked, target),
        "token" => tokens::create(server, asked, target),
        "exec" | "attach" | "portforward" => stream::open(server, asked, target),
        "proxy" => proxy::answer(server, asked, target).await,
        _ => Err(Status::no_such_path()),
    }
}

/// What a scale is: `apiVersion` and `kind`.
const SCALE: (&str, &str) = ("autoscaling/v1", "Scale");

/// The scale of a workload: how many replicas it wants and has.
fn scale_of(object: &Value) -> Value {
    let meta = &object["metadata"];
    let mut shown = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        shown[field] = meta[field].clone();
    }
    let selector = &object["spec"]["selector"];
    let labels = selector.get("matchLabels").unwrap_or(selector);
    let pairs = labels.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", text(v)));
    let selector = pairs.collect::<Vec<_>>().join(",");
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown,
        "spec": {"replicas": object["spec"]["replicas"].as_i64().unwrap_or(0)},
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0), "selector": selector}})
}

fn scale(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let store = &target.resource.store;
    if asked.method == Method::GET {
        return Ok(reply::json(200, &scale_of(server.api.get(store, &key)?.value())));
    }
    let options = write_options(asked, target, "UpdateOptions")?;
    let media = body::media_type(&asked.headers);
    let warned = Mutex::new(Vec::new());
    let changed = if asked.method == Method::PATCH {
        let kind = Kind::of(media)?;
        check_options(asked, kind)?;
        let Decoded { value: change, complaints } = kind.read(&asked.body, SCALE.1)?;
        if kind == Kind::Apply {
            return apply_scale(server, asked, target, &options, &change);
        }
        let validation = FieldValidation::of(&asked.query, "PatchOptions")?;
        let about_patch = kind.complaints(&change, complaints);
        server.api.change(&asked.user, store, &key, Some("scale"), &options, |current| {
            let (schema, (version, name)) = (server.schema(), SCALE);
            let patched = kind.apply(schema, version, name, &scale_of(current.value()), &change)?;
            let mut warnings = Vec::new();
            let known = (schema, version, name);
            let wanted = kind.typed(known, &change, patched, (validation, &about_patch), &mut warnings)?;
            *warned.lock() = warnings;
            scaled(current, &wanted)
        })?
    } else {
        let wanted = read_kind(server, asked, SCALE, "UpdateOptions", &mut warned.lock())?;
        server
            .api
            .change(&asked.user, store, &key, Some("scale"), &options, |current| scaled(current, &wanted))?
    };
    let mut reply = reply::json(200, &scale_of(changed.value()));
    reply::warn(&mut reply, &warned.into_inner());
    Ok(reply)
}

/// An applied scale is the workload, applied with nothing but its replicas.
fn apply_scale(
    server: &Server,
    asked: &Asked,
    target: &Target,
    options: &WriteOptions,
    scale: &Value,
) -> Result<Reply, Status> {
    let (version, kind) = (text(&scale["apiVersion"]), text(&scale["kind"]));
    if (version, kind) != ("autoscaling/v1", "Scale") {
        return Err(Status::bad_request(format!("invalid object type: {}", gvk(version, kind))));
    }
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let resource = &target.resource;
    let config = json!({"apiVersion": resource.api_version(&target.version), "kind": resource.kind,
        "metadata": {"name": key.name}, "spec": {"replicas": scale["spec"]["replicas"].as_i64().unwrap_or(0)}});
    let apply = Apply { config: &config, force: asked.query.flag("force"), subresource: Some("scale") };
    let finish = |object| Ok(convert::incoming(resource, &target.version, object));
    let (_, changed) = server.api.apply(&asked.user, &resource.store, &key, options, apply, finish)?;
    Ok(reply::json(200, &scale_of(changed.value())))
}

/// A workload with the replicas (and the version) that a scale names.
fn scaled(current: &Stored, scale: &Value) -> Result<Value, Status> {
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let mut errors = Errors::default();
        errors.invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
        return Err(Status::invalid_kind("autoscaling", SCALE.1, current.meta("name"), &errors.into_vec()));
    }
    let mut object = current.value().clone();
    object["spec"]["replicas"] = replicas.into();
    if let Some(version) = scale["metadata"]["resourceVersion"].as_str() {
        object["metadata"]["resourceVersion"] = version.into();
    }
    Ok(object)
}

/// A deletion that a disruption budget can refuse.
fn eviction(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let request = server.decode(asked, "Eviction")?.value;
    if text(&request["metadata"]["name"]) != key.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = delete_options(&asked.query, &request["deleteOptions"])?;
    server.api.evict(&asked.user, &key, &options)?;
    Ok(created())
}

fn created() -> Reply {
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    reply::json(201, &status)
}

/// Assigns a pod to a node.
fn binding(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let request = server.decode(asked, "Binding")?.value;
    if text(&request["metadata"]["name"]) != key.name {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    assign(server, asked, target, &key, &request)
}

/// The older way to assign a pod to a node: posted to a collection that holds nothing.
pub(super) fn bind(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let request = server.decode(asked, "Binding")?.value;
    let (name, namespace) = (text(&request["metadata"]["name"]), text(&request["metadata"]["namespace"]));
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    let own = target.namespace.as_deref().unwrap_or_default();
    if !namespace.is_empty() && namespace != own {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(message));
    }
    assign(server, asked, target, &Key::new(own, name), &request)
}

/// What is wrong with the target of an assignment. Real servers have no better code for it (`ValidatePodBinding`).
fn check_target(request: &Value) -> Result<(), Status> {
    let mut errors = Errors::default();
    let (kind, name) = (&request["target"]["kind"], &request["target"]["name"]);
    if !matches!(text(kind), "" | "Node") {
        errors.unsupported("target.kind", kind, &["Node", "<empty>"]);
    }
    if text(name).is_empty() {
        errors.required("target.name", "");
    }
    let errors: Vec<String> = errors.into_vec().iter().map(ToString::to_string).collect();
    match errors.as_slice() {
        [] => Ok(()),
        [only] => Err(Status::new(500, "", only.as_str())),
        all => Err(Status::new(500, "", format!("[{}]", all.join(", ")))),
    }
}

fn assign(
    server: &Server,
    asked: &Asked,
    target: &Target,
    key: &Key,
    request: &Value,
) -> Result<Reply, Status> {
    let options = write_options(asked, target, "CreateOptions")?;
    check_target(request)?;
    let node = text(&request["target"]["name"]).to_owned();
    let now = pulldrill_clock::stamp(server.clock().shown_now());
    server.api.change(&asked.user, "pods", key, Some("binding"), &options, |current| {
        let has = text(&current.value()["spec"]["nodeName"]);
        let name = &key.name;
        let conflict = |why: String| {
            let message = format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}");
            Err(Status::new(409, "Conflict", message))
        };
        if current.value()["metadata"]["deletionTimestamp"].is_string() {
            return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        if !has.is_empty() {
            return conflict(format!("pod {name} is already assigned to node {has:?}"));
        }
        if !items(&current.value()["spec"]["schedulingGates"]).is_empty() {
            let name = &key.name;
            let message = format!(
                "Operation cannot be fulfilled on pods/binding \"{name}\": pod {name} has non-empty .spec.schedulingGates"
            );
            return Err(Status::new(409, "Conflict", message));
        }
        let mut pod = current.value().clone();
        pod["spec"]["nodeName"] = node.as_str().into();
        let scheduled = |c: &Value| c["type"] == "PodScheduled";
        let mut conditions: Vec<Value> =
            items(&pod["status"]["conditions"]).iter().filter(|c| !scheduled(c)).cloned().collect();
        conditions.push(json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null,
            "lastTransitionTime": now}));
        fields::default(&mut pod, "status", json!({}));
        pod["status"]["conditions"] = conditions.into();
        Ok(pod)
    })?;
    Ok(created())
}
