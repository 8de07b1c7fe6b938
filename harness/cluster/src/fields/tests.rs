use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::schema::Schema;

pub(crate) const WALK: fn() -> Walk<'static> = || Walk(Schema::embedded());

/// Pods with some of everything: maps, lists with one key and two, sets, lists and objects that are one thing.
pub(crate) fn pods() -> impl Strategy<Value = Value> {
    let name = || "[abc]";
    let port = (80u16..83, proptest::option::of(0usize..2), proptest::option::of(1u16..3)).prop_map(
        |(port, protocol, host)| {
            let mut value = json!({"containerPort": port});
            if let Some(protocol) = protocol {
                value["protocol"] = ["TCP", "UDP"][protocol].into();
            }
            if let Some(host) = host {
                value["hostPort"] = host.into();
            }
            value
        },
    );
    let named = move |mut fields: Vec<(String, Value)>, key: &'static str| -> Vec<Value> {
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        let with = |(name, mut value): (String, Value)| {
            value[key] = name.into();
            value
        };
        fields.into_iter().map(with).collect()
    };
    let env = proptest::collection::vec((name(), "[xy]?"), 0..3)
        .prop_map(move |all| named(all.into_iter().map(|(n, v)| (n, json!({"value": v}))).collect(), "name"));
    let container = (name(), "[xy]", env, proptest::collection::vec(port, 0..3)).prop_map(
        |(name, image, env, mut ports)| {
            let key = |port: &Value| (port["containerPort"].as_u64(), port["protocol"] == "UDP");
            ports.sort_by_key(key);
            ports.dedup_by_key(|port| key(port));
            (name, json!({"image": image, "env": env, "ports": ports}))
        },
    );
    let labels = proptest::collection::btree_map(name(), name(), 0..3);
    let finalizers = proptest::collection::btree_set("[ab]/x", 0..3);
    let tolerations = proptest::collection::vec(name(), 0..2);
    (
        proptest::collection::vec(container, 0..3),
        labels,
        finalizers,
        tolerations,
        proptest::option::of(name()),
    )
        .prop_map(move |(containers, labels, finalizers, tolerations, node)| {
            let tolerations: Vec<Value> = tolerations.iter().map(|key| json!({"key": key})).collect();
            let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "labels": labels, "finalizers": finalizers},
                "spec": {"containers": named(containers, "name"), "tolerations": tolerations,
                    "securityContext": {}, "nodeName": node, "nodeSelector": labels}});
            Schema::embedded().canonicalize("v1", "Pod", &mut pod);
            pod
        })
}

pub(crate) fn fields_of(pod: &Value) -> FieldSet {
    collect(WALK(), WALK().root("v1", "Pod"), pod)
}

fn compared(old: &Value, new: &Value) -> Comparison {
    compare(WALK(), WALK().root("v1", "Pod"), old, new)
}

/// The value with others in the places of its texts and numbers.
fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("{text}!").into(),
        Value::Number(number) => (number.as_u64().unwrap_or(0) + 1).into(),
        Value::Array(items) => items.iter().map(changed).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), changed(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// What whoever makes an object of that kind adds.
fn added(kind: &str, object: &Value) -> Comparison {
    let nothing = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {}});
    compare(WALK(), WALK().root("v1", kind), &nothing, object)
}

proptest! {
    #[test]
    fn who_makes_what_is_alike_owns_the_same(a in pods(), b in pods()) {
        for kind in ["Pod", "Unheard"] {
            let same = |one: &Value, other: &Value| {
                let told = alike(WALK(), WALK().root("v1", kind), one, other);
                assert!(!told || added(kind, one) == added(kind, other), "{one} {other}");
                told
            };
            prop_assert!(same(&a, &a));
            same(&a, &b);
            same(&a, &changed(&a));
            let mut image = a.clone();
            let containers = image["spec"]["containers"].as_array_mut();
            containers.into_iter().flatten().for_each(|container| container["image"] = "another".into());
            prop_assert!(same(&a, &image), "{a} {image}");
        }
    }

    #[test]
    fn sets_survive_being_written(pod in pods()) {
        let set = fields_of(&pod);
        let read = FieldSet::read(&set.to_value());
        prop_assert_eq!(read.as_ref(), Some(&set));
        let mut written = Vec::new();
        set.write(&mut written);
        let written: Value = serde_json::from_slice(&written).unwrap();
        prop_assert_eq!(written, set.to_value());
    }

    #[test]
    fn sets_are_sets(a in pods(), b in pods()) {
        let (a, b) = (fields_of(&a), fields_of(&b));
        let (mut without, mut all) = (a.clone(), a.clone());
        without.subtract(&b);
        all.unite(&b);
        prop_assert!(without.intersection(&b).is_empty());
        prop_assert_eq!(&all.intersection(&a), &a);
        let mut again = without;
        again.unite(&a.intersection(&b));
        prop_assert_eq!(&again, &a);
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
    }

    #[test]
    fn a_comparison_tells_both_directions(a in pods(), b in pods()) {
        let (there, back) = (compared(&a, &b), compared(&b, &a));
        prop_assert_eq!(&there.added, &back.removed);
        prop_assert_eq!(&there.modified, &back.modified);
        prop_assert!(compared(&a, &a).is_same());
    }

    #[test]
    fn all_that_is_removed_is_gone(a in pods(), b in pods()) {
        let set = fields_of(&a).intersection(&fields_of(&b));
        let rest = remove(WALK(), WALK().root("v1", "Pod"), &a, &set);
        let mut left = fields_of(&rest).intersection(&set);
        // What has become empty is null, and says so itself.
        left.subtract(&compared(&a, &rest).modified);
        prop_assert!(left.is_empty() || rest.is_null(), "{:?}", left);
    }
}

#[test]
fn fields_are_written_as_the_real_server_writes_them() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "finalizers": ["a/b"],
        "ownerReferences": [{"uid": "u", "name": "n"}]},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}}}],
            "tolerations": [{"key": "a"}], "nodeSelector": {"a": "b"}, "securityContext": {}}});
    assert_eq!(
        fields_of(&pod).to_value()["f:spec"],
        json!({"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
            "f:resources": {"f:limits": {"f:cpu": {}}}}},
            "f:nodeSelector": {}, "f:securityContext": {}, "f:tolerations": {}})
    );
    let meta = &fields_of(&pod).to_value()["f:metadata"];
    assert_eq!(meta["f:finalizers"], json!({"v:\"a/b\"": {}}));
    assert_eq!(meta["f:ownerReferences"], json!({"k:{\"uid\":\"u\"}": {}}));
}

#[test]
fn what_is_new_has_its_objects_and_what_go_always_writes_has_not() {
    let old = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}});
    let new = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "resources": {}}]}});
    let compared = compared(&old, &new);
    assert_eq!(
        compared.set().to_value(),
        json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:resources": {}}}}})
    );
    assert!(compared.removed.is_empty());
}

#[test]
fn paths_read_as_messages_show_them() {
    let set = FieldSet::read(
        &json!({"f:a": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:z": {}}, "v:\"x\"": {},
        "i:3": {}}, "f:b": {}}),
    );
    let mut paths = Vec::new();
    set.unwrap().each_path(&mut |path| paths.push(shown(path)));
    assert_eq!(
        paths,
        [".b", ".a[3]", ".a[port=80,protocol=\"TCP\"]", ".a[=\"x\"]", ".a[port=80,protocol=\"TCP\"].z"]
    );
    for broken in [
        json!([]),
        json!({"x:a": {}}),
        json!({"f:a": 1}),
        json!({"k:[]": {}}),
        json!({"i:x": {}}),
        json!({"v:{": {}}),
    ] {
        assert_eq!(FieldSet::read(&broken), None, "{broken}");
    }
}
