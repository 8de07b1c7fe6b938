//! Who owns which fields: what a real API server (1.36) answered to a real kubectl (1.20), held against the answers
//! to the same requests here, and the rules that no kubectl shows.

use http::Method;
use pulldrill_cluster::fields::FieldSet;
use serde_json::{Value, json};

use super::world::{Answer, Client, World};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The entries of those managers that are clients, as the recordings have them: of the time only whether it is there,
/// and sorted by name, since the order in which the API shows them is that of their times.
fn of_clients(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let clients = entries.filter(|entry| entry["manager"] != "kube-controller-manager").cloned();
    by_manager(clients.map(|mut entry| {
        assert_eq!(entry["fieldsType"], "FieldsV1");
        entry["time"] = entry.get("time").is_some().into();
        entry.as_object_mut().unwrap().remove("fieldsType");
        entry
    }))
}

fn by_manager(entries: impl Iterator<Item = Value>) -> Value {
    let mut entries: Vec<Value> = entries.collect();
    entries.sort_by_key(|entry| entry["manager"].as_str().unwrap_or_default().to_owned());
    entries.into()
}

fn sorted_causes(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(causes) = status["details"]["causes"].as_array_mut() {
        causes.sort_by_key(ToString::to_string);
    }
    status
}

#[tokio::test]
async fn managers_own_what_the_real_server_says() {
    let world = World::new().await;
    let admin = world.admin();
    let rows = include_str!("../data/managed.jsonl");
    let mut compared = 0;
    let mut different = Vec::new();
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |field: &str| row[field].as_str().unwrap();
        let method = Method::from_bytes(text("method").as_bytes()).unwrap();
        let headers = [("content-type", text("type")), ("user-agent", text("agent"))];
        let answer = admin.ask(method, text("path"), &headers, row["body"].to_string()).await;
        world.clock.idle().await;
        let (command, found) = (text("command"), answer.json());
        assert_eq!(u64::from(answer.code), row["code"].as_u64().unwrap(), "{command}: {found}");
        let (wanted, found) = match row.get("status") {
            Some(status) => (sorted_causes(status), sorted_causes(&found)),
            None => (by_manager(row["managed"].as_array().unwrap().iter().cloned()), of_clients(&found)),
        };
        compared += 1;
        if wanted != found {
            different.push(format!("{command} {}\n  real {wanted}\n  here {found}", text("path")));
        }
    }
    assert!(compared > 40);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

async fn apply(client: &Client, path: &str, query: &str, body: &Value) -> Answer {
    client.patch(&format!("{path}?{query}"), "apply-patch+yaml", body).await
}

fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries.map(|e| format!("{} {}", text(e, "operation"), text(e, "manager"))).collect()
}

fn map(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data})
}

#[tokio::test]
async fn what_is_no_longer_applied_goes_unless_others_own_it() {
    let world = World::new().await;
    let (admin, path) = (world.admin(), format!("{MAPS}/m"));
    let all = map(&json!({"a": "1", "b": "2", "c": "3"}));
    assert_eq!(apply(&admin, &path, "fieldManager=one", &all).await.code, 201);
    let shared = apply(&admin, &path, "fieldManager=two", &map(&json!({"b": "2"}))).await;
    assert_eq!((shared.code, owners(&shared.json())), (200, vec!["Apply two".into(), "Apply one".into()]));
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let again = apply(&admin, &path, "fieldManager=two", &map(&json!({"b": "2"}))).await.json();
    assert_eq!(version(&again), version(&shared.json()));

    let refused =
        apply(&admin, &path, "fieldManager=two", &map(&json!({"a": "9", "b": "2", "c": "9"}))).await;
    assert_eq!(refused.code, 409);
    assert_eq!(
        refused.message(),
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.a\n- .data.c"
    );
    let less = apply(&admin, &path, "fieldManager=one", &map(&json!({"a": "1"}))).await.json();
    assert_eq!(less["data"], json!({"a": "1", "b": "2"}));
    let dry = apply(&admin, &path, "fieldManager=two&force=true&dryRun=All", &map(&json!({"a": "9"}))).await;
    assert_eq!((dry.code, &dry.json()["data"]), (200, &json!({"a": "9"})));
    assert_eq!(admin.get(&path).await.json()["data"], json!({"a": "1", "b": "2"}));
    let forced = apply(&admin, &path, "fieldManager=two&force=true", &map(&json!({"a": "9"}))).await.json();
    assert_eq!(forced["data"], json!({"a": "9"}));
    assert_eq!(owners(&forced), ["Apply two"]);
}

#[tokio::test]
async fn refusals_of_applies_have_the_real_words() {
    let world = World::new().await;
    let admin = world.admin();
    let path = format!("{MAPS}/m");
    let good = map(&json!({"a": "1"}));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        body
    };
    let untyped = with(&|body| body.as_object_mut().unwrap().retain(|name, _| name == "metadata"));
    let managed = with(&|body| body["metadata"]["managedFields"] = json!([{}]));
    let unknown = with(&|body| body["bogus"] = 1.into());
    let nameless = with(&|body| body["metadata"] = json!({}));
    let renamed = with(&|body| body["metadata"]["name"] = "zz".into());
    let other = with(&|body| body["kind"] = "Secret".into());
    for (query, body, code, message) in [
        (
            "",
            &good,
            422,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
        ("fieldManager=x", &untyped, 400, "invalid object type: /, Kind="),
        ("fieldManager=x", &other, 400, "invalid object type: /v1, Kind=Secret"),
        ("fieldManager=x", &managed, 400, "metadata.managedFields must be nil"),
        (
            "fieldManager=x",
            &nameless,
            400,
            "the name of the object (m based on URL) was undeterminable: name must be provided",
        ),
        (
            "fieldManager=x",
            &renamed,
            400,
            "the name of the object (zz) does not match the name on the URL (m)",
        ),
        (
            "fieldManager=x&fieldValidation=Strict",
            &unknown,
            500,
            "failed to create typed patch object (/m; /v1, Kind=ConfigMap): .bogus: field not declared in schema",
        ),
    ] {
        let refused = apply(&admin, &path, query, body).await;
        assert_eq!((refused.code, refused.message().as_str()), (code, message));
    }
    let long = format!("fieldManager={}", "x".repeat(129));
    let refused = apply(&admin, &path, &long, &good).await;
    let message =
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes";
    assert_eq!((refused.code, refused.message().as_str()), (422, message));
    let broken = admin
        .ask(
            Method::PATCH,
            &format!("{path}?fieldManager=x"),
            &[("content-type", "application/apply-patch+yaml")],
            "{a: [",
        )
        .await;
    assert_eq!(broken.code, 400);
    assert!(broken.message().starts_with("error decoding YAML: "), "{}", broken.message());

    assert_eq!(apply(&admin, &path, "fieldManager=x", &good).await.code, 201);
    for kind in ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json"] {
        let refused = admin.patch(&format!("{path}?force=true"), kind, &json!({})).await;
        let message = "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch";
        assert_eq!((refused.code, refused.message().as_str()), (422, message));
    }
    let refused = admin.patch(&path, "json", &json!({})).await;
    assert_eq!((refused.code, refused.message().as_str()), (415, "415: Unsupported Media Type"));
    let refused = admin.patch(&path, "merge-patch+json", &json!({"metadata": {"uid": "1"}})).await;
    let message = "ConfigMap \"m\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable";
    assert_eq!((refused.code, refused.message().as_str()), (422, message));
}

#[tokio::test]
async fn updates_take_over_and_controllers_are_named() {
    let world = World::new().await;
    let admin = world.admin();
    let path = format!("{DEPLOYMENTS}/web");
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}});
    assert_eq!(apply(&admin, &path, "fieldManager=one", &body).await.code, 201);
    world.clock.idle().await;
    let live = admin.get(&path).await.json();
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    let controller = entries.iter().find(|e| e["manager"] == "kube-controller-manager").unwrap();
    assert_eq!((&controller["operation"], &controller["subresource"]), (&json!("Update"), &json!("status")));
    let revision = &controller["fieldsV1"]["f:metadata"]["f:annotations"];
    assert_eq!(revision, &json!({".": {}, "f:deployment.kubernetes.io/revision": {}}));
    assert_eq!(entries.len(), 2);

    let scale = json!({"spec": {"replicas": 5}});
    let headers = [("content-type", "application/merge-patch+json"), ("user-agent", "scaler/1.0 (linux)")];
    assert_eq!(
        admin.ask(Method::PATCH, &format!("{path}/scale"), &headers, scale.to_string()).await.code,
        200
    );
    let refused = apply(&admin, &path, "fieldManager=one", &body).await;
    let message = "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\" using apps/v1: .spec.replicas";
    assert_eq!((refused.code, refused.message().as_str()), (409, message));

    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 6}});
    let path_of_scale = format!("{path}/scale");
    let refused = apply(&admin, &path_of_scale, "fieldManager=two", &scale).await;
    assert_eq!((refused.code, refused.message().as_str()), (409, message));
    let forced = apply(&admin, &path_of_scale, "fieldManager=two&force=true", &scale).await;
    assert_eq!((forced.code, &forced.json()["spec"]["replicas"]), (200, &json!(6)));
    let mut entries = admin.get(&path).await.json()["metadata"]["managedFields"].clone();
    let of_two = entries.as_array_mut().unwrap().iter_mut().find(|e| e["manager"] == "two").unwrap();
    assert_eq!(
        (&of_two["subresource"], &of_two["fieldsV1"]),
        (&json!("scale"), &json!({"f:spec": {"f:replicas": {}}}))
    );

    // What kubectl does to make appliers of managers that updated: a JSON patch of the entries.
    let live = admin.get(&path).await.json();
    let mut entries = live["metadata"]["managedFields"].clone();
    entries.as_array_mut().unwrap().retain(|entry| entry["subresource"] != "scale");
    let stale = json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}]);
    assert_eq!(admin.patch(&path, "json-patch+json", &stale).await.code, 409);
    let mut fresh = stale.clone();
    fresh[1]["value"] = live["metadata"]["resourceVersion"].clone();
    let patched = admin.patch(&path, "json-patch+json", &fresh).await.json();
    assert_eq!(owners(&patched), ["Apply one", "Update kube-controller-manager"]);
    assert_eq!(apply(&admin, &path, "fieldManager=one", &body).await.code, 200);

    let reset = json!({"metadata": {"managedFields": [{}]}});
    let patched = admin.patch(&path, "merge-patch+json", &reset).await.json();
    assert!(patched["metadata"].get("managedFields").is_none());
    let unrecorded = json!({"metadata": {"labels": {"a": "b"}}});
    let patched = admin.patch(&path, "merge-patch+json", &unrecorded).await.json();
    assert!(patched["metadata"].get("managedFields").is_none());
    let applied = apply(&admin, &path, "fieldManager=one", &body).await.json();
    assert_eq!(owners(&applied), ["Apply one", "Update before-first-apply"]);
}

#[tokio::test]
async fn a_dozen_managers_become_ten_and_all_forms_show_them() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(admin.post(&format!("{MAPS}?fieldManager=m"), &map(&json!({"a": "0"}))).await.code, 201);
    let path = format!("{MAPS}/m");
    for manager in 0..12 {
        let mut data = json!({});
        data[format!("k{manager:02}")] = "x".into();
        let patch = json!({"data": data});
        let path = format!("{path}?fieldManager=m{manager:02}");
        assert_eq!(admin.patch(&path, "merge-patch+json", &patch).await.code, 200);
    }
    let object = admin.get(&path).await.json();
    let owners = owners(&object);
    assert_eq!(owners.len(), 10);
    assert!(owners.contains(&"Update ancient-changes".to_owned()), "{owners:?}");
    let mut all = FieldSet::default();
    for entry in object["metadata"]["managedFields"].as_array().unwrap() {
        all.unite(&FieldSet::read(&entry["fieldsV1"]).unwrap());
    }
    for key in object["data"].as_object().unwrap().keys() {
        let key = FieldSet::of_names(&[&["data", key]]);
        assert_eq!(all.intersection(&key), key);
    }

    let listed = admin.get(MAPS).await.json();
    let one = listed["items"].as_array().unwrap().iter().find(|o| o["metadata"]["name"] == "m").unwrap();
    assert_eq!(one["metadata"], object["metadata"]);
    let rows = admin.table(&path).await.json();
    assert_eq!(rows["rows"][0]["object"]["metadata"], object["metadata"]);
    let mut watch = admin.watch(&format!("{MAPS}?watch=true&fieldSelector=metadata.name=m")).await;
    assert_eq!(watch.next().await.unwrap().1["metadata"], object["metadata"]);
}

#[tokio::test]
async fn kubectl_takes_over_what_was_applied_on_the_clients_side() {
    let world = World::new().await;
    let (admin, path) = (world.admin(), format!("{MAPS}/m"));
    let plain = map(&json!({"a": "1"}));
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let mut first = plain.clone();
    first["metadata"]["annotations"] = json!({annotation: format!("{plain}\n")});
    let made = admin.post(&format!("{MAPS}?fieldManager=kubectl-client-side-apply"), &first).await;
    assert_eq!(made.code, 201);
    let wanted = map(&json!({"a": "2"}));
    assert_eq!(apply(&admin, &path, "fieldManager=other", &wanted).await.code, 409);
    let taken = apply(&admin, &path, "fieldManager=kubectl", &wanted).await;
    assert_eq!((taken.code, &taken.json()["data"]["a"]), (200, &json!("2")));
    let kept = taken.json()["metadata"]["annotations"][annotation].as_str().unwrap().to_owned();
    assert_eq!(kept, format!("{wanted}\n"));
    assert_eq!(owners(&taken.json()), ["Apply kubectl", "Update kubectl-client-side-apply"]);
}
