//! Refusals of Jobs, word for word.

use serde_json::json;

use super::*;

fn sound() -> Value {
    json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"completions": 1, "parallelism": 1, "completionMode": "NonIndexed",
        "selector": {"matchLabels": {"controller-uid": "u"}}, "template": {
            "metadata": {"labels": {"controller-uid": "u", "job-name": "j", "batch.kubernetes.io/controller-uid": "u",
                "batch.kubernetes.io/job-name": "j"}},
            "spec": {"restartPolicy": "Never", "dnsPolicy": "Default",
                "containers": [{"name": "c", "image": "i", "imagePullPolicy": "Always"}]}}}})
}

fn with(more: &Value) -> Value {
    let mut object = sound();
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if let Some(policy) = object["spec"].as_object_mut().unwrap().remove("restartPolicy") {
        object["spec"]["template"]["spec"]["restartPolicy"] = policy;
    }
    object
}

fn told(check: impl Fn(&mut Errors)) -> Vec<String> {
    let mut errors = Errors::default();
    check(&mut errors);
    errors.into_vec().iter().map(ToString::to_string).collect()
}

#[test]
fn what_jobs_can_say() {
    let own = json!({"matchLabels": {"a": "b"}});
    let policy = |rule: Value| json!({"podFailurePolicy": {"rules": [rule]}});
    let field = "spec.podFailurePolicy.rules[0]";
    for (more, words) in [
        (json!({}), vec![]),
        (json!({"ttlSecondsAfterFinished": -1}),
            vec!["spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0".to_owned()]),
        (json!({"completionMode": "Odd"}),
            vec!["spec.completionMode: Unsupported value: \"Odd\": supported values: \"NonIndexed\", \"Indexed\"".into()]),
        (json!({"completionMode": "Indexed", "completions": null}),
            vec!["spec.completions: Required value: when completion mode is Indexed".into()]),
        (json!({"backoffLimitPerIndex": 1}),
            vec!["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode".into()]),
        (json!({"completionMode": "Indexed", "backoffLimitPerIndex": 1}), vec![]),
        (json!({"completionMode": "Indexed", "maxFailedIndexes": 2}), vec![
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified".into(),
            "spec.maxFailedIndexes: Invalid value: 2: must be less than or equal to completions".into()]),
        (json!({"successPolicy": {}}),
            vec!["spec.successPolicy: Invalid value: {\"Rules\":null}: requires indexed completion mode".into()]),
        (json!({"successPolicy": {}, "completionMode": "Indexed"}),
            vec!["spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified".into()]),
        (json!({"podReplacementPolicy": "Odd"}),
            vec!["spec.podReplacementPolicy: Unsupported value: \"Odd\": supported values: \"Failed\", \"TerminatingOrFailed\"".into()]),
        (json!({"restartPolicy": "Always"}),
            vec!["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"".into()]),
        (json!({"restartPolicy": "OnFailure", "podFailurePolicy": {"rules": []}}),
            vec!["spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified".into()]),
        (policy(json!({"action": "Odd", "onExitCodes": {"operator": "In", "values": [1]}})), vec![format!(
            "{field}.action: Unsupported value: \"Odd\": supported values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\"")]),
        (policy(json!({"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [0]}})), vec![
            format!("{field}.action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set"),
            format!("{field}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator")]),
        (policy(json!({"action": "Count"})),
            vec![format!("{field}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required")]),
        (json!({"selector": own}), vec![
            "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` not auto-generated".into(),
            format!("spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`",
                sound()["spec"]["template"]["metadata"]["labels"])]),
    ] {
        assert_eq!(told(|errors| job(&with(&more), true, errors)), words, "{more}");
    }
    let template = json!({"spec": with(&json!({"manualSelector": true}))["spec"]});
    let words = told(|errors| self::template(&"spec.jobTemplate", &template, errors));
    assert_eq!(words.len(), 2);
    assert!(words[0].ends_with("`selector` will be auto-generated"), "{words:?}");
    assert_eq!(
        words[1],
        "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\""
    );
}

#[test]
fn what_of_jobs_stays() {
    let indexed = |more: Value| {
        let mut job = with(&json!({"completionMode": "Indexed"}));
        job["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        job
    };
    let immutable = "field is immutable";
    for (old, new, words) in [
        (
            with(&json!({})),
            indexed(json!({})),
            vec![format!("spec.completionMode: Invalid value: \"Indexed\": {immutable}")],
        ),
        (
            with(&json!({})),
            with(&json!({"completions": 2})),
            vec![format!("spec.completions: Invalid value: 2: {immutable}")],
        ),
        (indexed(json!({})), indexed(json!({"completions": 2, "parallelism": 2})), vec![]),
        (
            indexed(json!({})),
            indexed(json!({"completions": 2})),
            vec![
                "spec.completions: Invalid value: 2: can only be modified in tandem with spec.parallelism"
                    .into(),
            ],
        ),
        (
            indexed(json!({})),
            indexed(json!({"backoffLimitPerIndex": 1})),
            vec![format!("spec.backoffLimitPerIndex: Invalid value: 1: {immutable}")],
        ),
    ] {
        assert_eq!(told(|errors| change(&old, &new, errors)), words);
    }
}
