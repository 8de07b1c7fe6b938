//! Credential providers that are programs, as real kubelets run them: named in a `CredentialProviderConfig`, asked on standard input,
//! answering on standard output (`k8s.io/kubelet`, `config/v1` and `pkg/apis/credentialprovider/v1`). What becomes of answers is
//! said in [`super`].
//!
//! Tokens of service accounts (`tokenAttributes`) are not given to them.

use std::{collections::BTreeMap, path::Path, process::Stdio, sync::Arc, time::Duration};

use pulldrill_clock::{SignedDuration, cron::parse_duration, real};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{Ask, CacheKey, Provided, Provider};
use crate::{blocking::block, puller::Credential};

/// In which versions a plugin may be spoken to.
const SPOKEN: [&str; 3] = [
    "credentialprovider.kubelet.k8s.io/v1",
    "credentialprovider.kubelet.k8s.io/v1beta1",
    "credentialprovider.kubelet.k8s.io/v1alpha1",
];

/// What the group of the configuration is.
const GROUP: &str = "kubelet.config.k8s.io/";

/// How long a plugin may take (`execPluginTimeout` in kubelets).
const PATIENCE: Duration = Duration::from_secs(60);

/// Why plugins can't be used.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The configuration is not what it should be.
    #[error("it is no CredentialProviderConfig: {0}")]
    Malformed(String),
    /// Something about one plugin is wrong.
    #[error("provider {name:?}: {why}")]
    Plugin {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    api_version: String,
    kind: String,
    providers: Vec<Plugin>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plugin {
    name: String,
    match_images: Vec<String>,
    default_cache_duration: String,
    api_version: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    api_version: String,
    kind: String,
    cache_key_type: CacheKey,
    cache_duration: Option<String>,
    #[serde(default)]
    auth: Option<BTreeMap<String, Login>>,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// The providers of a kubelet's configuration (YAML or JSON), whose programs are in `folder`.
///
/// # Errors
/// [`PluginError`].
pub fn plugins(config: &str, folder: &Path) -> Result<Vec<Provider>, PluginError> {
    let config: Config =
        serde_saphyr::from_str(config).map_err(|error| PluginError::Malformed(error.to_string()))?;
    if config.kind != "CredentialProviderConfig" || !config.api_version.starts_with(GROUP) {
        let found = format!("it is a {} of {}", config.kind, config.api_version);
        return Err(PluginError::Malformed(found));
    }
    config.providers.into_iter().map(|plugin| provider(plugin, folder)).collect()
}

fn provider(plugin: Plugin, folder: &Path) -> Result<Provider, PluginError> {
    let wrong = |why: String| PluginError::Plugin { name: plugin.name.clone(), why };
    if plugin.name.is_empty()
        || plugin.name.contains(['/', ' '])
        || [".", ".."].contains(&plugin.name.as_str())
    {
        return Err(wrong("the name has to be that of a program in the folder".into()));
    }
    if plugin.match_images.is_empty() {
        return Err(wrong("matchImages has to name at least one pattern".into()));
    }
    if !SPOKEN.contains(&plugin.api_version.as_str()) {
        return Err(wrong(format!("apiVersion has to be one of {}", SPOKEN.join(", "))));
    }
    let default_keep = parse_duration(&plugin.default_cache_duration)
        .map_err(|why| wrong(format!("defaultCacheDuration: {why}")))?;
    if default_keep.is_negative() {
        return Err(wrong("defaultCacheDuration can't be negative".into()));
    }
    let program = folder.join(&plugin.name);
    if !is_program(&program) {
        return Err(wrong(format!("there is no program {}", program.display())));
    }
    let (name, match_images) = (plugin.name.clone(), plugin.match_images.clone());
    let ask: Ask = Arc::new(move |image| block(run(&plugin, &program, image)));
    Ok(Provider { name, match_images, default_keep, ask })
}

fn is_program(path: &Path) -> bool {
    let Ok(found) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 == 0 {
        return false;
    }
    found.is_file()
}

/// Asks a plugin about an image.
async fn run(plugin: &Plugin, program: &Path, image: &str) -> Result<Provided, String> {
    let failed = |why: String| {
        format!("error execing credential provider plugin {} for image {image}: {why}", plugin.name)
    };
    let mut child = Command::new(program)
        .args(&plugin.args)
        .envs(plugin.env.iter().map(|variable| (&variable.name, &variable.value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let request =
        json!({"kind": "CredentialProviderRequest", "apiVersion": plugin.api_version, "image": image});
    if let Some(mut stdin) = child.stdin.take() {
        // Who answers without reading may do so.
        let _unread = stdin.write_all(request.to_string().as_bytes()).await;
    }
    let output = match real::timeout(PATIENCE, child.wait_with_output()).await {
        Some(output) => output.map_err(|error| failed(error.to_string()))?,
        None => return Err(failed("context deadline exceeded".into())),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, said.trim())));
    }
    provided(plugin, &output.stdout)
}

fn provided(plugin: &Plugin, answer: &[u8]) -> Result<Provided, String> {
    let response: Response = serde_json::from_slice(answer)
        .map_err(|error| format!("error decoding credential provider plugin response: {error}"))?;
    if response.kind != "CredentialProviderResponse" {
        return Err(format!("failed to convert response of {}: it is a {:?}", plugin.name, response.kind));
    }
    if response.api_version != plugin.api_version {
        return Err(format!(
            "apiVersion from credential plugin response did not match expected apiVersion:{}, actual apiVersion:{}",
            plugin.api_version, response.api_version
        ));
    }
    let keep: Option<SignedDuration> = response.cache_duration.as_deref().map(parse_duration).transpose()?;
    let auth = response.auth.unwrap_or_default().into_iter();
    let auth = auth.map(|(server, Login { username, password })| (server, Credential { username, password }));
    Ok(Provided { key: response.cache_key_type, keep, auth: auth.collect() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const V1: &str = SPOKEN[0];

    /// A folder with a plugin `p`, and a configuration that names it.
    fn plugin(script: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let provider = json!({"name": "p", "matchImages": ["*.example"], "defaultCacheDuration": "12h", "apiVersion": V1,
            "args": ["get"], "env": [{"name": "WHO", "value": "AWS"}, {"name": "OUT", "value": folder.path().join("asked")}]});
        let config = json!({"kind": "CredentialProviderConfig", "apiVersion": "kubelet.config.k8s.io/v1", "providers": [provider]});
        (folder, config.to_string())
    }

    fn asked(script: &str) -> (Result<Provided, String>, String) {
        let (folder, config) = plugin(script);
        let all = plugins(&config, folder.path()).unwrap();
        assert_eq!((all[0].name.as_str(), all[0].default_keep), ("p", SignedDuration::from_hours(12)));
        let answer = (all[0].ask)("r.example/team/app");
        (answer, std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default())
    }

    #[test]
    fn a_program_is_asked_as_kubelets_ask_and_its_answer_is_understood() {
        let (answer, request) = asked(
            r#"cat >"$OUT"; printf '{"kind": "CredentialProviderResponse", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                "cacheKeyType": "Registry", "cacheDuration": "10m", "auth": {"*.example": {"username": "%s", "password": "%s"}}}' "$WHO" "$1""#,
        );
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        let expected =
            json!({"kind": "CredentialProviderRequest", "apiVersion": V1, "image": "r.example/team/app"});
        assert_eq!(request, expected);
        let login = Credential { username: "AWS".into(), password: "get".into() };
        let expected = Provided {
            key: CacheKey::Registry,
            keep: Some(SignedDuration::from_mins(10)),
            auth: vec![("*.example".into(), login)],
        };
        assert_eq!(answer.unwrap(), expected);
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let answer = |fields: &str| format!("echo '{{\"kind\": \"CredentialProviderResponse\", {fields}}}'");
        let v1 = format!("\"apiVersion\": \"{V1}\"");
        for (script, why) in [
            ("echo no token >&2; exit 3".to_owned(), "exit status: 3: no token"),
            ("kill -9 $$".to_owned(), "signal: 9"),
            ("echo oops".to_owned(), "error decoding credential provider plugin response"),
            (answer(&format!("{v1}, \"cacheKeyType\": \"World\"")), "unknown variant `World`"),
            (
                answer("\"apiVersion\": \"v1\", \"cacheKeyType\": \"Image\""),
                "did not match expected apiVersion",
            ),
            (
                answer(&format!("{v1}, \"cacheKeyType\": \"Image\", \"cacheDuration\": \"1 day\"")),
                "time: unknown unit",
            ),
        ] {
            let error = asked(&script).0.unwrap_err();
            assert!(error.contains(why), "{script}: {error}");
        }
        let nothing = asked(&answer(&format!("{v1}, \"cacheKeyType\": \"Image\""))).0.unwrap();
        assert_eq!((nothing.keep, nothing.auth.len()), (None, 0));
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused() {
        let (folder, config) = plugin("");
        for (from, to, why) in [
            ("CredentialProviderConfig", "KubeletConfiguration", "it is a KubeletConfiguration"),
            ("kubelet.config.k8s.io/v1", "v1", "of v1"),
            ("\"p\"", "\"../p\"", "a program in the folder"),
            ("\"p\"", "\"q\"", "there is no program"),
            ("[\"*.example\"]", "[]", "matchImages"),
            ("\"12h\"", "\"long\"", "defaultCacheDuration: time: invalid duration"),
            ("\"12h\"", "\"-1h\"", "negative"),
            (V1, "credentialprovider.kubelet.k8s.io/v2", "apiVersion has to be one of"),
            ("\"args\"", "\"tokenAttributes\"", "tokenAttributes"),
        ] {
            assert!(config.contains(from), "{from}");
            let error = plugins(&config.replace(from, to), folder.path()).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
    }
}
