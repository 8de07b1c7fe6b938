//! What clients learn about the server.

use http::Method;

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
