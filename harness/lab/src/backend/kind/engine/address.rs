//! Where the user's Docker engine listens, found the way the `docker` command finds it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::KindError;

type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Where to look, in this order: `DOCKER_HOST`, the chosen context, else the usual sockets.
pub(super) fn candidates(env: Env<'_>) -> Vec<String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        return vec![host];
    }
    if let Some(host) = context(env) {
        return vec![host];
    }
    usual(env)
}

/// Says at once that an address is of a kind that can't be used.
pub(super) fn check(host: &str, env: Env<'_>) -> Result<(), KindError> {
    let wants_tls = host.starts_with("https://")
        || (host.starts_with("tcp://") && env("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty()));
    let why = match host.split_once("://").map_or("", |(scheme, _)| scheme) {
        _ if wants_tls => "connections to Docker with TLS are not supported",
        "ssh" => "connections to Docker over ssh are not supported",
        "unix" | "npipe" | "tcp" | "http" => return Ok(()),
        _ => "this is not an address of a Docker engine",
    };
    Err(KindError::EngineAddress { host: host.to_owned(), why })
}

/// The folder of the `docker` command's own settings.
pub(crate) fn config_folder(env: Env<'_>) -> Option<PathBuf> {
    let named = env("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named.or_else(|| home(env).map(|home| home.join(".docker")))
}

fn home(env: Env<'_>) -> Option<PathBuf> {
    ["HOME", "USERPROFILE"].iter().find_map(|name| env(name)).map(PathBuf::from)
}

/// What `docker context use` has chosen.
fn context(env: Env<'_>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        current_context: Option<String>,
    }
    let folder = config_folder(env)?;
    let chosen = env("DOCKER_CONTEXT").filter(|name| !name.is_empty()).or_else(|| {
        let text = std::fs::read(folder.join("config.json")).ok()?;
        serde_json::from_slice::<Config>(&text).ok()?.current_context
    })?;
    let files = std::fs::read_dir(folder.join("contexts").join("meta")).ok()?;
    files.flatten().find_map(|entry| context_host(&entry.path().join("meta.json"), &chosen))
}

fn context_host(file: &Path, chosen: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        name: String,
        endpoints: Endpoints,
    }
    #[derive(Deserialize)]
    struct Endpoints {
        docker: Endpoint,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        host: String,
    }
    let meta: Meta = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (meta.name == chosen && !meta.endpoints.docker.host.is_empty()).then_some(meta.endpoints.docker.host)
}

/// The engine's own socket, Docker Desktop's, a rootless engine's.
fn usual(env: Env<'_>) -> Vec<String> {
    if cfg!(windows) {
        return ["docker_engine", "dockerDesktopLinuxEngine"]
            .map(|pipe| format!("npipe:////./pipe/{pipe}"))
            .into();
    }
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    if let Some(home) = home(env) {
        sockets.push(home.join(".docker/run/docker.sock"));
        sockets.push(home.join(".docker/desktop/docker.sock"));
    }
    sockets.extend(env("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock")));
    sockets.iter().map(|socket| format!("unix://{}", socket.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_goes_before_the_context_and_that_before_the_sockets() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".docker/contexts/meta/abc");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(home.path().join(".docker/config.json"), r#"{"currentContext":"mine"}"#).unwrap();
        let meta = r#"{"Name":"mine","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///mine.sock"}}}"#;
        std::fs::write(folder.join("meta.json"), meta).unwrap();
        let at = home.path().to_str().unwrap().to_owned();
        let env = |set: &'static [(&'static str, &'static str)]| {
            let at = at.clone();
            move |name: &str| match name {
                "HOME" => Some(at.clone()),
                _ => set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
            }
        };
        assert_eq!(candidates(&env(&[("DOCKER_HOST", "tcp://127.0.0.1:1")])), ["tcp://127.0.0.1:1"]);
        assert_eq!(candidates(&env(&[("DOCKER_HOST", "")])), ["unix:///mine.sock"]);
        let others = candidates(&env(&[("DOCKER_CONTEXT", "default"), ("XDG_RUNTIME_DIR", "/run/user/7")]));
        assert_eq!(others.first().unwrap(), "unix:///var/run/docker.sock");
        assert_eq!(others.last().unwrap(), "unix:///run/user/7/docker.sock");
    }

    #[test]
    fn what_cannot_be_used_is_said_before_it_is_tried() {
        let tls = |name: &str| (name == "DOCKER_TLS_VERIFY").then(|| "1".to_owned());
        let refused = |host: &str| check(host, &tls).unwrap_err().to_string();
        assert!(refused("ssh://me@there").contains("ssh"));
        assert!(refused("tcp://there:2376").contains("TLS"));
        assert!(refused("/var/run/docker.sock").contains("unix://"));
        assert!(check("tcp://127.0.0.1:2375", &|_| None).is_ok());
    }
}
