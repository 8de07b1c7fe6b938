//! Removing everything that a lab has made on somebody's cluster, and nothing else.
//!
//! What was made is known by its labels. The lab's own namespace, which is made first and removed last, says of
//! which run it is: when it is another run's, nothing was made by this one.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
};
use pulldrill_clock::real;

use super::{
    manifests::{self, NODES},
    names::{Names, RUN, is_of},
    state::State,
};
use crate::{LabError, inject::objects::resource_named};

/// How long namespaces may take to go.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the lab's pods on the nodes may take to end.
const AGENTS: Duration = Duration::from_secs(60);
/// How long pods may take to end before their namespace goes all the same.
const EMPTIED: Duration = Duration::from_secs(20);
/// What makes pods, its makers first, and the pods.
const RUNNING: [&str; 7] = [
    "cronjobs.batch",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "replicasets.apps",
    "pods",
];
/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Removes what was made; what that was, in words.
pub(crate) async fn sweep(client: &Client, state: &State) -> Result<Vec<String>, LabError> {
    let names = Names::new(&state.prefix);
    let sweep = Sweep { client, names: &names };
    let own = names.own_namespace();
    if let Some(namespace) = sweep.get("namespaces", &own).await? {
        let run = namespace.annotations().get(RUN);
        if !is_of(namespace.metadata.labels.as_ref(), &names) || run != Some(&state.run) {
            tracing::info!(namespace = own, "it is another lab's; this one has made nothing");
            return Ok(Vec::new());
        }
    }
    let mut removed = Vec::new();
    for resource in
        ["clusterrolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"]
    {
        for name in sweep.labelled(resource).await? {
            sweep.delete(resource, &name).await?;
            removed.push(format!("{} {name}", resource.split('.').next().unwrap_or(resource)));
        }
    }
    let mut namespaces = sweep.labelled("namespaces").await?;
    namespaces.retain(|name| *name != own);
    sweep.empty(&namespaces).await;
    for name in &namespaces {
        sweep.delete("namespaces", name).await?;
    }
    sweep.end_agents().await?;
    sweep.gone(&namespaces).await?;
    if sweep.get("namespaces", &own).await?.is_some() {
        sweep.empty(std::slice::from_ref(&own)).await;
        sweep.delete("namespaces", &own).await?;
        sweep.gone(std::slice::from_ref(&own)).await?;
        namespaces.push(own);
    }
    removed.extend(namespaces.iter().map(|name| format!("namespace {name}")));
    Ok(removed)
}

struct Sweep<'a> {
    client: &'a Client,
    names: &'a Names,
}

impl Sweep<'_> {
    fn api(&self, resource: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource_named(resource))
    }

    fn within(&self, namespace: &str, resource: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource_named(resource))
    }

    async fn get(&self, resource: &str, name: &str) -> Result<Option<DynamicObject>, LabError> {
        self.api(resource).get_opt(name).await.map_err(failed(resource))
    }

    /// The names of the lab's objects of a resource.
    async fn labelled(&self, resource: &str) -> Result<Vec<String>, LabError> {
        let wanted = ListParams::default().labels(&self.names.selector());
        let list = self.api(resource).list(&wanted).await.map_err(failed(resource))?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.name).collect())
    }

    async fn delete(&self, resource: &str, name: &str) -> Result<(), LabError> {
        match self.api(resource).delete(name, &DeleteParams::default()).await {
            // Somebody else was faster, or a namespace that is on its way already.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            other => other.map(drop).map_err(failed(resource)),
        }
    }

    /// Ends the lab's pods on the nodes, and waits: as they end, they take away what was changed there.
    async fn end_agents(&self) -> Result<(), LabError> {
        let own = self.names.own_namespace();
        let sets = self.within(&own, "daemonsets.apps");
        if sets.get_opt(NODES).await.map_err(failed("daemonsets"))?.is_none() {
            return Ok(());
        }
        match sets.delete(NODES, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => drop(other.map_err(failed("daemonsets"))?),
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &own);
        let wanted = ListParams::default().labels(&manifests::nodes_selector(self.names));
        let mut left: Vec<String> = Vec::new();
        let ended = real::timeout(AGENTS, async {
            loop {
                let list = pods.list(&wanted).await.map_err(failed("pods"))?.items;
                if list.is_empty() {
                    return Ok::<(), LabError>(());
                }
                left = list.into_iter().filter_map(|pod| pod.spec?.node_name).collect();
                real::sleep(LOOK).await;
            }
        });
        match ended.await {
            Some(ended) => ended,
            None => {
                let nodes = left.join(", ");
                tracing::error!(
                    nodes,
                    "the lab's pods there do not end; its chains, names and settings may be left: `pulldrill up` and `down` again take them away when the nodes are well"
                );
                Ok(())
            }
        }
    }

    /// Ends what runs in namespaces before they go: a namespace controller that meets pods waits for the whole
    /// time that they could take to end. It is no harm when that can't be done: then the namespaces take longer.
    async fn empty(&self, namespaces: &[String]) {
        let soon = DeleteParams::background().grace_period(1);
        for namespace in namespaces {
            for resource in RUNNING {
                if let Err(error) = self.within(namespace, resource).delete_collection(&soon, &all()).await {
                    tracing::debug!(%error, namespace, resource, "not emptied");
                }
            }
        }
        let emptied = real::timeout(EMPTIED, async {
            for namespace in namespaces {
                while self
                    .within(namespace, "pods")
                    .list(&all())
                    .await
                    .is_ok_and(|list| !list.items.is_empty())
                {
                    real::sleep(LOOK).await;
                }
            }
        });
        if emptied.await.is_none() {
            tracing::debug!("some pods are still ending");
        }
    }

    /// Waits until namespaces are gone with all that is in them.
    async fn gone(&self, namespaces: &[String]) -> Result<(), LabError> {
        let waited = real::timeout(PATIENCE, async {
            for name in namespaces {
                while self.get("namespaces", name).await?.is_some() {
                    real::sleep(LOOK).await;
                }
            }
            Ok(())
        });
        waited.await.unwrap_or_else(|| {
            let all = namespaces.join(", ");
            Err(LabError::part(
                "cluster",
                format!("not all of these namespaces have gone within {PATIENCE:?}: {all}; `kubectl describe namespace` says what holds them; run `pulldrill down` again then"),
            ))
        })
    }
}

fn all() -> ListParams {
    ListParams::default()
}

fn failed(resource: &str) -> impl Fn(kube::Error) -> LabError + use<> {
    let resource = resource.to_owned();
    move |error| LabError::part("cluster", format!("{resource}: {error}"))
}

/// Fails when a namespace of the plan is there already: it is somebody else's.
pub(crate) async fn check_free(
    client: &Client,
    names: &Names,
    namespaces: &[String],
) -> Result<(), LabError> {
    let sweep = Sweep { client, names };
    let mut taken = BTreeMap::new();
    for name in namespaces {
        if let Some(found) = sweep.get("namespaces", name).await? {
            taken.insert(name.as_str(), is_of(found.metadata.labels.as_ref(), names));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    let all = taken.keys().copied().collect::<Vec<_>>().join(", ");
    let advice = match taken.values().all(|labelled| *labelled) {
        true => format!(
            "another lab has made them; end it with `pulldrill down` in its folder, or use another --namespace-prefix; if nobody has that folder any more: kubectl delete namespaces,clusterroles,clusterrolebindings -l {}",
            names.selector()
        ),
        false => "they are not the lab's and stay as they are; use another --namespace-prefix".to_owned(),
    };
    Err(LabError::Invalid(format!("these namespaces exist already: {all}; {advice}")))
}
