//! Virtual clusters: complete, and apart from each other.

use http::Method;
use pulldrill_clock::Clock;
use pulldrill_cluster::{Parts, Principal};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Answer, Client, NEWEST, World, config_map};

/// A client of one virtual cluster.
struct Inside {
    client: Client,
    prefix: String,
    bearer: String,
}

impl Inside {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let path = format!("{}{path}", self.prefix);
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        self.client.ask(method, &path, &headers, body.to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &Value::Null).await
    }
}

async fn create(world: &World, name: &str) -> Inside {
    let made = world.admin().ask(Method::PUT, &format!("/clusters/{name}"), &[], "").await;
    assert!(matches!(made.code, 200 | 201), "{}", String::from_utf8_lossy(&made.body));
    let kubeconfig = String::from_utf8(made.body.to_vec()).unwrap();
    let field = |field: &str| {
        let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix(field));
        line.unwrap_or_else(|| panic!("no {field} in {kubeconfig}")).trim().to_owned()
    };
    assert_eq!(field("server:"), format!("{}/clusters/{name}", world.cluster.url()));
    Inside {
        client: world.stranger(),
        prefix: format!("/clusters/{name}"),
        bearer: format!("Bearer {}", field("token:")),
    }
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn each_has_objects_of_its_own() {
    let world = World::with_nodes(&["node-1"]).await;
    let (one, two) = (create(&world, "one").await, create(&world, "two").await);
    world.clock.idle().await;
    assert_eq!(one.ask(Method::POST, CONFIG_MAPS, &config_map("mine", &json!({}))).await.code, 201);
    assert_eq!(one.get(&format!("{CONFIG_MAPS}/mine")).await.code, 200);
    assert_eq!(two.get(&format!("{CONFIG_MAPS}/mine")).await.code, 404);
    assert_eq!(world.admin().get(&format!("{CONFIG_MAPS}/mine")).await.code, 404);
    // Complete: nodes, roles, accounts, discovery, and controllers that work.
    assert_eq!(one.get("/api/v1/nodes").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(one.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/admin").await.code, 200);
    assert_eq!(one.get("/api/v1/namespaces/default/serviceaccounts/default").await.code, 200);
    assert_eq!(one.get("/apis").await.json()["kind"], "APIGroupList");
    let uid = async |inside: &Inside| {
        inside.get("/api/v1/namespaces/kube-system").await.json()["metadata"]["uid"].clone()
    };
    assert_ne!(uid(&one).await, uid(&two).await, "programs tell clusters apart by it");
    let listed = world.admin().get("/clusters").await.json();
    assert_eq!(listed, json!({"clusters": ["one", "two"]}));
}

#[tokio::test]
async fn credentials_of_one_are_worth_nothing_in_another() {
    let world = World::new().await;
    let (one, two) = (create(&world, "one").await, create(&world, "two").await);
    world.clock.idle().await;
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let issued = one.ask(Method::POST, path, &json!({"spec": {}})).await.json();
    let token = issued["status"]["token"].as_str().unwrap().to_owned();
    let account =
        Inside { bearer: format!("Bearer {token}"), client: one.client.clone(), prefix: one.prefix.clone() };
    assert_eq!(account.get("/api").await.code, 200);
    for bearer in [one.bearer.clone(), account.bearer.clone()] {
        let elsewhere =
            Inside { bearer: bearer.clone(), client: two.client.clone(), prefix: two.prefix.clone() };
        assert_eq!(elsewhere.get("/api").await.code, 401);
        let outside = Inside { bearer, client: one.client.clone(), prefix: String::new() };
        assert_eq!(outside.get("/api").await.code, 401);
        assert_eq!(outside.get("/clusters").await.code, 401);
    }
    world.cluster.accept_admin_token("for-tests-only");
    create(&world, "three").await;
    for name in ["one", "three"] {
        let headers = [("authorization", "Bearer for-tests-only")];
        let path = format!("/clusters/{name}/api/v1/pods");
        assert_eq!(world.stranger().ask(Method::GET, &path, &headers, "").await.code, 200, "{name}");
    }
    // The masters are the same everywhere, other certificates are good at their own cluster only.
    assert_eq!(world.admin().get("/clusters/one/api/v1/pods").await.code, 200);
    assert_eq!(world.client(Principal::Trainee).get("/clusters/one/api").await.code, 401);
    assert_eq!(world.stranger().get("/clusters/one/api/v1/pods").await.code, 403);
}

#[tokio::test]
async fn only_masters_make_and_remove_them_and_names_are_checked() {
    let world = World::new().await;
    let inside = create(&world, "one").await;
    for client in [world.client(Principal::Trainee), world.stranger()] {
        for (method, path) in
            [(Method::PUT, "/clusters/x"), (Method::DELETE, "/clusters/one"), (Method::GET, "/clusters")]
        {
            assert_eq!(client.ask(method, path, &[], "").await.code, 403, "{path}");
        }
    }
    // Nor do they make clusters within clusters.
    assert_eq!(inside.ask(Method::PUT, "/clusters/inner", &Value::Null).await.code, 404);
    let admin = world.admin();
    for name in ["UPPER", "-x", "a.b", "a%2Fb", "%00", &"x".repeat(64)] {
        let answer = admin.ask(Method::PUT, &format!("/clusters/{name}"), &[], "").await;
        assert_eq!(answer.code, 400, "{name}: {}", answer.message());
    }
    assert_eq!(admin.delete("/clusters/none").await.code, 404);
    assert_eq!(admin.get("/clusters/none/api").await.code, 404);
    assert_eq!(admin.post("/clusters/one", &json!({})).await.code, 405);
    assert_eq!(admin.get("/clustersx").await.code, 404);
    assert_eq!(admin.get("/clusters").await.json(), json!({"clusters": ["one"]}));
}

#[tokio::test]
async fn a_removed_one_ends_its_watches_and_a_new_one_of_its_name_is_empty() {
    let world = World::new().await;
    let one = create(&world, "one").await;
    assert_eq!(one.ask(Method::POST, CONFIG_MAPS, &config_map("mine", &json!({}))).await.code, 201);
    let mut watch =
        world.admin().watch(&format!("/clusters/one{CONFIG_MAPS}?watch=true&resourceVersion=0")).await;
    while watch.brief().await.1 != "mine" {}
    assert_eq!(world.admin().delete("/clusters/one").await.code, 200);
    while watch.next().await.is_some() {}
    assert_eq!(one.get("/api").await.code, 404);
    let again = create(&world, "one").await;
    assert_eq!(one.get("/api").await.code, 401, "the old token is not the new one's");
    assert_eq!(again.get(&format!("{CONFIG_MAPS}/mine")).await.code, 404);
}

#[tokio::test]
async fn a_request_that_is_slower_than_the_end_of_its_cluster_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || World::durable(Clock::live(), NEWEST, &["node-1"], folder.path()).await;
    let world = start().await;
    let one = create(&world, "one").await;
    let body = config_map("late", &json!({})).to_string();
    let (bearer, length) = (&one.bearer, body.len());
    let head = format!(
        "POST {}{CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        one.prefix
    );
    let mut stream = one.client.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    // Its cluster has been found when its body is asked for.
    let mut going_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut going_on).await.unwrap();
    assert!(going_on.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&going_on));
    assert_eq!(world.admin().delete("/clusters/one").await.code, 200);
    create(&world, "one").await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _whether_or_not_it_says_goodbye = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("the cluster was removed"), "{answer}");

    world.end().await;
    let world = start().await;
    let path = format!("/clusters/one{CONFIG_MAPS}/late");
    assert_eq!(world.admin().get(&path).await.code, 404);
}

#[tokio::test]
async fn a_hundred_are_made_at_once() {
    let world = World::of(Clock::live(), Parts::All, NEWEST, &["node-1"]).await;
    let admin = world.admin();
    let made = (0..100).map(|n| {
        let admin = admin.clone();
        tokio::spawn(
            async move { admin.ask(Method::PUT, &format!("/clusters/c-{}", n / 2), &[], "").await.code },
        )
    });
    let mut codes = Vec::new();
    for made in made.collect::<Vec<_>>() {
        codes.push(made.await.unwrap());
    }
    let count = |code| codes.iter().filter(|c| **c == code).count();
    assert_eq!((count(201), count(200)), (50, 50));
}
