//! Who may what. Masters may everything. Trainees may everything that can't forge a score. All others may
//! what roles grant them, but never more than a trainee.

use serde_json::{Value, json};

use super::{Access, MASTERS, TRAINEES, rbac};
use crate::api::{Api, Status, User};

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// The verb, for example `list`.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The plural name.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, empty for all or none.
    pub namespace: &'a str,
    /// The name, or empty.
    pub name: &'a str,
}

/// Verbs that change nothing.
const READS: [&str; 3] = ["get", "list", "watch"];

/// What is evidence: group and resource (with subresource) that nobody but the cluster itself writes.
const EVIDENCE: [(&str, &str); 8] = [
    ("", "nodes"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
    ("", "bindings"),
    ("", "pods/binding"),
    ("", "namespaces/finalize"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"),
];

/// Questions that every authenticated user may ask.
const QUESTIONS: [(&str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
];

/// Paths outside the groups that every authenticated user may read.
const OPEN_PATHS: [&str; 8] =
    ["/api", "/apis", "/healthz", "/livez", "/readyz", "/version", "/openapi", "/.well-known"];

/// Paths that even a stranger may read.
const PUBLIC_PATHS: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

impl Access {
    /// Decides about a request for a resource.
    ///
    /// # Errors
    /// 403.
    pub(in crate::api) fn authorize(
        &self,
        api: &Api,
        user: &User,
        wanted: &Attributes<'_>,
    ) -> Result<(), Status> {
        let allowed = user.is_in(MASTERS)
            || !forges(wanted)
                && (user.is_in(TRAINEES)
                    || user.is_in("system:authenticated")
                        && QUESTIONS.contains(&(wanted.group, wanted.resource))
                    || rbac::allows(api, user, wanted));
        if allowed { Ok(()) } else { Err(forbidden(user, wanted)) }
    }

    /// Decides about a path that is not about a resource.
    ///
    /// # Errors
    /// 403.
    pub(in crate::api) fn may_read_path(&self, user: &User, method: &str, path: &str) -> Result<(), Status> {
        let within = |list: &[&str]| {
            list.iter().any(|open| {
                path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let open = user.is_in("system:authenticated") && (within(&OPEN_PATHS) || user.is_in(TRAINEES));
        if user.is_in(MASTERS) || open || within(&PUBLIC_PATHS) {
            return Ok(());
        }
        let message =
            format!("forbidden: User {:?} cannot {} path {path:?}", user.name, method.to_lowercase());
        let mut status = Status::new(403, "Forbidden", message);
        status.details = json!({});
        Err(status)
    }

    /// The answer to "what may I do?".
    pub(in crate::api) fn rules(&self, api: &Api, user: &User, namespace: &str) -> Value {
        let question = |(group, resource): &(&str, &str)| json!({"verbs": ["create"], "apiGroups": [group], "resources": [resource]});
        let mut rules: Vec<Value> = QUESTIONS.iter().map(question).collect();
        if user.is_in(MASTERS) {
            rules.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        } else if user.is_in(TRAINEES) {
            rules.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
            let evidence: Vec<&str> = EVIDENCE.iter().map(|(_, resource)| *resource).collect();
            rules.push(json!({"verbs": READS, "apiGroups": ["*"], "resources": evidence}));
        } else {
            rules.extend(rbac::rules(api, user, namespace));
        }
        json!({"resourceRules": rules, "incomplete": false,
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": OPEN_PATHS}]})
    }
}

/// Whether a request would change what the lab takes as evidence.
fn forges(wanted: &Attributes<'_>) -> bool {
    if READS.contains(&wanted.verb) {
        return false;
    }
    let path = match wanted.subresource {
        "" => wanted.resource.to_owned(),
        sub => format!("{}/{sub}", wanted.resource),
    };
    let any = |pattern: &str, value: &str| value == "*" || pattern == value;
    let evidence = EVIDENCE.iter().any(|(group, resource)| {
        any(group, wanted.group)
            && (*resource == path || *resource == wanted.resource && !resource.contains('/'))
    });
    evidence || wanted.subresource == "status"
}

/// 403 in the usual words.
pub(super) fn forbidden(user: &User, wanted: &Attributes<'_>) -> Status {
    let Attributes { verb, group, resource, subresource, namespace, name } = wanted;
    let path =
        if subresource.is_empty() { (*resource).to_owned() } else { format!("{resource}/{subresource}") };
    let qualified = if group.is_empty() { (*resource).to_owned() } else { format!("{resource}.{group}") };
    let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {namespace:?}")
    };
    let message = format!(
        "{qualified}{named} is forbidden: User {:?} cannot {verb} resource {path:?} in API group {group:?} {scope}",
        user.name
    );
    let mut status = Status::new(403, "Forbidden", message);
    status.details = json!({"kind": resource});
    if !name.is_empty() {
        status.details["name"] = (*name).into();
    }
    if !group.is_empty() {
        status.details["group"] = (*group).into();
    }
    status
}
