//! Reading, writing and changing objects; lists, pages, tables.

use http::Method;
use serde_json::{Value, json};

use pulldrill_cluster::Parts;

use crate::world::{NEWEST, World, config_map};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]}}}})
}

#[tokio::test]
async fn an_object_lives_from_its_creation_to_its_deletion() {
    let world = World::new().await;
    let admin = world.admin();
    let made = admin.post(MAPS, &config_map("one", &json!({}))).await;
    assert_eq!(made.code, 201);
    assert_eq!(
        admin.post(MAPS, &config_map("one", &json!({}))).await.message(),
        "configmaps \"one\" already exists"
    );
    let one = format!("{MAPS}/one");
    let mut changed = made.json();
    changed["data"]["a"] = "c".into();
    let json = [("content-type", "application/json")];
    let put = admin.ask(Method::PUT, &one, &json, changed.to_string()).await;
    assert_eq!((put.code, put.json()["data"]["a"].as_str().unwrap()), (200, "c"));
    let stale = admin.ask(Method::PUT, &one, &json, changed.to_string()).await;
    assert_eq!(stale.code, 409);
    assert!(stale.message().contains("the object has been modified"));
    let deleted = admin.delete(&one).await;
    assert_eq!((deleted.code, deleted.json()["status"].as_str().unwrap()), (200, "Success"));
    let gone = admin.get(&one).await;
    assert_eq!((gone.code, gone.message().as_str()), (404, "configmaps \"one\" not found"));
    let nowhere = admin.post("/api/v1/namespaces/ghost/configmaps", &config_map("x", &json!({}))).await;
    assert_eq!(nowhere.message(), "namespaces \"ghost\" not found");
}

#[tokio::test]
async fn bodies_come_in_json_yaml_and_without_a_type() {
    let world = World::new().await;
    let admin = world.admin();
    let yaml = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: yaml}\ndata: {a: b}\n";
    let made = admin.ask(Method::POST, MAPS, &[("content-type", "application/yaml")], yaml).await;
    assert_eq!(made.code, 201, "{:?}", made.body);
    let plain = config_map("plain", &json!({})).to_string();
    assert_eq!(admin.ask(Method::POST, MAPS, &[], plain.clone()).await.code, 201);
    assert_eq!(admin.ask(Method::POST, MAPS, &[("content-type", "text/html")], plain).await.code, 415);
    let broken = admin.ask(Method::POST, MAPS, &[], "{\"kind\":").await;
    assert_eq!(broken.code, 400);
    assert!(broken.message().starts_with("the object provided is unrecognized (must be of type ConfigMap)"));
    let wrong =
        admin.post(MAPS, &json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}})).await;
    assert!(wrong.message().starts_with("Secret in version \"v1\" cannot be handled as a ConfigMap"));
    let unheard = json!({"kind": "Unheard", "apiVersion": "v1", "metadata": {"name": "s"}});
    let why = "no kind \"Unheard\" is registered for version \"v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"";
    assert!(admin.post(MAPS, &unheard).await.message().ends_with(why));
    assert_eq!(admin.ask(Method::GET, MAPS, &[("accept", "text/html")], "").await.code, 406);
}

#[tokio::test]
async fn unknown_fields_are_dropped_warned_about_or_refused() {
    let world = World::new().await;
    let admin = world.admin();
    let mut object = config_map("f", &json!({}));
    object["dta"] = json!({"x": "y"});
    let warned = admin.post(&format!("{MAPS}?dryRun=All"), &object).await;
    assert_eq!(warned.headers["warning"], "299 - \"unknown field \\\"dta\\\"\"");
    assert!(warned.json().get("dta").is_none());
    assert_eq!(admin.get(&format!("{MAPS}/f")).await.code, 404);
    let refused = admin.post(&format!("{MAPS}?fieldValidation=Strict"), &object).await;
    assert_eq!(refused.code, 400);
    assert_eq!(
        refused.message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dta\""
    );
    assert_eq!(admin.post(&format!("{MAPS}?dryRun=Foo"), &object).await.code, 422);
}

#[tokio::test]
async fn every_kind_of_patch_and_the_scale() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(DEPLOYMENTS, &deployment()).await.code, 201);
    let web = format!("{DEPLOYMENTS}/web");
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "y:2"}]}}}});
    let patched = admin.patch(&web, "strategic-merge-patch+json", &image).await.json();
    let images: Vec<&str> = patched["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["image"].as_str().unwrap())
        .collect();
    assert_eq!(images.len(), 2);
    assert!(images.contains(&"y:2") && images.contains(&"x:1"));
    let generation = patched["metadata"]["generation"].as_i64().unwrap();
    let same = admin.patch(&web, "strategic-merge-patch+json", &image).await.json();
    assert_eq!(same["metadata"]["generation"], generation);
    let add =
        json!([{"op": "add", "path": "/spec/template/spec/imagePullSecrets", "value": [{"name": "r"}]}]);
    let patched = admin.patch(&web, "json-patch+json", &add).await.json();
    assert_eq!(patched["spec"]["template"]["spec"]["imagePullSecrets"][0]["name"], "r");
    let missing = json!([{"op": "remove", "path": "/spec/nothing"}]);
    let refused = admin.patch(&web, "json-patch+json", &missing).await;
    assert_eq!((refused.code, refused.json()["reason"].as_str().unwrap()), (422, "Invalid"));
    let merge = json!({"metadata": {"annotations": {"a": "b"}}});
    let patched = admin.patch(&web, "merge-patch+json", &merge).await.json();
    assert_eq!(patched["metadata"]["annotations"]["a"], "b");
    assert_eq!(admin.patch(&web, "json", &merge).await.code, 415);
    let status = json!({"status": {"replicas": 77}, "spec": {"paused": true}});
    let untouched = admin.patch(&format!("{web}/status"), "merge-patch+json", &status).await.json();
    assert!(untouched["spec"].get("paused").is_none());
    let scaled =
        admin.patch(&format!("{web}/scale"), "merge-patch+json", &json!({"spec": {"replicas": 4}})).await;
    assert_eq!((scaled.code, scaled.json()["spec"]["replicas"].as_i64()), (200, Some(4)));
    assert_eq!(scaled.json()["status"]["selector"], "app=web");
    assert_eq!(admin.get(&web).await.json()["spec"]["replicas"], 4);
    let applied =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": {"x": "1"}});
    let path = format!("{MAPS}/ssa?fieldManager=me");
    assert_eq!(admin.patch(&path, "apply-patch+yaml", &applied).await.code, 201);
    assert_eq!(admin.patch(&path, "apply-patch+yaml", &applied).await.code, 200);
    assert_eq!(admin.patch(&format!("{MAPS}/ssa"), "apply-patch+yaml", &applied).await.code, 422);
}

#[tokio::test]
async fn lists_come_in_pages_of_one_revision() {
    let world = World::new().await;
    let admin = world.admin();
    for name in ["a", "b", "c", "d", "e"] {
        let labels = json!({"odd": if "ace".contains(name) { "yes" } else { "no" }});
        assert_eq!(admin.post(MAPS, &config_map(name, &labels)).await.code, 201);
    }
    let first = admin.get(&format!("{MAPS}?limit=2")).await.json();
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|i| i["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    assert!(first["items"][0].get("kind").is_none());
    let left = first["metadata"]["remainingItemCount"].as_u64().unwrap();
    assert!(left >= 3);
    assert_eq!(admin.delete(&format!("{MAPS}/c")).await.code, 200);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = admin.get(&format!("{MAPS}?limit=500&continue={token}")).await.json();
    assert_eq!(names(&second).iter().filter(|n| n.len() == 1).count(), 3, "as it was");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let odd = admin.get(&format!("{MAPS}?labelSelector=odd%3Dyes")).await.json();
    assert_eq!(names(&odd), ["a", "e"]);
    let one = admin.get(&format!("{MAPS}?fieldSelector=metadata.name%3Db")).await.json();
    assert_eq!(names(&one), ["b"]);
    for (query, code) in [
        ("continue=%21", 400),
        ("limit=x", 400),
        ("resourceVersion=abc", 400),
        ("fieldSelector=spec.foo%3D1", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=999999999", 504),
    ] {
        assert_eq!(admin.get(&format!("{MAPS}?{query}")).await.code, code, "{query}");
    }
    let deleted = admin.delete(&format!("{MAPS}?labelSelector=odd")).await;
    assert_eq!((deleted.code, names(&deleted.json()).len()), (200, 4));
}

#[tokio::test]
async fn tables_and_metadata() {
    let world = World::new().await;
    let admin = world.admin();
    let table = admin.table("/api/v1/namespaces").await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["columnDefinitions"][1]["name"], "Status");
    assert_eq!(table["rows"][0]["cells"][0], "default");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let whole = admin.table("/api/v1/namespaces/default?includeObject=Object").await.json();
    assert_eq!(whole["rows"][0]["object"]["kind"], "Namespace");
    let accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let list = admin.ask(Method::GET, "/api/v1/namespaces", &[("accept", accept)], "").await.json();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(list["items"][0].get("spec").is_none());
}

#[tokio::test]
async fn both_views_of_events_show_the_same_objects() {
    let world = World::new().await;
    let admin = world.admin();
    let event = json!({"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "namespace": "default", "name": "p"},
        "reason": "Tested", "note": "a note", "type": "Normal", "action": "Testing", "reportingController": "me",
        "reportingInstance": "me-1", "eventTime": "2026-11-22T12:00:00.000000Z"});
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let made = admin.post(path, &event).await;
    assert_eq!((made.code, made.json()["note"].as_str()), (201, Some("a note")), "{:?}", made.body);
    let old = admin.get("/api/v1/namespaces/default/events/e").await.json();
    assert_eq!(
        (old["message"].as_str(), old["involvedObject"]["name"].as_str()),
        (Some("a note"), Some("p"))
    );
}

#[tokio::test]
async fn pods_are_assigned_in_the_older_way_too() {
    let world = World::of(pulldrill_clock::Clock::live(), Parts::Bare, NEWEST, &[]).await;
    let admin = world.admin();
    let pods = "/api/v1/namespaces/default/pods";
    let bindings = "/api/v1/namespaces/default/bindings";
    for name in ["a", "b"] {
        let pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
        assert_eq!(admin.post(pods, &pod).await.code, 201);
    }
    let to = |pod: &str, node: &str| {
        json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}})
    };
    let bound = admin.post(bindings, &to("a", "node-1")).await;
    assert_eq!((bound.code, bound.json()["status"].as_str()), (201, Some("Success")), "{:?}", bound.body);
    let pod = admin.get(&format!("{pods}/a")).await.json();
    assert_eq!(pod["spec"]["nodeName"], "node-1");
    assert_eq!(pod["status"]["conditions"][0]["type"], "PodScheduled");
    let again = admin.post(bindings, &to("a", "node-2")).await;
    let why =
        "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"node-1\"";
    assert_eq!((again.code, again.message().as_str()), (409, why));
    assert_eq!(admin.post(bindings, &to("ghost", "node-1")).await.code, 404);
    let mut elsewhere = to("b", "node-1");
    elsewhere["metadata"]["namespace"] = "other".into();
    for (bad, code, why) in [
        (to("", "node-1"), 400, "Name parameter required."),
        (
            elsewhere,
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (to("b", ""), 500, "target.name: Required value"),
        (
            json!({"metadata": {"name": "b"}, "target": {"kind": "Pod", "name": "x"}}),
            500,
            "target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\"",
        ),
    ] {
        let refused = admin.post(bindings, &bad).await;
        assert_eq!((refused.code, refused.message().as_str()), (code, why), "{bad}");
    }
    let other = admin.post(&format!("{pods}/b/binding"), &to("a", "node-1")).await;
    assert_eq!(
        (other.code, other.message().as_str()),
        (400, "name in URL does not match name in Binding object")
    );
    assert!(admin.get(&format!("{pods}/b")).await.json()["spec"]["nodeName"].is_null());
    assert_eq!(admin.ask(Method::GET, bindings, &[], "").await.code, 405);
}

#[tokio::test]
async fn a_status_counts_no_fewer_than_none() {
    let world = World::of(pulldrill_clock::Clock::live(), Parts::Bare, NEWEST, &[]).await;
    let admin = world.admin();
    assert_eq!(admin.post(DEPLOYMENTS, &deployment()).await.code, 201);
    let path = format!("{DEPLOYMENTS}/web/status");
    let change = |n: i64| json!({"status": {"replicas": n, "readyReplicas": 0}});
    let refused = admin.patch(&path, "merge-patch+json", &change(-1)).await;
    let why = "Deployment.apps \"web\" is invalid: status.replicas: Invalid value: -1: must be greater than or equal to 0";
    assert_eq!((refused.code, refused.message().as_str()), (422, why));
    let taken = admin.patch(&path, "merge-patch+json", &change(2)).await;
    assert_eq!((taken.code, taken.json()["status"]["replicas"].as_i64()), (200, Some(2)));
}
