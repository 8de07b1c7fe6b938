//! Admission webhooks that are really called.

use std::{convert::Infallible, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pulldrill_clock::Clock;
use pulldrill_cluster::{ClusterOptions, Parts};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::world::{Client, NEWEST, World, config_map};

const MAPS: &str = "/api/v1/namespaces/kube-public/configmaps";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1";

/// A webhook: what each of its paths answers, and what it was asked.
struct Hook {
    url: String,
    authority: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    async fn start() -> Self {
        let authority = pulldrill_tls::Authority::new("hooks").unwrap();
        let identity = authority.server(&["localhost".into()], &["127.0.0.1".parse().unwrap()]).unwrap();
        let acceptor = TlsAcceptor::from(identity.server_config(None).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| answer(request, seen.clone()));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, authority: STANDARD.encode(authority.pem()), asked }
    }

    /// A configuration with one webhook, at a path of the server.
    fn configuration(&self, kind: &str, path: &str, differ: &Value) -> Value {
        let mut webhook = json!({"name": "x.y.z", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("{}{path}", self.url), "caBundle": self.authority},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]});
        for (field, value) in differ.as_object().into_iter().flatten() {
            webhook[field] = value.clone();
        }
        json!({"kind": format!("{kind}WebhookConfiguration"), "apiVersion": "admissionregistration.k8s.io/v1",
            "metadata": {"name": "hook"}, "webhooks": [webhook]})
    }

    fn last(&self) -> Value {
        self.asked.lock().last().cloned().unwrap_or_default()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let mut response = json!({"uid": review["request"]["uid"], "allowed": path != "/deny"});
    if path == "/deny" {
        response["status"] = json!({"message": "no way", "code": 403, "reason": "Forbidden"});
    }
    let patch = match path.as_str() {
        "/label" => json!([{"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}}]),
        "/invalid" => json!([{"op": "add", "path": "/metadata/labels", "value": {"hooked": "a b"}}]),
        "/nowhere" => json!([{"op": "replace", "path": "/a/b", "value": 1}]),
        _ => Value::Null,
    };
    if !patch.is_null() {
        response["patch"] = STANDARD.encode(patch.to_string()).into();
        response["patchType"] = "JSONPatch".into();
    }
    seen.lock().push(review["request"].clone());
    let answer =
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
    let mut answer = Response::new(Full::new(answer.to_string().into()));
    if path == "/broken" {
        *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(answer)
}

async fn world(webhooks: bool) -> World {
    let set = |options: &mut ClusterOptions| options.webhooks = webhooks;
    World::with(Clock::live(), Parts::All, NEWEST, &[], set).await
}

/// Puts a configuration in the place of all others.
async fn install(admin: &Client, kind: &str, configuration: &Value) {
    for kind in ["mutating", "validating"] {
        admin.ask(Method::DELETE, &format!("{CONFIGURATIONS}/{kind}webhookconfigurations"), &[], "").await;
    }
    let path = format!("{CONFIGURATIONS}/{kind}webhookconfigurations");
    let made = admin.post(&path, configuration).await;
    assert_eq!(made.code, 201, "{:?}", made.body);
}

async fn told(admin: &Client, name: &str) -> (u16, String) {
    let answer = admin.post(MAPS, &config_map(name, &json!({}))).await;
    (answer.code, answer.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_can_refuse_each_kind_of_write() {
    let (world, hook) = (world(true).await, Hook::start().await);
    let admin = world.admin();
    assert_eq!(told(&admin, "kept").await.0, 201);
    install(&admin, "validating", &hook.configuration("Validating", "/deny", &json!({}))).await;
    let denied = "admission webhook \"x.y.z\" denied the request: no way";
    assert_eq!(told(&admin, "a").await, (403, denied.to_owned()));
    let request = hook.last();
    let expected = json!({"operation": "CREATE", "name": "a", "namespace": "kube-public", "dryRun": false,
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "oldObject": null,
        "resource": {"group": "", "version": "v1", "resource": "configmaps"}});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(request[field], *value, "{field}");
    }
    assert_eq!(request["object"]["metadata"]["name"], "a");
    assert!(request["userInfo"]["groups"].as_array().unwrap().contains(&"system:masters".into()));
    let kept = format!("{MAPS}/kept");
    let changed = admin.patch(&kept, "merge-patch+json", &json!({"data": {"new": "b"}})).await;
    assert_eq!((changed.code, changed.message()), (403, denied.to_owned()));
    let request = hook.last();
    assert_eq!((&request["operation"], &request["object"]["data"]["new"]), (&json!("UPDATE"), &json!("b")));
    assert!(request["oldObject"]["data"].get("new").is_none());
    // Not even what would change nothing is let through.
    assert_eq!(admin.patch(&kept, "merge-patch+json", &json!({})).await.code, 403);
    let deleted = admin.ask(Method::DELETE, &kept, &[], "").await;
    assert_eq!((deleted.code, deleted.message()), (403, denied.to_owned()));
    assert_eq!((&hook.last()["operation"], &hook.last()["object"]), (&json!("DELETE"), &Value::Null));
    assert_eq!(admin.get(&kept).await.code, 200);
    // Others are not asked about.
    let secret = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}});
    assert_eq!(admin.post("/api/v1/namespaces/kube-public/secrets", &secret).await.code, 201);
    // What controllers make is asked about as well.
    let asked = hook.asked.lock().len();
    let namespace = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "new"}});
    assert_eq!(admin.post("/api/v1/namespaces", &namespace).await.code, 201);
    world.clock.idle().await;
    let requests = hook.asked.lock()[asked..].to_vec();
    assert!(
        requests.iter().any(|r| r["namespace"] == "new" && r["name"] == "kube-root-ca.crt"),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_made_before_what_is_wrong_is_looked_for() {
    let (world, hook) = (world(true).await, Hook::start().await);
    let admin = world.admin();
    install(&admin, "mutating", &hook.configuration("Mutating", "/label", &json!({}))).await;
    let made = admin.post(MAPS, &config_map("a", &json!({}))).await.json();
    assert_eq!(made["metadata"]["labels"], json!({"hooked": "yes"}));
    let dry = admin.post(&format!("{MAPS}?dryRun=All"), &config_map("b", &json!({}))).await.json();
    assert_eq!((&dry["metadata"]["labels"]["hooked"], &hook.last()["dryRun"]), (&json!("yes"), &json!(true)));
    let changed = admin
        .patch(&format!("{MAPS}/a"), "merge-patch+json", &json!({"metadata": {"labels": {"b": "c"}}}))
        .await;
    assert_eq!(changed.json()["metadata"]["labels"], json!({"hooked": "yes"}));
    install(&admin, "mutating", &hook.configuration("Mutating", "/invalid", &json!({}))).await;
    let (code, message) = told(&admin, "c").await;
    assert!(code == 422 && message.contains("metadata.labels: Invalid value: \"a b\""), "{message}");
    let changed = admin.patch(&format!("{MAPS}/a"), "merge-patch+json", &json!({"data": {"b": "c"}})).await;
    assert_eq!(changed.code, 422, "{:?}", changed.body);
    install(
        &admin,
        "mutating",
        &hook.configuration("Mutating", "/nowhere", &json!({"failurePolicy": "Ignore"})),
    )
    .await;
    let why =
        "Internal error occurred: replace operation does not apply: doc is missing path: /a/b: missing value";
    assert_eq!(told(&admin, "c").await, (500, why.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_selectors_say_who_is_asked() {
    let (world, hook) = (world(true).await, Hook::start().await);
    let admin = world.admin();
    let rule = |field: &str, value: Value| {
        let mut rule =
            json!({"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]});
        rule[field] = value;
        json!({"rules": [rule]})
    };
    let selector = |key: &str, value: &str| json!({"matchLabels": {key: value}});
    for (differ, refused) in [
        (rule("resources", json!(["configmaps/*"])), true),
        (rule("resources", json!(["*/status", "secrets"])), false),
        (rule("operations", json!(["UPDATE"])), false),
        (rule("apiGroups", json!(["apps"])), false),
        (rule("apiVersions", json!(["v2"])), false),
        (rule("scope", json!("Cluster")), false),
        (rule("scope", json!("Namespaced")), true),
        (json!({"namespaceSelector": selector("kubernetes.io/metadata.name", "kube-public")}), true),
        (json!({"namespaceSelector": selector("kubernetes.io/metadata.name", "default")}), false),
        (json!({"objectSelector": selector("a", "b")}), true),
        (json!({"objectSelector": selector("a", "c")}), false),
    ] {
        install(&admin, "validating", &hook.configuration("Validating", "/deny", &differ)).await;
        let answer = admin.post(&format!("{MAPS}?dryRun=All"), &config_map("m", &json!({"a": "b"}))).await;
        assert_eq!(answer.code, if refused { 403 } else { 201 }, "{differ}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_are_told_of_or_ignored() {
    let (world, hook) = (world(true).await, Hook::start().await);
    let admin = world.admin();
    // A port that was free a moment ago and that nobody listens at.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = |url: String| json!({"clientConfig": {"url": url}, "timeoutSeconds": 3});
    let service = |name: &str, port: u16| json!({"clientConfig": {"service": {"namespace": "default", "name": name, "port": port, "path": "/p"}}});
    let calling = "Internal error occurred: failed calling webhook \"x.y.z\": failed to call webhook: ";
    for (path, differ, why) in [
        (
            "/",
            url(format!("https://{closed}/x")),
            format!("Post \"https://{closed}/x?timeout=3s\": dial tcp {closed}: connect: connection refused"),
        ),
        (
            "/",
            url("https://192.0.2.1/".to_owned()),
            "Post \"https://192.0.2.1/?timeout=3s\": dial tcp 192.0.2.1:443: connect: network is unreachable".to_owned(),
        ),
        (
            "/",
            url(hook.url.clone()),
            format!(
                "Post \"{}/?timeout=3s\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
                hook.url
            ),
        ),
        (
            "/broken",
            json!({}),
            "an error on the server (\"unknown\") has prevented the request from succeeding".to_owned(),
        ),
        (
            "/",
            service("ghost", 443),
            "Post \"https://ghost.default.svc:443/p?timeout=10s\": service \"ghost\" not found".to_owned(),
        ),
        (
            "/",
            service("kubernetes", 444),
            "Post \"https://kubernetes.default.svc:444/p?timeout=10s\": no service port 444 found for service \
             \"kubernetes\""
                .to_owned(),
        ),
        (
            "/",
            service("kubernetes", 443),
            "Post \"https://kubernetes.default.svc:443/p?timeout=10s\": dial tcp 10.96.0.1:443: connect: connection \
             refused"
                .to_owned(),
        ),
    ] {
        let mut differ = differ;
        install(&admin, "validating", &hook.configuration("Validating", path, &differ)).await;
        let answer = admin.post(MAPS, &config_map("f", &json!({}))).await;
        assert_eq!((answer.code, answer.message()), (500, format!("{calling}{why}")));
        let cause = answer.json()["details"]["causes"][0]["message"].as_str().unwrap().to_owned();
        assert_eq!(format!("Internal error occurred: {cause}"), answer.message());
        differ["failurePolicy"] = "Ignore".into();
        install(&admin, "validating", &hook.configuration("Validating", path, &differ)).await;
        assert_eq!(told(&admin, "f").await.0, 201);
        assert_eq!(admin.ask(Method::DELETE, &format!("{MAPS}/f"), &[], "").await.code, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_call_webhooks_keeps_their_configurations() {
    let (world, hook) = (world(false).await, Hook::start().await);
    let admin = world.admin();
    install(&admin, "validating", &hook.configuration("Validating", "/deny", &json!({}))).await;
    assert_eq!(told(&admin, "a").await.0, 201);
    assert!(hook.asked.lock().is_empty());
    let kept = admin.get(&format!("{CONFIGURATIONS}/validatingwebhookconfigurations/hook")).await.json();
    let webhook = &kept["webhooks"][0];
    assert_eq!((&webhook["timeoutSeconds"], &webhook["failurePolicy"]), (&json!(10), &json!("Fail")));
    assert_eq!(webhook["rules"][0]["scope"], "*");
}

#[tokio::test]
async fn one_thread_is_enough_for_a_webhook_elsewhere() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let (world, admin) = {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _ = send.send(Hook::start().await);
                std::future::pending::<()>().await;
            });
        });
        let world = world(true).await;
        let admin = world.admin();
        (world, admin)
    };
    let hook = receive.await.unwrap();
    install(&admin, "validating", &hook.configuration("Validating", "/deny", &json!({}))).await;
    assert_eq!(told(&admin, "a").await.0, 403);
    drop(world);
}
