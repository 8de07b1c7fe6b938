//! What the `kind` program sees of the user's environment: nothing that would lead it, or a node, elsewhere.

use std::{ffi::OsStr, path::Path};

use serde_json::Value;
use tokio::process::Command;

use super::super::{folder::KindFolder, owner::Owner};
use crate::{LabError, folder::write};

/// Takes away what would lead elsewhere, and says which engine and network to use. `settings` is the folder of the
/// user's settings for the `docker` program.
pub(super) fn set(
    command: &mut Command,
    settings: Option<&Path>,
    host: &str,
    owner: &Owner,
    folder: &KindFolder,
) -> Result<(), LabError> {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_misleading(name)) {
        command.env_remove(name);
    }
    command
        .env("DOCKER_HOST", host)
        .env("KIND_EXPERIMENTAL_PROVIDER", "docker")
        .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", owner.network());
    let settings = settings.and_then(|folder| std::fs::read_to_string(folder.join("config.json")).ok());
    if let Some(settings) = settings.and_then(|text| without_proxies(&text)) {
        write::make_folder(&folder.docker_config())?;
        write::private(&folder.docker_config().join("config.json"), &settings)?;
        command.env("DOCKER_CONFIG", folder.docker_config());
    }
    Ok(())
}

/// Proxies reach the nodes by the environment; a kubeconfig or another engine is the user's business.
fn is_misleading(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.ends_with("_PROXY") || name.starts_with("KIND_") || name == "KUBECONFIG" || name == "DOCKER_CONTEXT"
}

/// The `docker` program's settings without proxies, which it would hand to every container; `None` when there are
/// none in them. The chosen context goes too, for the engine's address is given.
fn without_proxies(settings: &str) -> Option<String> {
    let mut settings: Value = serde_json::from_str(settings).ok()?;
    let all = settings.as_object_mut()?;
    all.remove("proxies")?;
    all.remove("currentContext");
    Some(settings.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_in_any_case_are_taken_away() {
        for name in
            ["HTTP_PROXY", "https_proxy", "No_Proxy", "all_proxy", "KUBECONFIG", "KIND_EXPERIMENTAL_PROVIDER"]
        {
            assert!(is_misleading(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "PROXY_PORT"] {
            assert!(!is_misleading(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn only_settings_with_proxies_are_replaced() {
        assert_eq!(without_proxies(r#"{"auths":{}}"#), None);
        assert_eq!(without_proxies("nonsense"), None);
        let text =
            r#"{"auths":{"a":{}},"currentContext":"x","proxies":{"default":{"httpProxy":"http://bad"}}}"#;
        assert_eq!(without_proxies(text).unwrap(), r#"{"auths":{"a":{}}}"#);
    }
}
