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

/// The header that makes a request of the administrator's somebody else's.
fn as_user(name: &str) -> [(&str, &str); 2] {
    [("impersonate-user", name), ("content-type", "application/json")]
}

#[tokio::test]
async fn rights_are_asked_for_before_anything_is_looked_for() {
    let world = World::new().await;
    let admin = world.admin();
    for (method, path, code, message) in [
        (
            Method::GET,
            "/api/v1/namespaces/x/nothings",
            404,
            r#"nothings is forbidden: User "alice" cannot list resource "nothings" in API group "" in the namespace "x""#,
        ),
        (
            Method::GET,
            "/api/v1/namespaces/default",
            200,
            r#"namespaces "default" is forbidden: User "alice" cannot get resource "namespaces" in API group "" in the namespace "default""#,
        ),
        (
            Method::DELETE,
            "/apis/apps/v1/namespaces/x/deployments",
            200,
            r#"deployments.apps is forbidden: User "alice" cannot deletecollection resource "deployments" in API group "apps" in the namespace "x""#,
        ),
        (
            Method::GET,
            "/api/v1/nodes/n/proxy",
            404,
            r#"nodes "n" is forbidden: User "alice" cannot get resource "nodes/proxy" in API group "" at the cluster scope"#,
        ),
        (Method::GET, "/metrics", 200, r#"forbidden: User "alice" cannot get path "/metrics""#),
        (Method::POST, "/version", 405, r#"forbidden: User "alice" cannot post path "/version""#),
    ] {
        let refused = admin.ask(method.clone(), path, &as_user("alice"), "").await;
        assert_eq!((refused.code, refused.message().as_str()), (403, message));
        assert_eq!(admin.ask(method, path, &[], "").await.code, code, "{path}");
    }
    for path in ["/api", "/apis/apps/v1", "/openapi/v3", "/version", "/healthz"] {
        assert_eq!(admin.ask(Method::GET, path, &as_user("alice"), "").await.code, 200, "{path}");
    }
}

#[tokio::test]
async fn a_role_that_names_objects_lets_them_be_listed_by_name() {
    let world = World::new().await;
    let admin = world.admin();
    for name in ["mine", "other"] {
        assert_eq!(admin.post(SECRETS, &json!({"metadata": {"name": name}})).await.code, 201);
    }
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get", "list", "watch"], "apiGroups": [""],
        "resources": ["secrets"], "resourceNames": ["mine"]}]});
    assert_eq!(admin.post(&format!("{rbac}/roles"), &role).await.code, 201);
    let binding = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "alice"}]});
    assert_eq!(admin.post(&format!("{rbac}/rolebindings"), &binding).await.code, 201);
    let alice =
        async |query: &str| admin.ask(Method::GET, &format!("{SECRETS}{query}"), &as_user("alice"), "").await;
    for (query, code) in [
        ("/mine", 200),
        ("/mine?watch=true", 200),
        ("/other", 403),
        ("", 403),
        ("?fieldSelector=metadata.name%3Dmine", 200),
        ("?fieldSelector=metadata.name%3Dother", 403),
        ("?fieldSelector=metadata.name!%3Dmine", 403),
        ("?fieldSelector=type%3DOpaque,metadata.name%3D%3Dmine", 200),
    ] {
        assert_eq!(alice(query).await.code, code, "{query}");
    }
    let list = alice("?fieldSelector=metadata.name%3Dmine").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(alice("/mine?watch=true").await.json()["metadata"]["name"], "mine");
    assert_eq!(admin.delete(&format!("{rbac}/roles/r")).await.code, 200);
    assert!(
        alice("/mine").await.message().ends_with(r#": RBAC: role.rbac.authorization.k8s.io "r" not found"#)
    );
}

#[tokio::test]
async fn streams_and_applied_objects_need_the_right_to_create() {
    let world = World::new().await;
    let admin = world.admin();
    let role = json!({"metadata": {"name": "half"}, "rules": [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/exec"]},
        {"verbs": ["patch", "get"], "apiGroups": [""], "resources": ["configmaps"]}]});
    assert_eq!(admin.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await.code, 201);
    let binding = json!({"metadata": {"name": "half"}, "roleRef": {"kind": "ClusterRole", "name": "half"},
        "subjects": [{"kind": "User", "name": "alice"}]});
    assert_eq!(
        admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.code,
        201
    );
    let exec = "/api/v1/namespaces/default/pods/p/exec?command=ls";
    assert_eq!(
        admin.ask(Method::GET, exec, &as_user("alice"), "").await.message(),
        r#"pods "p" is forbidden: User "alice" cannot create resource "pods/exec" in API group "" in the namespace "default""#
    );
    let apply = [("impersonate-user", "alice"), ("content-type", "application/apply-patch+yaml")];
    let map = "/api/v1/namespaces/default/configmaps/m?fieldManager=f";
    let object =
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "b"}}"#;
    assert_eq!(
        admin.ask(Method::PATCH, map, &apply, object).await.message(),
        r#"configmaps "m" is forbidden: "#
    );
    assert_eq!(admin.ask(Method::PATCH, map, &apply[1..], object).await.code, 201);
    assert_eq!(admin.ask(Method::PATCH, map, &apply, object).await.code, 200);
}

#[tokio::test]
async fn roles_gather_rules_while_the_cluster_runs() {
    let world = World::new().await;
    let admin = world.admin();
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let rules = async || admin.get(&format!("{roles}/view")).await.json()["rules"].to_string();
    assert!(rules().await.contains("pods/log"));
    let more = json!({"metadata": {"name": "crons", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"verbs": ["get"], "apiGroups": ["stable.example.com"], "resources": ["crontabs"]}]});
    assert_eq!(admin.post(roles, &more).await.code, 201);
    world.clock.idle().await;
    assert!(rules().await.contains("crontabs"));
    let admins = admin.get(&format!("{roles}/admin")).await.json()["rules"].to_string();
    assert!(admins.contains("crontabs"), "what is gathered is gathered again");
    assert_eq!(admin.delete(&format!("{roles}/crons")).await.code, 200);
    world.clock.idle().await;
    assert!(!rules().await.contains("crontabs"));
}

#[tokio::test]
async fn headers_of_every_kind_are_survived() {
    let world = World::new().await;
    let admin = world.admin();
    let whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let many: Vec<String> = (0..60).map(|i| format!("g{i}{}", "x".repeat(500))).collect();
    let mut headers: Vec<(&str, &str)> =
        vec![("impersonate-user", "alice"), ("content-type", "application/json")];
    headers.extend(many.iter().map(|group| ("impersonate-group", group.as_str())));
    let extra: Vec<String> = (0..20).map(|i| format!("impersonate-extra-k{i}%2f{i}")).collect();
    headers.extend(extra.iter().map(|name| (name.as_str(), "v")));
    let me = admin.ask(Method::POST, whoami, &headers, "{}").await.json();
    assert_eq!(me["status"]["userInfo"]["groups"].as_array().unwrap().len(), 61);
    assert_eq!(me["status"]["userInfo"]["extra"]["k7/7"], json!(["v"]));
    for (name, value) in [
        ("impersonate-user", "\u{fffd}".repeat(8000).as_str()),
        ("impersonate-extra-", "v"),
        ("impersonate-uid", "u"),
        ("authorization", "Bearer"),
        ("authorization", "Bearer \u{e9}"),
        ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io."),
    ] {
        let answer = world.stranger().ask(Method::GET, SECRETS, &[(name, value)], "").await;
        assert!([401, 403, 431, 500].contains(&answer.code), "{name}: {}", answer.code);
    }
    assert_eq!(admin.get(SECRETS).await.code, 200);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_worth_nothing() {
    let world = World::new().await;
    let forged = pulldrill_tls::Authority::new("kubernetes").unwrap();
    let identity = forged.client("kubernetes-admin", &["system:masters"]).unwrap();
    let client = world.with_identity(identity.certificate.as_bytes(), identity.key.as_bytes());
    for path in ["/api/v1/secrets", "/healthz"] {
        let refused = client.get(path).await;
        assert_eq!((refused.code, refused.message().as_str()), (401, "Unauthorized"));
    }
    // A good token makes up for it, and a client without either is merely a stranger.
    let token = world
        .admin()
        .post("/api/v1/namespaces/default/serviceaccounts/default/token", &json!({}))
        .await
        .json();
    let bearer = format!("Bearer {}", token["status"]["token"].as_str().unwrap());
    assert_eq!(client.ask(Method::GET, "/version", &[("authorization", &bearer)], "").await.code, 200);
    assert_eq!(world.stranger().get("/version").await.code, 200);
    assert_eq!(world.admin().get("/api/v1/secrets").await.code, 200);
}
