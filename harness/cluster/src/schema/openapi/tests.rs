//! The documents as clients read them. That real kubectls accept them is seen end to end.

use super::*;

fn info(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> ResourceInfo {
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    ResourceInfo {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced,
        verbs: verbs.map(String::from).into(),
    }
}

fn documents() -> OpenApi {
    let served = vec![
        info("", "v1", "Pod", "pods", true),
        info("", "v1", "Node", "nodes", false),
        info("apps", "v1", "Deployment", "deployments", true),
        info("example.org", "v1", "Thing", "things", true),
    ];
    OpenApi::new(served, Release::default())
}

fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Every reference in a document, wherever it stands.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let documents = documents();
    let mut all = vec![json(&documents.v2_json())];
    all.extend(
        ["api/v1", "apis/apps/v1", "apis/example.org/v1"].map(|p| json(&documents.v3(p).unwrap().json)),
    );
    for document in &all {
        let mut found = Vec::new();
        references(document, &mut found);
        assert!(found.len() > 5);
        for reference in found {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some_and(Value::is_object), "{reference}");
        }
    }
}

#[test]
fn patch_operations_say_what_kubectl_looks_for() {
    let documents = documents();
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let v2 = json(&documents.v2_json());
    let v3 = json(&documents.v3("apis/apps/v1").unwrap().json);
    for document in [&v2, &v3] {
        let patch = &document["paths"][path]["patch"];
        let gvk = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        assert_eq!(patch["x-kubernetes-group-version-kind"], gvk);
        assert_eq!(patch["x-kubernetes-action"], "patch");
        let names: Vec<_> =
            patch["parameters"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
        for name in ["dryRun", "fieldManager", "fieldValidation", "force"] {
            assert!(names.contains(&name.into()), "{name}");
        }
    }
    assert!(
        v3["paths"][path]["patch"]["requestBody"]["content"]
            .get("application/strategic-merge-patch+json")
            .is_some()
    );
    assert!(v2["paths"].get("/api/v1/nodes/{name}").is_some());
}

#[test]
fn schemas_carry_what_patches_need() {
    let v2 = json(&documents().v2_json());
    let spec = &v2["definitions"]["io.k8s.api.core.v1.PodSpec"];
    let containers = &spec["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-type"], "map");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(spec["required"], json!(["containers"]));
    assert_eq!(
        v2["definitions"]["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "Pod"}])
    );
}

#[test]
fn explain_is_told_values_defaults_and_what_is_a_number_or_a_string() {
    let document = json(&documents().v3("api/v1").unwrap().json);
    let property =
        |kind: &str, name: &str| document["components"]["schemas"][kind]["properties"][name].clone();
    let policy = property("io.k8s.api.core.v1.Container", "imagePullPolicy");
    assert_eq!(policy["enum"], json!(["Always", "IfNotPresent", "Never"]));
    assert!(
        policy["description"].as_str().unwrap().ends_with("\n - `\"Never\"`") && policy["default"].is_null()
    );
    assert_eq!(property("io.k8s.api.core.v1.Container", "name")["default"], "");
    assert_eq!(property("io.k8s.api.core.v1.ContainerPort", "containerPort")["default"], 0);
    assert_eq!(property("io.k8s.api.core.v1.HTTPGetAction", "port")["default"], Value::Null);
    let either = &document["components"]["schemas"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!(either["oneOf"], json!([{"type": "integer"}, {"type": "string"}]));
    assert!(either["type"].is_null());
    let older = json(&documents().v2_json());
    let older = &older["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!((&older["type"], &older["oneOf"]), (&json!("string"), &Value::Null));
}

#[test]
fn the_index_names_every_group_and_version() {
    let documents = documents();
    let index = documents.v3_index();
    let paths = index["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 3);
    let url = paths["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    let hash = &documents.v3("apis/apps/v1").unwrap().hash;
    assert_eq!(url, format!("/openapi/v3/apis/apps/v1?hash={hash}"));
    assert!(documents.v3("apis/none/v1").is_none());
}

/// What lacks words in a document: definitions, their properties, operations and parameters.
fn wordless(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: String, value: &Value| {
        if value["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            found.push(place);
        }
    };
    let schemas = document.pointer("/components/schemas").unwrap_or(&document["definitions"]);
    for (name, schema) in schemas.as_object().unwrap() {
        look(name.clone(), schema);
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            look(format!("{name} {field}"), property);
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        let operations = item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
        for (method, operation) in operations.clone() {
            look(format!("{method} {path}"), operation);
        }
        let lists = operations.map(|(_, operation)| &operation["parameters"]).chain([&item["parameters"]]);
        for parameter in lists.filter_map(Value::as_array).flatten().filter(|one| one["in"] != "body") {
            look(format!("{path} {}", parameter["name"]), parameter);
        }
    }
    found
}

#[test]
fn nothing_that_is_served_is_without_words() {
    let mut missing = Vec::new();
    for minor in [20, 24, 31, 36] {
        let release = Release::minor(minor);
        let documents = OpenApi::new(crate::resources::Resources::of(release).infos(), release);
        let index = documents.v3_index();
        let paths = index["paths"].as_object().unwrap();
        let mut all = vec![json(&documents.v2_json())];
        all.extend(paths.keys().map(|path| json(&documents.v3(path).unwrap().json)));
        assert!(all.len() > 10 && all[0]["definitions"].as_object().unwrap().len() > 300);
        missing.extend(all.iter().flat_map(wordless).map(|place| format!("1.{minor}: {place}")));
    }
    assert_eq!(missing, Vec::<String>::new());
    let document = json!({"definitions": {"a": {"properties": {"b": {"description": " "}}}},
        "paths": {"/c": {"get": {"parameters": [{"name": "d"}]}}}});
    assert_eq!(wordless(&document), ["a", "a b", "get /c", "/c \"d\""], "a lack is seen");
}
