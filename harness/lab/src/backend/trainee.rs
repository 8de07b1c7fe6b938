//! The trainee's access to a real cluster: a client certificate that the cluster itself signs, and roles that
//! let its owner do in the drills' namespaces what a team may do in its own, and look around elsewhere.
//!
//! What would forge a score is not among it: status of pods, nodes, events, leases.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::{ByteString, api::certificates::v1::CertificateSigningRequest};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use pulldrill_clock::real;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

use crate::{LabError, inject::Objects};

/// The user's name.
const USER: &str = "trainee";
/// The user's group, to which roles are bound.
const GROUP: &str = "pulldrill:trainees";
/// The role for looking around.
const LOOK_AROUND: &str = "pulldrill-trainee";
/// How long the cluster may take to sign.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked whether it has.
const LOOK: Duration = Duration::from_millis(200);

/// Where a cluster's API server is, for a kubeconfig.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `https://127.0.0.1:41234`
    pub(crate) url: String,
    /// The authority of its certificate, PEM in base64; nothing where the system's are to be used.
    pub(crate) authority: Option<String>,
    /// What the kubeconfig calls the cluster.
    pub(crate) name: String,
}

/// Gives the trainee access to the cluster as a whole; the kubeconfig. `labels` go on what is made.
pub(crate) async fn admit(
    client: &Client,
    server: &Server,
    labels: &BTreeMap<String, String>,
) -> Result<String, LabError> {
    let objects = Objects::new(client.clone());
    for object in look_around(labels) {
        objects.apply_one("", object).await?;
    }
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = signed(client, &key, labels).await?;
    Ok(kubeconfig(server, &certificate, &key.serialize_pem()))
}

/// Lets the trainee work in a namespace.
pub(crate) async fn let_into(
    client: &Client,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), LabError> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": LOOK_AROUND, "namespace": namespace, "labels": labels},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP}],
    });
    Objects::new(client.clone()).apply_one(namespace, binding).await.map(drop)
}

/// The role for looking around, and its binding.
fn look_around(labels: &BTreeMap<String, String>) -> [Value; 2] {
    let reads = ["get", "list", "watch"];
    let metadata = json!({"name": LOOK_AROUND, "labels": labels});
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
        "rules": [
            {"apiGroups": [""], "verbs": reads, "resources": [
                "nodes", "namespaces", "pods", "pods/log", "events", "services", "endpoints",
                "serviceaccounts", "configmaps", "persistentvolumeclaims", "replicationcontrollers",
            ]},
            {"apiGroups": ["apps", "batch", "events.k8s.io"], "verbs": reads, "resources": ["*"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": LOOK_AROUND},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP}],
    });
    [role, binding]
}

/// A certificate for the trainee's key, signed by the cluster, PEM.
async fn signed(
    client: &Client,
    key: &KeyPair,
    labels: &BTreeMap<String, String>,
) -> Result<String, LabError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, USER);
    params.distinguished_name.push(DnType::OrganizationName, GROUP);
    let request = params.serialize_request(key).and_then(|request| request.pem()).map_err(failed)?;

    let api: Api<CertificateSigningRequest> = Api::all(client.clone());
    let made = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "pulldrill-trainee-", "labels": labels},
        "spec": {
            "request": STANDARD.encode(request), "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    });
    let made: CertificateSigningRequest = serde_json::from_value(made).map_err(failed)?;
    let made = api.create(&kube::api::PostParams::default(), &made).await.map_err(failed)?;
    let name = made.metadata.name.unwrap_or_default();
    let approval = json!({"status": {"conditions": [{
        "type": "Approved", "status": "True", "reason": "PulldrillTrainee", "message": "made by the lab",
    }]}});
    // A merge would drop the conditions that others have set; there are none on a new request.
    api.patch_approval(&name, &PatchParams::default(), &Patch::Merge(approval)).await.map_err(failed)?;
    let certificate = real::timeout(PATIENCE, async {
        loop {
            let seen = api.get(&name).await.map_err(failed)?;
            if let Some(ByteString(bytes)) = seen.status.and_then(|status| status.certificate) {
                return String::from_utf8(bytes).map_err(failed);
            }
            real::sleep(LOOK).await;
        }
    })
    .await
    .unwrap_or_else(|| Err(failed(format!("the cluster did not sign it within {PATIENCE:?}"))))?;
    let _it_ages_out_anyway = api.delete(&name, &kube::api::DeleteParams::default()).await;
    Ok(certificate)
}

fn kubeconfig(server: &Server, certificate: &str, key: &str) -> String {
    let mut cluster = json!({"server": server.url});
    if let Some(authority) = &server.authority {
        cluster["certificate-authority-data"] = Value::from(authority.as_str());
    }
    let context = json!({"cluster": server.name, "user": USER});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {},
        "clusters": [{"name": server.name, "cluster": cluster}],
        "users": [{"name": USER, "user": {
            "client-certificate-data": STANDARD.encode(certificate),
            "client-key-data": STANDARD.encode(key),
        }}],
        "contexts": [{"name": server.name, "context": context}],
        "current-context": server.name,
    });
    // JSON is YAML.
    format!("{config:#}\n")
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::part("cluster", format!("the trainee's access: {error}"))
}
