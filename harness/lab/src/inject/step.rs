//! Doing one step of a drill's history.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::api::Patch;
use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp, real};
use pulldrill_cluster::{
    network::{Action as Verdict, EgressRule},
    store::Key,
};
use pulldrill_scenarios::{Action, EgressAction, NodeSet, PatchType, Step, Variant};
use serde_json::{Value, json};

use super::{Objects, objects::Written};
use crate::{
    LabError,
    backend::{Backend, mirror::is_followed},
    observe::{Snapshot, Workload, workload::is_ready},
    stage::Stage,
};

/// How long a token is good that is to end before the drill opens, where only real time ends it.
const SHORT_LIFE: SignedDuration = SignedDuration::from_secs(45);

/// How long work of the embedded cluster, and of a real one, is waited for; real time.
const SOON: Duration = Duration::from_secs(20);
const REAL_CLUSTER: Duration = Duration::from_secs(240);

/// Does steps.
pub(crate) struct Injector {
    backend: Arc<dyn Backend>,
    stage: Arc<Stage>,
    objects: Objects,
    /// When the short-lived tokens end, by drill and secret.
    short_lived: Mutex<BTreeMap<(String, String), Timestamp>>,
}

impl Injector {
    pub(crate) fn new(backend: Arc<dyn Backend>, stage: Arc<Stage>) -> Self {
        let objects = Objects::new(backend.client());
        Self { backend, stage, objects, short_lived: Mutex::default() }
    }

    /// Makes the drill's namespace, and waits until pods can be made in it.
    pub(crate) async fn make_namespace(&self, variant: &Variant) -> Result<(), LabError> {
        let namespace = &variant.namespace;
        self.backend.may_be_made(namespace).await?;
        let mut metadata = json!({"name": namespace});
        let labels = self.backend.labels();
        if !labels.is_empty() {
            metadata["labels"] = json!(labels);
        }
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.objects.apply_one("", object).await?;
        self.backend.prepare(namespace).await?;
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
            if !workload.observed() {
                return false;
            }
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
                self.seen(self.objects.apply(namespace, manifest).await?).await
            }
            Action::SetImage { image } => {
                let container = json!([{"name": workload.container, "image": image}]);
                let patch = json!({"spec": {"template": {"spec": {"containers": container}}}});
                self.seen([self
                    .objects
                    .patch(namespace, resource, &workload.name, Patch::Strategic(patch))
                    .await?])
                    .await
            }
            Action::Scale { replicas } => {
                self.seen([self.objects.scale(namespace, resource, &workload.name, *replicas).await?]).await
            }
            Action::Patch { resource, name, patch_type, patch } => {
                let patch = patch_of(*patch_type, patch)?;
                self.seen([self.objects.patch(namespace, resource, name, patch).await?]).await
            }
            Action::IssueToken { registry, secret } => {
                self.issue_step_token(variant, step, registry, secret).await
            }
            Action::Push { registry, repository, tag, build } => {
                self.stage.push(variant, registry, repository, Some(tag), build).await
            }
            Action::ExhaustQuota { registry } => {
                let host = self.stage.host(&variant.drill, registry)?;
                self.stage.exhaust(&host).await
            }
            Action::AddFault { registry, rule } => {
                let host = self.stage.host(&variant.drill, registry)?;
                self.stage.add_fault(&host, (**rule).clone()).await.map(drop)
            }
            Action::ClearFaults { registry } => {
                let host = self.stage.host(&variant.drill, registry)?;
                self.stage.clear_faults(&host).await
            }
            Action::BlockEgress { id, nodes, action, destination, port, comment } => {
                let rule = rule(id, *action, destination, *port, comment)?;
                self.add_rule(nodes, &rule).await
            }
        }
    }

    /// Makes the tokens that the drill's secrets hold as good, or as bad, as the story says: where the clock
    /// can be moved, by issuing them anew in the past; where it can't, by waiting until the short-lived ones
    /// that were issued instead have ended.
    pub(crate) async fn age_tokens(&self, variant: &Variant) -> Result<(), LabError> {
        let clock = self.backend.clock();
        for step in &variant.history {
            let Action::IssueToken { registry, secret } = &step.action else { continue };
            if self.backend.can_advance() {
                self.issue_token(variant, registry, secret, clock.now() + step.at).await?;
                continue;
            }
            let end = self.short_lived.lock().remove(&(variant.drill.clone(), secret.clone()));
            if let Some(end) = end {
                clock.sleep_until(clock.busy(), end).await;
            }
        }
        Ok(())
    }

    /// Issues the token of a step. Where the clock can't be moved, a token that will have ended by the
    /// opening is given a life just long enough for the good old time.
    async fn issue_step_token(
        &self,
        variant: &Variant,
        step: &Step,
        registry: &str,
        secret: &str,
    ) -> Result<(), LabError> {
        let now = self.backend.clock().now();
        if self.backend.can_advance() {
            return self.issue_token(variant, registry, secret, now).await;
        }
        let host = self.stage.host(&variant.drill, registry)?;
        let as_told = self.stage.issue_token(&host, now + step.at).await?;
        if as_told.expires_at > now {
            return self.issue_token(variant, registry, secret, now + step.at).await;
        }
        let life = as_told.expires_at.duration_since(now + step.at);
        let end = now + SHORT_LIFE;
        self.issue_token(variant, registry, secret, end - life).await?;
        self.short_lived.lock().insert((variant.drill.clone(), secret.to_owned()), end);
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
        let token = self.stage.issue_token(&host, at).await?;
        let secret = pull_secret(secret, &host.name, &token.username, &token.password);
        self.seen([self.objects.apply_one(&variant.namespace, secret).await?]).await
    }

    async fn add_rule(&self, nodes: &NodeSet, rule: &EgressRule) -> Result<(), LabError> {
        let firewall = self.stage.firewall().await;
        for (node, mut rules) in firewall.rules().await? {
            if matches!(nodes, NodeSet::Node(name) if *name != node) {
                continue;
            }
            rules.retain(|known| known.id != rule.id);
            rules.push(rule.clone());
            firewall.replace(&node, rules).await?;
        }
        Ok(())
    }

    /// Waits until the lab itself sees what it has written: a mirror is a moment behind its cluster. What is not
    /// looked at is never seen.
    async fn seen(&self, written: impl IntoIterator<Item = Written>) -> Result<(), LabError> {
        for written in written.into_iter().filter(|written| is_followed(&written.resource)) {
            let objects = self.backend.objects();
            let is_there = || {
                objects.get(&written.resource, &written.key).is_some_and(|seen| written.is_in(seen.value()))
            };
            self.wait("what was written", is_there).await?;
        }
        Ok(())
    }

    /// Waits for something that the cluster does by itself and soon.
    async fn wait(&self, what: &'static str, is_so: impl Fn() -> bool) -> Result<(), LabError> {
        // In real time: it is work that is waited for, not a delay.
        let limit = if self.backend.can_advance() { SOON } else { REAL_CLUSTER };
        let mut revision = self.backend.objects().follow();
        let clock: &Clock = self.backend.clock();
        let waited = real::timeout(limit, async {
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
        waited.await.ok_or_else(|| LabError::part("cluster", format!("{what}: nothing came in {limit:?}")))
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
