//! Properties that hold for any input: nothing from outside makes the decoder or the patches panic, and patches
//! keep the laws of their kind.
#![allow(clippy::unwrap_used, reason = "what these tests read is part of them")]

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{collection::vec, prelude::*, sample::Index};
use pulldrill_cluster::{
    api::{FieldSelector, Selector},
    patch,
    puller::Reference,
    resources::Resources,
    schema::Schema,
};
use serde_json::{Value, json};

/// The recorded bodies, to start from.
fn bodies() -> Vec<Vec<u8>> {
    let rows = include_str!("data/protobuf.jsonl").lines();
    let rows = rows.map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| STANDARD.decode(row["protobuf"].as_str().unwrap()).unwrap()).collect()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let delimited = |number: u8, bytes: &[u8]| {
        assert!(bytes.len() < 128 * 128);
        let length = [(bytes.len() & 127) as u8 | 128, (bytes.len() >> 7) as u8];
        [&[number << 3 | 2][..], &length, bytes].concat()
    };
    let meta = [delimited(1, api_version.as_bytes()), delimited(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), delimited(1, &meta), delimited(2, raw)].concat()
}

/// Any JSON that is not too big.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "spec",
        "metadata",
        "containers",
        "name",
        "image",
        "env",
        "finalizers",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
        "volumes",
        "labels",
        "template",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "replace", "delete", "merge", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let object = vec((names.clone(), inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn pod(names: &[u8]) -> Value {
    let containers: Vec<Value> =
        names.iter().map(|n| json!({"name": format!("c{n}"), "image": "x"})).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}})
}

fn unique(mut names: Vec<u8>) -> Vec<u8> {
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    names
}

/// The same without nulls in objects.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        other => other.clone(),
    }
}

/// The merge patch from one value to another.
fn difference(from: &Value, to: &Value) -> Value {
    let (Some(old), Some(new)) = (from.as_object(), to.as_object()) else { return to.clone() };
    let mut patch = serde_json::Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before) => drop(patch.insert(name.clone(), difference(before, value))),
            None => drop(patch.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

proptest! {
    #[test]
    fn bytes_are_decoded_or_refused(raw in vec(any::<u8>(), 0..300)) {
        let _ = Schema::embedded().decode_protobuf(&raw);
        for (api_version, kind) in [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Event"), ("v1", "Secret")] {
            let _ = Schema::embedded().decode_protobuf(&envelope(api_version, kind, &raw));
        }
    }

    #[test]
    fn damaged_bodies_are_decoded_or_refused(
        which in any::<Index>(), at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>(),
    ) {
        let bodies = bodies();
        let mut body = which.get(&bodies).clone();
        let index = at.index(body.len());
        body[index] = byte;
        let _ = Schema::embedded().decode_protobuf(&body);
        body.truncate(cut.index(body.len()));
        let _ = Schema::embedded().decode_protobuf(&body);
    }

    #[test]
    fn any_json_can_be_checked_and_patched(original in any_json(), change in any_json()) {
        let schema = Schema::embedded();
        for (api_version, kind) in [("v1", "Pod"), ("apps/v1", "Deployment")] {
            let _ = schema.check_types(api_version, kind, &original);
            let _ = patch::strategic(schema, api_version, kind, &original, &change);
            let mut canonical = original.clone();
            schema.canonicalize(api_version, kind, &mut canonical);
            let once = canonical.clone();
            prop_assert!(schema.canonicalize(api_version, kind, &mut canonical).is_empty());
            prop_assert_eq!(once, canonical);
        }
        let _ = patch::merge(&original, &change);
        let _ = patch::json(&original, &change);
        let _ = patch::apply(schema, &original, &change);
    }

    #[test]
    fn any_selector_is_read_or_refused_and_its_opposite_chooses_the_others(
        text in "[a-z!=,() /.-]{0,40}|.{0,40}", key in "[a-z]{1,3}", value in "[a-z]{0,3}", has in any::<bool>(),
    ) {
        let labels = if has { json!({&key: &value}) } else { json!({}) };
        if let Ok(selector) = Selector::parse(&text) {
            let _ = selector.matches(&labels);
        }
        if let Some(pods) = Resources::default().stored("pods") {
            let _ = FieldSelector::parse(&text, &pods).map(|selector| selector.matches(&pod(&[1])));
        }
        for (one, other) in [
            (format!("{key}={value}"), format!("{key}!={value}")),
            (key.clone(), format!("!{key}")),
            (format!("{key} in ({value},x)"), format!("{key} notin ({value},x)")),
        ] {
            let matches = |text: &str| Selector::parse(text).unwrap().matches(&labels);
            prop_assert_ne!(matches(&one), matches(&other), "{} {}", one, labels);
        }
    }

    #[test]
    fn a_reference_that_is_one_says_itself(text in "[a-z0-9:/@._-]{0,60}|.{0,60}") {
        if let Ok(reference) = Reference::parse(&text) {
            let shown = reference.to_string();
            let again = Reference::parse(&shown);
            prop_assert!(again.is_ok_and(|again| again.to_string() == shown), "{:?} {:?}", text, shown);
        }
    }

    #[test]
    fn what_differs_between_two_objects_makes_one_of_the_other(one in any_json(), other in any_json()) {
        // Null in a merge patch takes away, so objects that hold it can't be reached (RFC 7396).
        let (one, other) = (json!({"x": without_nulls(&one)}), json!({"x": without_nulls(&other)}));
        let (one, other) = (without_nulls(&one), without_nulls(&other));
        let difference = difference(&one, &other);
        prop_assert_eq!(patch::merge(&one, &difference).unwrap(), other);
    }

    #[test]
    fn merged_lists_hold_everything_once(old in vec(0u8..8, 0..6), new in vec(0u8..8, 0..6)) {
        let (old, new) = (unique(old), unique(new));
        let change = json!({"spec": {"containers": new.iter()
            .map(|n| json!({"name": format!("c{n}"), "image": "y"})).collect::<Vec<_>>()}});
        let once = patch::strategic(Schema::embedded(), "v1", "Pod", &pod(&old), &change).unwrap();
        let containers = once["spec"]["containers"].as_array().unwrap();
        let all = unique([old, new.clone()].concat());
        prop_assert_eq!(containers.len(), all.len());
        for container in containers {
            let name = container["name"].as_str().unwrap();
            let patched = new.iter().any(|n| name == format!("c{n}"));
            prop_assert_eq!(&container["image"], if patched { "y" } else { "x" });
        }
        // A patch that was applied changes nothing when applied again.
        let twice = patch::strategic(Schema::embedded(), "v1", "Pod", &once, &change).unwrap();
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn an_order_that_names_all_elements_is_the_order(old in vec(0u8..8, 1..6), swap in any::<Index>()) {
        let old = unique(old);
        let mut wanted = old.clone();
        wanted.rotate_left(swap.index(old.len()));
        let order: Vec<Value> = wanted.iter().map(|n| json!({"name": format!("c{n}")})).collect();
        let change = json!({"spec": {"$setElementOrder/containers": order}});
        let patched = patch::strategic(Schema::embedded(), "v1", "Pod", &pod(&old), &change).unwrap();
        prop_assert_eq!(patched, pod(&wanted));
    }

    #[test]
    fn applying_again_changes_nothing(old in vec(0u8..8, 0..6), new in vec(0u8..8, 0..6)) {
        let (old, new) = (pod(&unique(old)), pod(&unique(new)));
        let once = patch::apply(Schema::embedded(), &old, &new).unwrap();
        prop_assert_eq!(&patch::apply(Schema::embedded(), &once, &new).unwrap(), &once);
    }
}

#[test]
fn lengths_beyond_the_end_and_endless_nesting_are_refused() {
    let schema = Schema::embedded();
    // A field that claims to be 2^63 bytes long.
    let huge = [&[0x0a][..], &[0xff; 8], &[0x7f]].concat();
    assert!(schema.decode_protobuf(&envelope("v1", "Pod", &huge)).is_err());
    // JSON in JSON in JSON, where any object may stand.
    let deep = "[".repeat(5000);
    let length = [(deep.len() & 127) as u8 | 128, (deep.len() >> 7) as u8];
    let message = [&[0x0a][..], &length, deep.as_bytes()].concat();
    let length = [(message.len() & 127) as u8 | 128, (message.len() >> 7) as u8];
    let revision = [&[0x12][..], &length, &message].concat();
    assert!(schema.decode_protobuf(&envelope("apps/v1", "ControllerRevision", &revision)).is_err());
    let unknown = schema.decode_protobuf(&envelope("example.org/v1", "Thing", &[])).unwrap_err();
    assert_eq!(unknown.to_string(), "no kind \"Thing\" is registered for version \"example.org/v1\"");
}
