//! Dialects: the wording and the ways of one kubelet and runtime version, as data.
//!
//! Each dialect is a file beside this one, named after the recordings that prove it, or marked as proven by
//! none. A file that is `like` another holds only what is different: its fields are merged over the other's,
//! null takes one away. Code asks for a [`Text`] or reads a switch; it never asks which version it is imitating.

mod file;
mod template;
mod text;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde::Deserialize;
use serde_json::Value;

use template::Template;
pub use text::Text;

/// The dialect files, the default first.
const FILES: [&str; 5] = [
    include_str!("k8s-1.36-containerd-2.1.yaml"),
    include_str!("k8s-1.36-containerd-2.1-transfer.yaml"),
    include_str!("k8s-1.31-containerd-1.7.yaml"),
    include_str!("k8s-1.31-cri-o-1.31.yaml"),
    include_str!("k8s-1.20-containerd-1.7.yaml"),
];

static DIALECTS: LazyLock<Vec<Arc<Dialect>>> = LazyLock::new(load);

/// One dialect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Its name, which is that of its recordings.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Whether recordings prove it.
    pub verified: bool,
    /// What the API server's `/version` answers.
    pub server: Value,
    /// What a node says of itself.
    pub node: NodeDialect,
    /// How events are counted and written.
    pub events: EventDialect,
    /// What a pod's status contains.
    pub pods: PodDialect,
    /// How the kubelet pulls.
    pub kubelet: KubeletDialect,
    /// How the container runtime pulls.
    pub runtime: RuntimeDialect,
    texts: BTreeMap<Text, Template>,
}

/// What a node says of itself in `status.nodeInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeDialect {
    /// `kubeletVersion`.
    pub kubelet_version: String,
    /// `kubeProxyVersion`.
    pub kube_proxy_version: String,
    /// `containerRuntimeVersion`.
    pub runtime_version: String,
    /// `osImage`.
    pub os_image: String,
    /// `kernelVersion`.
    pub kernel_version: String,
}

/// How events are counted and written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDialect {
    /// What shares one bucket of the rate limit.
    pub spam_filter: SpamFilter,
    /// Whether `reportingComponent` and `reportingInstance` are filled in.
    pub reporting_controller: bool,
    /// In which form the scheduler writes.
    pub scheduler_form: EventForm,
}

/// What shares one bucket of the rate limit of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpamFilter {
    /// All events of one object.
    Shared,
    /// The events of one type of one object.
    PerType,
}

/// The two forms of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventForm {
    /// With a count and two timestamps.
    Classic,
    /// With an event time and an action.
    Modern,
}

/// What a pod's status contains.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodDialect {
    /// The types of the conditions, in their order.
    pub conditions: Vec<String>,
    /// Whether `observedGeneration` is written.
    pub observed_generation: bool,
    /// Whether `hostIPs` is written.
    pub host_ips: bool,
    /// Whether container statuses have `volumeMounts`.
    pub volume_mounts: bool,
    /// Whether pods and containers that run or ran have `resources`.
    pub resources: bool,
    /// Whether containers that run or ran have a `user`.
    pub user: bool,
    /// Whether init containers have `started`, which was once only asked about containers with probes.
    pub init_started: bool,
    /// Whether a pod that is deleted gets a last status, in which it is over.
    pub terminal_status: bool,
    /// Whether the containers of a pod that has failed are not ready for that reason (`PodFailed`).
    pub failed_reason: bool,
}

/// How the kubelet pulls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubeletDialect {
    /// Whether the prefix of an error of code Unknown is left out.
    pub strip_unknown_code: bool,
    /// Whether words that the runtime begins its error with become the reason (`RegistryUnavailable`,
    /// `SignatureValidationFailed`).
    pub knows_runtime_reasons: bool,
    /// Whether the waiting message of a back-off goes on with the last error.
    pub backoff_keeps_last_error: bool,
    /// Whether a pod may use a present image only if its credentials pulled it (or could have).
    pub ensure_secret_pulled: bool,
    /// What a pull secret that cannot be parsed does.
    pub malformed_secret: MalformedSecret,
    /// How precise durations are printed.
    pub durations: Precision,
    /// Whether the runtime is asked for an image also when it is pulled in any case.
    pub inspects_always: bool,
    /// Whether the error about upper-case letters names the repository.
    pub reference_error_names_repository: bool,
}

/// What a pull secret that cannot be parsed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MalformedSecret {
    /// The pull is announced and fails, with back-off.
    FailsThePull,
    /// No pull is tried; the parser's words become the reason.
    FailsBeforePull,
}

/// How precise durations are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// As measured.
    Nanoseconds,
    /// Cut to milliseconds.
    Milliseconds,
}

/// How the container runtime pulls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeDialect {
    /// Whose requests and words they are.
    pub library: PullLibrary,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Whether 500, 503 and 504 are tried once more.
    pub repeats_server_errors: bool,
    /// Whether content by digest is asked for with `Accept-Encoding`.
    pub accepts_compressed: bool,
}

/// Who pulls: the order of requests and most of the words are a library's, whatever its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullLibrary {
    /// containerd's own.
    Containerd,
    /// The one that CRI-O shares with podman and skopeo.
    ContainersImage,
}

impl NodeDialect {
    /// The runtime's name, with which the ids of its containers begin.
    #[must_use]
    pub fn runtime_name(&self) -> &str {
        self.runtime_version.split("://").next().unwrap_or_default()
    }
}

impl Dialect {
    /// The dialect of that name.
    #[must_use]
    pub fn named(id: &str) -> Option<Arc<Self>> {
        DIALECTS.iter().find(|d| d.id == id).cloned()
    }

    /// The names of all dialects, the default first.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        DIALECTS.iter().map(|d| d.id.as_str()).collect()
    }

    /// A text with its places filled in.
    #[must_use]
    pub fn text(&self, text: Text, values: &[(&str, &str)]) -> String {
        self.texts.get(&text).map(|template| template.render(values)).unwrap_or_default()
    }

    /// Whether this dialect says such a thing at all.
    #[must_use]
    pub fn has(&self, text: Text) -> bool {
        self.texts.get(&text).is_some_and(|template| !template.is_empty())
    }
}

fn load() -> Vec<Arc<Dialect>> {
    let mut dialects = Vec::new();
    for read in file::read(&FILES) {
        match read {
            Ok(dialect) => dialects.push(Arc::new(dialect)),
            Err(error) => tracing::error!(%error, "a dialect is left out"),
        }
    }
    dialects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_loads_and_says_everything() {
        assert_eq!(
            Dialect::names(),
            [
                "k8s-1.36-containerd-2.1",
                "k8s-1.36-containerd-2.1-transfer",
                "k8s-1.31-containerd-1.7",
                "k8s-1.31-cri-o-1.31",
                "k8s-1.20-containerd-1.7",
            ]
        );
        for id in Dialect::names() {
            let dialect = Dialect::named(id).unwrap();
            for text in Text::ALL {
                assert!(dialect.texts.contains_key(&text), "{id} lacks {text:?}");
            }
            assert_eq!(dialect.texts.len(), Text::ALL.len());
        }
        assert!(Dialect::named("k8s-0.1").is_none());
    }

    #[test]
    fn texts_differ_as_the_versions_do() {
        let [new, old] =
            ["k8s-1.36-containerd-2.1", "k8s-1.20-containerd-1.7"].map(|id| Dialect::named(id).unwrap());
        let values = [("image", "nginx"), ("reason", "ErrImagePull"), ("error", "boom")];
        assert_eq!(
            new.text(Text::BackOffWaiting, &values),
            "Back-off pulling image \"nginx\": ErrImagePull: boom"
        );
        assert_eq!(old.text(Text::BackOffWaiting, &values), "Back-off pulling image \"nginx\"");
        assert!(new.has(Text::MissingSecrets) && !old.has(Text::MissingSecrets));
        let [middle, crio] =
            ["k8s-1.31-containerd-1.7", "k8s-1.31-cri-o-1.31"].map(|id| Dialect::named(id).unwrap());
        assert_eq!(middle.text(Text::BackOffWaiting, &values), "Back-off pulling image \"nginx\"");
        let since_26 = [("container", "app"), ("pod", "web_default(1)"), ("wanted", "2"), ("freed", "1")];
        for text in [Text::CrashBackOff, Text::DiskFull] {
            let newest = new.text(text, &since_26);
            assert!(middle.text(text, &since_26) == newest && crio.text(text, &since_26) == newest);
            assert_ne!(old.text(text, &since_26), newest);
        }
        assert_eq!(
            (&middle.server["minor"], &middle.server["gitTreeState"]),
            (&"31".into(), &"clean".into())
        );
        assert_eq!((middle.kubelet.clone(), middle.pods.clone()), (crio.kubelet.clone(), crio.pods.clone()));
        assert_eq!((middle.node.runtime_name(), crio.node.runtime_name()), ("containerd", "cri-o"));
        assert!(!middle.verified && !crio.verified);
    }
}
