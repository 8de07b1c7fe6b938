//! A cluster without scheduler, kubelets and service accounts, administered with a static token: what Kubernetes' own
//! `test/cmd` suite asks for.

use http::Method;
use pulldrill_clock::Clock;
use pulldrill_cluster::Parts;
use serde_json::json;

use super::world::{NEWEST, World};

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn controllers_work_but_nobody_runs_what_they_make() {
    let clock = Clock::live();
    let world = World::of(clock, Parts::Bare, NEWEST, &[]).await;
    let admin = world.admin();
    let node = json!({"metadata": {"name": "127.0.0.1"}, "status": {"capacity": {"pods": "10"}}});
    assert_eq!(admin.post("/api/v1/nodes", &node).await.code, 201);
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"serviceAccountName": "nobody",
        "containers": [{"name": "c", "image": "x:1"}]}});
    let set = json!({"metadata": {"name": "a"}, "spec": {"replicas": 1,
        "selector": {"matchLabels": {"app": "a"}}, "template": template}});
    assert_eq!(admin.post("/apis/apps/v1/namespaces/default/replicasets", &set).await.code, 201);
    world.clock.idle().await;
    let pods = admin.get(PODS).await.json();
    let pod = &pods["items"][0];
    assert_eq!(pod["status"]["phase"], "Pending", "the ReplicaSet has made it: {pods}");
    assert!(pod["spec"]["nodeName"].is_null() && pod["spec"]["volumes"].is_null(), "{pod}");
    let plain = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}});
    let made = admin.post(PODS, &plain).await.json();
    assert!(made["spec"]["serviceAccountName"].is_null(), "{made}");
    let ghost = admin.post("/api/v1/namespaces/ghost/pods", &plain).await;
    assert_eq!(ghost.code, 404, "namespaces have to exist all the same");
}

#[tokio::test]
async fn a_token_of_ones_own_choice_is_good_for_ever_and_no_other_is() {
    let world = World::new().await;
    world.cluster.accept_admin_token("admin-token");
    let code = async |token: &str| {
        let bearer = format!("Bearer {token}");
        world.stranger().ask(Method::GET, PODS, &[("authorization", &bearer)], "").await.code
    };
    assert_eq!(code("admin-token").await, 200);
    assert_eq!(code("admin-toke").await, 401);
}

#[tokio::test]
async fn the_control_plane_is_well_and_behind_its_service() {
    for (dialect, etcd, warned) in
        [(NEWEST, "ok", true), ("k8s-1.20-containerd-1.7", r#"{"health":"true"}"#, false)]
    {
        let world = World::of(Clock::live(), Parts::Bare, dialect, &[]).await;
        let admin = world.admin();
        let parts = admin.table("/api/v1/componentstatuses").await;
        let rows = parts.json()["rows"].as_array().unwrap().clone();
        let cells: Vec<_> = rows.iter().map(|row| row["cells"].clone()).collect();
        assert_eq!(cells.len(), 3, "{cells:?}");
        assert!(cells.contains(&json!(["etcd-0", "Healthy", etcd, ""])), "{cells:?}");
        let warning = "299 - \"v1 ComponentStatus is deprecated in v1.19+\"";
        assert_eq!(parts.headers.get("warning").map(|value| value.to_str().unwrap()), Some(warning));
        let endpoints = admin.get("/api/v1/namespaces/default/endpoints/kubernetes").await;
        assert_eq!(endpoints.json()["subsets"][0]["ports"][0]["port"], 6443);
        assert_eq!(endpoints.headers.contains_key("warning"), warned, "{dialect}");
    }
}

#[tokio::test]
async fn accounts_get_no_tokens_of_their_own_where_nobody_mounts_them() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    world.clock.idle().await;
    let account = admin.get("/api/v1/namespaces/default/serviceaccounts/default").await;
    assert_eq!(account.code, 200);
    let secrets = admin.get("/api/v1/namespaces/default/secrets").await.json();
    assert_eq!(secrets["items"], json!([]));
}
