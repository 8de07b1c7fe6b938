//! Creating objects.

use std::sync::Arc;

use pulldrill_clock::secret;
use serde_json::{Value, json};

use super::{
    Api, Status, User, WriteOptions, access, admission, certificates, core::refused, defaults,
    invalid::Errors, json::is_nothing, kinds, legacy, managing, names, template_generation, validate,
    webhooks, zero_times,
};
use crate::{
    managed::ManagedFields,
    resources::Resource,
    store::{Body, Key, StoreError, Stored},
};

/// What the metadata of a new object can't have, whatever a client says.
const NOT_YET: [&str; 5] =
    ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"];

impl Api {
    /// Creates an object. `resource` is the plural name, with the group where there is one
    /// (`deployments.apps`).
    ///
    /// # Errors
    /// Whatever the API would answer: validation, admission, a taken name.
    pub fn create(
        &self,
        who: &User,
        resource: &str,
        namespace: &str,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Stored>, Status> {
        let resource = self.resource(resource)?;
        let claim = managing::claim(&mut object);
        let writer = self.writer(who, &resource, None, options);
        let owned = |object: &Value| self.created(&resource, object, claim, &writer);
        self.create_owned(who, &resource, namespace, object, options, owned)
    }

    /// Creates an object whose fields belong to those whom `owned` names, asked before admission adds its own.
    pub(super) fn create_owned(
        &self,
        who: &User,
        resource: &Resource,
        namespace: &str,
        mut object: Value,
        options: &WriteOptions,
        owned: impl FnOnce(&Value) -> ManagedFields,
    ) -> Result<Arc<Stored>, Status> {
        self.name(resource, namespace, &mut object)?;
        if self.options().admission && resource.namespaced {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            admission::namespace_open(self, resource, namespace, name)?;
        }
        self.begin_life(resource, &mut object);
        self.default_fields(resource, &mut object);
        let managed = owned(&object);
        defaults::generate(resource, &mut object);
        certificates::begin(who, resource, &mut object)?;
        admission::admit(self, who, resource, &mut object)?;
        let call = webhooks::Call::new(who, resource, "CREATE", options);
        webhooks::mutate(self, &call, &mut object)?;
        access::check_escalation(self, who, resource, None, &object)?;
        self.as_of_release(resource, &mut object);
        let mut errors = Errors::of(self.options().release);
        validate::new_object(resource, &object, &mut errors);
        certificates::check_new(self, resource, &object, options, &mut errors);
        self.refuse_invalid(resource, &object, errors)?;
        certificates::admit(resource, &object)?;
        webhooks::validate(self, &call, &object)?;
        let key = Key::of(&object);
        let _turn = if self.options().admission && resource.namespaced {
            let turn = self.quotas().lock();
            admission::judge(self, resource, &object)?;
            Some(turn)
        } else {
            None
        };
        if options.dry_run {
            if self.store().get(&resource.store, &key).is_some() {
                return Err(self.exists(resource, &key));
            }
            return Ok(Arc::new(Stored::unstored(Body { value: object, managed })));
        }
        self.store().create(&resource.store, key.clone(), Body { value: object, managed }).map_err(|error| {
            match error {
                StoreError::Exists { .. } => self.exists(resource, &key),
                other => refused(resource, other),
            }
        })
    }

    /// The name is taken, even if not for long.
    fn exists(&self, resource: &Resource, key: &Key) -> Status {
        let mut status = Status::exists(resource, &key.name);
        let present = self.store().get(&resource.store, key);
        if present.is_some_and(|object| !object.meta("deletionTimestamp").is_empty()) {
            status.message.insert_str(0, "object is being deleted: ");
        }
        status
    }

    /// Fills in what the path says, and a generated name.
    fn name(&self, resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
        if !object.is_object() {
            return Err(Status::bad_request(format!("{} must be an object", resource.kind)));
        }
        object["apiVersion"] = resource.stored_in.clone().into();
        object["kind"] = resource.kind.clone().into();
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let meta = &mut object["metadata"];
        if meta["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
            return Err(Status::internal("resourceVersion should not be set on objects to be created"));
        }
        let named = meta["name"].as_str().is_some_and(|n| !n.is_empty());
        if let Some(base) = meta["generateName"].as_str().filter(|b| !named && !b.is_empty()) {
            meta["name"] = self.draw(|rng| names::generate(base, rng)).into();
        }
        if resource.namespaced {
            let own = meta["namespace"].as_str().unwrap_or_default();
            if !own.is_empty() && own != namespace {
                return Err(Status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            meta["namespace"] = namespace.into();
        } else if let Some(meta) = meta.as_object_mut() {
            meta.remove("namespace");
        }
        Ok(())
    }

    /// Identity, time and the empty status of a new object.
    fn begin_life(&self, resource: &Resource, object: &mut Value) {
        let stamp = self.stamp();
        if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.retain(|name, value| !is_nothing(value) && !NOT_YET.contains(&name.as_str()));
            meta.insert("uid".into(), secret::uid().into());
            meta.insert("creationTimestamp".into(), stamp);
            if kinds::has_generation(&resource.store) {
                meta.insert("generation".into(), json!(1));
            }
        }
        template_generation::count(resource, None, object);
        if resource.subresource("status").is_some() && !kinds::keeps_status_when_new(&resource.store) {
            match kinds::new_status(&resource.store) {
                Some(status) => object["status"] = status,
                None => object["status"] = json!({}),
            }
        }
    }

    /// Fills in the defaults that the release has.
    pub(super) fn default_fields(&self, resource: &Resource, object: &mut Value) {
        defaults::apply(resource, object);
        if !self.schema().is_newest() {
            self.schema().prune(&resource.stored_in, &resource.kind, object);
        }
    }

    /// Takes out what the release does not write yet, and puts in what later ones don't write any more.
    pub(super) fn as_of_release(&self, resource: &Resource, object: &mut Value) {
        if self.options().legacy() {
            legacy::strip(resource, object);
        }
        if zero_times::WRITTEN.has(self.options().release) {
            zero_times::write(resource, object);
        }
    }

    /// 422 when there is anything to complain about.
    pub(super) fn refuse_invalid(
        &self,
        resource: &Resource,
        object: &Value,
        errors: Errors,
    ) -> Result<(), Status> {
        let mut errors = errors.into_vec();
        if errors.is_empty() {
            return Ok(());
        }
        validate::wording::put(&mut errors, self.options().release);
        if resource.store == "cronjobs.batch" {
            validate::cron_job::put(&mut errors, object, self.options().release);
        }
        Err(Status::invalid(resource, object["metadata"]["name"].as_str().unwrap_or_default(), &errors))
    }
}
