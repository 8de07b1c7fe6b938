//! What Kubernetes' built-in types look like: one table, and what follows from it: decoding of protobuf bodies,
//! checks of JSON bodies, merge keys for patches, OpenAPI documents. No I/O, and no rule that depends on an
//! object's state: validation and defaults are the API's.
//!
//! The facts are in `kubernetes.json`, made by `schema-tools/extract.py`; the sentences that `kubectl explain`
//! shows are in `descriptions/`, the values of named strings in `enums.json`, and since which release a field is
//! there in `since.json`, made by `schema-tools/since.py`.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use crate::release::Release;

mod canonical;
mod check;
mod descriptions;
mod enums;
pub mod openapi;
mod path;
mod protobuf;
mod prune;
mod quantity;
mod scalars;
mod since;
mod table;
mod types;

pub use check::Mismatch;
pub use openapi::OpenApi;
pub use protobuf::DecodeError;
pub(crate) use scalars::is_zero;
pub use table::{Definition, Field, Schema, TableError};
pub use types::{Scalar, Type};

static TABLE: &[u8] = include_bytes!("kubernetes.json");

/// Since this minor version small objects, such as references, have no owners for each of their fields.
const WHOLES: u32 = 21;

/// The tables of releases that lack something, made once.
static OLDER: Mutex<BTreeMap<Release, Arc<Schema>>> = Mutex::new(BTreeMap::new());

impl Schema {
    /// The table that is part of the program: the types of the newest release.
    #[must_use]
    pub fn embedded() -> &'static Self {
        Self::newest()
    }

    /// The types as a release knows them.
    #[must_use]
    pub fn of(release: Release) -> Arc<Self> {
        if since::is_newest(release) {
            return Self::newest().clone();
        }
        OLDER.lock().entry(release).or_insert_with(|| Arc::new(Self::newest().at(release))).clone()
    }

    /// Whether it has all there is.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        std::ptr::eq(self, Self::embedded())
    }

    fn newest() -> &'static Arc<Self> {
        static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
        #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
        SCHEMA.get_or_init(|| Arc::new(Self::parse(TABLE).expect("the embedded schema table is well-formed")))
    }

    /// This table with what a release has.
    fn at(&self, release: Release) -> Self {
        let mut older = self.clone();
        for definition in &mut older.definitions {
            let spans = since::of(&definition.name);
            definition
                .fields
                .retain(|field| spans.get(&field.name).is_none_or(|minor| release.since(*minor)));
            if !release.since(WHOLES) {
                definition.in_parts();
            }
        }
        for (definition, name, field) in since::gone().filter(|(_, _, field)| !release.since(field.until)) {
            older.add_field(definition, name, field.n, &field.t);
        }
        older.place_fields();
        older
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_group_and_version() {
        let schema = Schema::embedded();
        for (api_version, kind, name) in [
            ("v1", "Pod", Some("core.v1.Pod")),
            ("apps/v1", "Deployment", Some("apps.v1.Deployment")),
            ("rbac.authorization.k8s.io/v1", "RoleBinding", Some("rbac.v1.RoleBinding")),
            ("batch/v1beta1", "CronJob", Some("batch.v1beta1.CronJob")),
            ("apps/v1", "DeleteOptions", Some("meta.v1.DeleteOptions")),
            ("v1", "Container", None),
            ("apps/v2", "Deployment", None),
        ] {
            let found = schema.kind(api_version, kind).map(|d| d.name.as_str());
            assert_eq!(found, name, "{api_version} {kind}");
        }
    }

    #[test]
    fn inlined_fields_are_part_of_the_object() {
        let schema = Schema::embedded();
        let volume = schema.definition("core.v1.Volume").unwrap();
        assert_eq!(schema.field(volume, "secret").unwrap().notation, "core.v1.SecretVolumeSource");
        assert!(schema.field(volume, "volumeSource").is_none());
        assert!(schema.fields(volume).iter().any(|f| f.name == "emptyDir"));
    }

    #[test]
    fn releases_know_the_fields_that_they_have() {
        for (minor, definition, field, there) in [
            (20, "core.v1.PodSpec", "schedulingGates", false),
            (20, "core.v1.PodSpec", "imagePullSecrets", true),
            (25, "core.v1.PodSpec", "schedulingGates", false),
            (26, "core.v1.PodSpec", "schedulingGates", true),
            (31, "core.v1.Volume", "image", true),
            (30, "core.v1.Volume", "image", false),
            (31, "core.v1.PodStatus", "observedGeneration", false),
            (36, "core.v1.PodStatus", "observedGeneration", true),
            (20, "batch.v1.JobSpec", "suspend", false),
            (20, "meta.v1.ObjectMeta", "clusterName", true),
            (31, "meta.v1.ObjectMeta", "clusterName", false),
            (20, "meta.v1.ObjectMeta", "uid", true),
        ] {
            let schema = Schema::of(Release::minor(minor));
            let found = schema.field(schema.definition(definition).unwrap(), field);
            assert_eq!(found.is_some(), there, "{definition}.{field} in 1.{minor}");
        }
    }

    #[test]
    fn references_had_parts_once() {
        let whole = |minor, name| Schema::of(Release::minor(minor)).definition(name).unwrap().atomic;
        assert!(!whole(20, "meta.v1.OwnerReference") && whole(31, "meta.v1.OwnerReference"));
        assert!(whole(20, "meta.v1.LabelSelector"), "these were the first");
        let old = Schema::of(Release::minor(20));
        let service = old.definition("core.v1.ServiceSpec").unwrap();
        assert_eq!(old.field(service, "selector").unwrap().list_type, None);
        assert!(
            old.field(service, "externalIPs").unwrap().list_type.is_some(),
            "lists without keys never had parts"
        );
    }

    #[test]
    fn tables_of_releases_are_made_once_and_the_newest_is_the_whole() {
        let whole = Schema::of(Release::default());
        assert!(std::ptr::eq(&*whole, Schema::embedded()));
        assert!(Arc::ptr_eq(&whole, &Schema::of(Release::minor(36))));
        assert!(Arc::ptr_eq(&Schema::of(Release::minor(20)), &Schema::of(Release::minor(20))));
    }

    #[test]
    fn imagepullsecrets_merge_in_pods_and_not_in_serviceaccounts() {
        let schema = Schema::embedded();
        let field = |definition, name| schema.field(schema.definition(definition).unwrap(), name).unwrap();
        assert_eq!(field("core.v1.PodSpec", "imagePullSecrets").merge_key.as_deref(), Some("name"));
        assert_eq!(field("core.v1.ServiceAccount", "imagePullSecrets").merge_key, None);
        assert!(field("core.v1.PodSpec", "volumes").has_strategy("retainKeys"));
    }
}
