//! Clients that don't behave.

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use pulldrill_cluster::store::Key;

use crate::world::{Client, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn garbage_on_the_port_does_no_harm() {
    let world = World::new().await;
    for garbage in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0u8; 512], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3]]
    {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _closed_either_way = stream.read_to_end(&mut rest).await;
    }
    let admin = world.admin();
    let mut stream = admin.connect().await;
    stream.write_all(b"\x00\x01\x02 nonsense\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _closed_either_way = stream.read_to_end(&mut rest).await;
    assert_eq!(admin.get("/healthz").await.code, 200);
}

#[tokio::test]
async fn a_body_that_is_too_big_is_refused() {
    let world = World::new().await;
    let admin = world.admin();
    let big = Bytes::from(vec![b'a'; 3 * 1024 * 1024 + 1]);
    let json = [("content-type", "application/json")];
    let refused = admin.ask(Method::POST, MAPS, &json, big).await;
    assert_eq!((refused.code, refused.json()["reason"].as_str()), (413, Some("RequestEntityTooLarge")));
}

#[tokio::test]
async fn odd_requests_get_clear_answers() {
    let world = World::new().await;
    let admin = world.admin();
    let deep = "[".repeat(100_000);
    for body in
        ["", "null", "[]", "\"x\"", "{}", deep.as_str(), "{\"metadata\": 5}", "{\"metadata\":{\"name\":5}}"]
    {
        let code = admin.ask(Method::POST, MAPS, &[], body.to_owned()).await.code;
        assert!((400..500).contains(&code), "{code} for {}", &body[..body.len().min(40)]);
    }
    let odd = [
        (Method::POST, "/api/v1/namespaces/default/configmaps/x"),
        (Method::DELETE, "/api/v1/namespaces"),
        (Method::PUT, MAPS),
        (Method::GET, "/api/v1/namespaces/default/configmaps/x/nonsense"),
        (Method::GET, "/api/v1/namespaces/default/configmaps/%00%ff"),
        (Method::OPTIONS, MAPS),
    ];
    for (method, path) in odd {
        let code = admin.ask(method.clone(), path, &[], "").await.code;
        assert!((400..500).contains(&code), "{method} {path}: {code}");
    }
    for kind in ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"] {
        for body in [
            json!(null),
            json!([1]),
            json!("x"),
            json!({"metadata": null}),
            json!({"spec": {"template": []}}),
        ] {
            let path = "/api/v1/namespaces/default?fieldManager=x";
            let answer = admin.patch(path, kind, &body).await;
            // What says nothing is fine for patches that are objects; what doesn't fit the types, real servers apply with 500.
            let fine = answer.code == 200 && body.is_object() && !kind.starts_with("json");
            let untyped = kind == "apply-patch+yaml"
                && answer.code == 500
                && answer.message().starts_with("failed to create typed patch object");
            assert!(
                (400..500).contains(&answer.code) || fine || untyped,
                "{kind} {body}: {} {:?}",
                answer.code,
                answer.body
            );
        }
    }
    assert_eq!(admin.get("/healthz").await.code, 200);
}

/// Objects that are not what they should be, somewhere near the top.
fn misshapen() -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for odd in [json!(5), json!([]), json!({"x": 5})] {
        for field in ["metadata", "spec", "status"] {
            all.push(json!({field: odd}));
        }
        for field in ["template", "selector", "strategy", "replicas", "finalizers", "ports"] {
            all.push(json!({"spec": {field: odd}}));
        }
        for field in ["annotations", "labels", "ownerReferences", "finalizers"] {
            all.push(json!({"metadata": {field: odd}}));
        }
        all.push(json!({"spec": {"template": {"metadata": odd, "spec": odd}}}));
        all.push(json!({"spec": {"template": {"spec": {"containers": [odd], "volumes": [odd]}}}}));
    }
    all
}

/// Every path to which discovery says that something can be posted.
async fn creatable(client: &Client) -> Vec<String> {
    let mut roots = vec!["/api/v1".to_owned()];
    for group in client.get("/apis").await.json()["groups"].as_array().unwrap() {
        roots.push(format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()));
    }
    let mut all = Vec::new();
    for root in roots {
        for resource in client.get(&root).await.json()["resources"].as_array().unwrap() {
            let place = if resource["namespaced"] == true { "/namespaces/default" } else { "" };
            let name = resource["name"].as_str().unwrap().replace('/', "/default/");
            if resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "create") {
                all.push(format!("{root}{place}/{name}"));
            }
        }
    }
    all
}

#[tokio::test]
async fn no_resource_is_given_a_misshapen_object_that_breaks_it() {
    let world = World::new().await;
    let admin = world.admin();
    let paths = creatable(&admin).await;
    assert!(paths.iter().any(|path| path.ends_with("serviceaccounts/default/token")), "{paths:?}");
    for path in paths {
        for body in [json!([]), json!("x"), json!({"metadata": 5}), json!({"spec": []}), json!({"status": 5})]
        {
            let code = admin.post(&path, &body).await.code;
            assert!(code < 500 || code == 501, "{code} for {body} to {path}");
        }
    }
    let spec = json!({"containers": [{"name": "c", "image": "x"}]});
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(admin.post(deployments, &deployment).await.code, 201);
    for path in [format!("{deployments}/d"), "/api/v1/namespaces/default".into()] {
        for body in misshapen() {
            assert!(admin.patch(&path, "merge-patch+json", &body).await.code < 500, "{body} to {path}");
            let merged = admin.patch(&path, "strategic-merge-patch+json", &body).await;
            // The words for elements without a merge key are those of an internal error.
            let keyless =
                merged.code == 500 && merged.message().contains("does not contain declared merge key");
            assert!(merged.code < 500 || keyless, "{} for {body} to {path}: {:?}", merged.code, merged.body);
            for (field, value) in body.as_object().into_iter().flatten() {
                let change = json!([{"op": "add", "path": format!("/{field}"), "value": value}]);
                assert!(
                    admin.patch(&path, "json-patch+json", &change).await.code < 500,
                    "{change} to {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn no_number_is_too_big() {
    let world = World::new().await;
    let admin = world.admin();
    let token = "/api/v1/namespaces/default/serviceaccounts/default/token";
    for (seconds, code) in [(i64::MAX, 422), (i64::MIN, 422), (1 << 32, 201)] {
        let long = json!({"spec": {"expirationSeconds": seconds}});
        assert_eq!(admin.post(token, &long).await.code, code, "{seconds}");
    }
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "somewhere",
        "terminationGracePeriodSeconds": i64::MAX, "containers": [{"name": "c", "image": "x"}]}});
    assert_eq!(admin.post("/api/v1/namespaces/default/pods", &pod).await.code, 201);
    let log = format!("/api/v1/namespaces/default/pods/p/log?sinceSeconds={}", i64::MIN);
    assert!(admin.get(&log).await.code < 500);
    assert_eq!(admin.delete("/api/v1/namespaces/default/pods/p").await.code, 200);
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]});
    let job = json!({"metadata": {"name": "j"}, "spec": {"activeDeadlineSeconds": i64::MAX,
        "template": {"spec": spec}}});
    assert_eq!(admin.post("/apis/batch/v1/namespaces/default/jobs", &job).await.code, 201);
    let cron = json!({"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *",
        "startingDeadlineSeconds": i64::MAX, "jobTemplate": {"spec": {"template": {"spec": spec}}}}});
    assert_eq!(admin.post("/apis/batch/v1/namespaces/default/cronjobs", &cron).await.code, 201);
    // The controllers are still there.
    world.clock.idle().await;
    let job = admin.get("/apis/batch/v1/namespaces/default/jobs/j").await.json();
    assert_eq!(job["status"]["active"], 1, "{job}");
}

#[tokio::test]
async fn there_is_an_end_to_the_pods_that_can_be_made() {
    let world = World::new().await;
    for n in 0..2000 {
        let pod = json!({"metadata": {"name": format!("p{n}"), "namespace": "other"}});
        world.cluster.store().create("pods", Key::new("other", format!("p{n}")), pod).unwrap();
    }
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let refused = world.admin().post("/api/v1/namespaces/default/pods", &pod).await;
    assert_eq!(refused.code, 403);
    assert!(refused.message().contains("exceeded quota"), "{}", refused.message());
}

#[tokio::test]
async fn the_server_has_another_name_than_its_authority() {
    let world = World::new().await;
    let stream = world.stranger().connect().await;
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).unwrap();
    assert_ne!(leaf.subject(), leaf.issuer());
}
