//! That each sentence is of something, says something, and stands once; that no field lacks one. What is served is
//! looked through in the OpenAPI documents' own tests.

use std::collections::HashSet;

use super::*;
use crate::{
    release::Release,
    resources::{ResourceInfo, Resources},
    schema::{Definition, Schema, since},
};

/// What is described although it is no definition of the table.
const OTHERS: [&str; 9] = [
    "parameters",
    "meta.v1.Patch",
    "meta.v1.Time",
    "meta.v1.MicroTime",
    "meta.v1.Duration",
    "meta.v1.FieldsV1",
    "resource.Quantity",
    "intstr.IntOrString",
    "runtime.RawExtension",
];

/// Every sentence with where it stands, the endings with their asterisk.
fn sentences() -> Vec<(String, &'static str)> {
    let endings = table().endings.iter().map(|(ending, fields)| (format!("*{ending}"), fields));
    let definitions = table().definitions.iter().map(|(name, fields)| ((*name).to_owned(), fields));
    let all = endings.chain(definitions).flat_map(|(name, fields)| {
        let texts = fields.iter().filter(|(field, _)| **field != LIKE);
        texts.map(move |(field, text)| (format!("{name} {field}"), *text)).collect::<Vec<_>>()
    });
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all
}

#[test]
fn every_description_is_of_something() {
    let schema = Schema::embedded();
    let releases = [20, 24, 28, 32, 36].map(|minor| Resources::of(Release::minor(minor)).infos());
    let undefined = |resource: &&ResourceInfo| schema.kind(&resource.api_version(), &resource.kind).is_none();
    let served: HashSet<String> = releases
        .iter()
        .flatten()
        .filter(undefined)
        .map(|resource| format!("{}.{}", resource.kind, resource.group))
        .collect();
    for (name, fields) in &table().definitions {
        let Some(definition) = schema.definition(name) else {
            assert!(OTHERS.contains(name) || served.contains(*name), "{name} is in no table");
            continue;
        };
        for field in fields.keys().filter(|field| !field.is_empty() && **field != LIKE) {
            let gone = || since::gone().any(|(of, name, _)| of == definition.name && name == *field);
            assert!(schema.field(definition, field).is_some() || gone(), "{name} has no field {field}");
        }
    }
    for (ending, fields) in &table().endings {
        let ends = |name: &str| name.rsplit('.').next().is_some_and(|short| short.ends_with(ending));
        for field in fields.keys().filter(|field| !field.is_empty()) {
            let mut all = schema.definitions.iter().filter(|definition| ends(&definition.name));
            let has = all.any(|definition| {
                schema.field(definition, field).is_some()
                    || definition.is_kind && ["apiVersion", "kind"].contains(field)
            });
            assert!(has, "nothing that ends in {ending:?} has a field {field}");
        }
    }
}

#[test]
fn no_type_and_no_field_is_without_words() {
    let schema = Schema::embedded();
    // Parts that lie in other objects are not shown themselves, but for one that is also used as it is.
    let inlined: HashSet<_> = schema
        .definitions
        .iter()
        .flat_map(|definition| definition.fields.iter().filter(|field| field.name.is_empty()))
        .filter_map(|field| schema.target(&field.ty))
        .map(|part| part.name.as_str())
        .filter(|name| *name != "core.v1.LocalObjectReference")
        .collect();
    let mut missing = Vec::new();
    let shown =
        |definition: &&Definition| definition.items.is_none() && !inlined.contains(definition.name.as_str());
    for definition in schema.definitions.iter().filter(shown) {
        let kind = definition.is_kind.then_some(["apiVersion", "kind"]).into_iter().flatten();
        let fields = schema.fields(definition).into_iter().map(|field| field.name.as_str());
        for field in fields.chain(kind).chain([""]) {
            if of(&definition.name, field).is_empty() {
                missing.push(format!("{} {field}", definition.name));
            }
        }
    }
    for (definition, field, _) in since::gone() {
        if of(definition, field).is_empty() {
            missing.push(format!("{definition} {field}"));
        }
    }
    assert!(missing.is_empty(), "not described: {missing:#?}");
}

#[test]
fn a_description_is_a_sentence_that_stands_once() {
    let mut seen = HashMap::new();
    for (place, text) in sentences() {
        assert!(text.len() >= 20 && text.split(' ').count() >= 3, "{place} says too little: {text}");
        assert!(text.len() <= 360, "{place} says too much: {} bytes", text.len());
        assert!(text.ends_with('.') && !text.contains("  ") && text.trim() == text, "{place}: {text}");
        if let Some(other) = seen.insert(text, place.clone()) {
            panic!("{place} and {other} say the same (say it once, with like or an ending): {text}");
        }
    }
    assert!(seen.len() > 1500, "{}", seen.len());
}

#[test]
fn likeness_goes_one_step_and_leaves_something_to_say() {
    let schema = Schema::embedded();
    for (name, fields) in &table().definitions {
        let Some(like) = fields.get(LIKE) else { continue };
        let other = table().definitions.get(like).unwrap_or_else(|| panic!("{name} is like nothing: {like}"));
        assert!(!other.contains_key(LIKE), "{name} is like {like}, which is like another");
        let definition = schema.definition(name).unwrap();
        let taken = |field: &str| !fields.contains_key(field) && schema.field(definition, field).is_some();
        assert!(other.keys().any(|field| taken(field)), "{name} takes nothing over from {like}");
    }
    let mut fields = schema.definitions.iter().flat_map(|definition| &definition.fields);
    assert!(fields.all(|field| field.name != LIKE), "there is a field of that name");
}

#[test]
fn the_most_exact_words_are_found() {
    let said = |definition, field| of(definition, field).into_owned();
    assert_eq!(
        said("core.v1.PodList", ""),
        "A list of Pod objects, as a request for more than one of them is answered."
    );
    assert_ne!(said("core.v1.PodList", "metadata"), said("core.v1.Pod", "metadata"));
    assert_eq!(said("core.v1.ConfigMap", "metadata"), said("apps.v1.Deployment", "metadata"));
    assert_eq!(said("core.v1.EphemeralContainer", "image"), said("core.v1.Container", "image"));
    assert_ne!(said("core.v1.EphemeralContainer", "ports"), said("core.v1.Container", "ports"));
    assert_eq!(said("batch.v1beta1.CronJob", ""), said("batch.v1.CronJob", ""));
    assert_eq!(said("core.v1.Pod", "unheard"), "");
    assert_eq!(said("core.v1.Unheard", ""), "");
}
