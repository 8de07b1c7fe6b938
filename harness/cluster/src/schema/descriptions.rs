//! The sentences that `kubectl explain` shows: data in `descriptions.json`, by definition and field. The entry
//! `*` holds what fields of that name mean wherever nothing more exact is said.

use std::{collections::HashMap, sync::OnceLock};

static DATA: &[u8] = include_bytes!("descriptions.json");

type Table = HashMap<String, HashMap<String, String>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
    TABLE.get_or_init(|| serde_json::from_slice(DATA).expect("the embedded descriptions are well-formed"))
}

/// What is said about a field, or with an empty field about the type; empty when nothing is.
pub(super) fn of(definition: &str, field: &str) -> &'static str {
    let table = table();
    let own = table.get(definition).and_then(|fields| fields.get(field));
    let any = || table.get("*").and_then(|fields| fields.get(field));
    own.or_else(any).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_description_is_of_something() {
        let schema = Schema::embedded();
        for (name, fields) in table() {
            let Some(definition) = schema.definition(name) else {
                let known = [
                    "*",
                    "parameters",
                    "meta.v1.Patch",
                    "meta.v1.Time",
                    "meta.v1.MicroTime",
                    "meta.v1.FieldsV1",
                    "resource.Quantity",
                    "intstr.IntOrString",
                    "runtime.RawExtension",
                ];
                assert!(known.contains(&name.as_str()), "{name} is in no table");
                continue;
            };
            for field in fields.keys() {
                let known = field.is_empty() || schema.field(definition, field).is_some();
                assert!(known, "{name} has no field {field}");
            }
        }
    }

    #[test]
    fn the_words_of_the_lab_are_explained() {
        for (definition, field) in [
            ("core.v1.Pod", ""),
            ("core.v1.PodSpec", "imagePullSecrets"),
            ("core.v1.Container", "image"),
            ("core.v1.Container", "imagePullPolicy"),
            ("apps.v1.Deployment", "spec"),
            ("core.v1.ServiceAccount", "imagePullSecrets"),
            ("core.v1.ConfigMap", "metadata"),
        ] {
            assert!(!of(definition, field).is_empty(), "{definition}.{field}");
        }
        assert_eq!(of("core.v1.Pod", "unheard"), "");
    }
}
