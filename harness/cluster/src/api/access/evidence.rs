//! What a lab takes as evidence, which nobody but the cluster itself writes: not by any role, so that people
//! who practise may have every other right and still can't forge a score.

use super::{Attributes, MASTERS};

/// Verbs that change nothing.
pub(super) const READS: [&str; 3] = ["get", "list", "watch"];

/// Groups and resources (with subresource) of evidence.
pub(super) const EVIDENCE: [(&str, &str); 8] = [
    ("", "nodes"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
    ("", "bindings"),
    ("", "pods/binding"),
    ("", "namespaces/finalize"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"),
];

/// Whether a request would change evidence, or make its author somebody who may.
pub(super) fn forges(wanted: &Attributes<'_>) -> bool {
    if !wanted.is_resource() || READS.contains(&wanted.verb) {
        return false;
    }
    if wanted.verb == "impersonate" {
        return wanted.resource == "groups" && matches!(wanted.name, MASTERS | "*" | "");
    }
    let path = match wanted.subresource {
        "" => wanted.resource.to_owned(),
        sub => format!("{}/{sub}", wanted.resource),
    };
    let evidence = EVIDENCE.iter().any(|(group, resource)| {
        (wanted.group == "*" || *group == wanted.group)
            && (*resource == path || *resource == wanted.resource && !resource.contains('/'))
    });
    evidence || wanted.subresource == "status"
}
