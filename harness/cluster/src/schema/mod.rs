//! What Kubernetes' built-in types look like: one table, and what follows from it: decoding of protobuf bodies,
//! checks of JSON bodies, merge keys for patches, OpenAPI documents. No I/O, and no rule that depends on an
//! object's state: validation and defaults are the API's.
//!
//! The facts are in `kubernetes.json`, made by `schema-tools/extract.py`; the sentences that `kubectl explain`
//! shows are in `descriptions.json`, the values of named strings in `enums.json`.

use std::sync::OnceLock;

mod canonical;
mod check;
mod descriptions;
mod enums;
pub mod openapi;
mod protobuf;
mod quantity;
mod scalars;
mod table;
mod types;
mod unknown;

pub use openapi::OpenApi;
pub use protobuf::DecodeError;
pub(crate) use scalars::is_zero;
pub use table::{Definition, Field, Schema, TableError};
pub use types::{Scalar, Type};

static TABLE: &[u8] = include_bytes!("kubernetes.json");

impl Schema {
    /// The table that is part of the program.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
        SCHEMA.get_or_init(|| Self::parse(TABLE).expect("the embedded schema table is well-formed"))
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
    fn imagepullsecrets_merge_in_pods_and_not_in_serviceaccounts() {
        let schema = Schema::embedded();
        let field = |definition, name| schema.field(schema.definition(definition).unwrap(), name).unwrap();
        assert_eq!(field("core.v1.PodSpec", "imagePullSecrets").merge_key.as_deref(), Some("name"));
        assert_eq!(field("core.v1.ServiceAccount", "imagePullSecrets").merge_key, None);
        assert!(field("core.v1.PodSpec", "volumes").has_strategy("retainKeys"));
    }
}
