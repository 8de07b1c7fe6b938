//! What is refused by the rules of a release, and what every release takes.

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiOptions, Status, User, WriteOptions},
    release::Release,
    store::{Key, Store},
};

fn api(minor: u32) -> Api {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let options = ApiOptions { release: Release::minor(minor), ..ApiOptions::default() };
    Api::with_options(Arc::new(Store::new(1000)), clock, options)
}

fn create(api: &Api, resource: &str, object: Value) -> Result<Value, Status> {
    let made = api.create(&User::controller("test"), resource, "shop", object, &WriteOptions::default());
    made.map(|made| made.value().clone())
}

#[test]
fn jobs_find_their_pods_in_every_release() {
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let job = |more: Value| {
        let mut job = json!({"metadata": {"name": "j"}, "spec": {"template": template}});
        job["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        job
    };
    for minor in [20, 22, 24, 26, 27, 31, 36] {
        let api = api(minor);
        create(&api, "jobs.batch", job(json!({}))).unwrap_or_else(|status| panic!("1.{minor}: {status}"));
        let key = Key::new("shop", "j");
        let more = api.modify(&User::controller("test"), "jobs.batch", &key, None, |job| {
            job["spec"]["parallelism"] = 2.into();
        });
        assert_eq!(more.unwrap().value()["spec"]["parallelism"], 2, "1.{minor}");
        let mut own = job(json!({"selector": {"matchLabels": {"a": "b"}}}));
        own["metadata"]["name"] = "own".into();
        let status = create(&api, "jobs.batch", own).unwrap_err();
        assert!(status.message.contains("`selector` not auto-generated"), "{status}");
    }
    let mut manual = job(json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}}));
    manual["spec"]["template"]["metadata"] = json!({"labels": {"a": "b"}});
    let made = create(&api(36), "jobs.batch", manual).unwrap();
    assert_eq!(made["spec"]["template"]["metadata"]["labels"], json!({"a": "b"}));
}

#[test]
fn nobody_writes_when_an_object_goes() {
    let api = api(36);
    create(&api, "configmaps", json!({"metadata": {"name": "m"}})).unwrap();
    let key = Key::new("shop", "m");
    let time = json!("2026-01-01T00:00:00Z");
    let change = |field: &str, value: &Value| {
        api.modify(&User::controller("test"), "configmaps", &key, None, |map| {
            map["metadata"][field] = value.clone();
        })
    };
    for (field, value) in [("deletionTimestamp", time), ("deletionGracePeriodSeconds", json!(5))] {
        let status = change(field, &value).unwrap_err();
        let why = format!("metadata.{field}: Invalid value: {value}: field is immutable");
        assert_eq!(status.message, format!("ConfigMap \"m\" is invalid: {why}"));
    }
    change("creationTimestamp", &json!("2020-01-01T00:00:00Z")).unwrap();
}

#[test]
fn too_large_a_map_is_refused_as_a_whole() {
    let large = json!({"metadata": {"name": "big"}, "data": {"a": "x".repeat(1_048_577)}});
    for (minor, words) in [(20, "must have at most"), (36, "may not be more than")] {
        let status = create(&api(minor), "configmaps", large.clone()).unwrap_err();
        let expected = format!("ConfigMap \"big\" is invalid: []: Too long: {words} 1048576 bytes");
        assert_eq!((status.code, status.message), (422, expected));
    }
}
