//! What every controller needs to act: the API under its own name, its events, the wording, the time.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    json::stamp,
    meta::{deleting, uid},
    ownership::Ownership,
    wording::Wording,
};
use crate::{
    api::{Api, Attributes, DeleteOptions, Status, User, WriteOptions},
    dialect::Dialect,
    recorder::{Kind, Recorder},
    release::Release,
    store::{Key, Stored},
};

/// One controller's access to the cluster.
pub(crate) struct Deps {
    api: Arc<Api>,
    user: User,
    recorder: Recorder,
    /// Who owns what.
    pub(crate) ownership: Ownership,
    /// What differs between releases.
    pub(crate) wording: &'static Wording,
}

impl Deps {
    /// The access of the controller of this name.
    pub(crate) fn new(api: &Arc<Api>, dialect: &Arc<Dialect>, name: &str) -> Self {
        let recorder = Recorder::new(api.clone(), api.clock().clone(), name, None, dialect.clone());
        let wording = Wording::of(&dialect.id);
        Self {
            api: api.clone(),
            user: User::controller(name),
            recorder,
            ownership: Ownership::default(),
            wording,
        }
    }

    /// The same with an index of owners that others have as well.
    pub(crate) fn sharing(self, ownership: &Ownership) -> Self {
        Self { ownership: ownership.clone(), ..self }
    }

    /// The scheduler's access: its events have a form of their own.
    pub(crate) fn scheduler(api: &Arc<Api>, dialect: &Arc<Dialect>, name: &str) -> Self {
        let recorder = Recorder::modern(api.clone(), api.clock().clone(), name, dialect.clone());
        Self { recorder, ..Self::new(api, dialect, name) }
    }

    /// The time that objects are stamped with.
    pub(crate) fn now(&self) -> Timestamp {
        self.api.clock().shown_now()
    }

    /// [`Deps::now`] in the API's form.
    pub(crate) fn stamp(&self) -> String {
        stamp(self.now())
    }

    /// One object.
    pub(crate) fn get(&self, resource: &str, key: &Key) -> Option<Arc<Stored>> {
        self.api.store().get(resource, key)
    }

    /// The objects of a namespace, or of all.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        self.api.store().list(resource, namespace).0
    }

    /// The pods that are meant for a node.
    pub(crate) fn pods_on(&self, node: &str) -> impl Iterator<Item = Arc<Stored>> {
        let pods = self.list("pods", None).into_iter();
        pods.filter(move |pod| pod.value()["spec"]["nodeName"] == node)
    }

    /// The names of all resources that have objects.
    pub(crate) fn resources(&self) -> Vec<Arc<str>> {
        self.api.store().resources()
    }

    /// Creates an object.
    pub(crate) fn create(
        &self,
        resource: &str,
        namespace: &str,
        object: Value,
    ) -> Result<Arc<Stored>, Status> {
        self.api.create(&self.user, resource, namespace, object, &WriteOptions::default())
    }

    /// Changes an object, except its status.
    pub(crate) fn edit(
        &self,
        resource: &str,
        key: &Key,
        change: impl Fn(&mut Value),
    ) -> Result<Arc<Stored>, Status> {
        self.api.modify(&self.user, resource, key, None, change)
    }

    /// Changes a subresource of an object.
    pub(crate) fn edit_sub(
        &self,
        resource: &str,
        key: &Key,
        subresource: &str,
        change: impl Fn(&mut Value),
    ) -> Result<Arc<Stored>, Status> {
        self.api.modify(&self.user, resource, key, Some(subresource), change)
    }

    /// Replaces an object's status; writes nothing if it is the same.
    pub(crate) fn write_status(
        &self,
        resource: &str,
        key: &Key,
        status: &Value,
    ) -> Result<Arc<Stored>, Status> {
        self.edit_sub(resource, key, "status", |object| object["status"] = status.clone())
    }

    /// Deletes an object in the background way; one that is gone already is no failure.
    pub(crate) fn delete(&self, resource: &str, object: &Value) -> Result<(), Status> {
        self.delete_as(resource, object, "Background")
    }

    /// Deletes an object with a propagation policy.
    pub(crate) fn delete_as(&self, resource: &str, object: &Value, policy: &str) -> Result<(), Status> {
        let options = DeleteOptions {
            propagation_policy: Some(policy.to_owned()),
            uid: Some(uid(object).to_owned()),
            ..DeleteOptions::default()
        };
        match self.api.delete(&self.user, resource, &Key::of(object), &options) {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }

    /// Removes an object without its grace period.
    pub(crate) fn delete_now(&self, resource: &str, object: &Value) -> Result<(), Status> {
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(uid(object).to_owned()),
            ..DeleteOptions::default()
        };
        match self.api.delete(&self.user, resource, &Key::of(object), &options) {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }

    /// What the objects of a quota's namespace use of what it limits.
    pub(crate) fn quota_used(&self, quota: &Value) -> crate::api::quantity::Amounts {
        crate::api::quota::used(self.api.store(), quota)
    }

    /// A new token of a ServiceAccount, for a Secret to hold.
    pub(crate) fn token_for_secret(&self, account: &Value, secret: &Key) -> Result<String, Status> {
        self.api.issuer().issue_for_secret(Key::of(account), uid(account), secret, self.api.clock().now())
    }

    /// The release that the cluster says it is.
    pub(crate) fn release(&self) -> Release {
        self.api.release()
    }

    /// Whether somebody may do something.
    pub(crate) fn may(&self, user: &User, wanted: &Attributes<'_>) -> bool {
        self.api.allows(user, wanted)
    }

    /// Whether nothing new may be made in a namespace.
    pub(crate) fn namespace_ends(&self, namespace: &str) -> bool {
        self.get("namespaces", &Key::new("", namespace)).is_some_and(|ns| deleting(ns.value()))
    }

    /// Records an ordinary event about an object.
    pub(crate) fn normal(&self, about: &Value, reason: &str, message: &str) {
        self.recorder.event(about, None, Kind::Normal, reason, message);
    }

    /// Records a warning about an object.
    pub(crate) fn warning(&self, about: &Value, reason: &str, message: &str) {
        self.recorder.event(about, None, Kind::Warning, reason, message);
    }
}
