//! What a server from before Kubernetes 1.24 says less of.

use pulldrill_clock::Clock;
use pulldrill_cluster::Parts;
use serde_json::json;

use super::world::World;

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn unknown_fields_are_dropped_in_silence_and_there_are_no_ephemeral_containers() {
    let world = World::of(Clock::live(), Parts::Bare, "k8s-1.20-containerd-1.7", &[]).await;
    let admin = world.admin();
    let container = json!({"name": "c", "image": "x:1", "imagePullPolice": "Always"});
    let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [container]}});
    for query in ["", "?fieldValidation=Strict&dryRun=All", "?fieldValidation=Nonsense&dryRun=All"] {
        let mut pod = pod.clone();
        pod["metadata"]["name"] = format!("a{}", query.len()).into();
        let made = admin.post(&format!("{PODS}{query}"), &pod).await;
        assert_eq!((made.code, made.headers.get("warning")), (201, None), "{query}: {:?}", made.body);
        assert!(made.json()["spec"]["containers"][0].get("imagePullPolice").is_none());
    }
    let older = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    let path = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets";
    let made = admin.post(path, &older).await;
    assert_eq!((made.code, made.headers.get("warning")), (201, None), "it was the newest version then");
    assert_eq!(admin.get(&format!("{PODS}/a0")).await.code, 200);
    let missing = admin.get(&format!("{PODS}/a0/ephemeralcontainers")).await;
    assert_eq!(missing.code, 404);
    assert_eq!(missing.message(), "the server could not find the requested resource");
}
