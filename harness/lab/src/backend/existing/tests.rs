//! Moving in, as far as an embedded cluster shows it: what is asked, made and removed.

use std::{collections::BTreeSet, net::TcpListener};

use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, ObjectMeta},
};
use pulldrill_clock::Clock;
use pulldrill_cluster::{Cluster, ClusterOptions, Principal, dialect::Dialect};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{BackendKind, ErrorClass, RegistryAccess, inject::objects::resource_named};

/// A cluster of somebody's.
struct World {
    cluster: Cluster,
    client: Client,
    dir: tempfile::TempDir,
    stop: CancellationToken,
}

/// What a lab can make objects of.
const RESOURCES: [&str; 9] = [
    "namespaces",
    "secrets",
    "serviceaccounts",
    "services",
    "resourcequotas",
    "deployments.apps",
    "rolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
];

impl World {
    async fn new() -> Self {
        pulldrill_tls::install_provider();
        let stop = CancellationToken::new();
        let cluster = Cluster::start(ClusterOptions {
            nodes: vec!["node-1".into(), "node-2".into()],
            ..ClusterOptions::new(
                TcpListener::bind("127.0.0.1:0").unwrap(),
                Clock::live(),
                Dialect::named("k8s-1.36-containerd-2.1").unwrap(),
                stop.clone(),
            )
        })
        .await
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("admin"), cluster.kubeconfig(Principal::Admin)).unwrap();
        let client = crate::backend::client(&cluster.kubeconfig(Principal::Admin)).await.unwrap();
        Self { cluster, client, dir, stop }
    }

    /// Options of a lab here, with the account of a kubeconfig file.
    fn options(&self, file: &str) -> LabOptions {
        let kubeconfig = self.dir.path().join(file);
        let known = kube::config::Kubeconfig::read_from(&kubeconfig).unwrap();
        LabOptions {
            dir: Some(self.dir.path().join("lab")),
            backend: BackendKind::Existing(ExistingOptions {
                context: known.current_context,
                kubeconfig: vec![kubeconfig],
                namespace_prefix: "ws".into(),
                registry_image: Some("registry.example/pulldrill:1".into()),
                registry_access: RegistryAccess::NodePort { first: Some(31_000) },
                allow_node_access: false,
            }),
            ..LabOptions::default()
        }
    }

    fn api(&self, resource: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource_named(resource))
    }

    /// What carries the lab's labels, as `resource namespace/name`.
    async fn labelled(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for resource in RESOURCES {
            let wanted = ListParams::default().labels(&Names::new("ws").selector());
            for object in self.api(resource).list(&wanted).await.unwrap() {
                let namespace = object.namespace().unwrap_or_default();
                found.insert(format!("{resource} {namespace}/{}", object.name_any()));
            }
        }
        found
    }

    async fn namespaces(&self) -> BTreeSet<String> {
        let list = self.api("namespaces").list(&ListParams::default()).await.unwrap();
        list.items.iter().map(ResourceExt::name_any).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.cluster.ended().await;
    }
}

fn existing(options: &LabOptions) -> &ExistingOptions {
    match &options.backend {
        BackendKind::Existing(existing) => existing,
        other => panic!("{other}"),
    }
}

fn drawn() -> Drawn {
    Drawn { run: "this-run".into(), token: "t".into() }
}

fn state(options: &LabOptions, run: &str) -> State {
    let existing = existing(options);
    State {
        context: existing.context.clone().unwrap(),
        kubeconfig: existing.kubeconfig.clone(),
        prefix: existing.namespace_prefix.clone(),
        run: run.into(),
    }
}

/// `small` is in `large`: what the cluster adds does not count.
fn is_within(small: &Value, large: &Value) -> bool {
    match (small, large) {
        (Value::Object(small), Value::Object(large)) => {
            small.iter().all(|(key, value)| large.get(key).is_some_and(|other| is_within(value, other)))
        }
        (Value::Array(small), Value::Array(large)) => {
            small.len() == large.len()
                && small.iter().zip(large).all(|(small, large)| is_within(small, large))
        }
        (small, large) => small == large,
    }
}

#[tokio::test]
async fn what_is_shown_is_what_is_made_and_all_of_it_is_removed() {
    let world = World::new().await;
    let before = world.namespaces().await;
    let options = world.options("admin");
    let shown: Vec<Value> =
        serde_saphyr::from_multiple(&crate::plan(options.clone()).await.unwrap()).unwrap();
    assert_eq!(world.namespaces().await, before, "a plan makes nothing");

    let nodes = survey::nodes(&world.client).await.unwrap();
    let plan = plan(&options, existing(&options), &nodes, &drawn()).unwrap();
    plan.apply(&Objects::new(world.client.clone())).await.unwrap();

    let lasting: Vec<&Value> = shown.iter().filter(|object| object["kind"] != "Pod").collect();
    assert_eq!(lasting.len() + 2, shown.len(), "and a probe for each of the two nodes");
    for object in &lasting {
        let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
        let labels = metadata.labels.as_ref();
        assert!(names::is_of(labels, &Names::new("ws")), "{object} has no labels");
        let group =
            object["apiVersion"].as_str().unwrap().split_once('/').map(|(group, _)| format!(".{group}"));
        let resource =
            format!("{}s{}", object["kind"].as_str().unwrap().to_lowercase(), group.unwrap_or_default());
        let resource = resource_named(&resource);
        let api: Api<DynamicObject> = match &metadata.namespace {
            Some(namespace) => Api::namespaced_with(world.client.clone(), namespace, &resource),
            None => Api::all_with(world.client.clone(), &resource),
        };
        let made = serde_json::to_value(api.get(&metadata.name.unwrap()).await.unwrap()).unwrap();
        let mut wanted = (*object).clone();
        // What is drawn anew each time.
        if wanted["metadata"]["annotations"].is_object() {
            wanted["metadata"]["annotations"][names::RUN] = "this-run".into();
        }
        if wanted["kind"] == "Secret" {
            wanted["data"] = made["data"].clone();
        }
        assert!(is_within(&wanted, &made), "shown {wanted:#}\nmade {made:#}");
    }
    let made = world.labelled().await;
    assert_eq!(made.len(), lasting.len(), "{made:?}");

    let removed = sweep::sweep(&world.client, &state(&options, "this-run")).await.unwrap();
    assert_eq!(removed.len(), plan.namespaces().len() + 2, "{removed:?}");
    assert!(world.labelled().await.is_empty());
    assert_eq!(world.namespaces().await, before);
    world.end().await;
}

#[tokio::test]
async fn what_is_another_labs_or_nobodys_is_left_alone() {
    let world = World::new().await;
    let options = world.options("admin");
    let objects = Objects::new(world.client.clone());
    // Another lab of the same prefix, and a namespace of somebody's that has the name of a drill's.
    let names = Names::new("ws");
    objects.create(&manifests::own_namespace(&names, "another-run", false)).await.unwrap();
    objects.create(&manifests::drill_namespace(&names, "ws-payments")).await.unwrap();
    objects
        .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ws-basket"}}))
        .await
        .unwrap();
    let removed = sweep::sweep(&world.client, &state(&options, "this-run")).await.unwrap();
    assert!(removed.is_empty(), "{removed:?}");
    let before = world.namespaces().await;
    assert!(before.contains("ws-payments") && before.contains("ws-lab"));

    let error = boot(&options, existing(&options), None, &CancellationToken::new()).await.err().unwrap();
    assert_eq!(error.class(), ErrorClass::Use);
    assert!(
        error.to_string().contains("ws-lab") && error.to_string().contains("--namespace-prefix"),
        "{error}"
    );
    assert_eq!(world.namespaces().await, before, "nothing is made, and nothing removed");

    let foreign =
        sweep::check_free(&world.client, &names, &["ws-basket".into()]).await.unwrap_err().to_string();
    assert!(foreign.contains("ws-basket") && foreign.contains("stay as they are"), "{foreign}");
    let removed = sweep::sweep(&world.client, &state(&options, "another-run")).await.unwrap();
    assert!(removed.contains(&"namespace ws-payments".to_owned()), "{removed:?}");
    assert!(world.namespaces().await.contains("ws-basket"), "it has no label of the lab");
    world.end().await;
}

#[tokio::test]
async fn an_account_that_may_little_is_told_all_that_it_lacks_and_nothing_is_made() {
    let world = World::new().await;
    let objects = Objects::new(world.client.clone());
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "visitor", "namespace": "default"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "visitors"}, "rules": [
            {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
        ]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "visitors"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "visitors"},
            "subjects": [{"kind": "ServiceAccount", "name": "visitor", "namespace": "default"}]}),
    ] {
        objects.create(&object).await.unwrap();
    }
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(world.client.clone(), "default");
    let token =
        accounts.create_token_request("visitor", &Default::default(), &Default::default()).await.unwrap();
    let mut kubeconfig: Value = serde_saphyr::from_str(&world.cluster.kubeconfig(Principal::Admin)).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token.status.unwrap().token});
    std::fs::write(world.dir.path().join("visitor"), kubeconfig.to_string()).unwrap();
    let before = world.namespaces().await;

    let options = world.options("visitor");
    let error = crate::Lab::start(options.clone()).await.err().unwrap();
    assert_eq!(error.class(), ErrorClass::Use);
    let error = error.to_string();
    for missing in [
        "  create, delete namespaces in the whole cluster\n",
        "  create, delete, list clusterrolebindings.rbac.authorization.k8s.io in the whole cluster\n",
        "  bind clusterroles.rbac.authorization.k8s.io admin in the whole cluster\n",
        "  create, get pods/portforward in ws-lab\n",
        "nothing was made",
    ] {
        assert!(error.contains(missing), "{missing:?} is not in {error}");
    }
    for had in ["watch nodes", "create deployments.apps in ws-lab"] {
        assert!(!error.contains(had), "{had:?} is in {error}");
    }
    assert_eq!(world.namespaces().await, before);
    assert!(world.labelled().await.is_empty());
    assert!(!crate::reaches_beyond(options.dir.as_deref().unwrap()), "there is nothing to remove");
    world.end().await;
}

#[tokio::test]
async fn what_a_killed_lab_has_left_is_removed_by_its_folder() {
    let world = World::new().await;
    let before = world.namespaces().await;
    let options = world.options("admin");
    let dir = options.dir.clone().unwrap();
    let plan = plan(&options, existing(&options), &[], &drawn()).unwrap();
    {
        let folder = Folder::take(&dir).unwrap();
        state(&options, "this-run").write(&folder).unwrap();
        // It got as far as the third object.
        let objects = Objects::new(world.client.clone());
        for object in &plan.lasting[..3] {
            objects.create(object).await.unwrap();
        }
    }
    assert!(crate::reaches_beyond(&dir));
    assert_eq!(crate::sweep(&dir).await.unwrap(), ["namespace ws-lab"]);
    assert!(!crate::reaches_beyond(&dir));
    assert_eq!(world.namespaces().await, before);
    assert!(crate::sweep(&dir).await.unwrap().is_empty(), "once more is fine");
    world.end().await;
}

#[tokio::test]
async fn a_trainee_works_in_the_drills_namespaces_and_nowhere_else() {
    let world = World::new().await;
    let options = world.options("admin");
    let plan = plan(&options, existing(&options), &[], &drawn()).unwrap();
    plan.apply(&Objects::new(world.client.clone())).await.unwrap();
    let connection = Connection::open(existing(&options)).await.unwrap();
    let names = Names::new("ws");
    let kubeconfig = trainee::kubeconfig(&world.client, &names, &connection.cluster).await.unwrap();
    let trainee = crate::backend::client(&kubeconfig).await.unwrap();
    let own = plan.namespaces().into_iter().find(|name| *name != names.own_namespace()).unwrap();
    let secrets = |namespace: &str| -> Api<DynamicObject> {
        Api::namespaced_with(trainee.clone(), namespace, &resource_named("secrets"))
    };
    assert!(secrets(&names.own_namespace()).list(&ListParams::default()).await.is_err(), "the admin token");
    assert!(secrets("default").list(&ListParams::default()).await.is_err());
    let nodes: Api<DynamicObject> = Api::all_with(trainee.clone(), &resource_named("nodes"));
    assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items.len(), 2);
    let namespaces: Api<DynamicObject> = Api::all_with(trainee.clone(), &resource_named("namespaces"));
    assert!(namespaces.get(&own).await.is_ok());
    assert!(namespaces.list(&ListParams::default()).await.is_err());
    assert!(namespaces.get("kube-system").await.is_err());
    world.end().await;
}

#[tokio::test]
async fn nodes_are_opened_by_pods_in_the_labs_own_namespace_when_that_was_allowed() {
    let world = World::new().await;
    let mut options = world.options("admin");
    let closed = plan(&options, existing(&options), &[], &drawn()).unwrap();
    assert!(!closed.has_agents() && !closed.yaml().unwrap().contains("privileged"));
    if let BackendKind::Existing(existing) = &mut options.backend {
        existing.allow_node_access = true;
    }
    let nodes = survey::nodes(&world.client).await.unwrap();
    let open = plan(&options, existing(&options), &nodes, &drawn()).unwrap();
    assert!(open.has_agents());
    let named = |kind: &str, name: &str| {
        let found = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        open.lasting.iter().find(found).cloned().unwrap()
    };
    let enforced = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    assert_eq!(*named("Namespace", "ws-lab").pointer(enforced).unwrap(), "privileged");
    for drills in open.namespaces().iter().filter(|name| *name != "ws-lab") {
        assert_eq!(*named("Namespace", drills).pointer(enforced).unwrap(), "baseline");
    }
    let agents = named("DaemonSet", "nodes");
    let terms = &agents["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    assert_eq!(terms.as_array().unwrap().len(), nodes.len(), "one for each node: {terms}");
    assert_eq!(open.probes.len(), 2 * nodes.len());
    let names: BTreeSet<&str> =
        open.probes.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert_eq!(names.len(), open.probes.len());
    world.end().await;
}
