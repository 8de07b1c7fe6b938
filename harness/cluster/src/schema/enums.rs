//! The values that named strings may have: data in `enums.json`, by type. They are told in OpenAPI documents and so
//! by `kubectl explain`; what is refused is up to validation.

use std::{collections::HashMap, sync::OnceLock};

use crate::release::Release;

static DATA: &[u8] = include_bytes!("enums.json");

type Table = HashMap<String, Vec<String>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
    TABLE.get_or_init(|| serde_json::from_slice(DATA).expect("the embedded values are well-formed"))
}

/// Since this minor version documents tell the values.
const TOLD: u32 = 24;

/// The values of a type in the table's notation (`core.v1.PullPolicy=string`) as a release tells them; none when any
/// string will do.
pub(super) fn of(notation: &str, release: Release) -> &'static [String] {
    if !release.since(TOLD) {
        return &[];
    }
    let name = notation.split_once('=').map_or(notation, |(name, _)| name);
    table().get(name).map_or(&[], Vec::as_slice)
}

/// What a description says of them at its end, as the API server has it.
pub(super) fn sentence(values: &[String]) -> String {
    let lines: Vec<String> = values.iter().map(|value| format!("\n - `{value:?}`")).collect();
    if lines.is_empty() { String::new() } else { format!("\n\nPossible enum values:{}", lines.concat()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_type_with_values_is_that_of_a_field() {
        let schema = Schema::embedded();
        for (name, values) in table() {
            let notation = format!("{name}=string");
            let mut fields = schema.definitions.iter().flat_map(|definition| &definition.fields);
            assert!(fields.any(|field| field.notation.ends_with(&notation)), "{name} is in no table");
            assert!(values.len() > 1 && values.is_sorted(), "{name}");
        }
    }

    #[test]
    fn only_named_strings_have_values_and_they_are_told() {
        let of = |notation| of(notation, Release::default());
        assert_eq!(of("core.v1.PullPolicy=string"), ["Always", "IfNotPresent", "Never"]);
        assert!(super::of("core.v1.PullPolicy=string", Release::minor(20)).is_empty());
        assert!(of("string").is_empty() && sentence(of("string")).is_empty());
        assert_eq!(
            sentence(of("core.v1.URIScheme=string")),
            "\n\nPossible enum values:\n - `\"HTTP\"`\n - `\"HTTPS\"`"
        );
    }
}
