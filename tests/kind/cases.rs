//! The cases of the comparison: a table, and the scenario folders that it stands for.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

const TABLE: &str = include_str!("cases.yaml");

/// One row of the table; `cases.yaml` says what the fields mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) like: Option<String>,
    image: String,
    error: Vec<String>,
    #[serde(default = "one")]
    replicas: u32,
    #[serde(default)]
    running: u32,
    #[serde(default)]
    pod: Value,
    #[serde(default)]
    secrets: Vec<Secret>,
    #[serde(default)]
    registry: Value,
    #[serde(default)]
    before: Vec<Value>,
    after: Option<Value>,
    #[serde(default = "yes")]
    gate: bool,
    /// Its place in the table, from 1.
    #[serde(skip)]
    number: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    name: String,
    host: Option<String>,
    username: String,
    password: String,
    #[serde(rename = "type", default = "docker_config")]
    secret_type: String,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn docker_config() -> String {
    "kubernetes.io/dockerconfigjson".into()
}

/// All cases.
pub(crate) fn all() -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = serde_saphyr::from_str(TABLE).context("cases.yaml")?;
    for (number, case) in (1..).zip(&mut cases) {
        case.number = number;
    }
    Ok(cases)
}

/// Writes a folder of scenarios, one for each case.
pub(crate) fn write(cases: &[Case], folder: &Path) -> Result<()> {
    for case in cases {
        case.write(&folder.join(&case.id)).with_context(|| case.id.clone())?;
    }
    Ok(())
}

impl Case {
    /// The drill, and its namespace.
    pub(crate) fn drill(&self) -> String {
        format!("case-{:02}", self.number)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let file = |name: &str, text: &str| -> Result<()> {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().context("a parent")?)?;
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        // JSON is YAML.
        file("scenario.yaml", &serde_json::to_string_pretty(&self.scenario())?)?;
        let mut manifests = String::new();
        for object in self.objects() {
            manifests.push_str(&format!("---\n{}\n", serde_json::to_string_pretty(&object)?));
        }
        file("manifests/base.yaml", &manifests)?;
        file("story.md", "A drill of the comparison.\n")?;
        file("debrief.md", "A drill of the comparison.\n")?;
        let nobody_runs_it = "#!/bin/sh\n# title: Nothing\nset -eu\n";
        file("remedies/nothing.sh", nobody_runs_it)?;
        file("cheats/nothing.sh", nobody_runs_it)
    }

    fn registry(&self) -> Value {
        let repository = |name: &str, pull: &str| json!({"name": name, "pull": pull, "push": "nobody", "images": [{"tag": "1.0", "build": "app"}]});
        let mut registry = json!({
            "handle": "main",
            "host": format!("registry.{}.example", self.drill()),
            "address": format!("10.30.{}.2", self.number),
            "personality": "distribution",
            "accounts": [{"username": "labuser", "password": "goodpass", "trainee": true}],
            "repositories": [repository("team/app", "anonymous"), repository("team/secure", "authenticated")],
        });
        merge(&mut registry, &self.registry);
        registry
    }

    /// A value of the table, with the registry's name in it.
    fn with_host(&self, value: &Value) -> Result<Value> {
        let host = self.registry()["host"].as_str().unwrap_or_default().to_owned();
        Ok(serde_json::from_str(&value.to_string().replace("$HOST", &host))?)
    }

    fn scenario(&self) -> Value {
        let apply = json!({"at": "0s", "do": {"apply": "manifests/base.yaml"}});
        let mut history = self.before.clone();
        match &self.after {
            None => history.push(apply),
            Some(action) => {
                history.push(json!({"at": "-1m", "do": {"apply": "manifests/base.yaml"}}));
                let action = self.with_host(action).unwrap_or_default();
                history.push(json!({"at": "0s", "do": action}));
            }
        }
        json!({
            "id": self.id,
            "title": format!("Case {}", self.number),
            "family": "image-reference",
            "cause": "image-reference/tag-not-pushed",
            "difficulty": "easy",
            "objectives": [],
            "giveaways": ["a word that nobody uses"],
            "parameters": [],
            "drill": self.drill(),
            "namespace": self.drill(),
            "nat": "203.0.113.7",
            "builds": [{"id": "app", "content": format!("app {}", self.number)}],
            "accepted": ["app"],
            "registries": [self.registry()],
            "workload": {"kind": "Deployment", "name": "web", "container": "app", "replicas": self.replicas},
            "history": history,
            "symptom": {
                "failing": u32::from(self.gate),
                "running": self.running,
                "reasons": ["ErrImagePull", "ImagePullBackOff"],
                "error": self.error,
            },
            "diagnosis": {"accepted": ["image-reference/tag-not-pushed"]},
            "checks": {
                "named": "diagnosed",
                "runs": "workload-running",
                "right-build": "accepted-content",
                "right-source": {"served-by-registry": {"registries": ["main"]}},
                "rules-kept": "policy-kept",
                "neighbours": "others-unharmed",
                "lasting": "digest-pinned",
            },
            "hints": [],
            "budget": "10m",
            "backends": ["embedded", "kind"],
        })
    }

    fn objects(&self) -> Vec<Value> {
        let mut pod = json!({
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "app", "image": self.image}],
        });
        merge(&mut pod, &self.pod);
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": self.with_host(&pod).unwrap_or_default(),
                },
            },
        });
        self.secrets.iter().map(|secret| self.secret(secret)).chain([deployment]).collect()
    }

    fn secret(&self, secret: &Secret) -> Value {
        let own = self.registry()["host"].as_str().unwrap_or_default().to_owned();
        let host = secret.host.clone().unwrap_or(own);
        let auth = STANDARD.encode(format!("{}:{}", secret.username, secret.password));
        let login = json!({"username": secret.username, "password": secret.password, "auth": auth});
        let config = json!({"auths": {host: login}}).to_string();
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret.name},
            "type": secret.secret_type,
            "data": {".dockerconfigjson": STANDARD.encode(config)},
        })
    }
}

/// Lays a value over another: maps field by field, everything else as a whole.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(from)) => {
            for (field, value) in from {
                merge(into.entry(field.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
