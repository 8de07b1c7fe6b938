//! Which resource a path is about.

use std::sync::Arc;

use crate::{
    api::Status,
    resources::{Resource, Resources},
    store::Key,
};

/// What a path below `/api/v1` or `/apis/{group}/{version}` names.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The resource.
    pub(super) resource: Arc<Resource>,
    /// The version in the path.
    pub(super) version: String,
    /// The namespace in the path.
    pub(super) namespace: Option<String>,
    /// The name in the path.
    pub(super) name: Option<String>,
    /// The subresource in the path.
    pub(super) subresource: Option<String>,
}

impl Target {
    /// The key of the named object.
    pub(super) fn key(&self) -> Option<Key> {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        self.name.as_deref().map(|name| Key::new(namespace, name))
    }
}

/// Finds what a path names. `None` when it is not below a group and version.
pub(super) fn find(resources: &Resources, path: &str) -> Option<Result<Target, Status>> {
    let segments = segments(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, mut rest) = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return None,
    };
    // The old form of watches: that it is one, the request's verb says.
    if let ["watch", more @ ..] = rest {
        rest = more;
    }
    let (namespace, plural, name, subresource) = match rest {
        ["namespaces"] => (None, "namespaces", None, None),
        ["namespaces", name] => (None, "namespaces", Some(*name), None),
        ["namespaces", name, sub @ ("status" | "finalize")] => (None, "namespaces", Some(*name), Some(*sub)),
        ["namespaces", ns, plural] => (Some(*ns), *plural, None, None),
        ["namespaces", ns, plural, name] => (Some(*ns), *plural, Some(*name), None),
        ["namespaces", ns, plural, name, sub, ..] => (Some(*ns), *plural, Some(*name), Some(*sub)),
        [plural] => (None, *plural, None, None),
        [plural, name] => (None, *plural, Some(*name), None),
        [plural, name, sub, ..] => (None, *plural, Some(*name), Some(*sub)),
        [] => return Some(Err(Status::no_such_path())),
    };
    let Some(resource) = resources.at(group, version, plural) else {
        return Some(Err(Status::no_such_path()));
    };
    if namespace.is_some() && !resource.namespaced
        || namespace.is_none() && resource.namespaced && name.is_some()
    {
        return Some(Err(Status::no_such_path()));
    }
    Some(Ok(Target {
        version: version.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
        resource,
    }))
}

/// The segments of a path.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|s| !s.is_empty()).map(unescape).collect()
}

/// Takes the percent signs out of a path segment.
fn unescape(segment: &str) -> String {
    if !segment.contains(['%', '+', '&', '=']) {
        return segment.to_owned();
    }
    // A plus sign stands for itself in a path.
    let query = format!("x={}", segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_objects() {
        let table = Resources::default();
        let target = |path: &str| find(&table, path).unwrap().unwrap();
        let pod = target("/api/v1/namespaces/ns/pods/a/log");
        assert_eq!((pod.resource.kind.as_str(), pod.subresource.as_deref()), ("Pod", Some("log")));
        assert_eq!(pod.key().unwrap(), Key::new("ns", "a"));
        assert_eq!(target("/api/v1/namespaces/ns").key().unwrap(), Key::new("", "ns"));
        assert_eq!(target("/api/v1/namespaces/ns/finalize").subresource.as_deref(), Some("finalize"));
        assert!(target("/apis/apps/v1/deployments").namespace.is_none());
        assert_eq!(target("/api/v1/watch/namespaces/ns/pods").namespace.as_deref(), Some("ns"));
        assert_eq!(
            target("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Bb").name.unwrap(),
            "system:a+b"
        );
        for bad in
            ["/api/v1/nothing", "/api/v1/namespaces/x/nodes", "/api/v1/pods/a", "/apis/apps/v2/deployments"]
        {
            assert_eq!(find(&table, bad).unwrap().unwrap_err().code, 404, "{bad}");
        }
        assert!(find(&table, "/api/v1").is_none());
        assert!(find(&table, "/version").is_none());
    }
}
