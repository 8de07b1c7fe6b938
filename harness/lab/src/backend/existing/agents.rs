//! The way into the nodes of somebody's cluster: commands go through the Kubernetes API into the lab's pod on the node,
//! whose program becomes them there. What is done on the node is not decided here.

use std::{collections::BTreeMap, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{Api, Client, ResourceExt, api::AttachParams};
use pulldrill_clock::real;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    forward,
    manifests::{self, NODES},
    names::Names,
};
use crate::{
    LabError,
    backend::node::{
        NodeError,
        shell::{Output, Shell, told},
    },
};

/// How long a command on a node may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lab's pod on a node.
#[derive(Clone)]
pub(crate) struct Agent {
    pods: Api<Pod>,
    pod: String,
    node: String,
}

/// Waits for the lab's pods on these nodes; each by its node's name.
pub(crate) async fn ready(
    client: &Client,
    names: &Names,
    nodes: &[String],
) -> Result<BTreeMap<String, Agent>, LabError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &names.own_namespace());
    let on = |pod: &&Pod| Some((pod.spec.as_ref()?.node_name.clone()?, pod.name_any()));
    let selector = manifests::nodes_selector(names);
    let pods_by_node = forward::running(&pods, &selector, |ready| {
        let found: BTreeMap<String, String> = ready.iter().filter_map(on).collect();
        nodes.iter().all(|node| found.contains_key(node)).then_some(found)
    });
    let agent = |(node, pod): (String, String)| (node.clone(), Agent { pods: pods.clone(), pod, node });
    Ok(pods_by_node.await?.into_iter().map(agent).collect())
}

impl Agent {
    async fn exec(&self, command: &[&str]) -> Result<Output, NodeError> {
        // Found by the search path of the image, wherever its command is.
        let words = ["pulldrill", "node", "enter", "--"].into_iter().chain(command.iter().copied());
        let words: Vec<&str> = words.collect();
        let how = AttachParams::default().container(NODES).stdin(false).stdout(true).stderr(true);
        let mut process =
            self.pods.exec(&self.pod, words, &how).await.map_err(NodeError::unreachable(&self.node))?;
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = process.take_status();
        let status = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let (stdout, stderr, status) = tokio::join!(text(stdout), text(stderr), status);
        let code = code(status.as_ref()).map_err(NodeError::unreachable(&self.node))?;
        Ok(Output { code, stdout, stderr })
    }
}

impl Shell for Agent {
    fn place(&self) -> &str {
        &self.node
    }

    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>> {
        async move {
            let slow =
                || NodeError::Slow { command: told(command), place: self.node.clone(), limit: PATIENCE };
            real::timeout(PATIENCE, self.exec(command)).await.ok_or_else(slow)?
        }
        .boxed()
    }
}

/// Everything that comes, to the end.
async fn text(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _what_came_until_then = from.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A command's exit code, as the API tells it.
fn code(status: Option<&Status>) -> Result<i64, String> {
    let Some(status) = status else {
        return Err("the connection ended before the command".to_owned());
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let mut codes = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode"));
    let code = codes.find_map(|cause| cause.message.as_ref()?.parse().ok());
    code.ok_or_else(|| status.message.clone().unwrap_or_else(|| "it said nothing".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_code_is_what_the_command_ended_with() {
        let status = |value: serde_json::Value| serde_json::from_value::<Status>(value).unwrap();
        assert_eq!(code(Some(&status(json!({"status": "Success"})))), Ok(0));
        let failed = status(json!({
            "status": "Failure", "reason": "NonZeroExit", "message": "command terminated with non-zero exit code",
            "details": {"causes": [{"reason": "ExitCode", "message": "4"}]},
        }));
        assert_eq!(code(Some(&failed)), Ok(4));
        let broken = status(json!({"status": "Failure", "message": "container not found"}));
        assert_eq!(code(Some(&broken)), Err("container not found".to_owned()));
        assert!(code(None).is_err());
    }
}
