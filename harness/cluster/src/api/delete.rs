//! Deleting objects: at once, after a grace period, or when the last finalizer is gone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Api, DeleteOptions, Status, User, WriteOptions,
    core::{refused, stamp},
    invalid::Errors,
    update::is_over,
    webhooks,
};
use crate::{
    resources::Resource,
    store::{Key, Need, StoreError, Stored},
};

/// Namespaces that stay.
const PERMANENT: [&str; 3] = ["default", "kube-system", "kube-public"];

impl Api {
    /// Deletes an object, or starts its graceful deletion. The answer is its last (or present) state.
    ///
    /// # Errors
    /// Whatever the API would answer.
    pub fn delete(
        &self,
        who: &User,
        resource: &str,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(resource)?;
        check_options(options)?;
        if resource.store == "namespaces" && PERMANENT.contains(&key.name.as_str()) {
            return Err(Status::forbidden(&resource, &key.name, "this namespace may not be deleted"));
        }
        if self.options().webhooks {
            let current = self.get(&resource.store, key)?;
            let write = WriteOptions { dry_run: options.dry_run, ..WriteOptions::default() };
            let call = webhooks::Call {
                old: Some(current.value()),
                ..webhooks::Call::new(who, &resource, "DELETE", &write)
            };
            webhooks::mutate(self, &call, &mut Value::Null)?;
            webhooks::validate(self, &call, &Value::Null)?;
        }
        loop {
            let current = self.get(&resource.store, key)?;
            check_preconditions(&resource, &current, options)?;
            let object = self.marked(&resource, current.value(), options);
            if options.dry_run {
                return Ok(Arc::new(Stored::unstored(current.with(object))));
            }
            let written = if is_over(&object) {
                self.store().delete(&resource.store, key, Some(current.revision()))
            } else if object == *current.value() {
                return Ok(current);
            } else {
                let marked = current.with(object);
                self.store().update_for(Need::End, &resource.store, key, Some(current.revision()), marked)
            };
            match written {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map_err(|e| refused(&resource, e)),
            }
        }
    }

    /// The object as one that is being deleted.
    fn marked(&self, resource: &Resource, current: &Value, options: &DeleteOptions) -> Value {
        let mut object = current.clone();
        let grace = grace(resource, current, options);
        let meta = &mut object["metadata"];
        let before = meta["deletionGracePeriodSeconds"].as_i64();
        if !meta["deletionTimestamp"].is_string() || before.is_some_and(|b| b > grace) {
            let end = self.clock().shown_now() + pulldrill_clock::seconds(grace);
            meta["deletionTimestamp"] = stamp(end);
            meta["deletionGracePeriodSeconds"] = json!(grace);
            if let Some(generation) = meta["generation"].as_i64() {
                meta["generation"] = json!(generation + 1);
            }
        }
        let finalizer = match policy(resource, options) {
            Some("Foreground") => Some("foregroundDeletion"),
            Some("Orphan") => Some("orphan"),
            _ => None,
        };
        if let Some(finalizer) = finalizer {
            if !meta["finalizers"].is_array() {
                meta["finalizers"] = json!([]);
            }
            if let Some(list) = meta["finalizers"].as_array_mut()
                && !list.iter().any(|f| f == finalizer)
            {
                list.push(finalizer.into());
            }
        }
        if resource.store == "namespaces" {
            if let Some(meta) = object["metadata"].as_object_mut() {
                meta.remove("deletionGracePeriodSeconds");
            }
            object["status"]["phase"] = "Terminating".into();
        }
        object
    }
}

/// How many seconds an object has left.
fn grace(resource: &Resource, object: &Value, options: &DeleteOptions) -> i64 {
    let unscheduled = object["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let ended = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if resource.store != "pods" || unscheduled || ended {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    options.grace_period_seconds.unwrap_or(own).max(0)
}

/// What becomes of the dependents. Jobs leave their pods behind unless told otherwise.
fn policy<'a>(resource: &Resource, options: &'a DeleteOptions) -> Option<&'a str> {
    let default = (resource.store == "jobs.batch").then_some("Orphan");
    options.propagation_policy.as_deref().or(default)
}

fn check_options(options: &DeleteOptions) -> Result<(), Status> {
    let Some(policy) = &options.propagation_policy else { return Ok(()) };
    let known = ["Foreground", "Background", "Orphan", "nil"];
    if known.contains(&policy.as_str()) {
        return Ok(());
    }
    let mut errors = Errors::default();
    errors.unsupported("propagationPolicy", &policy.as_str().into(), &known);
    Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &errors.into_vec()))
}

fn check_preconditions(resource: &Resource, current: &Stored, options: &DeleteOptions) -> Result<(), Status> {
    let name = current.meta("name");
    let differs = |wanted: &Option<String>, field: &str| {
        wanted.as_ref().filter(|w| w.as_str() != current.meta(field)).cloned()
    };
    let complain = |what: &str, wanted: &str, has: &str| {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the {what} in the precondition ({wanted}) does not \
             match the {what} in record ({has}). The object might have been deleted and then recreated",
            resource.kind
        );
        Err(Status::new(409, "Conflict", message))
    };
    if let Some(wanted) = differs(&options.uid, "uid") {
        return complain("UID", &wanted, current.meta("uid"));
    }
    if let Some(wanted) = differs(&options.resource_version, "resourceVersion") {
        return complain("ResourceVersion", &wanted, current.meta("resourceVersion"));
    }
    Ok(())
}
