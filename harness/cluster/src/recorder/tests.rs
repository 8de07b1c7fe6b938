//! Events as they end up in the store.

use pulldrill_clock::SignedDuration;

use super::*;
use crate::store::Store;

fn world(dialect: &str) -> (Arc<Api>, Clock, Arc<Dialect>) {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let api = Arc::new(Api::new(Arc::new(Store::new(1000)), clock.clone()));
    (api, clock, Dialect::named(dialect).unwrap())
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}})
}

fn events(api: &Api) -> Vec<Value> {
    api.store().list("events", Some("shop")).0.iter().map(|e| e.value().clone()).collect()
}

#[tokio::test]
async fn an_event_has_all_fields_and_a_repetition_counts() {
    for (dialect, component, instance) in
        [("k8s-1.36-containerd-2.1", "kubelet", "node-1"), ("k8s-1.20-containerd-1.7", "", "")]
    {
        let (api, clock, dialect) = world(dialect);
        let recorder = Recorder::new(api.clone(), clock.clone(), "kubelet", Some("node-1".into()), dialect);
        let path = Some("spec.containers{app}");
        recorder.event(&pod(), path, Kind::Normal, "Pulling", "Pulling image \"nginx\"");
        clock.advance(SignedDuration::from_secs(90)).await;
        recorder.event(&pod(), path, Kind::Normal, "Pulling", "Pulling image \"nginx\"");
        let all = events(&api);
        assert_eq!(all.len(), 1);
        let event = &all[0];
        assert_eq!(event["count"], 2);
        assert_eq!(event["firstTimestamp"], "2027-01-15T08:00:00Z");
        assert_eq!(event["lastTimestamp"], "2027-01-15T08:01:30Z");
        assert!(event["eventTime"].is_null());
        assert_eq!(event["source"], json!({"component": "kubelet", "host": "node-1"}));
        assert_eq!(event["reportingComponent"], component);
        assert_eq!(event["reportingInstance"], instance);
        let involved = json!({"apiVersion": "v1", "kind": "Pod", "name": "app", "namespace": "shop",
            "uid": "u-1", "resourceVersion": "7", "fieldPath": "spec.containers{app}"});
        assert_eq!(event["involvedObject"], involved);
        assert_eq!(event["metadata"]["name"], format!("app.{:x}", 1_800_000_000_000_000_000_i64));
    }
}

#[tokio::test]
async fn names_are_in_the_order_of_writing_even_between_sources() {
    let (api, clock, dialect) = world("k8s-1.36-containerd-2.1");
    let one = Recorder::new(api.clone(), clock.clone(), "kubelet", Some("node-1".into()), dialect.clone());
    let two = Recorder::modern(api.clone(), clock, "default-scheduler", dialect);
    for (recorder, message) in [(&two, "a"), (&one, "b"), (&one, "c"), (&two, "d")] {
        recorder.event(&pod(), None, Kind::Normal, "Said", message);
    }
    let messages: Vec<_> = events(&api).iter().map(|e| e["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn an_expired_event_is_written_again_with_its_count() {
    let (api, clock, dialect) = world("k8s-1.36-containerd-2.1");
    let recorder = Recorder::new(api.clone(), clock, "kubelet", None, dialect);
    recorder.event(&pod(), None, Kind::Warning, "Failed", "boom");
    let stored = api.store().list("events", None).0;
    api.store().delete("events", stored[0].key(), None).unwrap();
    recorder.event(&pod(), None, Kind::Warning, "Failed", "boom");
    let all = events(&api);
    assert_eq!((all.len(), &all[0]["count"]), (1, &json!(2)));
    assert_eq!(all[0]["metadata"]["name"], stored[0].key().name.as_str());
}
