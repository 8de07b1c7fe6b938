//! Tokens of service accounts: asked for, read by others, used, and worth nothing any more.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::Method;
use pulldrill_clock::{Clock, SignedDuration};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const ACCOUNT: &str = "/api/v1/namespaces/default/serviceaccounts/default";
const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

async fn request(world: &World, spec: Value) -> Answer {
    world.admin().post(&format!("{ACCOUNT}/token"), &json!({"spec": spec})).await
}

async fn token(world: &World, spec: Value) -> String {
    request(world, spec).await.json()["status"]["token"].as_str().unwrap().to_owned()
}

async fn ask(world: &World, token: &str, method: Method, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    world.stranger().ask(method, path, &headers, "{}").await
}

fn part(token: &str, at: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap()
}

#[tokio::test]
async fn others_can_read_and_verify_them() {
    let world = World::new().await;
    let answer = request(&world, json!({"expirationSeconds": 900})).await.json();
    let token = answer["status"]["token"].as_str().unwrap();
    let account = world.admin().get(ACCOUNT).await.json();
    assert_eq!(answer["metadata"]["uid"], account["metadata"]["uid"]);
    assert_eq!(answer["spec"]["audiences"], json!([ISSUER]));
    let claims = claims(token);
    let Value::Object(fields) = &claims else { panic!("{claims}") };
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "kubernetes.io", "nbf", "sub"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(claims["kubernetes.io"]["serviceaccount"]["uid"], account["metadata"]["uid"]);
    assert_eq!(claims["sub"], "system:serviceaccount:default:default");

    // Those who may read the keys are the service accounts themselves.
    assert_eq!(world.stranger().get("/openid/v1/jwks").await.code, 403);
    let configuration = ask(&world, token, Method::GET, "/.well-known/openid-configuration").await.json();
    assert_eq!(configuration["issuer"], claims["iss"]);
    let path = configuration["jwks_uri"].as_str().unwrap().trim_start_matches(world.cluster.url());
    let keys = ask(&world, token, Method::GET, path).await;
    assert_eq!(keys.headers["content-type"], "application/jwk-set+json");
    let key = keys.json()["keys"][0].clone();
    let header: Value = serde_json::from_slice(&part(token, 0)).unwrap();
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &"ES256".into()));
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let (message, _) = token.rsplit_once('.').unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point)
        .verify(message.as_bytes(), &part(token, 2))
        .unwrap();
}

#[tokio::test]
async fn they_make_a_user_until_their_time_is_over() {
    let world = World::with_clock(Clock::live()).await;
    let token = token(&world, json!({"expirationSeconds": 600})).await;
    let me = ask(&world, &token, Method::POST, WHOAMI).await.json()["status"]["userInfo"].clone();
    assert_eq!(me["username"], "system:serviceaccount:default:default");
    assert_eq!(
        me["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
    );
    let id = format!("JTI={}", claims(&token)["jti"].as_str().unwrap());
    assert_eq!(me["extra"], json!({"authentication.kubernetes.io/credential-id": [id]}));
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(
        ask(&world, &token, Method::GET, pods).await.message(),
        "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\" in API group \"\" in \
         the namespace \"default\""
    );
    // The clock of the lab decides, not the claims.
    world.clock.advance(SignedDuration::from_secs(601)).await;
    let refused = ask(&world, &token, Method::GET, pods).await;
    assert_eq!((refused.code, refused.message().as_str()), (401, "Unauthorized"));
    let review = json!({"spec": {"token": token}});
    let review = world.admin().post("/apis/authentication.k8s.io/v1/tokenreviews", &review).await.json();
    assert_eq!(
        review["status"],
        json!({"user": {}, "error": "[invalid bearer token, service account token has expired]"})
    );
}

#[tokio::test]
async fn requests_for_them_are_judged() {
    let world = World::new().await;
    let admin = world.admin();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let pods = "/api/v1/namespaces/default/pods";
    let pod = admin.post(pods, &pod).await.json();
    let reference = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}});
    for (spec, code, message) in [
        (
            json!({"expirationSeconds": 60}),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a \
             duration less than 10 minutes",
        ),
        (
            json!({"expirationSeconds": (1_i64 << 32) + 1}),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not \
             specify a duration larger than 2^32 seconds",
        ),
        (reference("Pod", "gone", ""), 404, "pods \"gone\" not found"),
        (reference("Service", "s", ""), 400, "cannot bind token to object of type /v1, Kind=Service"),
        (
            reference("Pod", "p", "other"),
            409,
            "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (other) does not match the UID in \
             record. The object might have been deleted and then recreated",
        ),
    ] {
        let refused = request(&world, spec).await;
        assert_eq!((refused.code, refused.message().as_str()), (code, message));
    }
    let nobody = admin.post("/api/v1/namespaces/default/serviceaccounts/nobody/token", &json!({})).await;
    assert_eq!((nobody.code, nobody.message().as_str()), (404, "serviceaccounts \"nobody\" not found"));
    let dry = admin.post(&format!("{ACCOUNT}/token?dryRun=All"), &json!({})).await;
    assert_eq!((dry.code, dry.json()["status"]["token"].as_str()), (201, Some("")));

    let bound = token(&world, reference("Pod", "p", pod["metadata"]["uid"].as_str().unwrap())).await;
    assert_eq!(claims(&bound)["kubernetes.io"]["pod"]["name"], "p");
    let me = ask(&world, &bound, Method::POST, WHOAMI).await.json();
    assert_eq!(me["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"], json!(["p"]));
    assert_eq!(admin.delete(&format!("{pods}/p?gracePeriodSeconds=0")).await.code, 200);
    assert_eq!(ask(&world, &bound, Method::POST, WHOAMI).await.code, 401);
    // One for another server is none for this one, but reviews know it.
    let elsewhere = token(&world, json!({"audiences": ["vault"]})).await;
    assert_eq!(ask(&world, &elsewhere, Method::POST, WHOAMI).await.code, 401);
    let review = async |audiences: &[&str]| {
        let review = json!({"spec": {"token": elsewhere, "audiences": audiences}});
        admin.post("/apis/authentication.k8s.io/v1/tokenreviews", &review).await.json()["status"].clone()
    };
    let status = review(&["vault", "other"]).await;
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!(["vault"])));
    assert!(review(&[]).await["error"].as_str().unwrap().contains("is invalid for the target audiences"));
    let empty = admin.post("/apis/authentication.k8s.io/v1/tokenreviews", &json!({"spec": {}})).await;
    assert_eq!(
        (empty.code, empty.message().as_str()),
        (400, "token is required for TokenReview in authentication")
    );
}

#[tokio::test]
async fn one_in_a_secret_is_good_as_long_as_the_secret() {
    let world = World::new().await;
    let admin = world.admin();
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = json!({"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token"});
    assert_eq!(admin.post(secrets, &secret).await.code, 201);
    world.clock.idle().await;
    let filled = admin.get(&format!("{secrets}/t")).await.json();
    let data = |field: &str| {
        String::from_utf8(STANDARD.decode(filled["data"][field].as_str().unwrap()).unwrap()).unwrap()
    };
    assert_eq!((data("namespace").as_str(), data("ca.crt").as_str()), ("default", world.cluster.authority()));
    let token = data("token");
    assert_eq!(claims(&token)["kubernetes.io/serviceaccount/secret.name"], "t");
    let me = ask(&world, &token, Method::POST, WHOAMI).await.json();
    assert_eq!(me["status"]["userInfo"]["username"], "system:serviceaccount:default:default");
    assert_eq!(admin.delete(&format!("{secrets}/t")).await.code, 200);
    assert_eq!(ask(&world, &token, Method::POST, WHOAMI).await.code, 401);
}
