//! What was done in the recorded cases beside applying their manifest: `script.yaml`, and how it is done here.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, anyhow};
use pulldrill_cluster::{
    api::{Api, DeleteOptions, User, WriteOptions},
    store::Key,
};
use pulldrill_registry::FaultRule;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{registries::Registries, world::BESIDE};

/// How long an ECR token is good, in seconds.
const ECR_LIFE: i64 = 12 * 3600;

/// The script of one case.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Script {
    /// By registry host.
    pub(crate) faults: BTreeMap<String, Vec<FaultRule>>,
    /// For how long the ECR token of the manifest's secret is good.
    pub(crate) ecr_token_seconds: i64,
    /// Kinds that the API server does not take.
    refused: Vec<String>,
    /// By registry host: how many bytes a second come from there.
    pub(crate) paces: BTreeMap<String, u64>,
    /// Images that the node has before.
    pub(crate) present: Vec<String>,
    /// What is done later, in order.
    pub(crate) later: Vec<Step>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            faults: BTreeMap::new(),
            ecr_token_seconds: ECR_LIFE,
            refused: Vec::new(),
            paces: BTreeMap::new(),
            present: Vec::new(),
            later: Vec::new(),
        }
    }
}

/// What is done at a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Seconds after the manifest was applied.
    pub(crate) after: f64,
    #[serde(rename = "do")]
    actions: Vec<Action>,
}

/// One thing that is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Create(Value),
    /// Sets the image of a workload's only container.
    Image {
        resource: String,
        name: String,
        image: String,
    },
    /// A JSON merge patch.
    Merge {
        resource: String,
        name: String,
        patch: Value,
    },
    /// Deletes one object, or all of the case.
    Delete {
        resource: String,
        name: Option<String>,
    },
    /// Pushes an image.
    Push {
        host: String,
        repository: String,
        tag: String,
    },
    /// Puts a token that is good into a secret.
    FreshEcrToken(String),
    /// Applies the manifest of another case, in a namespace of its own.
    Beside(String),
}

impl Script {
    /// The script of a case as it was recorded for a dialect; most have nothing in it.
    pub(crate) fn of(dialect: &str, case: &str) -> Result<Self> {
        let mut all: BTreeMap<String, Self> = serde_saphyr::from_str(include_str!("script.yaml"))?;
        let own = all.remove(&format!("{dialect}/{case}"));
        Ok(own.or_else(|| all.remove(case)).unwrap_or_default())
    }

    /// The names of the cases that have one.
    pub(crate) fn cases() -> Result<Vec<String>> {
        let all: BTreeMap<String, Self> = serde_saphyr::from_str(include_str!("script.yaml"))?;
        Ok(all.into_keys().collect())
    }
}

/// The hand that acts in one case's namespace.
pub(crate) struct Hand<'a> {
    pub(crate) api: &'a Api,
    pub(crate) registries: &'a Registries,
    pub(crate) namespace: &'a str,
    /// The folder of the recording.
    pub(crate) dir: &'a Path,
}

impl Hand<'_> {
    /// Applies what a case's manifest holds.
    pub(crate) fn apply(&self, script: &Script, object: Value) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        match (script.refused.contains(&kind), self.create(object)) {
            (false, done) => done,
            (true, Err(_)) => Ok(()),
            (true, Ok(())) => Err(anyhow!("{kind} was taken; a real API server refused it")),
        }
    }

    /// Does a step.
    pub(crate) fn act(&self, step: &Step) -> Result<()> {
        step.actions.iter().try_for_each(|action| self.one(action))
    }

    fn one(&self, action: &Action) -> Result<()> {
        match action {
            Action::Create(object) => self.create(object.clone()),
            Action::Image { resource, name, image } => self.modify(resource, name, |object| {
                object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            }),
            Action::Merge { resource, name, patch } => {
                self.modify(resource, name, |object| merge(object, patch))
            }
            Action::Delete { resource, name } => self.delete(resource, name.as_deref()),
            Action::Push { host, repository, tag } => self.registries.push(host, repository, tag),
            Action::FreshEcrToken(secret) => {
                let data = self.registries.ecr_secret(&self.registries.ecr_token()?);
                self.modify("secrets", secret, |object| object["data"] = data.clone())
            }
            Action::Beside(case) => {
                let beside = Hand { namespace: BESIDE, ..*self };
                let objects = manifests(&self.dir.with_file_name(case).join("case.yaml"))?;
                objects.into_iter().try_for_each(|object| beside.create(object))
            }
        }
    }

    fn create(&self, object: Value) -> Result<()> {
        let resource = resource_of(&object)?;
        self.api
            .create(&user(), resource, self.namespace, object, &WriteOptions::default())
            .map_err(|status| anyhow!("{resource}: {status}"))?;
        Ok(())
    }

    fn modify(&self, resource: &str, name: &str, change: impl Fn(&mut Value)) -> Result<()> {
        self.api
            .modify(&user(), resource, &Key::new(self.namespace, name), None, change)
            .map_err(|status| anyhow!("{resource} {name}: {status}"))?;
        Ok(())
    }

    fn delete(&self, resource: &str, name: Option<&str>) -> Result<()> {
        let all = self.api.store().list(resource, Some(self.namespace)).0;
        let named = all.iter().filter(|object| name.is_none_or(|name| object.meta("name") == name));
        let mut found = false;
        for object in named {
            found = true;
            let key = Key::new(self.namespace, object.meta("name"));
            self.api
                .delete(&user(), resource, &key, &DeleteOptions::default())
                .map_err(|status| anyhow!("{resource} {key}: {status}"))?;
        }
        found.then_some(()).with_context(|| format!("no {resource} to delete"))
    }
}

fn user() -> User {
    User::controller("recordings")
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in fields {
        merge(&mut into[name], value);
    }
}

/// The objects in a manifest.
pub(crate) fn manifests(path: &Path) -> Result<Vec<Value>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path)?)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

fn resource_of(object: &Value) -> Result<&'static str> {
    match object["kind"].as_str() {
        Some("Pod") => Ok("pods"),
        Some("Secret") => Ok("secrets"),
        Some("Service") => Ok("services"),
        Some("Deployment") => Ok("deployments.apps"),
        Some("DaemonSet") => Ok("daemonsets.apps"),
        Some("StatefulSet") => Ok("statefulsets.apps"),
        other => Err(anyhow!("no resource for kind {other:?}")),
    }
}

#[test]
fn every_script_is_of_a_recorded_case() -> Result<()> {
    let recorded = crate::recordings();
    for case in Script::cases()? {
        let is_it = |(dialect, of, _): &(String, String, _)| *of == case || format!("{dialect}/{of}") == case;
        assert!(recorded.iter().any(is_it), "{case} is not recorded");
    }
    Ok(())
}
