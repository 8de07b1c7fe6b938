//! The way to somebody's cluster: the kubeconfig's context that was named, and no other.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{ExistingOptions, LabError};

/// A cluster that can be spoken to.
#[derive(Clone)]
pub(crate) struct Connection {
    /// With the rights of whoever owns the kubeconfig.
    pub(crate) client: Client,
    /// The context.
    pub(crate) context: String,
    /// The files it is in, as absolute paths.
    pub(crate) kubeconfig: Vec<PathBuf>,
    /// What kubeconfigs of others say of the cluster.
    pub(crate) cluster: Value,
}

impl Connection {
    /// Reads the kubeconfig; nothing is asked of the cluster yet.
    pub(crate) async fn open(options: &ExistingOptions) -> Result<Self, LabError> {
        let kubeconfig = files(options);
        let known = read(&kubeconfig)?;
        let names = known.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>().join(", ");
        let Some(context) = options.context.clone() else {
            return Err(LabError::Invalid(format!(
                "a lab on an existing cluster wants the context to be named: --context NAME; there are: {names}"
            )));
        };
        let Some(found) = known.contexts.iter().find(|known| known.name == context) else {
            return Err(LabError::Invalid(format!("there is no context {context:?}; there are: {names}")));
        };
        let name = found.context.as_ref().map(|context| context.cluster.clone()).unwrap_or_default();
        let cluster = known.clusters.iter().find(|cluster| cluster.name == name);
        let cluster = cluster.and_then(|cluster| serde_json::to_value(cluster.cluster.as_ref()?).ok());
        let cluster = portable(cluster.unwrap_or_else(|| json!({})))?;
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let failed = |error: &dyn std::fmt::Display| unusable(&context, error);
        let config = Config::from_custom_kubeconfig(known, &options).await.map_err(|error| failed(&error))?;
        let client = Client::try_from(config).map_err(|error| failed(&error))?;
        Ok(Self { client, context, kubeconfig, cluster })
    }
}

/// The files that kubectl would read.
fn files(options: &ExistingOptions) -> Vec<PathBuf> {
    let mut files = options.kubeconfig.clone();
    if files.is_empty() {
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        files.extend(std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()));
    }
    if files.is_empty() {
        files.extend(std::env::home_dir().map(|home| home.join(".kube").join("config")));
    }
    files.into_iter().map(|file| std::path::absolute(&file).unwrap_or(file)).collect()
}

/// All of them as one.
fn read(files: &[PathBuf]) -> Result<Kubeconfig, LabError> {
    let mut merged = Kubeconfig::default();
    let mut missing = Vec::new();
    for file in files {
        if !file.exists() {
            missing.push(file.display().to_string());
            continue;
        }
        let failed = |error| LabError::Invalid(format!("the kubeconfig {}: {error}", file.display()));
        merged = Kubeconfig::read_from(file).and_then(|next| merged.merge(next)).map_err(failed)?;
    }
    if missing.len() == files.len() {
        return Err(LabError::Invalid(format!("there is no kubeconfig at {}", missing.join(", "))));
    }
    Ok(merged)
}

/// What a kubeconfig says of a cluster, with the certificate itself in place of its file's path.
fn portable(mut cluster: Value) -> Result<Value, LabError> {
    if let Some(path) = cluster["certificate-authority"].as_str().map(PathBuf::from) {
        let bytes = std::fs::read(&path).map_err(|source| LabError::File {
            action: "read the certificate",
            path,
            source,
        })?;
        cluster["certificate-authority-data"] = STANDARD.encode(bytes).into();
    }
    if let Some(fields) = cluster.as_object_mut() {
        fields.remove("certificate-authority");
        fields.remove("extensions");
        fields.retain(|_, value| !value.is_null());
    }
    Ok(cluster)
}

/// The context leads nowhere.
fn unusable(context: &str, error: &dyn std::fmt::Display) -> LabError {
    LabError::Invalid(format!("the context {context:?} cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str, context: Option<&str>) -> (tempfile::TempDir, ExistingOptions) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, text).unwrap();
        let options = ExistingOptions {
            kubeconfig: vec![file],
            context: context.map(str::to_owned),
            ..ExistingOptions::default()
        };
        (dir, options)
    }

    const TWO: &str = "{apiVersion: v1, kind: Config, current-context: prod, clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: ''}}], contexts: [{name: prod, context: {cluster: c, user: u}}, {name: workshop, context: {cluster: c, user: u}}], users: [{name: u, user: {token: x}}]}";

    #[tokio::test]
    async fn the_current_context_is_not_good_enough() {
        pulldrill_tls::install_provider();
        let (_dir, without) = options(TWO, None);
        let error = Connection::open(&without).await.err().unwrap();
        assert_eq!(error.class(), crate::ErrorClass::Use);
        assert!(
            error.to_string().contains("--context") && error.to_string().contains("prod, workshop"),
            "{error}"
        );
        let (_dir, wrong) = options(TWO, Some("staging"));
        let error = Connection::open(&wrong).await.err().unwrap().to_string();
        assert!(error.contains("staging") && error.contains("workshop"), "{error}");
        let (_dir, right) = options(TWO, Some("workshop"));
        let connection = Connection::open(&right).await.unwrap();
        assert_eq!(connection.cluster["server"], "https://127.0.0.1:1");
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_missing_or_broken_is_named() {
        let (dir, broken) = options("clusters: [", Some("x"));
        let error = Connection::open(&broken).await.err().unwrap().to_string();
        assert!(error.contains("config"), "{error}");
        let gone = ExistingOptions { kubeconfig: vec![dir.path().join("nowhere")], ..broken };
        let error = Connection::open(&gone).await.err().unwrap().to_string();
        assert!(error.contains("there is no kubeconfig at") && error.contains("nowhere"), "{error}");
    }
}
