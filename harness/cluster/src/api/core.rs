//! Reading and writing objects with the rules of the API: what HTTP requests and the cluster's own
//! controllers have in common. The rules of each verb are in modules of their own beside this one.

use std::sync::Arc;

use parking_lot::Mutex;
use pulldrill_clock::{Clock, seed};
use rand::RngExt;
use serde_json::Value;

use super::{
    AuthorizationMode, Status, User,
    access::{Attributes, Issuer, Policy, authorized},
};
use crate::{
    managed::Known,
    release::Release,
    resources::{Resource, Resources},
    schema::Schema,
    store::{Key, Store, StoreError, Stored},
};

/// The API of one cluster, below HTTP.
#[derive(Debug)]
pub struct Api {
    store: Arc<Store>,
    clock: Clock,
    resources: Resources,
    schema: Arc<Schema>,
    options: ApiOptions,
    names: Mutex<seed::Rng>,
    watches: Mutex<seed::Rng>,
    policy: Policy,
    issuer: Issuer,
    quotas: Mutex<()>,
    /// Who owns what was made lately.
    pub(super) known: Arc<Known>,
}

/// What an API does besides storing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiOptions {
    /// Namespaces have to exist. Without it the API is bare: good for tests of one controller.
    pub admission: bool,
    /// How many pods there may be in all namespaces.
    pub most_pods: Option<usize>,
    /// Pods get a service account, which has to exist, and what belongs to it.
    pub service_accounts: bool,
    /// Generated names come from this.
    pub seed: u64,
    /// The release that it imitates: what it serves and knows.
    pub release: Release,
    /// Nobody but masters writes what a lab takes as evidence, whatever roles say.
    pub guarded: bool,
    /// Admission webhooks on this machine are called; else their configurations are only kept.
    pub webhooks: bool,
    /// Who decides about what users may.
    pub authorization: AuthorizationMode,
}

/// The shortest time that the server ends a watch after, in seconds (`--min-request-timeout`); the longest is twice that.
const LEAST_WATCH: u32 = 1800;

/// Before this minor version tokens of service accounts were Secrets that a controller made.
const REQUESTED_TOKENS: u32 = 24;

impl ApiOptions {
    /// Whether service account tokens are Secrets, and much else is as it was then.
    pub(super) fn legacy(&self) -> bool {
        !self.release.since(REQUESTED_TOKENS)
    }
}

/// How a write is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Everything but the storing.
    pub dry_run: bool,
    /// Who manages the fields, for example `kubectl-create`; else the part of the cluster that the user is.
    pub field_manager: Option<String>,
    /// The version in which the writer speaks of the object; else the one in which it is stored.
    pub api_version: Option<String>,
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
    /// Only this version of it.
    pub resource_version: Option<String>,
    /// Everything but the storing.
    pub dry_run: bool,
}

impl Api {
    /// A bare API over a store: no admission, names from seed 0.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Clock) -> Self {
        Self::with_options(store, clock, ApiOptions::default())
    }

    /// The API over a store.
    #[must_use]
    pub fn with_options(store: Arc<Store>, clock: Clock, options: ApiOptions) -> Self {
        let names = Mutex::new(seed::rng(options.seed, "api/names"));
        let watches = Mutex::new(seed::rng(options.seed, "api/watches"));
        let (policy, issuer) = (Policy::default(), Issuer::default());
        Self {
            store,
            clock,
            resources: Resources::of(options.release),
            schema: Schema::of(options.release),
            options,
            names,
            watches,
            policy,
            issuer,
            quotas: Mutex::default(),
            known: Arc::default(),
        }
    }

    /// With what others of the process know of owners, which depends on nobody's objects.
    #[must_use]
    pub fn sharing(self, known: Arc<Known>) -> Self {
        Self { known, ..self }
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

    /// The resources that are served.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The types of the release.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What the stored roles and bindings grant.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where tokens of service accounts come from.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Held from the question whether there is room for an object until it is stored, so that two can't share a place.
    pub(super) fn quotas(&self) -> &Mutex<()> {
        &self.quotas
    }

    pub(crate) fn options(&self) -> &ApiOptions {
        &self.options
    }

    /// The release that the cluster says it is.
    pub(crate) fn release(&self) -> Release {
        self.options.release
    }

    /// Whether somebody may do something.
    pub(crate) fn allows(&self, user: &User, wanted: &Attributes<'_>) -> bool {
        authorized(self, user, wanted)
    }

    /// Draws from the generator of names.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut seed::Rng) -> T) -> T {
        draw(&mut self.names.lock())
    }

    /// How long a watch lasts, in seconds, whose client does not say: a different time for each, so that those who begin
    /// together don't come back together.
    pub(super) fn draw_watch(&self) -> i64 {
        let least = i64::from(LEAST_WATCH);
        self.watches.lock().random_range(least..2 * least)
    }

    /// The present time as objects are stamped with it.
    pub(crate) fn stamp(&self) -> Value {
        stamp(self.clock.shown_now())
    }

    /// A resource by its name in the store.
    ///
    /// # Errors
    /// 404 when there is no such resource.
    pub fn resource(&self, name: &str) -> Result<Arc<Resource>, Status> {
        self.resources.stored(name).ok_or_else(Status::no_such_path)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// 404.
    pub fn get(&self, resource: &str, key: &Key) -> Result<Arc<Stored>, Status> {
        match self.store.get(resource, key) {
            Some(found) => Ok(found),
            None => Err(Status::not_found(&*self.resource(resource)?, &key.name)),
        }
    }

    /// All objects of a resource, of one namespace or of all.
    #[must_use]
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        self.store.list(resource, namespace).0
    }
}

/// A time as objects carry it: whole seconds.
pub(super) fn stamp(at: pulldrill_clock::Timestamp) -> Value {
    pulldrill_clock::stamp(at).into()
}

/// What the API answers when the store refuses.
pub(super) fn refused(resource: &Resource, error: StoreError) -> Status {
    match error {
        StoreError::Exists { key, .. } => Status::exists(resource, &key.name),
        StoreError::NotFound { key, .. } => Status::not_found(resource, &key.name),
        StoreError::Conflict { key, .. } => Status::modified(resource, &key.name),
        StoreError::Compacted(_) => Status::expired(error.to_string()),
        StoreError::Full => Status::full(),
        StoreError::Ended => Status::new(404, "NotFound", error.to_string()),
        StoreError::Disk(_) => Status::internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_end_after_half_an_hour_to_an_hour() {
        let of = |seed: u64| {
            let clock = Clock::held_at(pulldrill_clock::Timestamp::UNIX_EPOCH);
            let options = ApiOptions { seed, ..ApiOptions::default() };
            let api = Api::with_options(Arc::new(Store::new(10)), clock, options);
            (0..100).map(|_| api.draw_watch()).collect::<Vec<_>>()
        };
        let (times, same, other) = (of(1), of(1), of(2));
        assert!(times.iter().all(|seconds| (1800..3600).contains(seconds)), "{times:?}");
        assert!(times.iter().any(|t| *t > 2700) && times.iter().any(|t| *t < 2700));
        assert!(times == same && times != other);
    }
}
