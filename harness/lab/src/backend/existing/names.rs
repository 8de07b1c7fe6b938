//! How what a lab has made on somebody's cluster is told from everything else: names with the lab's prefix, labels
//! on everything, and a mark of this very run on the namespace that is made first and removed last.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The label that says what made an object.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that says for which lab it was made; its value is the lab's prefix.
pub(crate) const LAB: &str = "pulldrill.dev/lab";
/// The annotation of the lab's own namespace that says in which run it was made.
pub(crate) const RUN: &str = "pulldrill.dev/run";
/// The label of what is there only for a look at the cluster.
pub(crate) const PROBE: &str = "pulldrill.dev/probe";

/// The names of a lab's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// The names that begin with a prefix.
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// What all names begin with; the lab's id on the cluster.
    pub(crate) fn lab(&self) -> &str {
        &self.prefix
    }

    /// The namespace of the registry and of the trainee's account.
    pub(crate) fn own_namespace(&self) -> String {
        format!("{}-lab", self.prefix)
    }

    /// The cluster-wide role of trainees, and its binding.
    pub(crate) fn trainee_role(&self) -> String {
        format!("{}-trainee", self.prefix)
    }

    /// The labels of everything.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        [(MANAGED_BY, "pulldrill"), (LAB, &self.prefix)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The labels of a drill's namespace: pods there may do nothing to their node.
    pub(crate) fn drill_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert("pod-security.kubernetes.io/enforce".into(), "baseline".into());
        labels
    }

    /// The selector of everything.
    pub(crate) fn selector(&self) -> String {
        format!("{MANAGED_BY}=pulldrill,{LAB}={}", self.prefix)
    }

    /// The metadata of an object.
    pub(crate) fn metadata(&self, name: &str, namespace: Option<&str>) -> Value {
        let mut metadata = json!({"name": name, "labels": self.labels()});
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        metadata
    }
}

/// Whether an object with these labels is of the lab.
pub(crate) fn is_of(labels: Option<&BTreeMap<String, String>>, names: &Names) -> bool {
    let has = |(name, value)| labels.and_then(|labels| labels.get(&name)).is_some_and(|own| *own == value);
    names.labels().into_iter().all(has)
}
