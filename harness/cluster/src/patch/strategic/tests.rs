//! The rules of strategic merges, one by one. Recorded patches are in `tests/recorded.rs`.

use serde_json::json;

use super::*;

fn pod_spec(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    let patched =
        strategic(Schema::embedded(), "v1", "Pod", &json!({ "spec": original }), &json!({ "spec": patch }))?;
    Ok(patched["spec"].clone())
}

#[test]
fn lists_with_a_merge_key_merge_and_others_are_replaced() {
    for (original, patch, expected) in [
        (
            json!({"containers": [{"name": "a", "image": "x", "args": ["1"]}, {"name": "b"}]}),
            json!({"containers": [{"name": "a", "image": "y", "args": ["2"]}]}),
            json!({"containers": [{"name": "a", "image": "y", "args": ["2"]}, {"name": "b"}]}),
        ),
        (
            json!({"imagePullSecrets": [{"name": "old"}]}),
            json!({"imagePullSecrets": [{"name": "new"}]}),
            json!({"imagePullSecrets": [{"name": "new"}, {"name": "old"}]}),
        ),
        (
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": [{"key": "b"}]}),
            json!({"tolerations": [{"key": "b"}]}),
        ),
        (
            json!({"nodeSelector": {"a": "1", "b": "2"}}),
            json!({"nodeSelector": {"a": null, "c": "3"}}),
            json!({"nodeSelector": {"b": "2", "c": "3"}}),
        ),
        (
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": null}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "Y"}, {"name": "X", "value": "1"}]}]}),
        ),
        (
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "web"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "protocol": "UDP"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "web", "protocol": "UDP"}]}]}),
        ),
        (
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}),
            json!({"volumes": [{"name": "v", "emptyDir": {}, "configMap": {"name": "c"}}]}),
        ),
    ] {
        assert_eq!(pod_spec(&original, &patch).unwrap(), expected, "{patch}");
    }
}

#[test]
fn directives() {
    let two = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "dnsPolicy": "Default"});
    for (original, patch, expected) in [
        (
            &two,
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b"}], "dnsPolicy": "Default"}),
        ),
        (
            &two,
            json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
            json!({"containers": [{"name": "c"}], "dnsPolicy": "Default"}),
        ),
        (
            &two,
            json!({"containers": [{"name": "a", "$patch": "replace", "args": ["x"]}]}),
            json!({"containers": [], "dnsPolicy": "Default"}),
        ),
        (&two, json!({"$patch": "replace", "hostname": "h"}), json!({"hostname": "h"})),
        (
            &two,
            json!({"hostname": "h", "containers": null}),
            json!({"hostname": "h", "dnsPolicy": "Default"}),
        ),
        (&two, json!({"$retainKeys": ["hostname"], "hostname": "h"}), json!({"hostname": "h"})),
        (
            &two,
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "b"}, {"name": "a", "image": "x"}], "dnsPolicy": "Default"}),
        ),
        (
            &two,
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
            "containers": [{"name": "c"}]}),
            json!({"containers": [{"name": "b"}, {"name": "c"}, {"name": "a", "image": "x"}], "dnsPolicy": "Default"}),
        ),
        (
            &json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"$retainKeys": ["name", "secret"], "name": "v", "secret": {"secretName": "s"}}]}),
            json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}),
        ),
        // Directives about what is not there leave no trace.
        (
            &json!({}),
            json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "b", "image": null}],
            "$setElementOrder/containers": [{"name": "b"}]}),
            json!({"containers": [{"name": "b"}]}),
        ),
    ] {
        assert_eq!(&pod_spec(original, &patch).unwrap(), &expected, "{patch}");
    }
}

#[test]
fn metadata_lists() {
    let schema = Schema::embedded();
    let pod = json!({"metadata": {"finalizers": ["a", "b"], "ownerReferences": [{"uid": "1", "name": "x"}]}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"],
        "ownerReferences": [{"uid": "1", "name": "y"}]}});
    let patched = strategic(schema, "v1", "Pod", &pod, &patch).unwrap();
    assert_eq!(
        patched,
        json!({"metadata": {"finalizers": ["c", "b"], "ownerReferences": [{"uid": "1", "name": "y"}]}})
    );
}

#[test]
fn a_serviceaccounts_imagepullsecrets_are_replaced_and_its_secrets_merged() {
    let account = json!({"imagePullSecrets": [{"name": "a"}], "secrets": [{"name": "s"}]});
    let patch = json!({"imagePullSecrets": [{"name": "b"}], "secrets": [{"name": "t"}]});
    let patched = strategic(Schema::embedded(), "v1", "ServiceAccount", &account, &patch).unwrap();
    assert_eq!(
        patched,
        json!({"imagePullSecrets": [{"name": "b"}], "secrets": [{"name": "t"}, {"name": "s"}]})
    );
}

#[test]
fn some_maps_are_replaced() {
    let budget = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}});
    let patch = json!({"spec": {"selector": {"matchLabels": {"b": "2"}}}});
    let patched = strategic(Schema::embedded(), "policy/v1", "PodDisruptionBudget", &budget, &patch).unwrap();
    assert_eq!(patched, patch);
}

#[test]
fn errors() {
    let error = pod_spec(&json!({}), &json!({"containers": [{"image": "zz"}]})).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (500, "map: map[image:zz] does not contain declared merge key: name")
    );
    for (patch, message) in [
        (json!({"$patch": "explode"}), "unknown patch type: explode in map: map[$patch:explode]"),
        (json!({"$patch": "merge", "a": [1]}), "unknown patch type: merge in map: map[$patch:merge a:[1]]"),
        (json!({"$patch": {"a": 1}}), "unknown patch type: map[a:%!s(int64=1)] in map: map[$patch:map[a:1]]"),
        (json!({"$patch": null}), "unknown patch type: %!s(<nil>) in map: map[$patch:<nil>]"),
        (json!({"containers": [{"$patch": 7}]}), "unknown patch type: %!s(int64=7) in map: map[$patch:7]"),
        (json!({"containers": [{"$patch": "merge"}]}), "merging lists cannot yet be specified in the patch"),
    ] {
        let error = pod_spec(&json!({}), &patch).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (500, message));
    }
    let retain = json!({"$retainKeys": ["a"], "hostname": "h"});
    assert_eq!(pod_spec(&json!({}), &retain).unwrap_err().to_string(), "invalid patch format of retainKeys");
    let error = strategic(Schema::embedded(), "example.org/v1", "Thing", &json!({}), &json!({})).unwrap_err();
    assert_eq!(error.code(), 415);
}

#[test]
fn an_order_that_contradicts_its_list_is_refused() {
    let original = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]});
    let order = "$setElementOrder/containers";
    let refused = |order_list: Value, list: Value| {
        pod_spec(&original, &json!({order: order_list, "containers": list})).unwrap_err().to_string()
    };
    let contradicts = |patch: &str, order: &str| {
        format!("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")
    };
    let (a, b) = (json!({"name": "a", "image": "y"}), json!({"name": "b", "image": "y"}));
    assert_eq!(
        refused(json!([{"name": "b"}]), json!([a])),
        contradicts("[map[image:y name:a]]", "[map[name:b]]")
    );
    assert_eq!(
        refused(json!([{"name": "b"}, {"name": "a"}]), json!([a, b])),
        contradicts("[map[image:y name:a] map[image:y name:b]]", "[map[name:b] map[name:a]]")
    );
    assert_eq!(
        refused(json!([{"x": "a"}]), json!([a])),
        "map: map[x:a] does not contain declared merge key: name"
    );
    assert_eq!(refused(json!("x"), json!([a])), "expected a []interface {}, but received a string");
    // What goes has no place, and others may be named without being changed.
    let gone = json!({"name": "b", "$patch": "delete"});
    let kept = pod_spec(&original, &json!({order: [{"name": "c"}, {"name": "a"}], "containers": [gone, a]}));
    assert_eq!(kept.unwrap()["containers"], json!([a]));
    let finalizers = json!({"metadata": {"$setElementOrder/finalizers": ["x/a"], "finalizers": ["x/b"]}});
    let refused = strategic(Schema::embedded(), "v1", "Pod", &json!({}), &finalizers).unwrap_err();
    assert_eq!(refused.to_string(), contradicts("[x/b]", "[x/a]"));
}
