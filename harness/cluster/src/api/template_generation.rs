//! The number of a DaemonSet's template. `apps/v1` has no field for it any more, so that API servers show it as
//! an annotation that they alone write: 1 in the beginning, one more with every change of the template.

use serde_json::{Value, json};

use crate::resources::Resource;

const ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// Numbers the template of an object that is written; `old` is what was there before.
pub(super) fn count(resource: &Resource, old: Option<&Value>, object: &mut Value) {
    if resource.store != "daemonsets.apps" {
        return;
    }
    let number = old.map_or(1, |old| {
        let before = old["metadata"]["annotations"][ANNOTATION].as_str().and_then(|n| n.parse().ok());
        let changed = old["spec"]["template"] != object["spec"]["template"];
        before.unwrap_or(1_i64).saturating_add(i64::from(changed))
    });
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][ANNOTATION] = json!(number.to_string());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pulldrill_clock::{Clock, Timestamp};

    use super::*;
    use crate::{
        api::{Api, User, WriteOptions},
        store::{Key, Store},
    };

    #[tokio::test]
    async fn changes_of_the_template_are_counted_and_nobody_else_writes_the_number() {
        let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
        let api = Api::new(Arc::new(Store::new(100)), clock);
        let (user, key) = (User::controller("test"), Key::new("shop", "web"));
        let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "web", "annotations": {ANNOTATION: "77"}},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "a:1"}]}}}});
        let number = |object: &Value| object["metadata"]["annotations"][ANNOTATION].clone();
        let made = api.create(&user, "daemonsets.apps", "shop", set, &WriteOptions::default()).unwrap();
        assert_eq!(number(made.value()), "1");
        let edit = |change: &dyn Fn(&mut Value)| {
            let written = api.modify(&user, "daemonsets.apps", &key, None, change).unwrap();
            number(written.value())
        };
        assert_eq!(edit(&|set| set["spec"]["minReadySeconds"] = json!(5)), "1");
        assert_eq!(
            edit(&|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:2")),
            "2"
        );
        assert_eq!(edit(&|set| set["metadata"]["annotations"] = json!({ANNOTATION: "9", "a": "b"})), "2");
        assert_eq!(edit(&|set| set["metadata"]["annotations"] = Value::Null), "2");
    }
}
