//! Changing objects: what a write may touch, what it leaves alone, and when it changes nothing.

use std::sync::Arc;

use parking_lot::MutexGuard;
use serde_json::{Value, json};

use super::{
    Api, Status, User, WriteOptions, access, admission, certificates, core::refused, defaults,
    invalid::Errors, json::is_nothing, kinds, managing, quota, template_generation, validate, webhooks,
};
use crate::{
    resources::Resource,
    store::{Body, Key, Need, StoreError, Stored},
};

/// Metadata that belongs to the server.
const SERVER_METADATA: [&str; 6] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "selfLink",
];

impl Api {
    /// Replaces an object by another version of it. A `metadata.resourceVersion` in it must be the present
    /// one. With a subresource (`status`, `scale`, …) only its fields are taken.
    ///
    /// # Errors
    /// Whatever the API would answer.
    pub fn update(
        &self,
        who: &User,
        resource: &str,
        key: &Key,
        subresource: Option<&str>,
        object: &Value,
        options: &WriteOptions,
    ) -> Result<Arc<Stored>, Status> {
        self.change(who, resource, key, subresource, options, |_| Ok(object.clone()))
    }

    /// Reads, changes and writes an object, again if somebody else wrote in between. With a subresource
    /// (`status`, `scale`) only its fields are taken from the result. A change that changes nothing writes
    /// nothing.
    ///
    /// # Errors
    /// Whatever the API would answer.
    pub fn modify(
        &self,
        who: &User,
        resource: &str,
        key: &Key,
        subresource: Option<&str>,
        change: impl Fn(&mut Value),
    ) -> Result<Arc<Stored>, Status> {
        self.change(who, resource, key, subresource, &WriteOptions::default(), |current| {
            let mut object = current.value().clone();
            change(&mut object);
            Ok(object)
        })
    }

    /// The one path of all changes: `change` makes the new version from the present one, again after
    /// somebody else wrote.
    ///
    /// # Errors
    /// Whatever the API would answer.
    pub fn change(
        &self,
        who: &User,
        resource: &str,
        key: &Key,
        subresource: Option<&str>,
        options: &WriteOptions,
        change: impl Fn(&Stored) -> Result<Value, Status>,
    ) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(resource)?;
        let writer = self.writer(who, &resource, subresource, options);
        self.write(who, &resource, key, options, subresource, |current| {
            let mut wanted = change(current)?;
            let claim = managing::claim(&mut wanted);
            let object = self.prepare(&resource, subresource, current.value(), wanted)?;
            certificates::may_decide(self, who, &resource, subresource, current.value(), &object)?;
            let managed = self.updated(&resource, subresource, current, &object, claim, &writer);
            Ok(Body { value: object, managed })
        })
    }

    /// Writes what `make` makes of the present version, again after somebody else wrote; nothing if that is the
    /// same.
    pub(super) fn write(
        &self,
        who: &User,
        resource: &Resource,
        key: &Key,
        options: &WriteOptions,
        subresource: Option<&str>,
        make: impl Fn(&Stored) -> Result<Body, Status>,
    ) -> Result<Arc<Stored>, Status> {
        loop {
            let current = self.get(&resource.store, key)?;
            let mut object = make(&current)?;
            let call = webhooks::Call {
                old: Some(current.value()),
                subresource,
                ..webhooks::Call::new(who, resource, "UPDATE", options)
            };
            if webhooks::mutate(self, &call, &mut object.value)? && subresource.is_none() {
                let mut errors = Errors::of(self.options().release);
                validate::changed_object(resource, current.value(), &object.value, &mut errors);
                self.refuse_invalid(resource, &object.value, errors)?;
            }
            webhooks::validate(self, &call, &object.value)?;
            if object.value == *current.value() && object.managed.same_but_times(current.managed()) {
                return Ok(current);
            }
            access::check_escalation(self, who, resource, Some(current.value()), &object.value)?;
            let _turn = self.judge_change(resource, current.value(), &object.value)?;
            if options.dry_run {
                return Ok(Arc::new(Stored::unstored(object)));
            }
            let over = is_over(&object.value);
            let need = if over { Need::End } else { need(subresource) };
            let mut written =
                self.store().update_for(need, &resource.store, key, Some(current.revision()), object);
            if let (true, Ok(last)) = (over, &written) {
                written = self.store().delete(&resource.store, key, Some(last.revision()));
            }
            match written {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map_err(|e| refused(resource, e)),
            }
        }
    }

    /// Refuses a change beyond the quotas; until what is returned is dropped, nobody else is told that there is room.
    fn judge_change(
        &self,
        resource: &Resource,
        old: &Value,
        new: &Value,
    ) -> Result<Option<MutexGuard<'_, ()>>, Status> {
        let counts = self.options().admission && quota::concerns_changes(resource);
        if !counts || old["spec"] == new["spec"] {
            return Ok(None);
        }
        let turn = self.quotas().lock();
        admission::judge_change(self, resource, old, new)?;
        Ok(Some(turn))
    }

    /// The new version as it would be stored.
    pub(super) fn prepare(
        &self,
        resource: &Resource,
        subresource: Option<&str>,
        old: &Value,
        mut new: Value,
    ) -> Result<Value, Status> {
        let name = old["metadata"]["name"].as_str().unwrap_or_default();
        if !new.is_object() {
            return Err(Status::bad_request(format!("{} must be an object", resource.kind)));
        }
        check_identity(resource, name, old, &new)?;
        new["apiVersion"] = old["apiVersion"].clone();
        new["kind"] = old["kind"].clone();
        keep_server_metadata(old, &mut new);
        let mut object = match subresource {
            None => main_fields(resource, old, new),
            Some(subresource) => {
                let mut object = subresource_fields(subresource, old, &new);
                if certificates::is_request(resource) {
                    certificates::decided(subresource, old, &new, &mut object, &self.stamp());
                }
                object
            }
        };
        template_generation::count(resource, Some(old), &mut object);
        if object == *old {
            return Ok(object);
        }
        if matches!(subresource, None | Some("ephemeralcontainers")) {
            self.default_fields(resource, &mut object);
            admission::admit_change(self, resource, old, &mut object)?;
            defaults::generate(resource, &mut object);
            self.as_of_release(resource, &mut object);
        }
        if !matches!(
            subresource,
            Some("status" | "approval" | "binding" | "finalize" | "ephemeralcontainers")
        ) {
            let mut errors = Errors::of(self.options().release);
            validate::changed_object(resource, old, &object, &mut errors);
            self.refuse_invalid(resource, &object, errors)?;
        }
        if let Some(subresource) = subresource
            && certificates::is_request(resource)
        {
            let mut errors = Errors::of(self.options().release);
            certificates::check_decision(subresource, old, &object, &mut errors);
            self.refuse_invalid(resource, &object, errors)?;
        }
        if subresource == Some("status") {
            let mut errors = Errors::of(self.options().release);
            validate::changed_status(resource, &object, &mut errors);
            self.refuse_invalid(resource, &object, errors)?;
        }
        if subresource == Some("ephemeralcontainers") {
            let mut errors = Errors::of(self.options().release);
            validate::changed_ephemeral(old, &object, &mut errors);
            self.refuse_invalid(resource, &object, errors)?;
        }
        // That a pod has got its node is no change of what is wanted.
        if kinds::has_generation(&resource.store)
            && subresource != Some("binding")
            && object["spec"] != old["spec"]
            && let Some(generation) = old["metadata"]["generation"].as_i64()
        {
            object["metadata"]["generation"] = json!(generation + 1);
        }
        Ok(object)
    }
}

/// What a change needs room for.
fn need(subresource: Option<&str>) -> Need {
    if subresource == Some("status") { Need::Status } else { Need::Change }
}

fn check_identity(resource: &Resource, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let (old, new) = (&old["metadata"], &new["metadata"]);
    let text = |meta: &Value, field: &str| meta[field].as_str().unwrap_or_default().to_owned();
    let new_name = text(new, "name");
    if !new_name.is_empty() && new_name != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({new_name}) does not match the name on the URL ({name})"
        )));
    }
    let (namespace, own) = (text(new, "namespace"), text(old, "namespace"));
    if !namespace.is_empty() && namespace != own {
        return Err(Status::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({own})"
        )));
    }
    let version = text(new, "resourceVersion");
    // Zero is no version either.
    if !matches!(version.as_str(), "" | "0") && version != text(old, "resourceVersion") {
        return Err(Status::modified(resource, name));
    }
    let (had, has) = (text(old, "uid"), text(new, "uid"));
    if !has.is_empty() && has != had {
        let why = format!("Precondition failed: UID in precondition: {has}, UID in object meta: {had}");
        return Err(Status::conflict(resource, name, &why));
    }
    Ok(())
}

/// Restores what only the server writes.
fn keep_server_metadata(old: &Value, new: &mut Value) {
    if !new["metadata"].is_object() {
        new["metadata"] = json!({});
    }
    let (Some(old), Some(new)) = (old["metadata"].as_object(), new["metadata"].as_object_mut()) else {
        return;
    };
    for field in ["name", "namespace", "uid", "generateName"].iter().chain(&SERVER_METADATA) {
        match old.get(*field) {
            // To say that something is to be deleted is a mistake, and not passed over.
            None if validate::DELETION.contains(field) => {}
            Some(value) => drop(new.insert((*field).to_owned(), value.clone())),
            None => drop(new.remove(*field)),
        }
    }
    new.retain(|_, value| !is_nothing(value));
}

/// A write of the object itself: its status stays, where that has a subresource of its own.
fn main_fields(resource: &Resource, old: &Value, mut new: Value) -> Value {
    if resource.subresource("status").is_some()
        && let Some(fields) = new.as_object_mut()
    {
        match old.get("status") {
            Some(status) => drop(fields.insert("status".into(), status.clone())),
            None => drop(fields.remove("status")),
        }
    }
    if resource.store == "namespaces" && old["spec"]["finalizers"].is_array() {
        new["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
    }
    if certificates::is_request(resource) {
        new["spec"] = old["spec"].clone();
    }
    new
}

/// A write of one subresource: only its fields are taken.
fn subresource_fields(subresource: &str, old: &Value, new: &Value) -> Value {
    let mut object = old.clone();
    match subresource {
        "status" | "approval" => {
            object["status"] = new["status"].clone();
            // Controllers write annotations along with the status.
            match new["metadata"].get("annotations").filter(|annotations| !is_nothing(annotations)) {
                Some(annotations) => object["metadata"]["annotations"] = annotations.clone(),
                None => drop(object["metadata"].as_object_mut().map(|meta| meta.remove("annotations"))),
            }
        }
        "scale" => object["spec"]["replicas"] = new["spec"]["replicas"].clone(),
        "finalize" => object["spec"]["finalizers"] = new["spec"]["finalizers"].clone(),
        "binding" => {
            object["spec"]["nodeName"] = new["spec"]["nodeName"].clone();
            object["status"] = new["status"].clone();
        }
        "ephemeralcontainers" => {
            object["spec"]["ephemeralContainers"] = new["spec"]["ephemeralContainers"].clone();
        }
        _ => {}
    }
    for part in ["spec", "status"] {
        if let Some(fields) = object[part].as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        } else if object[part].is_null()
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove(part);
        }
    }
    object
}

/// Whether an object that is being deleted has nothing left to wait for.
pub(super) fn is_over(object: &Value) -> bool {
    let meta = &object["metadata"];
    let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    let graceful = object["kind"] == "Pod" && meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0;
    let finalized = object["kind"] != "Namespace" || none(&object["spec"]["finalizers"]);
    meta["deletionTimestamp"].is_string() && none(&meta["finalizers"]) && !graceful && finalized
}
