//! Changing objects with patches.

use serde_json::{Value, json};

use super::{
    Reply, Server, body,
    dispatch::Asked,
    negotiate,
    options::FieldValidation,
    reply,
    route::Target,
    transform::Writer,
    write::{cannot_be_handled, check, write_options},
};
use crate::{
    api::{Apply, Errors, Status, convert, json::text, warnings},
    go,
    go_json::{self, Decoded},
    patch::{self, PatchError, apply::gvk},
    resources::Resource,
    schema::Schema,
    store::Stored,
};

/// What a step of a JSON patch has.
const STEP: [&str; 4] = ["op", "from", "path", "value"];

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
            _ => Err(unsupported()),
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// 400.
    pub(super) fn read(self, content: &[u8], expected: &str) -> Result<Decoded, Status> {
        match self {
            Self::Apply => match body::yaml(content, expected) {
                Ok(config) => Ok(config),
                Err(error) => Err(Status::bad_request(format!("error decoding YAML: {}", error.message))),
            },
            _ => go_json::decode(content).map_err(|why| {
                Status::bad_request(if self == Self::Strategic {
                    why
                } else {
                    format!("error decoding patch: {why}")
                })
            }),
        }
    }

    /// Whether a patch can tell an object with the owners of its fields from one without: nearly none speaks of them, and to
    /// write them out and read them again is more work than the patch.
    fn may_see_owners(self, change: &Value) -> bool {
        const OWNERS: &str = "/metadata/managedFields";
        match self {
            Self::Json => change.as_array().into_iter().flatten().any(|operation| {
                let about = ["path", "from"].map(|field| text(&operation[field]));
                let meant = |path: &str| OWNERS.starts_with(path) || path.starts_with(OWNERS);
                meant(about[0]) || (operation.get("from").is_some() && meant(about[1]))
            }),
            Self::Merge | Self::Strategic | Self::Apply => {
                let fields = change["metadata"].as_object().into_iter().flatten();
                change.as_object().is_some_and(|fields| fields.keys().any(|name| name.starts_with('$')))
                    || fields
                        .map(|(name, _)| name)
                        .any(|name| name == "managedFields" || name.starts_with('$'))
            }
        }
    }

    /// What came of a patch, as an object of its kind; what is wrong with it and no reason to refuse it is added to `warnings`.
    ///
    /// # Errors
    /// 422, and 400 for applied objects.
    pub(super) fn typed(
        self,
        (schema, api_version, object_kind): (&Schema, &str, &str),
        change: &Value,
        mut patched: Value,
        (validation, about_patch): (FieldValidation, &[String]),
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        // What is unknown is gone after the check.
        let whole = (validation == FieldValidation::Strict).then(|| self.shown(change, &patched));
        let about_object =
            check(schema, api_version, object_kind, &mut patched).map_err(|why| match self {
                Self::Apply => cannot_be_handled(object_kind, api_version, object_kind, &why.to_string()),
                Self::Strategic => invalid(self.shown(change, &patched), why.converted()),
                Self::Json | Self::Merge => invalid(self.shown(change, &patched), &why.to_string()),
            })?;
        if self == Self::Apply
            && validation == FieldValidation::Strict
            && let [twice, ..] = about_patch
        {
            let message = format!("error strict decoding YAML: error converting YAML to JSON: {twice}");
            return Err(Status::bad_request(message));
        }
        let complaints = [about_patch, &about_object].concat();
        validation.judge(&complaints, warnings).map_err(|why| invalid(whole.unwrap_or_default(), &why))?;
        Ok(patched)
    }

    /// What is wrong with a patch, whatever it is applied to: what its decoder complains of, and unknown fields of the steps
    /// of JSON patches.
    pub(super) fn complaints(self, change: &Value, mut complaints: Vec<String>) -> Vec<String> {
        if self != Self::Json {
            return complaints;
        }
        for (at, step) in change.as_array().into_iter().flatten().enumerate() {
            let names = step.as_object().into_iter().flatten().map(|(name, _)| name);
            let unknown = names.filter(|name| !STEP.contains(&name.as_str()));
            complaints.extend(unknown.map(|name| format!("unknown field \"[{at}].{name}\"")));
        }
        complaints.iter().map(|complaint| format!("json patch {complaint}")).collect()
    }

    /// What a refusal shows: of strategic patches the patch in Go's notation, else the object that came of it.
    fn shown(self, change: &Value, patched: &Value) -> String {
        match self {
            Self::Strategic => go::print(change),
            Self::Apply => change.to_string(),
            Self::Json | Self::Merge => patched.to_string(),
        }
    }

    /// Applies a patch to an object at its version.
    ///
    /// # Errors
    /// Whatever the patch does not fit.
    pub(super) fn apply(
        self,
        schema: &Schema,
        api_version: &str,
        kind: &str,
        original: &Value,
        change: &Value,
    ) -> Result<Value, PatchError> {
        match self {
            Self::Json => patch::json(original, change),
            Self::Merge => patch::merge(original, change),
            Self::Strategic => patch::strategic(schema, api_version, kind, original, change),
            Self::Apply => patch::apply(schema, original, change),
        }
    }
}

/// 415, in the words of the router, which looks at the type before anything else does.
fn unsupported() -> Status {
    let mut status = Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
    status.details = json!({});
    status
}

/// `PATCH` of an object (or of its status).
pub(super) fn patch(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let kind = Kind::of(body::media_type(&asked.headers))?;
    let form = negotiate::form(&asked.headers)?;
    check_options(asked, kind)?;
    let options = write_options(asked, target, "PatchOptions")?;
    let validation = FieldValidation::of(&asked.query, "PatchOptions")?;
    let resource = &target.resource;
    let Decoded { value: change, complaints } = kind.read(&asked.body, &resource.kind)?;
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let api_version = resource.api_version(&target.version);
    let about_patch = kind.complaints(&change, complaints);
    let warned = parking_lot::Mutex::new(Vec::new());
    let finish = |patched: Value| {
        let mut found = Vec::new();
        let known = (server.schema(), api_version.as_str(), resource.kind.as_str());
        let patched = kind.typed(known, &change, patched, (validation, &about_patch), &mut found)?;
        found.extend(warnings::about(resource, &patched));
        *warned.lock() = found;
        Ok(convert::incoming(resource, &target.version, patched))
    };
    let subresource = target.subresource.as_deref();
    let (code, changed) = if kind == Kind::Apply {
        check_applied(target, &change)?;
        let apply = Apply { config: &change, force: asked.query.flag("force"), subresource };
        let (new, applied) = server.api.apply(&asked.user, &resource.store, &key, &options, apply, finish)?;
        (if new { 201 } else { 200 }, applied)
    } else {
        let change_one = |current: &Stored| {
            let original = if kind.may_see_owners(&change) {
                convert::shown(resource, &target.version, current)
            } else {
                convert::outgoing(resource, &target.version, current.value())
            };
            let patched = kind.apply(server.schema(), &api_version, &resource.kind, &original, &change)?;
            check_uid(resource, &original, &patched)?;
            finish(patched)
        };
        let api = &server.api;
        (200, api.change(&asked.user, &resource.store, &key, subresource, &options, change_one)?)
    };
    let writer = Writer::new(server, target, form, &asked.query);
    let mut reply = reply::bytes(code, "application/json", writer.bytes(&changed));
    reply::warn(&mut reply, &warned.into_inner());
    Ok(reply)
}

/// 422 for a patch of which no object of the kind can be made (`applyPatchToObject` and `jsonPatcher` of apiserver).
fn invalid(shown: String, why: &str) -> Status {
    let mut errors = Errors::default();
    errors.invalid("patch", &shown.into(), why);
    Status::invalid_kind("", "", "", &errors.into_vec())
}

/// A patch can't make another object of an object; a `PUT` of another one is a conflict instead.
fn check_uid(resource: &Resource, original: &Value, patched: &Value) -> Result<(), Status> {
    let (had, has) = (&original["metadata"]["uid"], &patched["metadata"]["uid"]);
    if has.is_null() || had == has {
        return Ok(());
    }
    let mut errors = Errors::default();
    errors.invalid("metadata.uid", has, "field is immutable");
    let name = text(&original["metadata"]["name"]);
    Err(Status::invalid(resource, name, &errors.into_vec()))
}

/// The rules about the options of patches.
pub(super) fn check_options(asked: &Asked, kind: Kind) -> Result<(), Status> {
    let mut errors = Errors::default();
    if kind == Kind::Apply {
        if asked.query.text("fieldManager").is_empty() {
            errors.required("fieldManager", "is required for apply patch");
        }
    } else if asked.query.get("force").is_some() {
        errors.forbidden("force", "may not be specified for non-apply patch");
    }
    let errors = errors.into_vec();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &errors))
}

/// What can be said about an applied object before it meets the live one.
fn check_applied(target: &Target, applied: &Value) -> Result<(), Status> {
    let (version, found) = (text(&applied["apiVersion"]), text(&applied["kind"]));
    let resource = &target.resource;
    if found != resource.kind || version != resource.api_version(&target.version) {
        return Err(Status::bad_request(format!("invalid object type: {}", gvk(version, found))));
    }
    let namespace = text(&applied["metadata"]["namespace"]);
    if !namespace.is_empty() && target.namespace.as_deref() != Some(namespace) {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !applied["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}
