//! Who is who, and who may what.

use http::Method;
use pulldrill_cluster::Principal;
use serde_json::json;

use crate::world::{World, config_map};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";

#[tokio::test]
async fn trainees_may_everything_but_forge_evidence() {
    let world = World::new().await;
    let (admin, trainee) = (world.admin(), world.client(Principal::Trainee));
    assert_eq!(trainee.get("/api/v1/nodes").await.code, 200);
    assert_eq!(trainee.post("/api/v1/namespaces", &json!({"metadata": {"name": "mine"}})).await.code, 201);
    assert_eq!(trainee.post(SECRETS, &json!({"metadata": {"name": "s"}})).await.code, 201);
    let node = json!({"metadata": {"name": "forged"}});
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]},
        "status": {"phase": "Running"}});
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(trainee.post(pods, &pod).await.json()["status"]["phase"], "Pending");
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}});
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}});
    for (path, body) in [
        ("/api/v1/nodes", &node),
        ("/api/v1/namespaces/default/pods/p/binding", &binding),
        ("/api/v1/namespaces/default/bindings", &binding),
        ("/api/v1/namespaces/default/events", &event),
        ("/apis/events.k8s.io/v1/namespaces/default/events", &event),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases", &node),
    ] {
        assert_eq!(trainee.post(path, body).await.code, 403, "{path}");
    }
    let status = json!({"status": {"phase": "Running"}});
    for sub in ["status", "status/", "status/x"] {
        let refused = trainee.patch(&format!("{pods}/p/{sub}"), "merge-patch+json", &status).await;
        assert_eq!(refused.code, 403, "{sub}");
    }
    assert_eq!(trainee.patch(&format!("{pods}/p"), "merge-patch+json", &status).await.code, 200);
    assert_eq!(admin.get(&format!("{pods}/p")).await.json()["status"]["phase"], "Pending");
    assert_eq!(trainee.delete("/api/v1/namespaces/default/events").await.code, 403);
    let masks = [("impersonate-user", "kubernetes-admin"), ("impersonate-group", "system:masters")];
    let refused = trainee.ask(Method::GET, pods, &masks, "").await;
    assert_eq!(
        refused.message(),
        "users \"kubernetes-admin\" is forbidden: User \"trainee\" cannot impersonate resource \"users\" in API group \
         \"\" at the cluster scope"
    );
    // A role that grants more than a trainee has does not help either.
    let grant = json!({"metadata": {"name": "all"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    assert_eq!(trainee.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &grant).await.code, 201);
    let bound = json!({"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "all"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "default"}]});
    assert_eq!(
        trainee.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &bound).await.code,
        201
    );
    let token =
        trainee.post("/api/v1/namespaces/default/serviceaccounts/default/token", &json!({})).await.json();
    let bearer = format!("Bearer {}", token["status"]["token"].as_str().unwrap());
    let account = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let stranger = world.stranger();
    assert_eq!(stranger.ask(Method::GET, SECRETS, &account, "").await.code, 200);
    assert_eq!(stranger.ask(Method::POST, "/api/v1/nodes", &account, node.to_string()).await.code, 403);
}

#[tokio::test]
async fn strangers_are_told_their_place() {
    let world = World::new().await;
    let stranger = world.stranger();
    assert_eq!(stranger.get("/healthz").await.code, 200);
    let refused = stranger.get("/api/v1/namespaces/default/pods").await;
    assert_eq!(
        refused.message(),
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the namespace \
         \"default\""
    );
    assert_eq!(stranger.get("/apis").await.code, 403);
    let wrong = stranger.ask(Method::GET, "/version", &[("authorization", "Bearer nonsense")], "").await;
    assert_eq!((wrong.code, wrong.message().as_str()), (401, "Unauthorized"));
}

#[tokio::test]
async fn questions_are_answered() {
    let world = World::new().await;
    let trainee = world.client(Principal::Trainee);
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let ask = |verb: &str, resource: &str| json!({"spec": {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": "default"}}});
    assert_eq!(trainee.post(path, &ask("create", "pods")).await.json()["status"]["allowed"], true);
    let no = trainee.post(path, &ask("create", "events")).await;
    assert_eq!((no.code, no.json()["status"]["allowed"].as_bool()), (201, Some(false)));
    let me = trainee.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({})).await.json();
    assert_eq!(me["status"]["userInfo"]["username"], "trainee");
    let masks = [("impersonate-user", "bob"), ("content-type", "application/json")];
    let bob = world
        .admin()
        .ask(
            Method::POST,
            "/api/v1/namespaces/default/configmaps",
            &masks,
            config_map("x", &json!({})).to_string(),
        )
        .await;
    assert_eq!(bob.code, 403);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_worth_nothing() {
    let world = World::new().await;
    let forged = pulldrill_tls::Authority::new("kubernetes").unwrap();
    let identity = forged.client("kubernetes-admin", &["system:masters"]).unwrap();
    let client = world.with_identity(identity.certificate.as_bytes(), identity.key.as_bytes());
    assert!(client.try_get("/api/v1/secrets").await.is_none());
    assert_eq!(world.admin().get("/api/v1/secrets").await.code, 200);
}
