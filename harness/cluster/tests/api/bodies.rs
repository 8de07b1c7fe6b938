//! What bodies may look like, and what clients are told of those that do not: in the words of real servers
//! (`applyPatchToObject`, `jsonPatcher`, `checkName`, `transformDecodeError` of `k8s.io/apiserver`).

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Client, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const ACCOUNT: &str = "/api/v1/namespaces/default/serviceaccounts/default";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

async fn send(client: &Client, method: Method, path: &str, media: &str, body: &str) -> Answer {
    client.ask(method, path, &[("content-type", media)], body.to_owned()).await
}

async fn patched(client: &Client, path: &str, kind: &str, body: &str) -> Answer {
    send(client, Method::PATCH, path, &format!("application/{kind}+json"), body).await
}

fn deployment() -> Value {
    json!({"metadata": {"name": "d"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}})
}

#[tokio::test]
async fn patches_of_the_wrong_type_are_refused_as_patches() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(DEPLOYMENTS, &deployment()).await.code, 201);
    let one = format!("{DEPLOYMENTS}/d");
    let strategic = "strategic-merge-patch";
    for (path, patch, why) in [
        (
            ACCOUNT,
            r#"{"imagePullSecrets":["regcred"]}"#,
            "\"map[imagePullSecrets:[regcred]]\": cannot restore struct from: string",
        ),
        (&one, r#"{"spec":{"replicas":"x"}}"#, "\"map[spec:map[replicas:x]]\": unrecognized type: int32"),
        (&one, r#"{"spec":{"paused":1}}"#, "\"map[spec:map[paused:1]]\": unrecognized type: bool"),
        (
            &one,
            r#"{"metadata":{"labels":{"a":1}}}"#,
            "\"map[metadata:map[labels:map[a:1]]]\": cannot convert int64 to string",
        ),
        (
            &one,
            r#"{"metadata":{"finalizers":{"a":"b"}}}"#,
            "\"map[metadata:map[finalizers:map[a:b]]]\": cannot restore slice from map",
        ),
    ] {
        let refused = patched(&admin, path, strategic, patch).await;
        let said = (refused.code, refused.message());
        assert_eq!(said, (422, format!(" \"\" is invalid: patch: Invalid value: {why}")), "{patch}");
    }
    let refused = patched(&admin, &one, "merge-patch", r#"{"spec":{"replicas":"x"}}"#).await;
    let said = refused.message();
    assert_eq!(refused.code, 422);
    assert!(
        said.starts_with(" \"\" is invalid: patch: Invalid value: \"{\\\"apiVersion\\\":\\\"apps/v1\\\""),
        "{said}"
    );
    let why = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
    assert!(said.ends_with(why), "{said}");
}

#[tokio::test]
async fn strict_patches_tell_of_themselves_before_they_tell_of_what_comes_of_them() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(MAPS, &json!({"metadata": {"name": "a"}})).await.code, 201);
    let one = format!("{MAPS}/a?fieldValidation=Strict");
    let refused =
        patched(&admin, &one, "strategic-merge-patch", r#"{"data":{"a":"1","a":"2"},"dat":{}}"#).await;
    assert_eq!(
        refused.message(),
        " \"\" is invalid: patch: Invalid value: \"map[dat:map[] data:map[a:2]]\": strict decoding error: \
         duplicate field \"data.a\", unknown field \"dat\""
    );
    let steps = r#"[{"op":"add","path":"/data","value":{},"valu":1}]"#;
    let refused = patched(&admin, &one, "json-patch", steps).await;
    let why = "strict decoding error: json patch unknown field \"[0].valu\"";
    assert!(refused.message().ends_with(why), "{}", refused.message());
    let warned = patched(&admin, &format!("{MAPS}/a"), "json-patch", steps).await;
    assert_eq!(warned.code, 200);
    let warning = warned.headers["warning"].to_str().unwrap();
    assert!(warning.contains("json patch unknown field"), "{warning}");
}

#[tokio::test]
async fn a_scale_has_types_and_limits() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(DEPLOYMENTS, &deployment()).await.code, 201);
    let scale = format!("{DEPLOYMENTS}/d/scale");
    let wrong = patched(&admin, &scale, "merge-patch", r#"{"spec":{"replicas":"3"}}"#).await;
    assert_eq!(wrong.code, 422);
    let put = |spec: Value| {
        json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "d"}, "spec": spec})
            .to_string()
    };
    let json = "application/json";
    let wrong = send(&admin, Method::PUT, &scale, json, &put(json!({"replicas": "4"}))).await;
    let why = "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal string into Go struct field \
               ScaleSpec.spec.replicas of type int32";
    assert_eq!((wrong.code, wrong.message().as_str()), (400, why));
    let strict = format!("{scale}?fieldValidation=Strict");
    let wrong = send(&admin, Method::PUT, &strict, json, &put(json!({"replica": 3}))).await;
    assert!(wrong.message().contains("strict decoding error: unknown field \"spec.replica\""));
    let wrong = send(&admin, Method::PUT, &scale, json, &put(json!({"replicas": -1}))).await;
    let why = "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    assert_eq!((wrong.code, wrong.message().as_str()), (422, why));
    assert_eq!(admin.get(&format!("{DEPLOYMENTS}/d")).await.json()["spec"]["replicas"], 2);
    let scaled = send(&admin, Method::PUT, &scale, json, &put(json!({"replicas": 3}))).await;
    assert_eq!((scaled.code, &scaled.json()["spec"]["replicas"]), (200, &json!(3)));
}

#[tokio::test]
async fn keys_that_are_there_twice_in_yaml_are_as_strict_as_the_client_wants() {
    let world = World::new().await;
    let admin = world.admin();
    let body = "metadata:\n  name: NAME\ndata:\n  a: b\n  a: c\n";
    let complaint = "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map";
    for (validation, code) in [("Ignore", 201), ("Warn", 201), ("Strict", 400)] {
        let path = format!("{MAPS}?fieldValidation={validation}");
        let body = body.replace("NAME", &validation.to_lowercase());
        let made = send(&admin, Method::POST, &path, "application/yaml", &body).await;
        assert_eq!(made.code, code, "{validation}");
        assert_eq!(made.headers.contains_key("warning"), validation == "Warn");
        match code {
            201 => assert_eq!(made.json()["data"]["a"], "c"),
            _ => assert!(made.message().ends_with(&format!("strict decoding error: {complaint}"))),
        }
    }
    let applied = format!("apiVersion: v1\nkind: ConfigMap\n{}", body.replace("NAME", "x"));
    let path = format!("{MAPS}/x?fieldManager=m&fieldValidation=Strict");
    let refused = send(&admin, Method::PATCH, &path, "application/apply-patch+yaml", &applied).await;
    assert_eq!(refused.code, 400);
    assert!(refused.message().starts_with("error strict decoding YAML: "), "{}", refused.message());
}

#[tokio::test]
async fn who_replaces_an_object_names_it() {
    let world = World::new().await;
    let admin = world.admin();
    let map = json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
    assert_eq!(admin.post(MAPS, &map).await.code, 201);
    for (name, body, why) in [
        (
            "a",
            json!({"metadata": {}}),
            "the name of the object (a based on URL) was undeterminable: name must be provided",
        ),
        (
            "a",
            json!({"metadata": {"name": "b"}}),
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            "ghost",
            json!({"metadata": {"name": "b"}}),
            "the name of the object (b) does not match the name on the URL (ghost)",
        ),
    ] {
        let refused =
            send(&admin, Method::PUT, &format!("{MAPS}/{name}"), "application/json", &body.to_string()).await;
        assert_eq!((refused.code, refused.message().as_str()), (400, why));
    }
    assert_eq!(admin.get(&format!("{MAPS}/a")).await.json()["data"]["k"], "v");
    let pod = json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "p"}});
    let refused = admin.post("/api/v1/namespaces/default/pods", &pod).await;
    let why = "Deployment in version \"v1\" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion";
    assert_eq!(refused.message(), why);
}

#[tokio::test]
async fn nothing_is_deleted_by_options_that_make_no_sense() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(MAPS, &json!({"metadata": {"name": "a"}})).await.code, 201);
    let one = format!("{MAPS}/a");
    let ask =
        async |body: Value| send(&admin, Method::DELETE, &one, "application/json", &body.to_string()).await;
    assert_eq!(ask(json!({"gracePeriodSeconds": "x"})).await.code, 400);
    assert_eq!(ask(json!({"kind": "Pod", "apiVersion": "v1"})).await.code, 400);
    let both = ask(json!({"propagationPolicy": "Orphan", "orphanDependents": true})).await;
    let why = "orphanDependents and deletionPropagation cannot be both set";
    assert!(both.code == 422 && both.message().ends_with(why), "{}", both.message());
    assert_eq!(admin.get(&one).await.code, 200);
    let tried = admin.ask(Method::DELETE, &format!("{one}?dryRun=All"), &[], "").await.json();
    assert_eq!((&tried["kind"], &tried["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(ask(json!({"kind": "DeleteOptions", "apiVersion": "apps/v1"})).await.code, 200);
    assert_eq!(admin.get(&one).await.code, 404);
}

#[tokio::test]
async fn paths_of_nobody_and_methods_of_nothing() {
    let world = World::new().await;
    let admin = world.admin();
    for path in ["/apis/nope/v1", "/apis/nope/v1/foos", "/apis/nope"] {
        let answer = admin.get(path).await;
        assert_eq!((answer.code, &answer.body[..]), (404, &b"404 page not found\n"[..]), "{path}");
    }
    assert_eq!(admin.get("/apis/apps/v7/foos").await.json()["reason"], "NotFound");
    for path in ["/version", "/api", "/apis", "/apis/apps", "/apis/apps/v1"] {
        assert_eq!(admin.ask(Method::POST, path, &[], "").await.code, 405, "{path}");
    }
}
