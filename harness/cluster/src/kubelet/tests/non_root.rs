//! Containers that must not run as root.

use serde_json::{Value, json};

use super::world::{NEW, OLD, World};

#[tokio::test]
async fn who_must_not_be_root_is_not_started_as_root() {
    for dialect in [NEW, OLD] {
        let world = World::new(dialect, 1).await;
        for (name, user) in
            [("none", ""), ("root", "root"), ("zero", "0:0"), ("named", "app:app"), ("number", "101")]
        {
            world.fake.image_with("team", name, &json!({"Entrypoint": ["/app"], "User": user}));
        }
        let will = "container has runAsNonRoot and image will run as root";
        let named = |user: &str| {
            format!(
                "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
            )
        };
        let breaks = "container's runAsUser breaks non-root policy";
        let must = json!({"runAsNonRoot": true});
        let cases: [(&str, &str, Value, Value, Option<String>); 9] = [
            ("a", "none", must.clone(), json!({}), Some(will.to_owned())),
            ("b", "zero", json!({}), must.clone(), Some(will.to_owned())),
            ("c", "root", must.clone(), json!({}), Some(named("root"))),
            ("d", "named", must.clone(), json!({}), Some(named("app"))),
            ("e", "number", must.clone(), json!({}), None),
            ("f", "none", must.clone(), json!({"runAsUser": 1000}), None),
            ("g", "number", must.clone(), json!({"runAsUser": 0}), Some(breaks.to_owned())),
            ("h", "none", must, json!({"runAsNonRoot": false}), None),
            ("i", "none", json!({"runAsUser": 0}), json!({}), None),
        ];
        for (name, tag, of_pod, own, _) in &cases {
            let more = json!({"securityContext": of_pod, "containers": [{"securityContext": own}]});
            world.pod(name, &format!("registry.lab.test/team:{tag}"), more);
        }
        world.run(30).await;
        for (name, _, _, _, why) in cases {
            let pod = world.get(name).unwrap();
            let state = &pod["status"]["containerStatuses"][0]["state"];
            let Some(why) = why else {
                assert!(state["running"].is_object(), "{name}: {state}");
                continue;
            };
            let uid = pod["metadata"]["uid"].as_str().unwrap();
            let message = format!("{why} (pod: \"{name}_shop({uid})\", container: app)");
            assert_eq!(state["waiting"], json!({"reason": "CreateContainerConfigError", "message": message}));
            assert!(world.count(name, &format!("Error: {message}")) > 0, "{:?}", world.story(name));
        }
    }
}
