//! "May I?" and "who am I?", as clients ask them.

use http::Method;
use pulldrill_cluster::Principal;
use serde_json::{Value, json};

use crate::world::World;

const SELF: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
const OTHERS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const LOCAL: &str = "/apis/authorization.k8s.io/v1/namespaces/x/localsubjectaccessreviews";

#[tokio::test]
async fn answers_come_with_their_reason() {
    let world = World::new().await;
    let admin = world.admin();
    let binding = json!({"metadata": {"name": "v"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": "x"}]});
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    assert_eq!(admin.post(bindings, &binding).await.code, 201);
    let pods = json!({"verb": "list", "resource": "pods", "namespace": "default"});
    let review = json!({"spec": {"user": "system:serviceaccount:x:sa", "resourceAttributes": pods}});
    let answer = admin.post(OTHERS, &review).await;
    assert_eq!(answer.code, 201);
    assert_eq!(
        answer.json()["status"],
        json!({"allowed": true,
            "reason": "RBAC: allowed by RoleBinding \"v/default\" of ClusterRole \"view\" to ServiceAccount \"sa/x\""})
    );
    assert_eq!(answer.json()["spec"], review["spec"]);
    // The one who may everything gets no reason.
    assert_eq!(
        admin.post(SELF, &json!({"spec": {"resourceAttributes": pods}})).await.json()["status"],
        json!({"allowed": true})
    );
    let path = json!({"spec": {"user": "alice", "groups": ["system:unauthenticated"],
        "nonResourceAttributes": {"verb": "get", "path": "/healthz"}}});
    assert_eq!(
        admin.post(OTHERS, &path).await.json()["status"]["reason"],
        "RBAC: allowed by ClusterRoleBinding \"system:public-info-viewer\" of ClusterRole \"system:public-info-viewer\" to Group \
         \"system:unauthenticated\""
    );
    // Strangers are not even let near the question.
    assert_eq!(world.stranger().post(SELF, &json!({"spec": {}})).await.code, 403);
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let world = World::new().await;
    let admin = world.admin();
    let (resource, path) =
        (json!({"verb": "get", "resource": "pods", "namespace": "y"}), json!({"verb": "get", "path": "/"}));
    for (review, spec, code, message) in [
        (
            SELF,
            json!({}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": \
             exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            OTHERS,
            json!({"resourceAttributes": resource}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or \
             group must be specified",
        ),
        (
            LOCAL,
            json!({"user": "u", "resourceAttributes": resource}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \
             \"y\": must match metadata.namespace",
        ),
        (RULES, json!({}), 400, "no namespace on request"),
    ] {
        let refused = admin.post(review, &json!({"spec": spec})).await;
        assert_eq!((refused.code, refused.message().as_str()), (code, message));
    }
    let both = admin
        .post(SELF, &json!({"spec": {"resourceAttributes": resource, "nonResourceAttributes": path}}))
        .await;
    assert!(
        both.message().ends_with("cannot be specified in combination with resourceAttributes"),
        "{}",
        both.message()
    );
    assert_eq!(admin.get(SELF).await.code, 405);
}

/// What real servers answered masters (`auth can-i --list`, recorded), in the order of their names.
#[tokio::test]
async fn everything_that_somebody_may_is_listed() {
    let world = World::new().await;
    let ask = json!({"spec": {"namespace": "default"}});
    let answer = world.admin().post(RULES, &ask).await.json();
    assert_eq!((&answer["metadata"], &answer["spec"]), (&json!({}), &json!({})));
    let status = &answer["status"];
    assert_eq!(
        status["resourceRules"],
        json!([
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
                "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
            {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
        ])
    );
    let open = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    assert_eq!(
        status["nonResourceRules"],
        json!([
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                "/openapi/*", "/readyz", "/version", "/version/"]},
            {"verbs": ["get"], "nonResourceURLs": open},
        ])
    );
    assert_eq!(status["incomplete"], false);
    let headers = [("impersonate-user", "alice"), ("content-type", "application/json")];
    let alice = world.admin().ask(Method::POST, RULES, &headers, ask.to_string()).await.json();
    assert_eq!(alice["status"]["resourceRules"].as_array().unwrap().len(), 2);
    let trainee: Value = world.client(Principal::Trainee).post(RULES, &ask).await.json();
    assert!(trainee["status"]["resourceRules"].to_string().contains("events"));
}
