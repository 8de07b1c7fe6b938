//! The trainee's access to somebody's cluster: a token of an account that the lab has made, which ends with that
//! account. Every cluster gives such tokens; certificates for people, many don't sign.

use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

use super::{manifests::TRAINEE, names::Names};
use crate::LabError;

/// How long a token is asked for; clusters may give less.
const LIFE: i64 = 7 * 24 * 3_600;

/// The trainee's kubeconfig, for a cluster as kubeconfigs describe it.
pub(crate) async fn kubeconfig(client: &Client, names: &Names, cluster: &Value) -> Result<String, LabError> {
    let failed =
        |error: &dyn std::fmt::Display| LabError::part("cluster", format!("the trainee's access: {error}"));
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &names.own_namespace());
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": [], "expirationSeconds": LIFE},
    });
    let request: TokenRequest = serde_json::from_value(request).map_err(|error| failed(&error))?;
    let answer = accounts.create_token_request(TRAINEE, &PostParams::default(), &request).await;
    let token = answer.map_err(|error| failed(&error))?.status.map(|status| status.token);
    let token = token.ok_or_else(|| failed(&"the cluster gave no token"))?;
    let lab = names.lab();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {},
        "clusters": [{"name": lab, "cluster": cluster}],
        "users": [{"name": TRAINEE, "user": {"token": token}}],
        "contexts": [{"name": lab, "context": {"cluster": lab, "user": TRAINEE}}],
        "current-context": lab,
    });
    // JSON is YAML.
    Ok(format!("{config:#}\n"))
}
