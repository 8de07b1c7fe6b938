//! Server-side apply: creates the object or merges into it, with the rules about who owns which fields.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Api, Status, User, WriteOptions, certificates, json::text};
use crate::{
    managed::{self, ApplyError, ManagedFields, Operation, Write},
    patch::PatchError,
    resources::Resource,
    store::{Body, Key, Stored},
};

/// What is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The object, in the version in which the writer speaks of it.
    pub config: &'a Value,
    /// Whether other owners of what changes lose it.
    pub force: bool,
    /// Through which subresource.
    pub subresource: Option<&'a str>,
}

impl From<PatchError> for Status {
    fn from(error: PatchError) -> Self {
        let mut status = Self::new(error.code(), error.reason(), error.to_string());
        if error == PatchError::Rejected {
            status.details = json!({});
        }
        status
    }
}

impl From<ApplyError> for Status {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Patch(error) => error.into(),
            ApplyError::Conflict(conflicts) => {
                let mut status = Self::new(409, "Conflict", conflicts.message());
                status.details = json!({"causes": conflicts.causes()});
                status
            }
        }
    }
}

impl Api {
    /// Applies an object. `finish` makes of the merged object, in the writer's version, what is to be stored.
    /// The answer says whether the object is new.
    ///
    /// # Errors
    /// Whatever the API would answer: conflicts with other managers, above all.
    pub fn apply(
        &self,
        who: &User,
        resource: &str,
        key: &Key,
        options: &WriteOptions,
        apply: Apply<'_>,
        finish: impl Fn(Value) -> Result<Value, Status>,
    ) -> Result<(bool, Arc<Stored>), Status> {
        let resource = self.resource(resource)?;
        let write = self.applier(who, &resource, apply, options);
        loop {
            if apply.subresource.is_none() && self.store().get(&resource.store, key).is_none() {
                match self.apply_new(who, &resource, key, options, apply, &finish) {
                    // Somebody else was faster.
                    Err(status) if status.reason == "AlreadyExists" && !options.dry_run => continue,
                    other => return other.map(|made| (true, made)),
                }
            }
            let changed = self.write(who, &resource, key, options, apply.subresource, |current| {
                let live = current.value();
                let owners = current.managed().clone();
                let applied =
                    managed::apply(&self.views(&resource), live, apply.config, owners, &write, apply.force)?;
                let object = self.prepare(&resource, apply.subresource, live, finish(applied.object)?)?;
                certificates::may_decide(self, who, &resource, apply.subresource, live, &object)?;
                Ok(Body { value: object, managed: applied.managed })
            });
            return changed.map(|changed| (false, changed));
        }
    }

    fn applier(&self, who: &User, resource: &Resource, apply: Apply<'_>, options: &WriteOptions) -> Write {
        let mut write = self.writer(who, resource, apply.subresource, options);
        write.owner.operation = Operation::Apply;
        write
    }

    fn apply_new(
        &self,
        who: &User,
        resource: &Resource,
        key: &Key,
        options: &WriteOptions,
        apply: Apply<'_>,
        finish: impl Fn(Value) -> Result<Value, Status>,
    ) -> Result<Arc<Stored>, Status> {
        let config = apply.config;
        let write = self.applier(who, resource, apply, options);
        let live = json!({"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {}});
        let applied = managed::apply(
            &self.views(resource),
            &live,
            config,
            ManagedFields::default(),
            &write,
            apply.force,
        )?;
        let uid = text(&applied.object["metadata"]["uid"]);
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Status::conflict(resource, &key.name, &why));
        }
        check_name(&applied.object, &key.name)?;
        let object = finish(applied.object)?;
        self.create_owned(who, resource, &key.namespace, object, options, |_| applied.managed)
    }
}

/// A new object must say the name that the path says.
fn check_name(object: &Value, name: &str) -> Result<(), Status> {
    match text(&object["metadata"]["name"]) {
        "" => Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        own if own != name => Err(Status::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
}
