//! What is behind a Service, and the tokens of old releases.

use serde_json::{Value, json};

use super::World;
use super::world::{deployment, template};

#[tokio::test]
async fn only_ready_pods_are_behind_a_service() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    world.create(
        "services",
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}),
    );
    world.create("deployments.apps", deployment("web", 2, "app:1"));
    world.pass(10).await;
    let behind = |world: &World| {
        let subsets = world.get("endpoints", "web").unwrap()["subsets"].clone();
        subsets[0]["addresses"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(behind(&world), 2);
    let slices = world.list("endpointslices.discovery.k8s.io");
    assert_eq!(slices.len(), 1);
    let ready: Vec<&Value> =
        slices[0]["endpoints"].as_array().unwrap().iter().map(|e| &e["conditions"]["ready"]).collect();
    assert_eq!(ready, [true, true]);
    assert_eq!(slices[0]["ports"][0]["port"], 8080);
    world.edit("deployments.apps", "web", |d| d["spec"]["replicas"] = 0.into());
    world.pass(10).await;
    assert_eq!(behind(&world), 0);
    world.delete("services", "web", "Background");
    world.pass(1).await;
    assert!(world.get("endpoints", "web").is_none());
    assert_eq!(world.list("endpointslices.discovery.k8s.io").len(), 0);
}

#[tokio::test]
async fn slices_tell_of_pods_that_are_about_to_end_and_services_may_want_those_that_are_not_ready() {
    for (dialect, told) in [("k8s-1.36-containerd-2.1", true), ("k8s-1.20-containerd-1.7", false)] {
        let world = World::start(dialect).await;
        for (name, unready) in [("web", false), ("all", true)] {
            let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}], "publishNotReadyAddresses": unready});
            world.create("services", json!({"metadata": {"name": name}, "spec": spec}));
        }
        for (name, image) in [("good", "app:1"), ("bad", "app:bad")] {
            let mut pod = template("web", image);
            pod["metadata"]["name"] = name.into();
            world.create("pods", pod);
        }
        world.pass(10).await;
        let conditions = |service: &str| {
            let slices = world.list("endpointslices.discovery.k8s.io");
            let label = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
            let slice = slices.iter().find(label).unwrap();
            let mut all: Vec<_> = slice["endpoints"]
                .as_array()
                .unwrap()
                .iter()
                .map(|endpoint| {
                    let is = |what: &str| endpoint["conditions"][what] == true;
                    (
                        endpoint["targetRef"]["name"].as_str().unwrap().to_owned(),
                        [is("ready"), is("serving"), is("terminating")],
                    )
                })
                .collect();
            all.sort();
            all
        };
        let addresses = |service: &str| {
            let subset = world.get("endpoints", service).unwrap()["subsets"][0].clone();
            ["addresses", "notReadyAddresses"].map(|list| subset[list].as_array().map_or(0, Vec::len))
        };
        let serves = |name: &str| is(name, [true, true, false]);
        let never = |ready: bool| is("bad", [ready, false, false]);
        assert_eq!(conditions("web"), [never(false), serves("good")]);
        assert_eq!(conditions("all"), [never(true), serves("good")]);
        assert_eq!((addresses("web"), addresses("all")), ([1, 1], [2, 0]));
        world.delete("pods", "good", "Background");
        world.settle().await;
        let ending = |ready: bool| is("good", [ready, true, true]);
        let expected = if told { vec![never(false), ending(false)] } else { vec![never(false)] };
        assert_eq!(conditions("web"), expected);
        assert_eq!(conditions("all"), [never(true), ending(true)]);
        assert_eq!((addresses("web"), addresses("all")), ([0, 1], [2, 0]));
    }
}

fn is(name: &str, conditions: [bool; 3]) -> (String, [bool; 3]) {
    (name.to_owned(), conditions)
}

#[tokio::test]
async fn a_name_for_another_service_leads_to_pods_in_old_releases_only() {
    for (dialect, leads) in [("k8s-1.36-containerd-2.1", false), ("k8s-1.20-containerd-1.7", true)] {
        let world = World::start(dialect).await;
        let spec = json!({"type": "ExternalName", "externalName": "db.example", "selector": {"app": "web"},
            "ports": [{"port": 80}]});
        world.create("services", json!({"metadata": {"name": "web"}, "spec": spec}));
        world.settle().await;
        let slices = world.list("endpointslices.discovery.k8s.io").len();
        assert_eq!(
            (world.get("endpoints", "web").is_some(), slices),
            (leads, usize::from(leads)),
            "{dialect}"
        );
    }
}

/// The slices of a Service: their ports with the names of the pods behind them.
fn slices(world: &World, service: &str) -> Vec<(Value, Vec<String>)> {
    let mut slices = world.list("endpointslices.discovery.k8s.io");
    slices.retain(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    let names = |slice: &Value| {
        let endpoints = slice["endpoints"].as_array().unwrap().iter();
        endpoints.map(|e| e["targetRef"]["name"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    let mut all: Vec<_> = slices.iter().map(|slice| (slice["ports"].clone(), names(slice))).collect();
    all.sort_by_key(|(_, pods)| pods.clone());
    all
}

#[tokio::test]
async fn a_port_that_a_pod_does_not_have_is_left_out_for_that_pod_alone() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    let ports = json!([{"name": "web", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81, "targetPort": 9000}]);
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}});
    world.create("services", service);
    world.settle().await;
    assert_eq!(slices(&world, "web"), [(json!([]), Vec::new())], "a placeholder");
    let placeholder = world.list("endpointslices.discovery.k8s.io")[0]["metadata"]["name"].clone();
    for (name, number) in [("a", Some(8080)), ("b", Some(8081)), ("c", None), ("d", Some(8080))] {
        let mut pod = template("web", "app:1");
        pod["metadata"]["name"] = name.into();
        if let Some(number) = number {
            pod["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": number}]);
        }
        world.create("pods", pod);
    }
    world.pass(10).await;
    let admin = json!({"name": "admin", "port": 9000, "protocol": "TCP"});
    let both = |number: i64| json!([{"name": "web", "port": number, "protocol": "TCP"}, admin]);
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let expected =
        [(both(8080), named(&["a", "d"])), (both(8081), named(&["b"])), (json!([admin]), named(&["c"]))];
    assert_eq!(slices(&world, "web"), expected);
    let names: Vec<Value> = world
        .list("endpointslices.discovery.k8s.io")
        .iter()
        .map(|slice| slice["metadata"]["name"].clone())
        .collect();
    assert!(names.contains(&placeholder), "it is used for the first pods");
    let subsets = world.get("endpoints", "web").unwrap()["subsets"].clone();
    let subsets = subsets.as_array().unwrap();
    let ports: Vec<&Value> = subsets.iter().map(|subset| &subset["ports"]).collect();
    assert_eq!(ports, [&both(8080), &both(8081), &json!([admin])]);
    assert_eq!(subsets[0]["addresses"].as_array().unwrap().len(), 2);
    ["a", "b", "c", "d"].into_iter().for_each(|pod| world.delete("pods", pod, "Background"));
    world.pass(10).await;
    assert_eq!(slices(&world, "web"), [(json!([]), Vec::new())]);
    assert_eq!(world.get("endpoints", "web").unwrap()["subsets"], json!([]));
}

#[tokio::test]
async fn what_is_behind_a_service_has_its_labels_and_headless_ones_know_hosts() {
    let world = World::start("k8s-1.36-containerd-2.1").await;
    for (name, address) in [("web", "None"), ("front", "10.96.0.7")] {
        world.create(
            "services",
            json!({"metadata": {"name": name, "labels": {"tier": name}},
                "spec": {"clusterIP": address, "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        );
    }
    let mut pod = template("web", "app:1");
    pod["metadata"]["name"] = "web-0".into();
    pod["spec"]["hostname"] = "web-0".into();
    pod["spec"]["subdomain"] = "web".into();
    world.create("pods", pod);
    world.pass(10).await;
    for (name, headless) in [("web", true), ("front", false)] {
        let mut labels = json!({ "tier": name });
        if headless {
            labels["service.kubernetes.io/headless"] = "".into();
        }
        let endpoints = world.get("endpoints", name).unwrap();
        let mut managed = labels.clone();
        managed["endpoints.kubernetes.io/managed-by"] = "endpoint-controller".into();
        assert_eq!(endpoints["metadata"]["labels"], managed);
        let host = if headless { json!("web-0") } else { Value::Null };
        assert_eq!(endpoints["subsets"][0]["addresses"][0]["hostname"], host);
        assert!(endpoints["subsets"][0]["ports"][0].get("name").is_none());
        let slices = world.list("endpointslices.discovery.k8s.io");
        let slice = slices.iter().find(|slice| slice["metadata"]["labels"]["tier"] == name).unwrap();
        labels["kubernetes.io/service-name"] = name.into();
        labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io".into();
        assert_eq!(slice["metadata"]["labels"], labels);
        assert_eq!(slice["ports"], json!([{"name": "", "port": 80, "protocol": "TCP"}]));
        assert_eq!(slice["endpoints"][0]["hostname"], host);
    }
    world.edit("services", "front", |service| service["metadata"]["labels"] = json!({"tier": "back"}));
    world.settle().await;
    assert_eq!(world.get("endpoints", "front").unwrap()["metadata"]["labels"]["tier"], "back");
    let slices = world.list("endpointslices.discovery.k8s.io");
    assert_eq!(slices.iter().filter(|slice| slice["metadata"]["labels"]["tier"] == "back").count(), 1);
    for slice in slices {
        world.delete(
            "endpointslices.discovery.k8s.io",
            slice["metadata"]["name"].as_str().unwrap(),
            "Background",
        );
    }
    world.delete("endpoints", "web", "Background");
    world.settle().await;
    assert_eq!(world.list("endpointslices.discovery.k8s.io").len(), 2, "made again");
    assert!(world.get("endpoints", "web").is_some());
}

#[tokio::test]
async fn old_releases_mount_a_token_from_a_secret() {
    let world = World::start("k8s-1.20-containerd-1.7").await;
    let account = world.get("serviceaccounts", "default").unwrap();
    let secret = account["secrets"][0]["name"].as_str().unwrap();
    assert_eq!(world.get("secrets", secret).unwrap()["type"], "kubernetes.io/service-account-token");
    world.create("deployments.apps", deployment("web", 1, "app:1"));
    world.pass(5).await;
    assert_eq!(world.list("pods")[0]["spec"]["volumes"][0]["secret"]["secretName"], secret);
    world.delete("secrets", secret, "Background");
    world.settle().await;
    let named = world.get("serviceaccounts", "default").unwrap()["secrets"].clone();
    let secrets = world.list("secrets");
    let present: Vec<Value> = secrets.iter().map(|s| json!({"name": s["metadata"]["name"]})).collect();
    assert_eq!(named, json!(present), "only the new one is named");
    assert!(present.len() == 1 && present[0]["name"] != secret);
    let modern = World::start("k8s-1.36-containerd-2.1").await;
    assert_eq!(modern.list("secrets").len(), 0);
}
