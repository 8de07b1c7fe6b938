//! ReplicationControllers: as ReplicaSets are, with a selector of labels alone.

use serde_json::json;

use super::{World, world::template};

const RESOURCE: &str = "replicationcontrollers";

#[tokio::test]
async fn a_replicationcontroller_has_its_pods() {
    for (dialect, terminating) in [("k8s-1.36-containerd-2.1", true), ("k8s-1.20-containerd-1.7", false)] {
        let world = World::start(dialect).await;
        // The selector is taken from the template's labels.
        world.create(
            RESOURCE,
            json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"},
                "spec": {"replicas": 2, "template": template("web", "app:1")}}),
        );
        world.pass(5).await;
        let status = world.get(RESOURCE, "web").unwrap()["status"].clone();
        let expected = json!({"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            "observedGeneration": 1});
        assert_eq!(status, expected, "{dialect}: terminating replicas are not counted ({terminating})");
        let pods = world.list("pods");
        assert_eq!(pods.len(), 2);
        for pod in &pods {
            let owner = &pod["metadata"]["ownerReferences"][0];
            assert_eq!((&owner["kind"], &owner["name"]), (&json!("ReplicationController"), &json!("web")));
            assert!(pod["metadata"]["name"].as_str().unwrap().starts_with("web-"));
        }
        let told = world.events(&["replication-controller"]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("Normal SuccessfulCreate ReplicationController Created pod: web-"),
            "{told:?}"
        );
        world.edit(RESOURCE, "web", |web| web["spec"]["replicas"] = 1.into());
        world.pass(5).await;
        assert_eq!(world.list("pods").len(), 1);
        // A pod that is relabelled is let go, and another one takes its place.
        let name = world.list("pods")[0]["metadata"]["name"].as_str().unwrap().to_owned();
        world.edit("pods", &name, |pod| pod["metadata"]["labels"]["app"] = "other".into());
        world.pass(5).await;
        let pods = world.list("pods");
        assert_eq!(pods.len(), 2);
        assert!(world.get("pods", &name).unwrap()["metadata"].get("ownerReferences").is_none());
        world.delete(RESOURCE, "web", "Background");
        world.pass(5).await;
        assert_eq!(world.list("pods").len(), 1, "the one that was let go");
    }
}
