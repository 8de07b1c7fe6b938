//! Doing one step of a drill's history.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::api::Patch;
use pulldrill_clock::{Clock, Timestamp, real};
use pulldrill_cluster::{
    network::{Action as Verdict, EgressRule},
    store::Key,
};
use pulldrill_scenarios::{Action, EgressAction, NodeSet, PatchType, Step, Variant};
use serde_json::{Value, json};

use super::Objects;
use crate::{
    LabError,
    backend::Backend,
    observe::{Snapshot, Workload, workload::is_ready},
    stage::Stage,
};

/// Does steps.
pub(crate) struct Injector {
    backend: Arc<dyn Backend>,
    stage: Arc<Stage>,
    objects: Objects,
}

impl Injector {
    pub(crate) fn new(backend: Arc<dyn Backend>, stage: Arc<Stage>) -> Self {
        let objects = Objects::new(backend.client());
        Self { backend, stage, objects }
    }

    /// Makes the drill's namespace, and waits until pods can be made in it.
    pub(crate) async fn make_namespace(&self, variant: &Variant) -> Result<(), LabError> {
        let namespace = &variant.namespace;
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        self.objects.apply_one("", object).await?;
        let account = Key::new(namespace.as_str(), "default");
        let ready = || self.backend.objects().get("serviceaccounts", &account).is_some();
        self.wait("the default ServiceAccount", ready).await
    }

    /// Deletes the drill's namespace, and waits until everything in it is gone.
    pub(crate) async fn delete_namespace(&self, variant: &Variant) -> Result<(), LabError> {
        self.objects.delete_namespace(&variant.namespace).await?;
        let key = Key::new("", variant.namespace.as_str());
        self.wait("the end of the namespace", || self.backend.objects().get("namespaces", &key).is_none())
            .await
    }

    /// Waits until everything that has been made so far runs; a story in which nothing ever ran has
    /// nothing to wait for.
    pub(crate) async fn wait_for_good_pods(&self, variant: &Variant) -> Result<(), LabError> {
        if variant.symptom.running == 0 {
            return Ok(());
        }
        let runs = |snapshot: &Snapshot, spec: &pulldrill_scenarios::Workload| {
            let Some(workload) = Workload::find(snapshot, spec.kind.resource(), &spec.name) else {
                return true;
            };
            let pods = workload.pods(snapshot);
            let ready = pods.iter().filter(|pod| is_ready(pod.value())).count();
            i64::try_from(ready).unwrap_or(i64::MAX) >= workload.wanted()
        };
        let all_run = || {
            let snapshot = Snapshot::new(self.backend.objects(), &variant.namespace);
            std::iter::once(&variant.workload).chain(&variant.others).all(|spec| runs(&snapshot, spec))
        };
        self.wait("the pods that run from the beginning", all_run).await
    }

    /// Does one step.
    pub(crate) async fn perform(&self, variant: &Variant, step: &Step) -> Result<(), LabError> {
        let (namespace, workload) = (variant.namespace.as_str(), &variant.workload);
        let resource = workload.kind.resource();
        match &step.action {
            Action::Apply(path) => {
                let manifest = variant.manifests.get(path);
                let manifest = manifest.ok_or_else(|| LabError::Scenario(format!("there is no {path}")))?;
                self.objects.apply(namespace, manifest).await
            }
            Action::SetImage { image } => {
                let container = json!([{"name": workload.container, "image": image}]);
                let patch = json!({"spec": {"template": {"spec": {"containers": container}}}});
                self.objects.patch(namespace, resource, &workload.name, Patch::Strategic(patch)).await
            }
            Action::Scale { replicas } => {
                self.objects.scale(namespace, resource, &workload.name, *replicas).await
            }
            Action::Patch { resource, name, patch_type, patch } => {
                let patch = patch_of(*patch_type, patch)?;
                self.objects.patch(namespace, resource, name, patch).await
            }
            Action::IssueToken { registry, secret } => {
                self.issue_token(variant, registry, secret, self.backend.clock().now()).await
            }
            Action::Push { registry, repository, tag, build } => {
                self.stage.push(variant, registry, repository, Some(tag), build)
            }
            Action::ExhaustQuota { registry } => {
                let host = self.stage.host(&variant.drill, registry)?;
                self.stage.exhaust(&host)
            }
            Action::BlockEgress { id, nodes, action, destination, port, comment } => {
                let rule = rule(id, *action, destination, *port, comment)?;
                self.add_rule(nodes, &rule)
            }
        }
    }

    /// Makes the tokens that the drill's secrets hold as old as the story says.
    pub(crate) async fn age_tokens(&self, variant: &Variant) -> Result<(), LabError> {
        for step in &variant.history {
            if let Action::IssueToken { registry, secret } = &step.action {
                let issued = self.backend.clock().now() + step.at;
                self.issue_token(variant, registry, secret, issued).await?;
            }
        }
        Ok(())
    }

    async fn issue_token(
        &self,
        variant: &Variant,
        registry: &str,
        secret: &str,
        at: Timestamp,
    ) -> Result<(), LabError> {
        let host = self.stage.host(&variant.drill, registry)?;
        let token = self.stage.issue_token(&host, at)?;
        let secret = pull_secret(secret, &host.name, &token.username, &token.password);
        self.objects.apply_one(&variant.namespace, secret).await
    }

    fn add_rule(&self, nodes: &NodeSet, rule: &EgressRule) -> Result<(), LabError> {
        for (node, mut rules) in self.backend.egress() {
            if matches!(nodes, NodeSet::Node(name) if *name != node) {
                continue;
            }
            rules.retain(|known| known.id != rule.id);
            rules.push(rule.clone());
            self.backend.set_egress(&node, rules)?;
        }
        Ok(())
    }

    /// Waits for something that the cluster does by itself and soon.
    async fn wait(&self, what: &'static str, is_so: impl Fn() -> bool) -> Result<(), LabError> {
        /// In real time: it is work that is waited for, not a delay.
        const LIMIT: Duration = Duration::from_secs(20);
        let mut revision = self.backend.objects().follow();
        let clock: &Clock = self.backend.clock();
        let waited = real::timeout(LIMIT, async {
            while !is_so() {
                // A held clock stands still while something small is waited for; let it go on.
                clock.idle().await;
                if is_so() {
                    return;
                }
                if clock.is_held() {
                    let soon = clock.next_due().unwrap_or_else(|| clock.now());
                    clock.skip(soon).await;
                } else {
                    drop(revision.changed().await);
                }
            }
        });
        waited.await.ok_or_else(|| LabError::part("cluster", format!("{what}: nothing came in {LIMIT:?}")))
    }
}

fn patch_of(patch_type: PatchType, text: &str) -> Result<Patch<Value>, LabError> {
    let wrong = |error: serde_json::Error| LabError::Scenario(format!("a patch is no JSON: {error}"));
    let value: Value = serde_json::from_str(text).map_err(wrong)?;
    Ok(match patch_type {
        PatchType::Json => Patch::Json(serde_json::from_value(value).map_err(wrong)?),
        PatchType::Merge => Patch::Merge(value),
        PatchType::Strategic => Patch::Strategic(value),
    })
}

fn rule(
    id: &str,
    action: EgressAction,
    destination: &str,
    port: Option<u16>,
    comment: &str,
) -> Result<EgressRule, LabError> {
    let destination =
        destination.parse().map_err(|error| LabError::Scenario(format!("an egress rule: {error}")))?;
    let action = match action {
        EgressAction::Allow => Verdict::Allow,
        EgressAction::Drop => Verdict::Drop,
        EgressAction::Reject => Verdict::Reject,
    };
    Ok(EgressRule { id: id.to_owned(), action, destination, port, comment: comment.to_owned() })
}

/// A pull secret as `kubectl create secret docker-registry` writes it.
fn pull_secret(name: &str, host: &str, username: &str, password: &str) -> Value {
    let auth = STANDARD.encode(format!("{username}:{password}"));
    let entry = json!({"username": username, "password": password, "auth": auth});
    let config = json!({"auths": {host: entry}}).to_string();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": STANDARD.encode(config)}})
}
