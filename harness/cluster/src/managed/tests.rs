use std::borrow::Cow;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    fields::{
        FieldSet, compare,
        tests::{WALK, fields_of, pods},
    },
    schema::Schema,
};

struct Pods;

impl Versions for Pods {
    fn schema(&self) -> &Schema {
        Schema::embedded()
    }

    fn kind(&self) -> &str {
        "Pod"
    }

    fn at<'v>(&self, api_version: &str, object: &'v Value) -> Option<Cow<'v, Value>> {
        (api_version == "v1").then_some(Cow::Borrowed(object))
    }
}

fn write(manager: &str, operation: Operation, second: i64) -> Write {
    let owner =
        Owner { manager: manager.into(), operation, api_version: "v1".into(), subresource: String::new() };
    Write { owner, now: Timestamp::from_second(second).unwrap(), ignored: FieldSet::default() }
}

fn nothing() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})
}

fn applied(live: &Value, managed: &ManagedFields, config: &Value, manager: &str, second: i64) -> Applied {
    let write = write(manager, Operation::Apply, second);
    let mut applied = apply(&Pods, live, config, managed.clone(), &write, true).unwrap();
    Schema::embedded().canonicalize("v1", "Pod", &mut applied.object);
    applied
}

fn same(a: &Value, b: &Value) -> bool {
    compare(WALK(), WALK().root("v1", "Pod"), a, b).is_same()
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(a in pods(), b in pods()) {
        let live = applied(&nothing(), &ManagedFields::default(), &a, "one", 1);
        let once = applied(&live.object, &live.managed, &b, "two", 2);
        let again = applied(&once.object, &once.managed, &b, "two", 3);
        prop_assert_eq!(again, once);
    }

    #[test]
    fn what_one_manager_applied_before_leaves_no_trace(a in pods(), b in pods()) {
        let first = applied(&nothing(), &ManagedFields::default(), &a, "one", 1);
        let after = applied(&first.object, &first.managed, &b, "one", 1);
        let fresh = applied(&nothing(), &ManagedFields::default(), &b, "one", 1);
        prop_assert!(same(&after.object, &fresh.object), "{} {}", after.object, fresh.object);
        prop_assert_eq!(after.managed, fresh.managed);
    }

    #[test]
    fn what_others_own_stays(a in pods(), b in pods()) {
        let first = applied(&nothing(), &ManagedFields::default(), &a, "one", 1);
        let shared = applied(&first.object, &first.managed, &a, "two", 2);
        prop_assert!(shared.managed.entries().find(|e| e.owner.manager == "two").is_none_or(|e| e.time.is_none()));
        let after = applied(&shared.object, &shared.managed, &b, "one", 3);
        let mut only_a = fields_of(&a);
        only_a.subtract(&fields_of(&b));
        prop_assert_eq!(fields_of(&after.object).intersection(&only_a), only_a);
    }

    #[test]
    fn updates_leave_one_owner_to_each_field(all in proptest::collection::vec(pods(), 1..5)) {
        let (mut live, mut managed) = (nothing(), ManagedFields::default());
        for (number, pod) in all.iter().enumerate() {
            let write = write(&format!("m{number}"), Operation::Update, 1);
            managed = update(&Pods, &live, pod, managed, &write);
            live = pod.clone();
        }
        let sets: Vec<&FieldSet> = managed.entries().map(|entry| &entry.fields).collect();
        for (at, set) in sets.iter().enumerate() {
            prop_assert!(sets[at + 1..].iter().all(|other| set.intersection(other).is_empty()));
        }
        prop_assert_eq!(ManagedFields::claimed(&managed.to_value()), Claim::Entries(managed));
    }
}

#[test]
fn times_move_only_with_the_fields() {
    let pod = |image: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": image}], "nodeName": "n"}})
    };
    let time = |managed: &ManagedFields, manager: &str| {
        managed.entries().find(|e| e.owner.manager == manager).and_then(|e| e.time).map(Timestamp::as_second)
    };
    let made =
        update(&Pods, &nothing(), &pod("x"), ManagedFields::default(), &write("a", Operation::Update, 1));
    let same = update(&Pods, &pod("x"), &pod("x"), made.clone(), &write("a", Operation::Update, 2));
    assert_eq!(same, made);
    let taken = update(&Pods, &pod("x"), &pod("y"), made, &write("b", Operation::Update, 3));
    assert_eq!((time(&taken, "a"), time(&taken, "b")), (Some(1), Some(3)));
    let image = FieldSet::read(&json!({"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {"f:image": {}}}}}))
        .unwrap();
    let entries: Vec<&Entry> = taken.entries().collect();
    assert_eq!(entries.iter().find(|e| e.owner.manager == "b").unwrap().fields, image);
    let back = update(&Pods, &pod("y"), &pod("x"), taken, &write("a", Operation::Update, 4));
    assert_eq!((back.entries().count(), time(&back, "a")), (1, Some(4)));
}

#[test]
fn claims_of_clients_are_read() {
    let good = json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}, "subresource": "status"}]);
    let Claim::Entries(read) = ManagedFields::claimed(&good) else { panic!("not read") };
    assert_eq!(read.to_value(), good);
    let mut written = Vec::new();
    read.write(&mut written);
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), good);
    assert_eq!(ManagedFields::claimed(&json!([{}])), Claim::Reset);
    for nothing in [json!([]), json!(null), json!([{}, {}]), json!([{"operation": "Update"}]), json!(7)] {
        assert_eq!(ManagedFields::claimed(&nothing), Claim::None, "{nothing}");
    }
}

#[test]
fn what_is_made_like_another_has_the_same_owners_with_their_own_time() {
    let pod = |image: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": image}]}})
    };
    let known = Known::default();
    let asked = std::cell::Cell::new(0);
    let made = |pod: &Value, write: &Write| {
        let afresh = update(&Pods, &nothing(), pod, ManagedFields::default(), write);
        let owners = known.owners(&Pods, pod, write, || {
            asked.set(asked.get() + 1);
            afresh.clone()
        });
        assert_eq!(owners.to_value(), afresh.to_value());
        let mut written = Vec::new();
        owners.write(&mut written);
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), afresh.to_value());
        owners
    };
    let first = write("a", Operation::Update, 1);
    made(&pod("x"), &first);
    let mut shared = made(&pod("y"), &first);
    assert_eq!(asked.get(), 1);
    let later = made(&pod("z"), &write("a", Operation::Update, 2));
    let time = later.entries().next().and_then(|entry| entry.time);
    assert_eq!((asked.get(), time), (1, Timestamp::from_second(2).ok()));
    shared.shift_times(pulldrill_clock::SignedDuration::from_secs(1));
    let mut written = Vec::new();
    shared.write(&mut written);
    assert_eq!(
        serde_json::from_slice::<Value>(&written).unwrap(),
        shared.to_value(),
        "it has its own time now"
    );
    made(&pod("x"), &write("b", Operation::Update, 2));
    assert_eq!(asked.get(), 2, "somebody else");
    let mut other = pod("x");
    other["spec"]["nodeName"] = json!("n");
    made(&other, &first);
    assert_eq!(asked.get(), 3, "another field");
    for n in 0..10 {
        let mut other = pod("x");
        other["metadata"]["labels"] = json!({format!("l-{n}"): "x"});
        made(&other, &first);
    }
    assert_eq!(asked.get(), 13);
    made(&pod("x"), &first);
    assert_eq!(asked.get(), 14, "long forgotten");
}
