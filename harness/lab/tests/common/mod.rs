//! What the tests of whole labs have in common: labs that nobody else sees, on clocks that stand still.

#![allow(dead_code, clippy::unwrap_used, reason = "every test uses some of it, and may fail in it")]

use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::ApiResource,
};
use pulldrill_clock::{SignedDuration, Timestamp, real};
use pulldrill_lab::{
    ClockMode, Lab, LabOptions,
    view::{Audience, DrillState, DrillView},
};

/// Options of a lab whose drills open at a time that is always the same.
pub(crate) fn options(scenarios: &[&str]) -> LabOptions {
    LabOptions {
        seed: 7,
        scenarios: scenarios.iter().map(ToString::to_string).collect(),
        clock: ClockMode::Held(Timestamp::from_second(1_790_000_000).unwrap()),
        ..LabOptions::default()
    }
}

/// A lab with its drills open.
pub(crate) async fn opened(options: LabOptions) -> Lab {
    let lab = Lab::start(options).await.unwrap();
    lab.open().await.unwrap();
    lab
}

/// Moves the clock from timer to timer until it is so; false when it was not so within `limit`.
pub(crate) async fn until(lab: &Lab, limit: SignedDuration, is_so: impl Fn(&Lab) -> bool) -> bool {
    let end = lab.clock().now() + limit;
    lab.clock().idle().await;
    while !is_so(lab) {
        if !lab.clock().skip(end).await {
            lab.clock().idle().await;
            return is_so(lab);
        }
        lab.clock().idle().await;
    }
    true
}

/// The one drill of a lab, as an instructor sees it.
pub(crate) fn the_drill(lab: &Lab) -> DrillView {
    lab.status(Audience::Instructor).drills.into_iter().next().unwrap()
}

/// Whether the one drill of a lab is solved.
pub(crate) fn is_solved(lab: &Lab) -> bool {
    the_drill(lab).state == DrillState::Solved
}

/// The trainee's client.
pub(crate) async fn trainee(lab: &Lab) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&lab.kubeconfig()).unwrap();
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Objects of a resource of a namespace.
pub(crate) fn api(client: &Client, namespace: &str, group: &str, plural: &str) -> Api<DynamicObject> {
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let resource = ApiResource {
        group: group.into(),
        version: "v1".into(),
        api_version,
        kind: String::new(),
        plural: plural.into(),
    };
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// The names of all objects of a resource.
pub(crate) async fn names(api: &Api<DynamicObject>) -> Vec<String> {
    let list = api.list(&ListParams::default()).await.unwrap();
    list.items.into_iter().filter_map(|object| object.metadata.name).collect()
}

/// Prints how long something took, for whoever looks.
pub(crate) fn stopwatch() -> std::time::Instant {
    real::stopwatch()
}
