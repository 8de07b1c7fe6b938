//! Predicates about pull secrets: who names them, and whether the registry takes what is in them.

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_clock::SignedDuration;
use serde_json::Value;

use super::{Facts, Finding, evidence::Credentials, workload::pull_secrets};
use crate::observe::Snapshot;

/// The default ServiceAccount names a secret that the registry accepts now.
pub(crate) fn on_service_account(facts: &Facts<'_>, handle: &str) -> Finding {
    let host = facts.host(handle);
    let account =
        facts.snapshot.get("serviceaccounts", "default").ok_or("there is no default ServiceAccount")?;
    let names = secret_names(account.value());
    match names.iter().find(|name| is_accepted(facts, name, host)) {
        Some(name) => Ok(format!("the default ServiceAccount has {name}")),
        None => Err("the default ServiceAccount has no secret that the registry accepts".into()),
    }
}

/// Whether the registry takes a login of this secret now.
pub(super) fn is_accepted(facts: &Facts<'_>, secret: &str, host: &str) -> bool {
    logins(facts.snapshot, secret, host).iter().any(|login| login.accepted(facts, host).is_some())
}

/// Every secret that the workload uses for the registry is good for `remaining` longer; there is one.
pub(crate) fn fresh(facts: &Facts<'_>, handle: &str, remaining: SignedDuration) -> Finding {
    let host = facts.host(handle);
    let workload = facts.workload().ok_or("the workload is not the object that it was")?;
    let names = pull_secrets(facts, &workload);
    let mut found = 0;
    for name in &names {
        for login in logins(facts.snapshot, name, host) {
            found += 1;
            match login.accepted(facts, host) {
                None => return Err(format!("the registry refuses {name}")),
                Some(Some(end)) if end < remaining => return Err(format!("{name} ends too soon")),
                Some(_) => {}
            }
        }
    }
    match found {
        0 => Err("no secret is for the registry".into()),
        _ => Ok("the pull secret is fresh".into()),
    }
}

struct Login {
    username: String,
    password: String,
}

impl Login {
    /// Whether the registry takes it; and if it does so only for a time, for how long.
    fn accepted(&self, facts: &Facts<'_>, host: &str) -> Option<Option<SignedDuration>> {
        match facts.evidence.credentials(host, &self.username, &self.password) {
            Credentials::Refused => None,
            Credentials::Accepted(end) => Some(end.map(|end| end.duration_since(facts.now))),
        }
    }
}

/// The pull secrets that a ServiceAccount or a pod template names.
pub(super) fn secret_names(object: &Value) -> Vec<String> {
    let names = object["imagePullSecrets"].as_array().into_iter().flatten();
    names.filter_map(|secret| secret["name"].as_str()).map(Into::into).collect()
}

/// The names and passwords for a registry in all pull secrets of a namespace.
pub(crate) fn all_logins(snapshot: &Snapshot, host: &str) -> Vec<(String, String)> {
    let secrets = snapshot.list("secrets").into_iter();
    let logins = secrets.flat_map(|secret| logins(snapshot, secret.meta("name"), host));
    logins.map(|login| (login.username, login.password)).collect()
}

/// The entries of a pull secret for a registry.
fn logins(snapshot: &Snapshot, secret: &str, host: &str) -> Vec<Login> {
    let Some(secret) = snapshot.get("secrets", secret) else { return Vec::new() };
    let (key, list) = match secret.value()["type"].as_str() {
        Some("kubernetes.io/dockerconfigjson") => (".dockerconfigjson", "/auths"),
        Some("kubernetes.io/dockercfg") => (".dockercfg", ""),
        _ => return Vec::new(),
    };
    let config = secret.value()["data"][key]
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        .unwrap_or_default();
    let entries = config.pointer(list).and_then(Value::as_object).into_iter().flatten();
    entries.filter(|(name, _)| host_of(name) == normal(host)).filter_map(|(_, entry)| login(entry)).collect()
}

/// The host that an entry of a Docker configuration is for.
fn host_of(entry: &str) -> &str {
    let entry = entry.trim_start_matches("https://").trim_start_matches("http://");
    normal(entry.split('/').next().unwrap_or_default())
}

/// Docker Hub goes by several names.
fn normal(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

fn login(entry: &Value) -> Option<Login> {
    let text = |field: &str| entry[field].as_str().map(Into::into);
    if let (Some(username), Some(password)) = (text("username"), text("password")) {
        return Some(Login { username, password });
    }
    let decoded = STANDARD.decode(entry["auth"].as_str()?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Login { username: username.into(), password: password.into() })
}
