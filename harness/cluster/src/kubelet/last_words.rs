//! What a container leaves behind for those who ask why it ended: what it wrote into its termination log, or else the end
//! of its output (`getTerminationMessage` of the kubelet).

use serde_json::Value;

use super::{Kubelet, worker::Worker};

/// Where containers write it when they are not told otherwise.
const PATH: &str = "/dev/termination-log";
/// How many bytes of it are kept (`MaxContainerTerminationMessageLength`).
const LONGEST: usize = 4096;
/// How much is taken of the output (`MaxContainerTerminationMessageLogLength`, `…LogLines`).
const OUTPUT_BYTES: usize = 2048;
const OUTPUT_LINES: usize = 80;

/// Where a container's termination log is.
pub(super) fn path(container: &Value) -> &str {
    container["terminationMessagePath"].as_str().unwrap_or(PATH)
}

impl Kubelet {
    /// The last words of a container that ends with this code, while its files are still there.
    pub(super) fn last_words(&self, worker: &Worker, name: &str, code: i32) -> String {
        let spec = &worker.pod.value()["spec"];
        let lists = ["containers", "initContainers", "ephemeralContainers"].map(|list| &spec[list]);
        let mut all = lists.into_iter().flat_map(|list| list.as_array().into_iter().flatten());
        let Some(container) = all.find(|container| container["name"] == name) else { return String::new() };
        let written = self.runtime.file(&worker.uid, name, path(container)).unwrap_or_default();
        let falls_back = container["terminationMessagePolicy"] == "FallbackToLogsOnError" && code != 0;
        if written.is_empty() && falls_back {
            return self.last_output(&worker.uid, name);
        }
        tail(&written, LONGEST)
    }

    fn last_output(&self, uid: &str, name: &str) -> String {
        let mut lines = self.logs.lines(uid, name, false).unwrap_or_default();
        let last = lines.split_off(lines.len().saturating_sub(OUTPUT_LINES));
        let text: String = last.into_iter().map(|line| line.text + "\n").collect();
        tail(text.as_bytes(), OUTPUT_BYTES)
    }
}

/// The last bytes, as text.
fn tail(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(most)..]).into_owned()
}
