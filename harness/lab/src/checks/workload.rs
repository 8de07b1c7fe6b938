//! Predicates about workloads: that the right one runs, and that no other was harmed.

use std::sync::Arc;

use pulldrill_cluster::store::Stored;
use serde_json::Value;

use super::{Facts, Finding, baseline::ready_pods, secrets::secret_names};
use crate::observe::{
    Workload,
    workload::{is_leaving, is_ready},
};

/// The same object wants enough replicas, and all of them are ready on its present template.
pub(crate) fn running(facts: &Facts<'_>) -> Finding {
    let name = &facts.variant.workload.name;
    let Some(workload) = facts.workload() else {
        return Err(format!("{name} is not the object that it was"));
    };
    let wanted = workload.wanted();
    let needed = i64::from(facts.variant.workload.replicas);
    if wanted < needed {
        return Err(format!("{name} wants {wanted} replicas, not {needed}"));
    }
    if !workload.observed() {
        return Err(format!("the controller has not seen the latest {name}"));
    }
    let current = workload.current_pods(facts.snapshot);
    let secrets = pull_secrets(facts, &workload);
    let as_written = |pod: &&Arc<Stored>| {
        let spec = &pod.value()["spec"];
        images(spec) == images(workload.template())
            && secret_names(spec).iter().all(|name| secrets.contains(name))
    };
    let ready = current.iter().filter(as_written).filter(|pod| is_ready(pod.value())).count();
    let staying = workload.pods(facts.snapshot).iter().filter(|p| is_leaving(p.value()).is_none()).count();
    if i64::try_from(ready).unwrap_or(0) < wanted {
        return Err(format!("{ready} of {wanted} replicas of {name} are ready on its present template"));
    }
    if staying > ready {
        return Err(format!("{} pods of {name} are old or not ready", staying - ready));
    }
    Ok(format!("{ready} of {wanted} replicas are ready"))
}

/// The pull secrets that pods of the workload get: its template's, and its service account's. A pod that was
/// made by hand, for the workload to adopt, may have others.
pub(super) fn pull_secrets(facts: &Facts<'_>, workload: &Workload) -> Vec<String> {
    let template = workload.template();
    let account = template["serviceAccountName"].as_str().unwrap_or("default");
    let account = facts.snapshot.get("serviceaccounts", account);
    let mut names = secret_names(template);
    names.extend(account.into_iter().flat_map(|account| secret_names(account.value())));
    names
}

/// The images of a pod spec's containers. A pod's own can be changed behind its template's back.
fn images(spec: &Value) -> Vec<(&str, &str)> {
    let containers = spec["containers"].as_array().into_iter().flatten();
    let pairs = containers.map(|container| (container["name"].as_str(), container["image"].as_str()));
    pairs.map(|(name, image)| (name.unwrap_or_default(), image.unwrap_or_default())).collect()
}

/// Every other workload of the scenario is what it was.
pub(crate) fn others_unharmed(facts: &Facts<'_>) -> Finding {
    for other in &facts.baseline.others {
        let found = Workload::find(facts.snapshot, other.resource, &other.name);
        let Some(workload) = found.filter(|workload| workload.uid() == other.uid) else {
            return Err(format!("{} is not the object that it was", other.name));
        };
        if workload.wanted() < other.wanted {
            return Err(format!("{} was scaled down", other.name));
        }
        let ready = ready_pods(&workload, facts.snapshot).len();
        if ready < other.ready {
            return Err(format!("{} has {ready} ready replicas, not {}", other.name, other.ready));
        }
    }
    Ok("everything else runs as before".into())
}
