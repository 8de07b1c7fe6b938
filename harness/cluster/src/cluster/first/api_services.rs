//! An APIService for each version of a group that is served: what aggregators would route by, and people look at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::resources::Resources;

/// The group of APIServices themselves, which has none.
const OWN: &str = "apiregistration.k8s.io";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Priorities {
    group: i64,
    versions: BTreeMap<String, i64>,
}

fn priorities() -> &'static BTreeMap<String, Priorities> {
    static PARSED: OnceLock<BTreeMap<String, Priorities>> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the data is part of the program, and a test reads it")]
    PARSED
        .get_or_init(|| serde_saphyr::from_str(include_str!("apis.yaml")).expect("apis.yaml is well-formed"))
}

/// The objects, without their status.
pub(super) fn all(resources: &Resources) -> Vec<Value> {
    let served: BTreeSet<(String, String)> = resources
        .all()
        .iter()
        .filter(|resource| resource.group != OWN)
        .flat_map(|resource| resource.versions.iter().map(|v| (resource.group.clone(), v.clone())))
        .collect();
    served.iter().map(|(group, version)| object(group, version)).collect()
}

fn object(group: &str, version: &str) -> Value {
    let known = priorities().get(group);
    let minimum = known.map_or(1000, |known| known.group);
    let own = known.and_then(|known| known.versions.get(version)).copied().unwrap_or(1);
    let mut spec = json!({"groupPriorityMinimum": minimum, "version": version, "versionPriority": own});
    if !group.is_empty() {
        spec["group"] = group.into();
    }
    json!({
        "metadata": {
            "name": format!("{version}.{group}"),
            "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
        },
        "spec": spec,
    })
}

/// What is said of a service that the API server itself is.
pub(super) fn status(now: &Value) -> Value {
    json!({"conditions": [{"type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local",
        "message": "Local APIServices are always available"}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Release;

    #[test]
    fn those_of_1_20_are_the_recorded_ones() {
        // `kubectl get apiservices` of 1.20.2: name, groupPriorityMinimum, versionPriority.
        let recorded = include_str!("apiservices-1.20.txt");
        let mut made: Vec<String> = all(&Resources::of(Release::minor(20)))
            .iter()
            .map(|o| {
                let (name, spec) = (o["metadata"]["name"].as_str().unwrap(), &o["spec"]);
                format!("{name} {} {}", spec["groupPriorityMinimum"], spec["versionPriority"])
            })
            .collect();
        made.sort();
        assert_eq!(made, recorded.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_group_of_every_release_is_known() {
        for minor in 20..=36 {
            for service in all(&Resources::of(Release::minor(minor))) {
                let (name, spec) = (&service["metadata"]["name"], &service["spec"]);
                assert_ne!(spec["groupPriorityMinimum"], 1000, "{name}");
                let least = spec["versionPriority"] == 1;
                let fits = ["v1.", "v1beta1.extensions", "v2beta2.autoscaling"].iter().any(|n| *name == **n);
                assert_eq!(least, fits, "1.{minor}: {name}");
            }
        }
    }
}
