//! What an older server says less of, or says differently.

use pulldrill_clock::Clock;
use pulldrill_cluster::Parts;
use serde_json::json;

use super::world::World;

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn unknown_fields_are_dropped_in_silence_and_there_are_no_ephemeral_containers() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    let container = json!({"name": "c", "image": "x:1", "imagePullPolice": "Always"});
    let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [container]}});
    for query in ["", "?fieldValidation=Strict&dryRun=All", "?fieldValidation=Nonsense&dryRun=All"] {
        let mut pod = pod.clone();
        pod["metadata"]["name"] = format!("a{}", query.len()).into();
        let made = admin.post(&format!("{PODS}{query}"), &pod).await;
        assert_eq!((made.code, made.headers.get("warning")), (201, None), "{query}: {:?}", made.body);
        assert!(made.json()["spec"]["containers"][0].get("imagePullPolice").is_none());
    }
    let older = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    let path = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets";
    let made = admin.post(path, &older).await;
    assert_eq!((made.code, made.headers.get("warning")), (201, None), "it was the newest version then");
    assert_eq!(admin.get(&format!("{PODS}/a0")).await.code, 200);
    let missing = admin.get(&format!("{PODS}/a0/ephemeralcontainers")).await;
    assert_eq!(missing.code, 404);
    assert_eq!(missing.message(), "the server could not find the requested resource");
}

/// Groups with their versions, and whether each is preferred, as discovery has them.
fn versions(groups: &serde_json::Value, name: &str) -> Vec<String> {
    let groups = groups["groups"].as_array().unwrap();
    let found = groups.iter().find(|group| group["name"] == name);
    let versions = found.map(|group| group["versions"].as_array().unwrap().clone()).unwrap_or_default();
    versions.iter().map(|version| version["version"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_old_server_serves_what_there_was() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    // Aggregated discovery is not known, so the older form comes.
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let groups = admin.ask(http::Method::GET, "/apis", &[("accept", aggregated)], "").await.json();
    assert_eq!(groups["kind"], "APIGroupList");
    assert_eq!(versions(&groups, "batch"), ["v1", "v1beta1"]);
    assert_eq!(versions(&groups, "autoscaling"), ["v1", "v2beta1", "v2beta2"]);
    assert_eq!(versions(&groups, "policy"), ["v1beta1"]);
    assert_eq!(versions(&groups, "extensions"), ["v1beta1"]);
    assert!(versions(&groups, "resource.k8s.io").is_empty());
    for (path, code) in [
        ("/openapi/v3", 404),
        ("/apis/batch/v1/cronjobs", 404),
        ("/apis/batch/v1beta1/cronjobs", 200),
        ("/apis/policy/v1beta1/podsecuritypolicies", 200),
        ("/apis/discovery.k8s.io/v1beta1/endpointslices", 200),
        ("/apis/discovery.k8s.io/v1/endpointslices", 404),
    ] {
        assert_eq!(admin.get(path).await.code, code, "{path}");
    }
    let watch = "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let refused = admin.get(watch).await;
    assert_eq!(refused.code, 422);
    assert!(
        refused.message().contains("resourceVersionMatch is forbidden for watch"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn an_ingress_is_the_same_in_all_its_old_forms() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    let backend = json!({"serviceName": "web", "servicePort": 80});
    let old = json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "a"},
        "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}]}});
    let made = admin.post("/apis/extensions/v1beta1/namespaces/default/ingresses", &old).await;
    assert_eq!(made.code, 201, "{:?}", made.body);
    for (group, version) in [("extensions", "v1beta1"), ("networking.k8s.io", "v1beta1")] {
        let path = format!("/apis/{group}/{version}/namespaces/default/ingresses/a");
        let found = admin.get(&path).await.json();
        assert_eq!(found["apiVersion"], format!("{group}/{version}"));
        assert_eq!(found["spec"]["rules"][0]["http"]["paths"][0]["backend"], backend);
    }
    let new = admin.get("/apis/networking.k8s.io/v1/namespaces/default/ingresses/a").await.json();
    let path = &new["spec"]["rules"][0]["http"]["paths"][0];
    assert_eq!(path["backend"], json!({"service": {"name": "web", "port": {"number": 80}}}));
    assert_eq!(path["pathType"], "ImplementationSpecific");
}

#[tokio::test]
async fn an_autoscaler_is_spoken_of_in_three_versions() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    let path =
        |version: &str| format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers");
    let scaler = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80,
        "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}}});
    let made = admin.post(&path("v1"), &scaler).await;
    assert_eq!(made.code, 201, "{:?}", made.body);
    let metric = |found: &serde_json::Value| found["spec"]["metrics"][0]["resource"].clone();
    let newer = admin.get(&format!("{}/a", path("v2beta2"))).await.json();
    assert_eq!(metric(&newer)["target"]["averageUtilization"], 80);
    let older = admin.get(&format!("{}/a", path("v2beta1"))).await.json();
    assert_eq!(metric(&older), json!({"name": "cpu", "targetAverageUtilization": 80}));
    assert_eq!(admin.get(&format!("{}/a", path("v2"))).await.code, 404);
}

/// The fields of a type in the OpenAPI document of version 2.
async fn properties(world: &World, definition: &str) -> Vec<String> {
    let document = world.admin().get("/openapi/v2").await.json();
    let found = document["definitions"][definition]["properties"].as_object().unwrap();
    found.keys().cloned().collect()
}

#[tokio::test]
async fn releases_tell_and_keep_the_fields_that_they_have() {
    for (dialect, gates, image_volumes, observed) in [
        ("k8s-1.20-containerd-1.7", false, false, false),
        ("k8s-1.31-containerd-1.7", true, true, false),
        ("k8s-1.36-containerd-2.1", true, true, true),
    ] {
        let world = World::of(Clock::live(), Parts::Bare, dialect, &[]).await;
        let spec = properties(&world, "io.k8s.api.core.v1.PodSpec").await;
        assert_eq!(spec.contains(&"schedulingGates".to_owned()), gates, "{dialect}");
        let volume = properties(&world, "io.k8s.api.core.v1.Volume").await;
        assert_eq!(volume.contains(&"image".to_owned()), image_volumes, "{dialect}");
        let status = properties(&world, "io.k8s.api.core.v1.PodStatus").await;
        assert_eq!(status.contains(&"observedGeneration".to_owned()), observed, "{dialect}");
        let pod = json!({"metadata": {"name": "a"}, "spec": {"schedulingGates": [{"name": "x.example/y"}],
            "hostnameOverride": "h", "containers": [{"name": "c", "image": "x:1"}]}});
        let admin = world.admin();
        let made = admin.post(PODS, &pod).await;
        assert_eq!(made.code, 201, "{dialect}: {:?}", made.body);
        let made = made.json();
        assert_eq!(made["spec"].get("schedulingGates").is_some(), gates, "{dialect}");
        assert_eq!(made["spec"].get("hostnameOverride").is_some(), observed, "{dialect}");
        let mut other = pod.clone();
        other["metadata"]["name"] = "b".into();
        let strict = admin.post(&format!("{PODS}?fieldValidation=Strict&dryRun=All"), &other).await;
        if dialect.contains("1.31") {
            assert_eq!(strict.code, 400, "{dialect}");
            let unknown = "strict decoding error: unknown field \"spec.hostnameOverride\"";
            assert!(strict.message().ends_with(unknown), "{}", strict.message());
        } else {
            assert_eq!(strict.code, 201, "{dialect}: {:?}", strict.body);
        }
    }
}

#[tokio::test]
async fn defaults_and_managers_name_no_field_that_the_release_lacks() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let service =
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let made = world.admin().post("/api/v1/namespaces/default/services", &service).await.json();
    assert_eq!(made["spec"]["type"], "ClusterIP");
    assert_eq!(made["spec"].get("internalTrafficPolicy"), None);
    let owned = made["metadata"]["managedFields"].to_string();
    assert!(owned.contains("f:sessionAffinity") && !owned.contains("internalTrafficPolicy"), "{owned}");
    let admin = world.admin();
    let applied = admin.ask(
        http::Method::PATCH,
        "/api/v1/namespaces/default/services/web?fieldManager=me&force=true",
        &[("content-type", "application/apply-patch+yaml")],
        r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"internalTrafficPolicy": "Local"}}"#,
    );
    let applied = applied.await;
    assert_eq!(applied.code, 500);
    assert!(applied.message().ends_with(".spec.internalTrafficPolicy: field not declared in schema"));
}

#[tokio::test]
async fn the_target_of_an_old_autoscaler_is_shown() {
    let world = World::of(Clock::live(), Parts::All, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    let scaler = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    let path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    assert_eq!(admin.post(path, &scaler).await.code, 201);
    let table = admin.table(path).await.json();
    assert_eq!(table["rows"][0]["cells"][2], "<unknown>/50%");
    assert_eq!(admin.get(&format!("{path}/web")).await.json()["spec"]["targetCPUUtilizationPercentage"], 50);
}

#[tokio::test]
async fn who_makes_a_node_owned_the_status_that_it_came_with() {
    for (dialect, owned) in [("k8s-1.20-containerd-1.7", true), ("k8s-1.36-containerd-2.1", false)] {
        let world = World::of(Clock::live(), Parts::Bare, dialect, &[]).await;
        let node = json!({"metadata": {"name": "n"}, "status": {"capacity": {"memory": "1Gi"}}});
        let made = world.admin().post("/api/v1/nodes?fieldManager=m", &node).await.json();
        let fields = &made["metadata"]["managedFields"][0]["fieldsV1"];
        assert_eq!(fields["f:status"]["f:capacity"]["f:memory"].is_object(), owned, "{dialect}: {made}");
    }
}
