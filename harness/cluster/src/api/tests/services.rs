//! What Services are given, and keep.

use std::sync::Arc;

use pulldrill_clock::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiOptions, Status, User, WriteOptions},
    release::Release,
    store::{Key, Store},
};

fn api(minor: u32) -> Api {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let options = ApiOptions { release: Release::minor(minor), ..ApiOptions::default() };
    Api::with_options(Arc::new(Store::new(1000)), clock, options)
}

fn create(api: &Api, name: &str, spec: &Value) -> Result<Value, Status> {
    let object = json!({"metadata": {"name": name}, "spec": spec});
    let made = api.create(&User::controller("test"), "services", "shop", object, &WriteOptions::default());
    made.map(|stored| stored.value()["spec"].clone())
}

fn replace(api: &Api, name: &str, spec: &Value) -> Result<Value, Status> {
    let object = json!({"metadata": {"name": name}, "spec": spec});
    let (user, key, options) = (User::controller("test"), Key::new("shop", name), WriteOptions::default());
    api.update(&user, "services", &key, None, &object, &options).map(|stored| stored.value()["spec"].clone())
}

fn node_port(spec: &Value) -> i64 {
    spec["ports"][0]["nodePort"].as_i64().unwrap_or(0)
}

#[test]
fn services_that_are_reached_through_nodes_get_ports_there() {
    let api = api(36);
    let spec =
        |kind: &str| json!({"type": kind, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]});
    let through_nodes = create(&api, "n", &spec("NodePort")).unwrap();
    let balanced = create(&api, "l", &spec("LoadBalancer")).unwrap();
    for spec in [&through_nodes, &balanced] {
        let ports: Vec<i64> =
            spec["ports"].as_array().unwrap().iter().map(|port| port["nodePort"].as_i64().unwrap()).collect();
        assert!(
            ports.iter().all(|port| (30_000..=32_767).contains(port)) && ports[0] != ports[1],
            "{ports:?}"
        );
        assert_eq!(spec["externalTrafficPolicy"], "Cluster");
    }
    assert_eq!(balanced["allocateLoadBalancerNodePorts"], true);
    assert_eq!(node_port(&create(&api, "c", &spec("ClusterIP")).unwrap()), 0);
    let mut without = spec("LoadBalancer");
    without["allocateLoadBalancerNodePorts"] = false.into();
    assert_eq!(node_port(&create(&api, "w", &without).unwrap()), 0);
    let old = create(&self::api(20), "l", &spec("LoadBalancer")).unwrap();
    assert!(node_port(&old) > 0 && old.get("allocateLoadBalancerNodePorts").is_none());
}

#[test]
fn a_node_port_is_one_services_and_in_the_range() {
    let api = api(36);
    let spec = |kind: &str, port: i64| json!({"type": kind, "ports": [{"port": 80, "nodePort": port}]});
    assert_eq!(node_port(&create(&api, "a", &spec("NodePort", 30_080)).unwrap()), 30_080);
    let message = |result: Result<Value, Status>| {
        let status = result.unwrap_err();
        assert_eq!((status.code, status.reason), (422, "Invalid"));
        status.message
    };
    assert_eq!(
        message(create(&api, "b", &spec("NodePort", 30_080))),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    );
    assert_eq!(
        message(create(&api, "b", &spec("NodePort", 80))),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid \
         range. The range of valid ports is 30000-32767"
    );
    assert_eq!(
        message(create(&api, "b", &spec("ClusterIP", 30_081))),
        "Service \"b\" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
    );
    assert_eq!(node_port(&replace(&api, "a", &spec("NodePort", 30_080)).unwrap()), 30_080);
}

#[test]
fn what_was_given_stays_as_long_as_the_type_has_it() {
    let api = api(36);
    let spec = |kind: &str| json!({"type": kind, "ports": [{"port": 80}]});
    let first = create(&api, "s", &spec("NodePort")).unwrap();
    let again = replace(&api, "s", &spec("NodePort")).unwrap();
    assert_eq!((&again["clusterIP"], node_port(&again)), (&first["clusterIP"], node_port(&first)));
    // As a patch of the type would have it: all other fields are there still.
    let mut narrower = again;
    narrower["type"] = "ClusterIP".into();
    let narrower = replace(&api, "s", &narrower).unwrap();
    assert_eq!((&narrower["clusterIP"], node_port(&narrower)), (&first["clusterIP"], 0));
    assert!(narrower.get("externalTrafficPolicy").is_none());
    let mut elsewhere = narrower;
    elsewhere["type"] = "ExternalName".into();
    elsewhere["externalName"] = "a.example".into();
    let elsewhere = replace(&api, "s", &elsewhere).unwrap();
    for field in ["clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"] {
        assert!(elsewhere.get(field).is_none(), "{field}");
    }
    let back = replace(&api, "s", &spec("ClusterIP")).unwrap();
    assert!(
        back["clusterIP"].as_str().unwrap().starts_with("10.96.")
            && back["clusterIPs"][0] == back["clusterIP"]
    );
}

#[test]
fn an_address_is_asked_for_once_and_stays() {
    let spec = |address: &str| json!({"clusterIP": address, "ports": [{"port": 80}]});
    for (minor, outside, twice) in [
        (
            36,
            "failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs \
             is 10.96.0.0/16",
            "failed to allocate IP 10.96.7.7: provided IP is already allocated",
        ),
        (
            20,
            "failed to allocated ip:1.2.3.4 with error:provided IP is not in the valid range. The range of valid IPs is \
             10.96.0.0/16",
            "failed to allocated ip:10.96.7.7 with error:provided IP is already allocated",
        ),
    ] {
        let api = api(minor);
        let made = create(&api, "a", &spec("10.96.7.7")).unwrap();
        assert_eq!(made["clusterIPs"], json!(["10.96.7.7"]));
        let told = |address: &str| create(&api, "b", &spec(address)).unwrap_err().message;
        let field = |address: &str| {
            format!("Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"{address}\"]: ")
        };
        assert_eq!(told("1.2.3.4"), field("1.2.3.4") + outside);
        assert_eq!(told("10.96.7.7"), field("10.96.7.7") + twice);
        assert_eq!(
            replace(&api, "a", &spec("10.96.7.8")).unwrap_err().message,
            "Service \"a\" is invalid: spec.clusterIPs[0]: Invalid value: [\"10.96.7.8\"]: may not change once set"
        );
        let headless = json!({"clusterIP": "None", "ports": [{"port": 80}]});
        assert!(replace(&api, "a", &headless).unwrap_err().message.ends_with("may not change once set"));
        let patched =
            api.modify(&User::controller("test"), "services", &Key::new("shop", "a"), None, |service| {
                service["spec"]["clusterIP"] = "10.96.7.9".into();
            });
        assert!(patched.unwrap_err().message.contains("[\"10.96.7.9\"]: may not change once set"));
    }
}
