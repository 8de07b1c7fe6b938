//! Refusals, word for word.

use serde_json::json;

use super::*;
use crate::resources::Resources;

/// What is wrong with an object, after defaulting, as the texts that clients see.
fn complaints(store: &str, mut object: Value) -> Vec<String> {
    let resource = Resources::default().stored(store).unwrap();
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = "x".into();
    }
    crate::api::defaults::apply(&resource, &mut object);
    let mut errors = Errors::default();
    new_object(&resource, &object, &mut errors);
    errors.into_vec().iter().map(ToString::to_string).collect()
}

fn pod(container: &Value) -> Value {
    json!({"spec": {"containers": [container]}})
}

#[test]
fn pods() {
    let fine = pod(&json!({"name": "a", "image": "NGINX::latest"}));
    assert!(complaints("pods", fine).is_empty());
    let missing = pod(&json!({"name": "a"}));
    assert_eq!(complaints("pods", missing), ["spec.containers[0].image: Required value"]);
    let policy = pod(&json!({"name": "a", "image": "x", "imagePullPolicy": "Sometimes"}));
    assert_eq!(
        complaints("pods", policy),
        [
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
          \"IfNotPresent\", \"Never\""
        ]
    );
    let twice = json!({"spec": {"containers": [{"name": "c", "image": "x"}, {"name": "c", "image": "x"}]}});
    assert_eq!(complaints("pods", twice), ["spec.containers[1].name: Duplicate value: \"c\""]);
    let mount = pod(&json!({"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
    assert_eq!(complaints("pods", mount), ["spec.containers[0].volumeMounts[0].name: Not found: \"v\""]);
    let greedy = pod(&json!({"name": "a", "image": "x",
        "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}));
    assert_eq!(
        complaints("pods", greedy),
        [
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
        ]
    );
}

#[test]
fn docker_secrets() {
    let kind = "kubernetes.io/dockerconfigjson";
    let with = |value: &str| {
        complaints("secrets", json!({"type": kind, "stringData": {".dockerconfigjson": value}}))
    };
    assert_eq!(complaints("secrets", json!({"type": kind})), ["data[.dockerconfigjson]: Required value"]);
    let start = "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": ";
    assert_eq!(with("not"), [format!("{start}invalid character 'o' in literal null (expecting 'u')")]);
    assert_eq!(
        with("5"),
        [format!("{start}json: cannot unmarshal number into Go value of type map[string]interface {{}}")]
    );
    assert!(with("{\"anything\": 1}").is_empty());
    assert_eq!(
        complaints("secrets", json!({"type": "kubernetes.io/tls"})),
        ["data[tls.crt]: Required value", "data[tls.key]: Required value"]
    );
}

#[test]
fn deployments() {
    let deployment = |spec: Value| {
        let mut object = json!({"spec": {"selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
        for (field, value) in spec.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        complaints("deployments.apps", object)
    };
    assert!(deployment(json!({})).is_empty());
    assert_eq!(
        deployment(json!({"selector": {"matchLabels": {"app": "b"}}})),
        [
            "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"
        ]
    );
    assert_eq!(
        deployment(json!({"replicas": -1})),
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]
    );
    assert_eq!(
        deployment(json!({"strategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}})),
        ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"]
    );
}

#[test]
fn cron_jobs() {
    let made = complaints(
        "cronjobs.batch",
        json!({"spec": {"schedule": "* * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}}),
    );
    assert_eq!(
        made,
        ["spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]"]
    );
}
