//! From which release on fields are there: data in `since.json`, by definition and field. What it does not name is in
//! every release that is served. And which fields are there no more: `gone.json`, with what the table says of others.
//! Kinds and versions are not here: those are resources.

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use serde::Deserialize;

use crate::release::Release;

static DATA: &[u8] = include_bytes!("since.json");
static GONE: &[u8] = include_bytes!("gone.json");

/// A field that later releases don't have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gone {
    /// The number in protobuf.
    pub(super) n: u32,
    /// The type, in the table's notation.
    pub(super) t: String,
    /// The first minor version without it.
    pub(super) until: u32,
}

type GoneTable = BTreeMap<String, BTreeMap<String, Gone>>;

type Table = HashMap<String, Fields>;

/// The first minor version of each field that is not in all.
pub(super) type Fields = HashMap<String, u32>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
    TABLE.get_or_init(|| serde_json::from_slice(DATA).expect("the embedded spans are well-formed"))
}

/// The fields of a definition that not all releases have.
pub(super) fn of(definition: &str) -> &'static Fields {
    static NONE: OnceLock<Fields> = OnceLock::new();
    table().get(definition).unwrap_or_else(|| NONE.get_or_init(Fields::new))
}

/// The fields that later releases don't have: definition, name, the rest.
pub(super) fn gone() -> impl Iterator<Item = (&'static str, &'static str, &'static Gone)> {
    static TABLE: OnceLock<GoneTable> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
    let table =
        TABLE.get_or_init(|| serde_json::from_slice(GONE).expect("the embedded old fields are well-formed"));
    table.iter().flat_map(|(definition, fields)| {
        fields.iter().map(move |(name, field)| (definition.as_str(), name.as_str(), field))
    })
}

/// Whether a release has the fields of the newest one, and no others.
pub(super) fn is_newest(release: Release) -> bool {
    table().values().flat_map(HashMap::values).all(|minor| release.since(*minor))
        && gone().all(|(_, _, field)| release.since(field.until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_span_is_that_of_a_field() {
        let schema = Schema::embedded();
        for (name, fields) in table() {
            let definition = schema.definition(name).unwrap_or_else(|| panic!("{name} is in no table"));
            for (field, minor) in fields {
                assert!(definition.fields.iter().any(|f| f.name == *field), "{name} has no field {field}");
                assert!((21..=36).contains(minor), "{name}.{field} since 1.{minor}");
            }
        }
    }

    #[test]
    fn what_is_gone_is_in_no_table_and_has_no_taken_number() {
        let schema = Schema::embedded();
        for (definition, name, field) in gone() {
            let definition = schema.definition(definition).unwrap();
            assert!(schema.field(definition, name).is_none(), "{name}");
            assert!(definition.fields.iter().all(|other| other.number != field.n), "{name}");
        }
    }

    #[test]
    fn the_newest_release_has_everything_and_the_oldest_has_not() {
        assert!(is_newest(Release::default()) && is_newest(Release::minor(36)));
        assert!(!is_newest(Release::minor(20)) && !is_newest(Release::minor(35)));
        assert!(of("core.v1.Unheard").is_empty());
    }
}
