//! Changing objects with patches.

use serde_json::Value;

use super::{
    Reply, Server, body,
    dispatch::Asked,
    negotiate,
    options::FieldValidation,
    reply,
    route::Target,
    transform::Writer,
    write::{check, write_options},
};
use crate::{
    api::{Errors, Status, convert, json::text, warnings},
    patch::{self, PatchError},
    schema::Schema,
};

/// The kinds of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Kind {
    /// By the media type of the body.
    ///
    /// # Errors
    /// 415.
    pub(super) fn of(media: &str) -> Result<Self, Status> {
        match media {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ => Err(body::unsupported()),
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// 400.
    pub(super) fn read(self, content: &[u8], expected: &str) -> Result<Value, Status> {
        match self {
            Self::Apply => body::yaml(content, expected),
            _ => serde_json::from_slice(content)
                .map_err(|error| Status::bad_request(format!("error decoding patch: {error}"))),
        }
    }

    /// Applies a patch to an object at its version.
    ///
    /// # Errors
    /// Whatever the patch does not fit.
    pub(super) fn apply(
        self,
        api_version: &str,
        kind: &str,
        original: &Value,
        change: &Value,
    ) -> Result<Value, PatchError> {
        let schema = Schema::embedded();
        match self {
            Self::Json => patch::json(original, change),
            Self::Merge => patch::merge(original, change),
            Self::Strategic => patch::strategic(schema, api_version, kind, original, change),
            Self::Apply => patch::apply(schema, original, change),
        }
    }
}

/// The answer for a patch that can't be applied.
pub(super) fn failed(error: &PatchError) -> Status {
    let mut status = Status::new(error.code(), error.reason(), error.to_string());
    if *error == PatchError::Rejected {
        status.details = serde_json::json!({});
    }
    status
}

/// `PATCH` of an object (or of its status).
pub(super) fn patch(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = negotiate::form(&asked.headers)?;
    let options = write_options(asked, "PatchOptions")?;
    let validation = FieldValidation::of(&asked.query, "PatchOptions")?;
    let kind = Kind::of(body::media_type(&asked.headers))?;
    let resource = &target.resource;
    let change = kind.read(&asked.body, &resource.kind)?;
    check_options(asked, kind, &change)?;
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let api_version = resource.api_version(&target.version);
    let warned = parking_lot::Mutex::new(Vec::new());
    let finish = |patched: Value| {
        let mut patched = patched;
        let mut found = Vec::new();
        check(&mut patched, target, validation, &mut found).map_err(|status| strictly(status, &change))?;
        found.extend(warnings::about(resource, &patched));
        *warned.lock() = found;
        Ok(convert::incoming(resource, &target.version, patched))
    };
    let absent = server.api.store().get(&resource.store, &key).is_none();
    let (code, changed) = if kind == Kind::Apply && absent && target.subresource.is_none() {
        let mut object = finish(change.clone())?;
        object["metadata"]["name"] = key.name.as_str().into();
        (201, server.api.create(&asked.user, &resource.store, &key.namespace, object, &options)?)
    } else {
        let changed = server.api.change(
            &asked.user,
            &resource.store,
            &key,
            target.subresource.as_deref(),
            &options,
            |current| {
                let original = convert::outgoing(resource, &target.version, current.value());
                let patched =
                    kind.apply(&api_version, &resource.kind, &original, &change).map_err(|e| failed(&e))?;
                finish(patched)
            },
        )?;
        (200, changed)
    };
    let writer = Writer::new(server, target, form, &asked.query);
    let mut reply = reply::bytes(code, "application/json", writer.bytes(&changed));
    reply::warn(&mut reply, &warned.into_inner());
    Ok(reply)
}

/// The rules about the options of patches.
fn check_options(asked: &Asked, kind: Kind, change: &Value) -> Result<(), Status> {
    let mut errors = Errors::default();
    if kind == Kind::Apply {
        if asked.query.text("fieldManager").is_empty() {
            errors.required("fieldManager", "is required for apply patch");
        }
    } else if asked.query.get("force").is_some() {
        errors.forbidden("force", "may not be specified for non-apply patch");
    }
    let errors = errors.into_vec();
    if !errors.is_empty() {
        return Err(Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &errors));
    }
    if kind == Kind::Apply {
        let (version, found) = (text(&change["apiVersion"]), text(&change["kind"]));
        if version.is_empty() || found.is_empty() {
            return Err(Status::bad_request(format!("invalid object type: /{version}, Kind={found}")));
        }
        if !change["metadata"]["managedFields"].is_null() {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
    }
    Ok(())
}

/// A patch that brings an unknown field is refused with other words than an object that has one.
fn strictly(status: Status, change: &Value) -> Status {
    let Some((_, why)) = status.message.split_once("strict decoding error: ") else { return status };
    let mut errors = Errors::default();
    errors.invalid("patch", &change.to_string().into(), &format!("strict decoding error: {why}"));
    Status::invalid_kind("", "", "", &errors.into_vec())
}
