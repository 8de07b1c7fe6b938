//! The view of a drill's recording.

use serde_json::Value;

use super::Inner;
use crate::{
    LabError, recording,
    view::{Audience, NodeView, RecordingView, SCHEMA_VERSION},
};

impl Inner {
    pub(super) fn recording(&self, id: &str, audience: Audience) -> Result<RecordingView, LabError> {
        let variant = self.variant(id)?;
        let (changes, dropped) = self.recorder.changes(&variant.namespace);
        let (nodes, _) = self.backend.objects().list("nodes", None);
        let view = RecordingView {
            schema_version: SCHEMA_VERSION,
            drill: variant.drill.clone(),
            namespace: variant.namespace.clone(),
            title: variant.title.clone(),
            state: self.ledger.with(id, |progress| progress.state),
            nodes: nodes.iter().map(|node| node_view(node.value())).collect(),
            scenario: Some(variant.scenario.clone()),
            applied: Some(recording::applied(&variant)),
            dropped,
            changes,
        };
        Ok(view.filtered(audience))
    }
}

fn node_view(node: &Value) -> NodeView {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let info = &node["status"]["nodeInfo"];
    NodeView {
        name: text(&node["metadata"]["name"]),
        kubelet: text(&info["kubeletVersion"]),
        runtime: text(&info["containerRuntimeVersion"]),
    }
}
