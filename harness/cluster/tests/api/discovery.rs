//! What clients learn about the server.

use http::Method;
use pulldrill_clock::Clock;
use pulldrill_cluster::Parts;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn both_forms_of_discovery_agree() {
    let world = World::new().await;
    let admin = world.admin();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let aggregated = admin.ask(Method::GET, "/apis?timeout=32s", &[("accept", accept)], "").await;
    assert_eq!(
        aggregated.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let tag = aggregated.headers["etag"].to_str().unwrap().to_owned();
    let again = admin.ask(Method::GET, "/apis", &[("accept", accept), ("if-none-match", &tag)], "").await;
    assert_eq!(again.code, 304);
    let plain = admin.get("/apis").await.json();
    let names = |groups: &serde_json::Value| -> Vec<String> {
        let name = |g: &serde_json::Value| g.get("name").or_else(|| g["metadata"].get("name")).cloned();
        groups.as_array().unwrap().iter().filter_map(name).map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&plain["groups"]), names(&aggregated.json()["items"]));
    for group in plain["groups"].as_array().unwrap() {
        for version in group["versions"].as_array().unwrap() {
            let path = format!("/apis/{}", version["groupVersion"].as_str().unwrap());
            let list = admin.get(&path).await.json();
            assert!(!list["resources"].as_array().unwrap().is_empty(), "{path}");
        }
    }
    assert_eq!(admin.get("/api").await.json()["versions"][0], "v1");
    assert_eq!(admin.get("/apis/nonsense").await.body, "404 page not found\n");
    assert_eq!(admin.get("/apis/apps/v7").await.json()["reason"], "NotFound");
}

#[tokio::test]
async fn version_health_and_schemas() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.get("/version").await.json()["minor"], "36");
    assert_eq!(admin.get("/readyz").await.body, "ok");
    let index = admin.get("/openapi/v3").await.json();
    let apps = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    assert_eq!(admin.get(apps).await.json()["openapi"], "3.0.0");
    let wrong = apps.split('?').next().unwrap().to_owned() + "?hash=wrong";
    assert_eq!(admin.get(&wrong).await.code, 301);
    let accept = [("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")];
    let old = admin.ask(Method::GET, "/openapi/v2", &accept, "").await;
    assert_eq!((old.code, old.body[0]), (200, 0x0a));
}

#[tokio::test]
async fn a_group_of_others_is_told_of_and_not_available() {
    let world = World::new().await;
    let admin = world.admin();
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    let service = |name: &str, service: &str| {
        json!({"kind": "APIService", "apiVersion": "apiregistration.k8s.io/v1", "metadata": {"name": name},
            "spec": {"group": "metrics.example.com", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                "insecureSkipTLSVerify": true, "service": {"name": service, "namespace": "default"}}})
    };
    let unnamed = admin.post(services, &service("x", "ghost")).await;
    assert!(
        unnamed.message().contains(
            "metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1beta1.metrics.example.com\""
        ),
        "{}",
        unnamed.message()
    );
    let name = "v1beta1.metrics.example.com";
    assert_eq!(admin.post(services, &service(name, "ghost")).await.code, 201);
    let condition = async || {
        world.clock.idle().await;
        let found = admin.get(&format!("{services}/{name}")).await.json()["status"]["conditions"][0].clone();
        ["status", "reason", "message"].map(|field| found[field].as_str().unwrap().to_owned())
    };
    let missing = "service/ghost in \"default\" is not present";
    assert_eq!(condition().await, ["False", "ServiceNotFound", missing]);
    let port = json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "ghost"},
        "spec": {"clusterIP": "10.96.9.9", "ports": [{"name": "web", "port": 80}]}});
    admin.post("/api/v1/namespaces/default/services", &port).await;
    let deaf = "service/ghost in \"default\" is not listening on port 443";
    assert_eq!(condition().await, ["False", "ServicePortError", deaf]);
    let fixed = json!({"spec": {"ports": [{"name": "web", "port": 443}]}});
    admin.patch("/api/v1/namespaces/default/services/ghost", "merge-patch+json", &fixed).await;
    let none = "cannot find endpoints for service/ghost in \"default\"";
    assert_eq!(condition().await, ["False", "EndpointsNotFound", none]);
    let endpoints = |list: &str| {
        json!({"kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": "ghost"},
            "subsets": [{list: [{"ip": "10.1.1.1"}], "ports": [{"name": "web", "port": 443}]}]})
    };
    admin.post("/api/v1/namespaces/default/endpoints", &endpoints("notReadyAddresses")).await;
    let empty = "endpoints for service/ghost in \"default\" have no addresses with port name \"web\"";
    assert_eq!(condition().await, ["False", "MissingEndpoints", empty]);
    let path = "/api/v1/namespaces/default/endpoints/ghost";
    let headers = [("content-type", "application/json")];
    admin.ask(Method::PUT, path, &headers, endpoints("addresses").to_string()).await;
    let url = "https://10.96.9.9:443/apis/metrics.example.com/v1beta1";
    let silent = format!(
        "failing or missing response from {url}: Get \"{url}\": dial tcp 10.96.9.9:443: connect: connection refused"
    );
    assert_eq!(condition().await, ["False", "FailedDiscoveryCheck", &silent]);
    for path in ["/apis/metrics.example.com/v1beta1", "/apis/metrics.example.com/v1beta1/nodes/n"] {
        let answer = admin.get(path).await;
        assert_eq!((answer.code, &*answer.body), (503, &b"service unavailable\n"[..]), "{path}");
    }
    let group = admin.get("/apis/metrics.example.com").await.json();
    assert_eq!(group["preferredVersion"]["groupVersion"], "metrics.example.com/v1beta1");
    let last = |list: &Value, field: &str| list[field].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last(&admin.get("/apis").await.json(), "groups")["name"], "metrics.example.com");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let aggregated = admin.ask(Method::GET, "/apis", &[("accept", accept)], "").await.json();
    let expected = json!({"metadata": {"name": "metrics.example.com"},
        "versions": [{"version": "v1beta1", "freshness": "Stale"}]});
    assert_eq!(last(&aggregated, "items"), expected);
    // What is served here stays available.
    let own = admin.get(&format!("{services}/v1.apps")).await.json();
    assert_eq!(own["status"]["conditions"][0]["reason"], "Local");
    assert_eq!(admin.get("/apis/apps/v1/none").await.code, 404);
}

/// What real servers told, word for word: `{release, path, accept, body}`, recorded by `tests/recordings/api`.
const RECORDED: &str = include_str!("../data/discovery.jsonl");

/// Recorded and served, and different: what it is about, and why.
const DIFFERENT: [(&str, &str); 6] = [
    ("{\"name\":\"batch\",\"versions\"", "kubectl 1.20 needs its v1beta1"),
    ("{\"name\":\"policy\",\"versions\"", "the same"),
    ("\"version\":\"v1beta1\"", "the same, where all is told at once"),
    ("\"name\":\"volumeattachments/status\"", "subresources are the same at all versions"),
    ("\"name\":\"pods/resize\"", "pods are not resized in place"),
    ("{\"resource\":\"pods\"", "the same, where all is told at once"),
];

/// A document in pieces, about one for each thing that it tells of. In which version something is stored is left out.
fn pieces(document: &str) -> Vec<String> {
    let marks = ["{\"name\":", "{\"resource\":", "{\"metadata\":", "{\"version\":", "\"freshness\":"];
    let text = marks.iter().fold(document.to_owned(), |text, mark| text.replace(mark, &format!("\n{mark}")));
    let piece = |line: &str| {
        let line = match line.split_once("\"storageVersionHash\":") {
            Some((before, _)) => format!("{before}\"storageVersionHash\""),
            None => line.to_owned(),
        };
        line.trim_end_matches(['[', ']', '{', '}', ',']).to_owned()
    };
    text.lines().map(piece).collect()
}

#[tokio::test]
async fn documents_are_those_of_real_servers_word_for_word() {
    for (release, dialect) in [("1.36", "k8s-1.36-containerd-2.1"), ("1.20", "k8s-1.20-containerd-1.7")] {
        let world = World::of(Clock::live(), Parts::Bare, dialect, &[]).await;
        let admin = world.admin();
        let mut compared = 0;
        for recorded in RECORDED.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            if recorded["release"] != release || recorded["path"] == "/api" {
                continue;
            }
            let text = |field: &str| recorded[field].as_str().unwrap();
            let answer = admin.ask(Method::GET, text("path"), &[("accept", text("accept"))], "").await;
            let ours = String::from_utf8(answer.body.to_vec()).unwrap();
            let (real, ours) = (pieces(text("body")), pieces(&ours));
            for (side, one, other) in [("real", &real, &ours), ("ours", &ours, &real)] {
                for piece in one.iter().filter(|piece| !other.contains(piece)) {
                    let known = DIFFERENT.iter().any(|(what, _)| piece.contains(what));
                    assert!(known, "{release} {}, {side} only: {piece}\n{other:#?}", text("path"));
                }
            }
            compared += real.iter().filter(|piece| ours.contains(piece)).count();
        }
        assert!(compared > 150, "{release}: {compared}");
        let core = String::from_utf8(admin.get("/api/v1").await.body.to_vec()).unwrap();
        assert!(core.contains(
            "\"shortNames\":[\"po\"],\"categories\":[\"all\"],\"storageVersionHash\":\"xPOwRZ+Yhw8=\"}"
        ));
        assert!(!core.contains("\"kind\":\"TokenReview\",\"verbs\":[\"create\"],\"storageVersionHash\""));
    }
}

#[tokio::test]
async fn what_is_counted_is_told() {
    let world = World::new().await;
    let admin = world.admin();
    for _ in 0..3 {
        assert_eq!(admin.get("/api/v1/namespaces/default/secrets/ghost").await.code, 404);
    }
    let page = admin.get("/metrics").await;
    assert_eq!(page.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    for line in [
        "apiserver_request_total{code=\"404\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"secrets\",\
         scope=\"resource\",subresource=\"\",verb=\"GET\"} 3",
        "# TYPE apiserver_storage_objects gauge",
        "apiserver_storage_objects{resource=\"namespaces\"} 4",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert!(page.contains("git_version=\"v1.36.2\""), "{page}");
}
