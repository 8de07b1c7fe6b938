//! What a namespace that is being deleted still waits for, as its conditions tell it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controllers::{
    json::{items, text},
    meta::since,
};

/// The objects that are still there.
#[derive(Debug, Default)]
pub(super) struct Left {
    resources: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Left {
    /// Counts an object.
    pub(super) fn count(&mut self, resource: &str, object: &Value) {
        // The resource, a dot, and the group, which may be empty.
        let dot = if resource.contains('.') { "" } else { "." };
        *self.resources.entry(format!("{resource}{dot}")).or_default() += 1;
        for finalizer in items(&object["metadata"]["finalizers"]) {
            *self.finalizers.entry(text(finalizer).to_owned()).or_default() += 1;
        }
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Type, whether it is so, reason and message.
    fn conditions(&self) -> [(&'static str, bool, &'static str, String); 5] {
        let list = |counts: &BTreeMap<String, usize>, verb: &str| {
            let each = counts.iter().map(|(what, n)| format!("{what} {verb} {n} resource instances"));
            each.collect::<Vec<_>>().join(", ")
        };
        let content = match list(&self.resources, "has") {
            none if none.is_empty() => {
                (false, "ContentRemoved", "All content successfully removed".to_owned())
            }
            some => (true, "SomeResourcesRemain", format!("Some resources are remaining: {some}")),
        };
        let finalizers = match list(&self.finalizers, "in") {
            none if none.is_empty() => {
                (false, "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
            }
            some => {
                let message = format!("Some content in the namespace has finalizers remaining: {some}");
                (true, "SomeFinalizersRemain", message)
            }
        };
        let fine = |kind, reason, message: &str| (kind, false, reason, message.to_owned());
        [
            fine(
                "NamespaceDeletionDiscoveryFailure",
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            fine(
                "NamespaceDeletionGroupVersionParsingFailure",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            fine(
                "NamespaceDeletionContentFailure",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            ("NamespaceContentRemaining", content.0, content.1, content.2),
            ("NamespaceFinalizersRemaining", finalizers.0, finalizers.1, finalizers.2),
        ]
    }

    /// Writes the conditions into the namespace's status. A time changes with what is so only.
    pub(super) fn tell(&self, status: &mut Value, now: &str) {
        let before = status["conditions"].take();
        let conditions = self.conditions().into_iter().map(|(kind, is, reason, message)| {
            let is = if is { "True" } else { "False" };
            let since = since(&before, kind, is, now);
            json!({"type": kind, "status": is, "lastTransitionTime": since, "reason": reason, "message": message})
        });
        status["conditions"] = conditions.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_tell_what_is_left_and_since_when() {
        let mut left = Left::default();
        let finalized = json!({"metadata": {"finalizers": ["a.b/c"]}});
        for (resource, object) in
            [("pods", json!({})), ("pods", finalized.clone()), ("deployments.apps", finalized)]
        {
            left.count(resource, &object);
        }
        let mut status = json!({"phase": "Terminating"});
        left.tell(&mut status, "t1");
        let of = |status: &Value, kind: &str| {
            let found = items(&status["conditions"]).iter().find(|c| c["type"] == kind).unwrap();
            ["status", "lastTransitionTime", "reason", "message"].map(|field| text(&found[field]).to_owned())
        };
        let remaining = "Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource \
                         instances";
        assert_eq!(
            of(&status, "NamespaceContentRemaining"),
            ["True", "t1", "SomeResourcesRemain", remaining]
        );
        let finalizers =
            "Some content in the namespace has finalizers remaining: a.b/c in 2 resource instances";
        assert_eq!(
            of(&status, "NamespaceFinalizersRemaining"),
            ["True", "t1", "SomeFinalizersRemain", finalizers]
        );
        let mut later = Left::default();
        later.count("pods", &json!({}));
        later.tell(&mut status, "t2");
        let none = "All content-preserving finalizers finished";
        assert_eq!(
            of(&status, "NamespaceFinalizersRemaining"),
            ["False", "t2", "ContentHasNoFinalizers", none]
        );
        let remaining = "Some resources are remaining: pods. has 1 resource instances";
        assert_eq!(
            of(&status, "NamespaceContentRemaining"),
            ["True", "t1", "SomeResourcesRemain", remaining]
        );
        let types = items(&status["conditions"]).iter().map(|c| text(&c["type"])).collect::<Vec<_>>();
        assert_eq!(
            (types.len(), types[0], &status["phase"]),
            (5, "NamespaceDeletionDiscoveryFailure", &json!("Terminating"))
        );
    }
}
