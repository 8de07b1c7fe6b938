//! The five drills themselves against the recording of the same cause: other names, other images, a workload
//! around the pod, but the same events in the same order with the same texts, the same statuses, the same
//! `describe`.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::ApiResource,
};
use oci_spec::distribution::Reference;
use pulldrill_clock::{SignedDuration, Timestamp, real};
use pulldrill_lab::{ClockMode, Lab, LabOptions, view::Audience};
use serde_json::Value;

use crate::{
    comparison::{Normaliser, Recording, Version, compare, status_column},
    describe::describe,
    programs, recordings,
};

/// Scenario, and the recorded case of its cause.
const DRILLS: &[(&str, &str)] = &[
    ("wrong-tag", "bad-tag"),
    ("missing-pull-secret", "basic-no-secret"),
    ("expired-token", "ecr-expired-running"),
    ("blocked-registry", "conn-timeout"),
    ("hub-rate-limit", "hub-429-manifest"),
];

/// How long most recordings last.
const LENGTH: f64 = 300.0;

#[tokio::test(flavor = "multi_thread")]
async fn the_five_drills_look_like_the_recordings_of_their_causes() -> Result<()> {
    pulldrill_tls::install_provider();
    let rules = Normaliser::new()?;
    let mut report = Vec::new();
    for (dialect, case, dir) in recordings() {
        let Some((scenario, _)) = DRILLS.iter().find(|(_, recorded)| *recorded == case) else { continue };
        let version = dialect.split('-').nth(1).unwrap_or_default().replace('.', "_");
        let Some(kubectl) = programs::kubectl(&version) else { return Ok(()) };
        let real = neutral(&Recording::load(&dir)?, LENGTH)?;
        let length = real.events.last().zip(real.events.first()).map_or(LENGTH, |(z, a)| z.at - a.at);
        let mut ours = neutral(&play(&dialect, scenario, &kubectl).await?, length)?;
        cut_to(&real, &mut ours);
        let found = compare(&rules, &dialect, &real, &ours);
        report.extend(found.into_iter().map(|difference| format!("{dialect}/{scenario}: {difference}")));
    }
    assert!(report.is_empty(), "{} differences\n{}", report.len(), report.join("\n"));
    Ok(())
}

/// Plays one drill's history and then on until its pod has failed for as long as the recorded one.
async fn play(dialect: &str, scenario: &str, kubectl: &Path) -> Result<Recording> {
    let start = real::now() - SignedDuration::from_mins(6);
    let lab = Lab::start(LabOptions {
        seed: 5,
        scenarios: vec![scenario.to_owned()],
        dialect: dialect.to_owned(),
        clock: ClockMode::Held(start),
        ..LabOptions::default()
    })
    .await?;
    let kubeconfig = Kubeconfig::from_yaml(&lab.kubeconfig())?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let (events, pods) = (everywhere(&client, "events"), everywhere(&client, "pods"));
    let (from_events, from_pods) = (revision(&events).await?, revision(&pods).await?);
    lab.open().await?;
    lab.clock().advance_to(start + SignedDuration::from_secs(300)).await;
    lab.clock().idle().await;
    let namespace = lab.status(Audience::Instructor).drills.first().context("no drill")?.namespace.clone();
    let mut recording = Recording::default();
    for object in versions(&events, &from_events).await? {
        if object["metadata"]["namespace"] == *namespace {
            recording.events.push(Version { at: shown_at(&object)?, object });
        }
    }
    let in_namespace = |pod: &Value| pod["metadata"]["namespace"] == *namespace;
    recording.pods = versions(&pods, &from_pods).await?.into_iter().filter(in_namespace).collect();
    let pod = recording.failing_pod().context("nothing failed")?;
    recording.describe = describe(kubectl, &lab.kubeconfig(), &["pod", &pod, "-n", &namespace]).await?;
    lab.shutdown().await;
    Ok(recording)
}

fn everywhere(client: &Client, plural: &str) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: String::new(),
        version: "v1".into(),
        api_version: "v1".into(),
        kind: String::new(),
        plural: plural.into(),
    };
    Api::all_with(client.clone(), &resource)
}

async fn revision(api: &Api<DynamicObject>) -> Result<String> {
    api.list(&ListParams::default()).await?.metadata.resource_version.context("a list has a revision")
}

/// Every version that objects had after a revision, oldest first.
async fn versions(api: &Api<DynamicObject>, after: &str) -> Result<Vec<Value>> {
    let last = api.list(&ListParams::default()).await?;
    let number = |text: Option<&String>| text.and_then(|t| t.parse::<u64>().ok()).unwrap_or_default();
    let last = last.iter().map(|o| number(o.metadata.resource_version.as_ref())).max().unwrap_or_default();
    let mut stream = std::pin::pin!(api.watch(&WatchParams::default(), after).await?);
    let mut found = Vec::new();
    while let Some(event) = stream.try_next().await? {
        if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
            let at = number(object.metadata.resource_version.as_ref());
            found.push(serde_json::to_value(&object)?);
            if at >= last {
                break;
            }
        }
    }
    Ok(found)
}

/// When an event was last seen, to the second.
fn shown_at(event: &Value) -> Result<f64> {
    let time: Timestamp = event["lastTimestamp"].as_str().context("lastTimestamp")?.parse()?;
    Ok(time.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64())
}

/// The failing pod alone, for so many seconds, with names taken out that the story gave it.
fn neutral(recording: &Recording, length: f64) -> Result<Recording> {
    let pod = recording.failing_pod().context("nothing failed")?;
    // By uid: a StatefulSet's pod has the name of the good one that it replaced.
    let failed =
        recording.events.iter().find(|e| e.object["reason"] == "Failed").context("nothing failed")?;
    let uid = failed.object["involvedObject"]["uid"].clone();
    let mine = |object: &Value| object["involvedObject"]["uid"] == uid;
    let mut events: Vec<Version> = recording.events.iter().filter(|e| mine(&e.object)).cloned().collect();
    let first = events.first().context("no events")?.at;
    events.retain(|event| event.at - first <= length);
    let spec = recording.pods.iter().find(|p| p["metadata"]["uid"] == uid).context("the failing pod")?;
    let names = names(spec, &pod)?;
    let replace = |text: &str| names.iter().fold(text.to_owned(), |t, (find, with)| t.replace(find, with));
    for event in &mut events {
        event.object = serde_json::from_str(&replace(&event.object.to_string()))?;
    }
    let mut pods = Vec::new();
    for object in recording.pods.iter().filter(|p| p["metadata"]["uid"] == uid) {
        pods.push(serde_json::from_str(&replace(&object.to_string()))?);
    }
    let describe = failing_block(&replace(&recording.describe));
    Ok(Recording { events, pods, describe, ..Recording::default() })
}

/// A drill has failed for longer than its recording; kubectl 1.36 leaves out the events when it describes
/// several pods, as it did for one of the recordings.
fn cut_to(real: &Recording, ours: &mut Recording) {
    let statuses = |pods: &[Value]| {
        let mut seen: Vec<String> = pods.iter().map(status_column).collect();
        seen.dedup();
        seen.len()
    };
    while statuses(&ours.pods) > statuses(&real.pods) {
        ours.pods.pop();
    }
    if !real.describe.contains("Events:") {
        let end = ours.describe.find("Events:").unwrap_or(ours.describe.len());
        ours.describe.truncate(end);
    }
}

/// What stands for what, the longer first: `image` is the part of a name that contains others.
fn names(pod: &Value, name: &str) -> Result<Vec<(String, String)>> {
    let container = &pod["spec"]["containers"][0];
    let image = container["image"].as_str().context("image")?;
    let reference: Reference = image.parse()?;
    let (registry, repository) = (reference.registry(), reference.repository());
    let tag = reference.tag().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    names.insert(reference.whole(), "<reference>".into());
    names.insert(image.to_owned(), "<image>".into());
    names.insert(format!("{registry}/v2/{repository}/manifests/{tag}"), "<manifest>".into());
    names.insert(format!("/v2/{repository}/manifests/"), "/<manifests>/".into());
    names.insert(name.to_owned(), "<pod>".into());
    names.insert(format!("{{{}}}", text(&container["name"])), "{<container>}".into());
    names.insert(format!("{}/<pod>", text(&pod["metadata"]["namespace"])), "<namespace>/<pod>".into());
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(find, _)| std::cmp::Reverse(find.len()));
    // The namespace is looked for beside a pod's name, so after it.
    names.sort_by_key(|(find, _)| find.contains("<pod>"));
    Ok(names)
}

/// The part of `describe` that does not depend on the workload around a pod.
fn failing_block(describe: &str) -> String {
    let pods = describe.split("\n=== ").next().unwrap_or_default();
    let mut blocks =
        pods.split("\nName:").filter(|b| b.contains("ImagePullBackOff") || b.contains("ErrImagePull"));
    let block = blocks.next().unwrap_or_default();
    let mut text = String::from("Name: <pod>\n");
    let mut started = false;
    for line in block.lines() {
        started |= line.starts_with("Status:");
        let of_the_workload = ["Controlled By:", "    Port:", "    Host Port:", "    Image:"];
        if started && !of_the_workload.iter().any(|label| line.starts_with(label)) && !is_container_name(line)
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The line that opens a container: two spaces, a name, a colon, and nothing else.
fn is_container_name(line: &str) -> bool {
    line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':')).is_some_and(|name| {
        !name.starts_with(' ') && !name.contains("token") && !name.contains("kube-api-access")
    })
}
