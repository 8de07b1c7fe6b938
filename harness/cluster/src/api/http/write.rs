//! Creating, replacing and deleting over HTTP.

use http::header;
use serde_json::{Value, json};

use super::{
    Reply, Server,
    dispatch::Asked,
    list::Filter,
    negotiate,
    options::{FieldValidation, delete_options},
    reply,
    route::Target,
    transform::Writer,
};
use crate::{
    api::{DeleteOptions, Errors, Status, WriteOptions, convert, json as access, warnings},
    go_json::Decoded,
    schema::{Mismatch, Schema},
};

/// What the API server calls the set of all types that it knows.
const SCHEME: &str = "pkg/api/legacyscheme/scheme.go:30";

/// How many bytes the name of a field manager may have.
const LONGEST_MANAGER: usize = 128;

/// What the query of a write says, and who the writer is: its field manager, else the program that it is.
pub(super) fn write_options(asked: &Asked, target: &Target, kind: &str) -> Result<WriteOptions, Status> {
    let manager = asked.query.text("fieldManager");
    check_manager(manager, kind)?;
    let manager = if manager.is_empty() { program(asked) } else { manager.to_owned() };
    Ok(WriteOptions {
        dry_run: asked.query.dry_run(kind)?,
        field_manager: Some(manager),
        api_version: Some(target.resource.api_version(&target.version)),
    })
}

/// What comes before the first slash of the user agent.
fn program(asked: &Asked) -> String {
    let agent = asked.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let program = agent.split('/').next().unwrap_or_default();
    program.chars().filter(|c| !c.is_control()).take(LONGEST_MANAGER).collect()
}

fn check_manager(manager: &str, kind: &str) -> Result<(), Status> {
    let mut errors = Errors::default();
    if manager.len() > LONGEST_MANAGER {
        errors.too_long("fieldManager", &format!("may not be more than {LONGEST_MANAGER} bytes"));
    }
    for (at, c) in manager.char_indices().filter(|(_, c)| c.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        errors.invalid("fieldManager", &manager.into(), &why);
    }
    let errors = errors.into_vec();
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid_kind("meta.k8s.io", kind, "", &errors)) }
}

/// Reads an object of the target's kind from the body; warnings are added.
fn read(
    server: &Server,
    asked: &Asked,
    target: &Target,
    options_kind: &str,
    warnings: &mut Vec<String>,
) -> Result<Value, Status> {
    let resource = &target.resource;
    let api_version = resource.api_version(&target.version);
    let object = read_kind(server, asked, (&api_version, &resource.kind), options_kind, warnings)?;
    warnings.extend(warnings::about(resource, &object));
    Ok(convert::incoming(resource, &target.version, object))
}

/// Reads an object of a kind (`apiVersion`, `kind`) from the body; warnings are added.
pub(super) fn read_kind(
    server: &Server,
    asked: &Asked,
    (api_version, kind): (&str, &str),
    options_kind: &str,
    warnings: &mut Vec<String>,
) -> Result<Value, Status> {
    let validation = FieldValidation::of(&asked.query, options_kind)?;
    let Decoded { value: mut object, complaints } = server.decode(asked, kind)?;
    access::default_text(&mut object, "apiVersion", api_version);
    access::default_text(&mut object, "kind", kind);
    let (found_version, found) = (access::text(&object["apiVersion"]), access::text(&object["kind"]));
    let refused = |why: &str| cannot_be_handled(kind, found_version, found, why);
    if found != kind || found_version != api_version {
        return Err(refused(&if server.schema().kind(found_version, found).is_some() {
            let (from, to) = (version_of(found_version), package(api_version));
            format!("converting ({from}.{found}) to ({to}.{kind}): unknown conversion")
        } else {
            format!("no kind {found:?} is registered for version {found_version:?} in scheme {SCHEME:?}")
        }));
    }
    let refused = |why: &str| cannot_be_handled(kind, api_version, kind, why);
    let unknown =
        check(server.schema(), api_version, kind, &mut object).map_err(|why| refused(&why.to_string()))?;
    validation.judge(&[unknown, complaints].concat(), warnings).map_err(|why| refused(&why))?;
    Ok(object)
}

/// `v1` of `apps/v1`.
fn version_of(api_version: &str) -> &str {
    api_version.rsplit('/').next().unwrap_or_default()
}

/// The Go package of a group's own types, which are of no version: `core`, `apps`, `rbac`.
fn package(api_version: &str) -> &str {
    let group = api_version.split_once('/').map_or("core", |(group, _)| group);
    group.split('.').next().unwrap_or_default()
}

/// Checks types, and brings the object into the form in which it is kept: without unknown fields, nulls and what means
/// nothing, so that a template with them is the template that it was before. Tells of unknown fields.
pub(super) fn check(
    schema: &Schema,
    api_version: &str,
    kind: &str,
    object: &mut Value,
) -> Result<Vec<String>, Mismatch> {
    schema.check_types(api_version, kind, object)?;
    let unknown = schema.canonicalize(api_version, kind, object);
    Ok(unknown.iter().map(|path| format!("unknown field {path:?}")).collect())
}

/// 400 for a body that is not what the path wants.
pub(super) fn cannot_be_handled(kind: &str, found_version: &str, found: &str, why: &str) -> Status {
    let version = version_of(found_version);
    Status::bad_request(format!("{found} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// `POST` to a collection.
pub(super) fn create(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = negotiate::form(&asked.headers)?;
    let options = write_options(asked, target, "CreateOptions")?;
    let mut warnings = Vec::new();
    let object = read(server, asked, target, "CreateOptions", &mut warnings)?;
    let resource = &target.resource;
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let made = server.api.create(&asked.user, &resource.store, namespace, object, &options)?;
    let writer = Writer::new(server, target, form, &asked.query);
    let mut reply = reply::bytes(201, "application/json", writer.bytes(&made));
    reply::warn(&mut reply, &warnings);
    Ok(reply)
}

/// `PUT` of an object (or of its status).
pub(super) fn update(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = negotiate::form(&asked.headers)?;
    let options = write_options(asked, target, "UpdateOptions")?;
    let mut warnings = Vec::new();
    let object = read(server, asked, target, "UpdateOptions", &mut warnings)?;
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let namespace = access::text(&object["metadata"]["namespace"]);
    if !namespace.is_empty() && namespace != key.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    check_name(&object, &key.name)?;
    let subresource = target.subresource.as_deref();
    let store = &target.resource.store;
    let changed = server.api.update(&asked.user, store, &key, subresource, &object, &options)?;
    let writer = Writer::new(server, target, form, &asked.query);
    let mut reply = reply::bytes(200, "application/json", writer.bytes(&changed));
    reply::warn(&mut reply, &warnings);
    Ok(reply)
}

/// Refuses an object that is not named as the path says (`checkName` of apiserver).
fn check_name(object: &Value, name: &str) -> Result<(), Status> {
    match access::text(&object["metadata"]["name"]) {
        "" => Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        own if own != name => Err(Status::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
}

/// The `DeleteOptions` of a request: its body and its query together.
fn deletion(server: &Server, asked: &Asked) -> Result<DeleteOptions, Status> {
    const KIND: &str = "DeleteOptions";
    if asked.body.is_empty() {
        return delete_options(&asked.query, &Value::Null);
    }
    let body = server.decode(asked, KIND)?.value;
    // Every group has them in its own versions.
    if !matches!(access::text(&body["kind"]), "" | KIND) {
        return Err(Status::bad_request("decoded object cannot be converted to DeleteOptions"));
    }
    server.schema().check_types("v1", KIND, &body).map_err(|why| Status::bad_request(why.to_string()))?;
    delete_options(&asked.query, &body)
}

/// `DELETE` of an object.
pub(super) fn delete(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let options = deletion(server, asked)?;
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let resource = &target.resource;
    let last = server.api.delete(&asked.user, &resource.store, &key, &options)?;
    let waits = if options.dry_run {
        !access::items(&last.value()["metadata"]["finalizers"]).is_empty()
    } else {
        server.api.store().get(&resource.store, &key).is_some()
    };
    let mut reply = if resource.store == "pods" || waits {
        let form = negotiate::form(&asked.headers)?;
        let writer = Writer::new(server, target, form, &asked.query);
        reply::bytes(200, "application/json", writer.bytes(&last))
    } else {
        let mut details = json!({"name": key.name, "kind": resource.plural, "uid": last.meta("uid")});
        if !resource.group.is_empty() {
            details["group"] = resource.group.clone().into();
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        reply::json(200, &status)
    };
    if resource.store == "jobs.batch" && options.propagation_policy.is_none() {
        let warning = "child pods are preserved by default when jobs are deleted; set \
                       propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress \
                       this warning";
        reply::warn(&mut reply, &[warning.to_owned()]);
    }
    Ok(reply)
}

/// `DELETE` of a collection.
pub(super) fn delete_collection(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let options = deletion(server, asked)?;
    let filter = Filter::of(target, &asked.query)?;
    let resource = &target.resource;
    let (objects, revision) = server.api.store().list(&resource.store, target.namespace.as_deref());
    let mut gone = Vec::new();
    for object in objects.iter().filter(|o| filter.matches(o)) {
        match server.api.delete(&asked.user, &resource.store, object.key(), &options) {
            Ok(last) => gone.push(convert::shown(resource, &target.version, &last).into_owned()),
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let list = json!({"kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(&target.version),
        "metadata": {"resourceVersion": revision.to_string()}, "items": gone});
    Ok(reply::json(200, &list))
}
