//! Requests for certificates: made, decided, signed, and used.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use pulldrill_clock::{Clock, SignedDuration};
use pulldrill_cluster::{Parts, Principal};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

use crate::world::{Client, NEWEST, World};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const OLDEST: &str = "k8s-1.20-containerd-1.7";
const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";

/// A request of somebody for a certificate, and the key.
fn request(name: &str, user: &str, group: &str, signer: &str, usages: &[&str]) -> (Value, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    let asked = STANDARD.encode(params.serialize_request(&key).unwrap().pem().unwrap());
    let request = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": asked, "signerName": signer, "usages": usages, "username": "mallory"}});
    (request, key.serialize_pem())
}

fn approval(kind: &str) -> Value {
    json!({"status": {"conditions": [{"type": kind, "status": "True", "reason": "Test", "message": "by a test"}]}})
}

async fn approve(client: &Client, base: &str, name: &str) -> (u16, String) {
    let path = format!("{base}/{name}/approval");
    let answer = client.patch(&path, "merge-patch+json", &approval("Approved")).await;
    (answer.code, answer.message())
}

/// The answer to a request, when there is one.
async fn answered(client: &Client, base: &str, name: &str) -> Value {
    let path = format!("{base}?watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = client.watch(&path).await;
    loop {
        let (_, seen) = watch.next().await.unwrap();
        let failed =
            seen["status"]["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == "Failed");
        if failed || seen["status"]["certificate"].is_string() {
            return seen;
        }
    }
}

fn certificate(answer: &Value) -> Vec<u8> {
    STANDARD.decode(answer["status"]["certificate"].as_str().unwrap()).unwrap()
}

/// Who the server takes the owner of a certificate for.
async fn who(client: &Client, prefix: &str) -> (u16, Value) {
    let path = format!("{prefix}/apis/authentication.k8s.io/v1/selfsubjectreviews");
    let answer = client.post(&path, &json!({})).await;
    (answer.code, answer.json()["status"]["userInfo"].clone())
}

#[tokio::test]
async fn what_is_approved_is_signed_and_logs_in() {
    let world = World::new().await;
    let admin = world.admin();
    let (asked, key) = request("bob", "bob", "devs", CLIENT, &["client auth"]);
    let made = admin.post(REQUESTS, &asked).await.json();
    assert_eq!(made["spec"]["username"], "kubernetes-admin", "who asks is the server's to say");
    assert_eq!(made["spec"]["groups"], json!(["system:masters", "system:authenticated"]));
    assert_eq!(made["status"], json!({}));
    // What was asked for stays.
    let other = json!({"spec": {"signerName": "a.b/c", "username": "x"}, "metadata": {"labels": {"a": "b"}}});
    let changed = admin.patch(&format!("{REQUESTS}/bob"), "merge-patch+json", &other).await.json();
    assert_eq!((&changed["spec"], &changed["metadata"]["labels"]["a"]), (&made["spec"], &json!("b")));
    assert_eq!(approve(&world.client(Principal::Trainee), REQUESTS, "bob").await.0, 403);
    assert_eq!(approve(&admin, REQUESTS, "bob").await.0, 200);
    let answer = answered(&admin, REQUESTS, "bob").await;
    let times = &answer["status"]["conditions"][0];
    assert!(times["lastUpdateTime"].is_string() && times["lastTransitionTime"].is_string(), "{times}");
    let bob = world.with_identity(&certificate(&answer), key.as_bytes());
    let (code, info) = who(&bob, "").await;
    assert_eq!((code, &info["username"]), (201, &json!("bob")));
    assert_eq!(info["groups"], json!(["devs", "system:authenticated"]));
    let refused = bob.get("/api/v1/nodes").await;
    assert_eq!(
        refused.message(),
        "nodes is forbidden: User \"bob\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    );
    let rows = admin.table(REQUESTS).await.json()["rows"].clone();
    let cells = &rows[0]["cells"];
    assert_eq!((&cells[2], &cells[3]), (&json!(CLIENT), &json!("kubernetes-admin")));
    assert_eq!(cells[5], "Approved,Issued");
    // A decision is not taken back.
    let none = json!({"status": {"conditions": []}});
    for (sub, why) in [("approval", "remove"), ("status", "remove")] {
        let path = format!("{REQUESTS}/bob/{sub}");
        let refused = admin.patch(&path, "merge-patch+json", &none).await;
        let words =
            format!("status.conditions: Forbidden: updates may not {why} a condition of type \"Approved\"");
        assert!(refused.message().ends_with(&words), "{}", refused.message());
    }
}

#[tokio::test]
async fn signers_sign_what_is_theirs_and_say_why_not() {
    let world = World::new().await;
    let admin = world.admin();
    let handshake = ["digital signature", "key encipherment", "client auth"];
    for (name, user, group, signer, usages, why) in [
        (
            "usage",
            "bob",
            "devs",
            CLIENT,
            &["server auth"][..],
            "invalid usage for client certificate: server auth",
        ),
        (
            "none",
            "bob",
            "devs",
            CLIENT,
            &handshake[..2],
            "missing required usage for client certificate: client auth",
        ),
        ("group", "bob", "devs", KUBELET, &handshake, "subject organization is not system:nodes"),
        (
            "name",
            "bob",
            "system:nodes",
            KUBELET,
            &handshake,
            "subject common name does not begin with system:node:",
        ),
    ] {
        admin.post(REQUESTS, &request(name, user, group, signer, usages).0).await;
        assert_eq!(approve(&admin, REQUESTS, name).await.0, 200);
        let answer = answered(&admin, REQUESTS, name).await;
        let failed = &answer["status"]["conditions"][1];
        assert_eq!(
            (&failed["type"], &failed["reason"]),
            (&json!("Failed"), &json!("SignerValidationFailure"))
        );
        assert_eq!(failed["message"], why);
    }
    // Kubelets need nobody: who may create such requests may have their certificates.
    let kubelet = request("node", "system:node:n1", "system:nodes", KUBELET, &handshake).0;
    admin.post(REQUESTS, &kubelet).await;
    let answer = answered(&admin, REQUESTS, "node").await;
    assert_eq!(answer["status"]["conditions"][0]["reason"], "AutoApproved");
    let masters = request("m", "evil", "system:masters", CLIENT, &["client auth"]).0;
    let refused = admin.post(REQUESTS, &masters).await;
    assert_eq!(
        (refused.code, refused.message().as_str()),
        (
            403,
            "certificatesigningrequests.certificates.k8s.io \"m\" is forbidden: use of \
             kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
        )
    );
    let mut broken = request("x", "bob", "devs", "nobody", &["client auth", "flying", "client auth"]).0;
    broken["spec"]["request"] = STANDARD.encode("abc").into();
    broken["spec"]["expirationSeconds"] = json!(60);
    let refused = admin.post(REQUESTS, &broken).await.json();
    let causes: Vec<&str> = refused["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["field"].as_str().unwrap())
        .collect();
    let fields =
        ["spec.request", "spec.usages[1]", "spec.usages[2]", "spec.signerName", "spec.expirationSeconds"];
    assert_eq!(causes, fields);
}

#[tokio::test]
async fn who_decides_speaks_for_the_signer() {
    // Not guarded: nobody practises there, so roles can grant it.
    let world = World::of(Clock::live(), Parts::Bare, NEWEST, &[]).await;
    let admin = world.admin();
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rule = |resources: Value, verbs: Value, names: Value| json!({"apiGroups": ["certificates.k8s.io"], "resources": resources, "verbs": verbs, "resourceNames": names});
    let base = rule(
        json!(["certificatesigningrequests/approval", "certificatesigningrequests/status"]),
        json!(["update", "patch"]),
        json!([]),
    );
    let role = json!({"metadata": {"name": "decider"}, "rules": [base]});
    assert_eq!(admin.post(&format!("{rbac}/clusterroles"), &role).await.code, 201);
    let binding = json!({"metadata": {"name": "decider"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "decider"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}]});
    assert_eq!(admin.post(&format!("{rbac}/clusterrolebindings"), &binding).await.code, 201);
    admin.post(REQUESTS, &request("al", "bob", "devs", "x.y/z", &["client auth"]).0).await;
    let decide = async |sub: &str, kind: &str| {
        let headers =
            [("content-type", "application/strategic-merge-patch+json"), ("impersonate-user", "alice")];
        let mut body = approval(kind);
        if sub == "status" {
            // The decision is kept: lists of requests have no key that patches could go by.
            let seen = admin.get(&format!("{REQUESTS}/al")).await.json();
            let before = seen["status"]["conditions"].as_array().cloned().unwrap_or_default();
            body["status"]["conditions"] =
                before.into_iter().chain([body["status"]["conditions"][0].clone()]).collect();
        }
        let path = format!("{REQUESTS}/al/{sub}");
        admin.ask(Method::PATCH, &path, &headers, body.to_string()).await
    };
    let refused = decide("approval", "Approved").await;
    assert_eq!(
        (refused.code, refused.message().as_str()),
        (
            403,
            "certificatesigningrequests.certificates.k8s.io \"al\" is forbidden: user not permitted to approve requests \
             with signerName \"x.y/z\""
        )
    );
    let grant = async |verb: &str, name: &str| {
        let rules = json!([base, rule(json!(["signers"]), json!([verb]), json!([name]))]);
        let path = format!("{rbac}/clusterroles/decider");
        assert_eq!(admin.patch(&path, "merge-patch+json", &json!({"rules": rules})).await.code, 200);
    };
    grant("approve", "x.y/*").await;
    assert_eq!(decide("approval", "Approved").await.code, 200);
    assert!(decide("status", "Foo").await.message().contains("not permitted to sign requests"));
    grant("sign", "x.y/z").await;
    assert_eq!(decide("status", "Foo").await.code, 200);
    assert_eq!(decide("status", "Denied").await.code, 422, "that is for the approval to say");
}

#[tokio::test]
async fn certificates_of_a_virtual_cluster_are_good_there_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = None;
    // The second life knows those of the first.
    for life in 0..2 {
        let world = World::durable(Clock::live(), OLDEST, &[], folder.path()).await;
        let admin = world.admin();
        for name in ["one", "two"] {
            admin.ask(Method::PUT, &format!("/clusters/{name}"), &[], "").await;
        }
        let (identity, key) = match kept.take() {
            Some(kept) => kept,
            None => {
                let base = format!("/clusters/one{REQUESTS}").replace("/v1/", "/v1beta1/");
                let (mut asked, key) = request("m", "root", "system:masters", "", &["client auth"]);
                asked["apiVersion"] = "certificates.k8s.io/v1beta1".into();
                // The first version had no signers, and nothing against masters.
                asked["spec"].as_object_mut().unwrap().remove("signerName");
                let made = admin.post(&base, &asked).await.json();
                assert_eq!(made["spec"]["signerName"], "kubernetes.io/legacy-unknown", "{made}");
                assert_eq!(approve(&admin, &base, "m").await.0, 200);
                (certificate(&answered(&admin, &base, "m").await), key)
            }
        };
        let root = world.with_identity(&identity, key.as_bytes());
        assert_eq!(root.get("/clusters/one/api/v1/nodes").await.code, 200, "life {life}");
        assert_eq!(root.get("/clusters/two/api/v1/nodes").await.code, 401);
        assert_eq!(root.get("/api/v1/nodes").await.code, 401);
        assert_eq!(root.get("/clusters").await.code, 401);
        kept = Some((identity, key));
        world.end().await;
    }
}

#[tokio::test]
async fn old_requests_are_removed() {
    let clock = Clock::held_at("2026-11-22T12:00:00Z".parse().unwrap());
    let world = World::with_clock(clock.clone()).await;
    let admin = world.admin();
    for name in ["approved", "denied", "pending", "elsewhere"] {
        let signer = if name == "elsewhere" { "a.b/c" } else { CLIENT };
        admin.post(REQUESTS, &request(name, "bob", "devs", signer, &["client auth"]).0).await;
    }
    for (name, kind) in [("approved", "Approved"), ("denied", "Denied"), ("elsewhere", "Approved")] {
        let path = format!("{REQUESTS}/{name}/approval");
        assert_eq!(admin.patch(&path, "merge-patch+json", &approval(kind)).await.code, 200);
    }
    let names = async || -> Vec<String> {
        world.clock.idle().await;
        let list = admin.get(REQUESTS).await.json();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["metadata"]["name"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names().await, ["approved", "denied", "elsewhere", "pending"]);
    clock.advance(SignedDuration::try_from(Duration::from_secs(3590)).unwrap()).await;
    assert_eq!(names().await.len(), 4);
    clock.advance(SignedDuration::from_secs(20)).await;
    assert_eq!(names().await, ["elsewhere", "pending"]);
    clock.advance(SignedDuration::from_hours(23)).await;
    assert_eq!(names().await, ["elsewhere"]);
}
