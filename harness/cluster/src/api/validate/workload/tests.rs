//! Refusals of workloads, word for word.

use serde_json::json;

use super::*;
use crate::{api::validate, release::Release, resources::Resources};

/// What a release complains about in a workload that is sound but for what is said of its spec.
fn told(store: &str, minor: u32, more: &Value) -> Vec<String> {
    let mut object = json!({"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    for (pointer, value) in more.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let parent = object["spec"].pointer_mut(parent).unwrap();
        parent[name] = value.clone();
    }
    let resource = Resources::default().stored(store).unwrap();
    crate::api::defaults::apply(&resource, &mut object);
    let mut errors = Errors::of(Release::minor(minor));
    validate::new_object(&resource, &object, &mut errors);
    errors.into_vec().iter().map(ToString::to_string).collect()
}

#[test]
fn a_stateful_set_mounts_its_claims() {
    let mount = json!([{"name": "data", "mountPath": "/d"}]);
    let claims = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let both = json!({"template/spec/containers/0/volumeMounts": mount, "volumeClaimTemplates": claims});
    let both: Value = both.as_object().unwrap().iter().map(|(k, v)| (format!("/{k}"), v.clone())).collect();
    for minor in [20, 36] {
        assert_eq!(told("statefulsets.apps", minor, &both), [""; 0]);
    }
    let alone = json!({"/template/spec/containers/0/volumeMounts": mount});
    let missing = "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\"";
    assert_eq!(told("statefulsets.apps", 36, &alone), [missing]);
    assert_eq!(told("statefulsets.apps", 20, &alone), [""; 0], "its pods were not looked at");
    assert_eq!(told("deployments.apps", 20, &alone), [missing]);
}

#[test]
fn selectors_and_templates() {
    let differ = "`selector` does not match template `labels`";
    for (store, minor, more, words) in [
        ("deployments.apps", 36, json!({"/template/metadata/labels": null}),
            vec![format!("spec.template.metadata.labels: Invalid value: null: {differ}")]),
        ("deployments.apps", 20, json!({"/template/metadata/labels": null}),
            vec![format!("spec.template.metadata.labels: Invalid value: map[string]string(nil): {differ}")]),
        ("daemonsets.apps", 20, json!({"/template/metadata/labels": {"c": "d", "a": "x"}}), vec![format!(
            "spec.template.metadata.labels: Invalid value: map[string]string{{\"a\":\"x\", \"c\":\"d\"}}: {differ}")]),
        ("deployments.apps", 36, json!({"/selector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}), vec![
            "spec.selector.matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator".into(),
            "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Is\"}]}: invalid label selector".into()]),
        ("statefulsets.apps", 36, json!({"/selector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}), vec![
            "spec.selector.matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator".into(),
            "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Is\"}]}".into()]),
        ("replicasets.apps", 36, json!({"/selector": {}}),
            vec!["spec.selector: Invalid value: {}: empty selector is invalid for deployment".into()]),
        ("daemonsets.apps", 36, json!({"/selector": null}),
            vec![format!("spec.template.metadata.labels: Invalid value: {{\"a\":\"b\"}}: {differ}")]),
        ("deployments.apps", 36, json!({"/template/spec/restartPolicy": "Odd"}), vec![
            "spec.template.spec.restartPolicy: Unsupported value: \"Odd\": supported values: \"Always\", \"OnFailure\", \"Never\"".into(),
            "spec.template.spec.restartPolicy: Unsupported value: \"Odd\": supported values: \"Always\"".into()]),
        ("deployments.apps", 36, json!({"/template/spec/containers/0/image": " i"}), vec![]),
        ("deployments.apps", 36, json!({"/template/spec/ephemeralContainers": [{"name": "e", "image": "i"}]}),
            vec!["spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template".into()]),
        ("statefulsets.apps", 36, json!({"/template/spec/activeDeadlineSeconds": 1}), vec![
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported".into()]),
    ] {
        assert_eq!(told(store, minor, &more), words, "{store} {more}");
    }
}

#[test]
fn rollouts_and_numbers() {
    let at_least = "must be greater than or equal to 0";
    for (store, minor, more, words) in [
        ("deployments.apps", 36, json!({"/strategy": {"rollingUpdate": {"maxUnavailable": "150%"}}}), vec![
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"150%\": must not be greater than 100%".to_owned()]),
        ("deployments.apps", 36, json!({"/strategy": {"type": "Odd"}}), vec![
            "spec.strategy: Unsupported value: {\"Type\":\"Odd\",\"RollingUpdate\":null}: supported values: \"Recreate\", \"RollingUpdate\"".into()]),
        ("deployments.apps", 20, json!({"/strategy": {"type": "Odd"}}), vec![
            "spec.strategy: Unsupported value: apps.DeploymentStrategy{Type:\"Odd\", RollingUpdate:(*apps.RollingUpdateDeployment)(nil)}: \
             supported values: \"Recreate\", \"RollingUpdate\"".into()]),
        ("deployments.apps", 36, json!({"/progressDeadlineSeconds": -1}), vec![
            format!("spec.progressDeadlineSeconds: Invalid value: -1: {at_least}"),
            "spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds".into()]),
        ("daemonsets.apps", 36, json!({"/updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}), vec![
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero".into()]),
        ("daemonsets.apps", 36, json!({"/updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}), vec![
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0".into()]),
        ("daemonsets.apps", 20, json!({"/updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}), vec![
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0".into()]),
        ("daemonsets.apps", 36, json!({"/updateStrategy": {"type": "Odd", "rollingUpdate": {"maxSurge": "1%"}}}), vec![
            "spec.updateStrategy: Unsupported value: {\"Type\":\"Odd\",\"RollingUpdate\":{\"MaxUnavailable\":0,\"MaxSurge\":\"1%\"}}: \
             supported values: \"RollingUpdate\", \"OnDelete\"".into()]),
        ("statefulsets.apps", 36, json!({"/updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 2}}}), vec![
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":2,\"MaxUnavailable\":null}: only allowed for updateStrategy 'RollingUpdate'".into()]),
        ("statefulsets.apps", 36, json!({"/updateStrategy": {"type": "Odd"}}), vec![
            "spec.updateStrategy: Invalid value: {\"Type\":\"Odd\",\"RollingUpdate\":null}: must be 'RollingUpdate' or 'OnDelete'".into()]),
        ("statefulsets.apps", 36, json!({"/persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep", "whenScaled": "Delete"}}), vec![
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Keep\": supported values: \"Retain\", \"Delete\"".into()]),
        ("statefulsets.apps", 36, json!({"/minReadySeconds": -1, "/ordinals": {"start": -1}}), vec![
            format!("spec.minReadySeconds: Invalid value: -1: {at_least}"),
            format!("spec.ordinals.start: Invalid value: -1: {at_least}")]),
    ] {
        assert_eq!(told(store, minor, &more), words, "{store} {more}");
    }
}

#[test]
fn a_changed_selector_is_told_last() {
    let of = |replicas: i64, label: &str| {
        let mut object = json!({"metadata": {"name": "a"}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": label}},
            "template": {"metadata": {"labels": {"a": label}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
        let resource = Resources::default().stored("deployments.apps").unwrap();
        crate::api::defaults::apply(&resource, &mut object);
        object
    };
    let mut errors = Errors::default();
    let resource = Resources::default().stored("deployments.apps").unwrap();
    validate::changed_object(&resource, &of(1, "b"), &of(-1, "c"), &mut errors);
    let fields: Vec<String> = errors.into_vec().into_iter().map(|error| error.field).collect();
    assert_eq!(fields, ["spec.replicas", "spec.selector"]);
}
