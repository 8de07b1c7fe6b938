//! The rules as a JSON Schema, made from the tables, for editors and other programs. Scenarios, the admin API and the
//! documentation have the same rules, so this is the schema of all of them.

use serde_json::{Map, Value, json};

use crate::{
    kinds::{FaultKind, Stage},
    scope::{Known, SCHEDULE, SCOPE, field, known_at},
    shape::{Parameter, Shape},
};

/// The schema of a list of rules.
#[must_use]
pub fn rules() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Faults of a registry host",
        "type": "array",
        "items": { "oneOf": FaultKind::all().iter().map(rule).collect::<Vec<_>>() },
        "$defs": definitions(),
    })
}

/// What many rules have in common: when they strike, and on what, by how much is known at their stage.
fn definitions() -> Map<String, Value> {
    let mut all = Map::from_iter([("when".to_owned(), object(SCHEDULE.iter(), false))]);
    for kind in FaultKind::all() {
        let scope = SCOPE.iter().filter(|one| known_at(kind.stage, one.name));
        all.entry(scope_name(kind.stage)).or_insert_with(|| object(scope, false));
    }
    all
}

/// What the scope at a stage is called among the definitions.
fn scope_name(stage: Stage) -> String {
    let name = match Known::at(stage) {
        Known::Nothing => "onPort",
        Known::Client => "onConnection",
        Known::Request => "onRequest",
    };
    name.into()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The schema of the rules for one fault.
fn rule(kind: &FaultKind) -> Value {
    json!({
        "title": kind.name,
        "description": kind.summary,
        "type": "object",
        "required": ["fault"],
        "additionalProperties": false,
        "properties": {
            "fault": { "const": kind.name },
            "with": object(kind.parameters.iter(), true),
            "on": reference(&scope_name(kind.stage)),
            "when": reference("when"),
        },
    })
}

fn object<'a>(parameters: impl Iterator<Item = &'a Parameter>, as_text_too: bool) -> Value {
    let properties: Map<String, Value> =
        parameters.map(|one| (field(one.name).to_owned(), property(one, as_text_too))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// One property. The parameters of a fault may be written as text as well.
fn property(parameter: &Parameter, as_text_too: bool) -> Value {
    let named = |name: &str| if as_text_too { json!([name, "string"]) } else { json!(name) };
    let mut property = match parameter.shape {
        Shape::Number { from, to } => json!({ "type": named("integer"), "minimum": from, "maximum": to }),
        Shape::Fraction => json!({ "type": named("number"), "minimum": 0, "maximum": 1 }),
        Shape::Flag => json!({ "type": named("boolean") }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Text | Shape::Address => json!({ "type": "string" }),
    };
    property["description"] = parameter.summary.into();
    if !parameter.default.is_empty() {
        property["default"] = parameter.default.into();
    }
    property
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_schema_and_an_early_one_can_not_be_narrowed_by_what_comes_later() {
        let schema = rules();
        let of = |name: &str| {
            let all = schema["items"]["oneOf"].as_array().unwrap();
            assert_eq!(all.len(), FaultKind::all().len());
            all.iter().find(|one| one["title"] == name).unwrap()["properties"].clone()
        };
        let on = |name: &str| {
            let path = of(name)["on"]["$ref"].as_str().unwrap().trim_start_matches('#').to_owned();
            schema.pointer(&path).unwrap()["properties"].clone()
        };
        for kind in FaultKind::all() {
            let known = SCOPE.iter().filter(|one| known_at(kind.stage, one.name)).count();
            assert_eq!(on(kind.name).as_object().unwrap().len(), known, "{}", kind.name);
        }
        assert_eq!(on("reset").as_object().unwrap().len(), 2);
        assert_eq!(on("refuse"), json!({}));
        assert_eq!(on("status")["userAgent"]["type"], "string");
        assert_eq!(of("status")["with"]["properties"]["status"]["maximum"], 599);
        assert_eq!(schema.pointer("/$defs/when/properties/probability/maximum"), Some(&json!(1)));
    }
}
