//! The checks against hand-made clusters: one repaired in a good way, and one for each cheat.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pulldrill_clock::{SignedDuration, Timestamp};
use pulldrill_cluster::store::{Key, Store};
use pulldrill_scenarios::{Catalogue, Variant};
use serde_json::{Value, json};

use super::{
    Baseline, Facts, evaluate_all,
    evidence::{Content, Credentials, Evidence, Rule, Served},
    find, gate,
};
use crate::{observe::Snapshot, store::Progress};

const OLD: &str = "sha256:0001";
const RIGHT: &str = "sha256:0002";
const OTHER: &str = "sha256:0003";

/// Registries that are made up.
struct Known {
    contents: BTreeMap<String, Content>,
    accepted: BTreeSet<Content>,
    served: Vec<Served>,
    egress: BTreeMap<String, Vec<Rule>>,
}

impl Evidence for Known {
    fn content(&self, digest: &str) -> Option<Content> {
        self.contents.get(digest).cloned()
    }
    fn accepted(&self) -> &BTreeSet<Content> {
        &self.accepted
    }
    fn served(&self) -> &[Served] {
        &self.served
    }
    fn credentials(&self, _host: &str, username: &str, password: &str) -> Credentials {
        match (username, password) {
            ("puller", "good") => Credentials::Accepted(None),
            ("AWS", "token") => Credentials::Accepted(Some(at(3600 * 6))),
            _ => Credentials::Refused,
        }
    }
    fn egress(&self) -> BTreeMap<String, Vec<Rule>> {
        self.egress.clone()
    }
}

struct World {
    variant: Variant,
    store: Arc<Store>,
    known: Known,
    baseline: Baseline,
    progress: Progress,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

impl World {
    /// The drill just opened: three old pods run, one of the new template waits.
    fn opened() -> Self {
        let variant = Catalogue::embedded().unwrap().get("wrong-tag").unwrap().variant(1).unwrap();
        let content = |name: &str| Content { config_digest: name.into(), diff_ids: vec![name.into()] };
        let contents = [(OLD, "old"), (RIGHT, "right"), (OTHER, "other")];
        let mut world = Self {
            known: Known {
                contents: contents.map(|(digest, name)| (digest.to_owned(), content(name))).into(),
                accepted: [content("old"), content("right")].into(),
                served: Vec::new(),
                egress: BTreeMap::new(),
            },
            variant,
            store: Arc::new(Store::new(1000)),
            baseline: Baseline::default(),
            progress: Progress::default(),
        };
        let namespace = world.variant.namespace.clone();
        world.put("namespaces", json!({"metadata": {"name": namespace}}));
        let old = world.image("old");
        let bad = world.image("bad");
        world.deployment("uid-1", &bad, 3, 2);
        world.replica_set(1, &old, "uid-1");
        world.replica_set(2, &bad, "uid-1");
        for n in 1..=3 {
            world.pod(&format!("old-{n}"), "rs-1", &old, Some(OLD), "node-1");
        }
        world.pod("new-1", "rs-2", &bad, None, "node-2");
        world.serve("old", OLD, "node-1");
        let others = world.variant.others.clone();
        for other in &others {
            let image = world.image("other");
            world.put(
                other.kind.resource(),
                json!({"metadata": {"name": other.name, "namespace": world.variant.namespace, "uid": "uid-other"},
                    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}),
            );
        }
        world.baseline = Baseline::take(&world.variant, &world.snapshot(), &world.known, at(0));
        world
    }

    fn image(&self, tag: &str) -> String {
        format!("{}/{}:{tag}", self.variant.registries[0].host, self.variant.workload.name)
    }

    fn put(&self, resource: &str, object: Value) {
        let key = Key::of(&object);
        drop(self.store.delete(resource, &key, None));
        self.store.create(resource, key, object).unwrap();
    }

    fn remove(&self, resource: &str, name: &str) {
        self.store.delete(resource, &Key::new(&self.variant.namespace, name), None).unwrap();
    }

    fn template(&self, image: &str, policy: &str) -> Value {
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [
            {"name": self.variant.workload.container, "image": image, "imagePullPolicy": policy}]}})
    }

    fn deployment(&self, uid: &str, image: &str, replicas: u32, revision: u32) {
        self.deployment_with_policy(uid, image, replicas, revision, "IfNotPresent");
    }

    fn deployment_with_policy(&self, uid: &str, image: &str, replicas: u32, revision: u32, policy: &str) {
        let name = &self.variant.workload.name;
        self.put(
            "deployments.apps",
            json!({"metadata": {"name": name, "namespace": self.variant.namespace, "uid": uid, "generation": revision,
                    "annotations": {"deployment.kubernetes.io/revision": revision.to_string()}},
                "spec": {"replicas": replicas, "template": self.template(image, policy)},
                "status": {"observedGeneration": revision}}),
        );
    }

    fn replica_set(&self, revision: u32, image: &str, owner: &str) {
        self.replica_set_with_policy(revision, image, owner, "IfNotPresent");
    }

    fn replica_set_with_policy(&self, revision: u32, image: &str, owner: &str, policy: &str) {
        let mut template = self.template(image, policy);
        template["metadata"]["labels"]["pod-template-hash"] = revision.to_string().into();
        self.put(
            "replicasets.apps",
            json!({"metadata": {"name": format!("rs-{revision}"), "namespace": self.variant.namespace,
                    "uid": format!("rs-{revision}"),
                    "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
                    "ownerReferences": [{"controller": true, "uid": owner}]},
                "spec": {"template": template}}),
        );
    }

    fn pod(&self, name: &str, owner: &str, image: &str, runs: Option<&str>, node: &str) {
        let container = &self.variant.workload.container;
        let status = match runs {
            Some(digest) => json!({"name": container, "ready": true, "state": {"running": {}},
                "imageID": format!("{}@{digest}", image.rsplit_once(':').unwrap().0)}),
            None => json!({"name": container, "ready": false, "imageID": "", "state": {"waiting":
                {"reason": "ImagePullBackOff", "message": format!("Back-off: {image}: not found")}}}),
        };
        let ready = if runs.is_some() { "True" } else { "False" };
        self.put(
            "pods",
            json!({"metadata": {"name": name, "namespace": self.variant.namespace, "uid": name,
                    "ownerReferences": [{"controller": true, "uid": owner}]},
                "spec": {"nodeName": node, "containers": [{"name": container, "image": image}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [status]}}),
        );
    }

    fn serve(&mut self, tag: &str, digest: &str, node: &str) {
        let registry = &self.variant.registries[0];
        self.known.served.push(Served {
            at: at(10),
            host: registry.host.clone(),
            repository: self.variant.workload.name.clone(),
            reference: tag.into(),
            digest: digest.into(),
            node: node.into(),
            identity: None,
        });
    }

    /// Three pods of a third template run `digest`.
    fn rolled_out(&mut self, image: &str, digest: &str) {
        self.deployment("uid-1", image, 3, 3);
        self.replica_set(3, image, "uid-1");
        for name in ["old-1", "old-2", "old-3", "new-1"] {
            self.remove("pods", name);
        }
        for n in 1..=3 {
            self.pod(&format!("good-{n}"), "rs-3", image, Some(digest), "node-2");
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.store, &self.variant.namespace)
    }

    fn failing(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        let facts = Facts {
            variant: &self.variant,
            snapshot: &snapshot,
            baseline: &self.baseline,
            evidence: &self.known,
            progress: &self.progress,
            now: at(100),
        };
        let results = evaluate_all(&facts);
        let required = self.variant.checks.iter().zip(results).filter(|(check, _)| check.required);
        required.filter(|(_, result)| !result.passed).map(|(check, _)| check.id.clone()).collect()
    }
}

#[test]
fn the_gate_sees_the_symptom_and_says_what_it_sees_instead() {
    let world = World::opened();
    assert!(gate::look(&world.variant, &world.snapshot()).is_ok());
    world.remove("pods", "old-1");
    assert!(gate::look(&world.variant, &world.snapshot()).is_err(), "only two pods run meanwhile");
    let world = World::opened();
    world.remove("pods", "new-1");
    let seen = gate::look(&world.variant, &world.snapshot()).unwrap_err();
    assert!(seen.contains("old-1"), "{seen}");
}

#[test]
fn before_anything_is_done_the_drill_is_unsolved() {
    let failing = World::opened().failing();
    assert!(failing.contains(&"runs".to_owned()), "{failing:?}");
}

#[test]
fn a_released_version_served_to_the_nodes_solves_it() {
    let mut world = World::opened();
    let image = world.image("fixed");
    world.rolled_out(&image, RIGHT);
    assert_eq!(world.failing(), ["right-source"], "nothing was served yet");
    world.serve("fixed", RIGHT, "node-2");
    assert_eq!(world.failing(), Vec::<String>::new());
}

#[test]
fn a_rollback_to_a_cached_image_solves_it_too() {
    let mut world = World::opened();
    world.remove("pods", "new-1");
    let old = world.image("old");
    world.deployment("uid-1", &old, 3, 3);
    world.replica_set(3, &old, "uid-1");
    for n in 1..=3 {
        world.pod(&format!("old-{n}"), "rs-3", &old, Some(OLD), "node-1");
    }
    world.serve("old", OLD, "node-1");
    assert_eq!(world.failing(), Vec::<String>::new());
}

#[test]
fn a_build_loaded_into_the_nodes_under_the_wanted_name_does_not_solve_it() {
    let mut world = World::opened();
    let wanted = world.image("bad");
    world.rolled_out(&wanted, OLD);
    world.serve("old", OLD, "node-2");
    assert_eq!(world.failing(), ["right-source"], "the node got it under its own name only");
    world.serve("bad", RIGHT, "node-2");
    assert_eq!(world.failing(), ["right-source"], "that name stood for something else");
    world.serve("bad", OLD, "node-2");
    assert_eq!(world.failing(), Vec::<String>::new(), "somebody published it there");
}

#[test]
fn a_digest_counts_under_whatever_tag_it_came() {
    let mut world = World::opened();
    let pinned = format!("{}@{RIGHT}", world.image("fixed").rsplit_once(':').unwrap().0);
    world.rolled_out(&pinned, RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    assert_eq!(world.failing(), Vec::<String>::new());
}

#[test]
fn another_image_under_any_name_does_not_solve_it() {
    let mut world = World::opened();
    let image = world.image("bad");
    world.rolled_out(&image, OTHER);
    world.serve("bad", OTHER, "node-2");
    assert_eq!(world.failing(), ["right-build"]);
}

#[test]
fn an_image_of_another_registry_does_not_solve_it() {
    let mut world = World::opened();
    world.rolled_out("docker.io/library/payments:fixed", RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    assert_eq!(world.failing(), ["right-source"]);
}

#[test]
fn deleting_the_pod_does_not_solve_it() {
    let world = World::opened();
    world.remove("pods", "new-1");
    assert!(world.failing().contains(&"runs".to_owned()));
    let bad = world.image("bad");
    world.pod("new-2", "rs-2", &bad, None, "node-2");
    assert!(world.failing().contains(&"runs".to_owned()));
}

#[test]
fn scaling_down_or_away_does_not_solve_it() {
    for replicas in [0, 1] {
        let mut world = World::opened();
        let image = world.image("fixed");
        world.rolled_out(&image, RIGHT);
        world.serve("fixed", RIGHT, "node-2");
        world.deployment("uid-1", &image, replicas, 3);
        for n in replicas + 1..=3 {
            world.remove("pods", &format!("good-{n}"));
        }
        assert!(world.failing().contains(&"runs".to_owned()), "{replicas}");
    }
}

#[test]
fn a_new_workload_of_the_same_name_does_not_solve_it() {
    let mut world = World::opened();
    let image = world.image("fixed");
    world.rolled_out(&image, RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    world.deployment("uid-2", &image, 3, 3);
    world.replica_set(3, &image, "uid-2");
    assert!(world.failing().contains(&"runs".to_owned()));
    world.remove("deployments.apps", &world.variant.workload.name.clone());
    assert!(world.failing().contains(&"runs".to_owned()));
}

#[test]
fn pods_changed_behind_the_back_of_their_template_do_not_solve_it() {
    let mut world = World::opened();
    let (bad, fixed) = (world.image("bad"), world.image("fixed"));
    world.rolled_out(&bad, RIGHT);
    for n in 1..=3 {
        world.pod(&format!("good-{n}"), "rs-3", &fixed, Some(RIGHT), "node-2");
    }
    world.serve("fixed", RIGHT, "node-2");
    assert_eq!(world.failing(), ["runs"]);
}

#[test]
fn pods_made_by_hand_for_the_workload_to_adopt_do_not_solve_it() {
    let mut world = World::opened();
    let fixed = world.image("fixed");
    world.rolled_out(&fixed, RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    let key = Key::new(&world.variant.namespace, "good-2");
    let mut adopted = world.store.get("pods", &key).unwrap().value().clone();
    adopted["spec"]["imagePullSecrets"] = json!([{"name": "s"}]);
    world.put("pods", adopted);
    assert_eq!(world.failing(), ["runs"], "the next pod would not have the secret");
    let account = json!({"metadata": {"name": "default", "namespace": world.variant.namespace},
        "imagePullSecrets": [{"name": "s"}]});
    world.put("serviceaccounts", account);
    assert_eq!(world.failing(), Vec::<String>::new(), "now it would");
}

#[test]
fn a_loosened_policy_does_not_solve_it() {
    let mut world = World::opened();
    let image = world.image("fixed");
    world.rolled_out(&image, RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    world.deployment_with_policy("uid-1", &image, 3, 3, "Never");
    world.replica_set_with_policy(3, &image, "uid-1", "Never");
    assert_eq!(world.failing(), ["rules-kept"]);
}

#[test]
fn a_neighbour_must_not_suffer() {
    let mut world = World::opened();
    let image = world.image("fixed");
    world.rolled_out(&image, RIGHT);
    world.serve("fixed", RIGHT, "node-2");
    let other = world.variant.others[0].clone();
    world.remove(other.kind.resource(), &other.name);
    assert_eq!(world.failing(), ["neighbours"]);
}

fn finding(world: &World, test: &str) -> super::Finding {
    let kind: pulldrill_scenarios::CheckKind = serde_json::from_str(test).unwrap();
    let snapshot = world.snapshot();
    let facts = Facts {
        variant: &world.variant,
        snapshot: &snapshot,
        baseline: &world.baseline,
        evidence: &world.known,
        progress: &world.progress,
        now: at(100),
    };
    find(&kind, &facts)
}

#[test]
fn a_secret_counts_when_the_registry_accepts_it_and_long_enough() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let world = World::opened();
    let host = world.variant.registries[0].host.clone();
    let handle = world.variant.registries[0].handle.clone();
    let put_secret = |username: &str, password: &str| {
        let auth = STANDARD.encode(format!("{username}:{password}"));
        let config = json!({"auths": {format!("https://{host}/v2/"): {"auth": auth}}}).to_string();
        world.put(
            "secrets",
            json!({"metadata": {"name": "s", "namespace": world.variant.namespace},
                "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": STANDARD.encode(config)}}),
        );
    };
    let on_account = json!({"service-account-has-secret": {"registry": handle}}).to_string();
    let fresh =
        |remaining: &str| json!({"secret-fresh": {"registry": handle, "remaining": remaining}}).to_string();
    put_secret("puller", "good");
    assert!(finding(&world, &on_account).is_err());
    world.put(
        "serviceaccounts",
        json!({"metadata": {"name": "default", "namespace": world.variant.namespace},
            "imagePullSecrets": [{"name": "s"}]}),
    );
    assert!(finding(&world, &on_account).is_ok());
    assert!(finding(&world, &fresh("1000h")).is_ok(), "a password does not end");
    put_secret("puller", "bad");
    assert!(finding(&world, &on_account).is_err());
    put_secret("AWS", "token");
    assert!(finding(&world, &fresh("5h")).is_ok());
    assert!(finding(&world, &fresh("6h")).is_err());
}

#[test]
fn what_another_pod_has_pulled_is_no_proof_of_a_login() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut world = World::opened();
    let fixed = world.image("fixed");
    world.rolled_out(&fixed, RIGHT);
    let registry = world.variant.registries[0].clone();
    world.serve("fixed", RIGHT, "node-2");
    world.known.served.last_mut().unwrap().identity = Some("puller".into());
    let pulled = json!({"pulled-with": {"registry": registry.handle}}).to_string();
    assert!(finding(&world, &pulled).is_err(), "the image was on the node, but no pod has a secret");
    let config = json!({registry.host.as_str(): {"username": "puller", "password": "good"}}).to_string();
    world.put(
        "secrets",
        json!({"metadata": {"name": "s", "namespace": world.variant.namespace},
            "type": "kubernetes.io/dockercfg", "data": {".dockercfg": STANDARD.encode(config)}}),
    );
    for n in 1..=3 {
        let key = Key::new(&world.variant.namespace, format!("good-{n}"));
        let mut pod = world.store.get("pods", &key).unwrap().value().clone();
        pod["spec"]["imagePullSecrets"] = json!([{"name": "s"}]);
        world.put("pods", pod);
    }
    assert_eq!(finding(&world, &pulled), Ok("pulled with the right identity".into()));
}

#[test]
fn only_a_narrow_opening_is_minimal() {
    let rule = |id: &str, allows, prefix, port| Rule {
        id: id.into(),
        allows,
        network: "10.0.0.0".parse().unwrap(),
        prefix,
        port,
    };
    let mut world = World::opened();
    world.baseline.egress = [("node-1".to_owned(), vec![rule("block", false, 8, None)])].into();
    let minimal = r#"{"egress-minimal": {"addresses": 1}}"#;
    for (rules, holds) in [
        (vec![rule("block", false, 8, None)], true),
        (vec![rule("a", true, 32, Some(443)), rule("block", false, 8, None)], true),
        (vec![rule("a", true, 31, Some(443)), rule("block", false, 8, None)], false),
        (vec![rule("a", true, 32, None), rule("block", false, 8, None)], false),
        (vec![rule("a", true, 0, None)], false),
        (vec![], false),
    ] {
        world.known.egress = [("node-1".to_owned(), rules.clone())].into();
        assert_eq!(finding(&world, minimal).is_ok(), holds, "{rules:?}");
    }
}
