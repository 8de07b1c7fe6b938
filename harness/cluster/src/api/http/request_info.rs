//! What a request is about, told from its path and method alone, so that it can be authorized before anybody
//! looks whether there is such a thing (`RequestInfo` of `apiserver`).

use http::Method;

use super::{options::Query, route};
use crate::api::Attributes;

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestInfo {
    /// The verb.
    pub(super) verb: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    /// The path, when the request is not about a resource.
    path: String,
}

/// What comes after a namespace's name and still belongs to the namespace itself.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads a request.
    pub(super) fn new(method: &Method, path: &str, query: &Query) -> Self {
        let segments = route::segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["api", _version, rest @ ..] if !rest.is_empty() => Self::of_resource(method, "", rest, query),
            ["apis", group, _version, rest @ ..] if !rest.is_empty() => {
                Self::of_resource(method, group, rest, query)
            }
            _ => Self {
                verb: method.as_str().to_ascii_lowercase(),
                path: format!("/{}", path.trim_start_matches('/')),
                ..Self::default()
            },
        }
    }

    fn of_resource(method: &Method, group: &str, rest: &[&str], query: &Query) -> Self {
        let (mut verb, mut rest) = match rest {
            [special @ ("watch" | "proxy"), more @ ..] if !more.is_empty() => (*special, more),
            _ => (verb(method), rest),
        };
        let mut namespace = "";
        if let ["namespaces", name, more @ ..] = rest {
            namespace = name;
            if more.first().is_some_and(|sub| !NAMESPACE_SUBRESOURCES.contains(sub)) {
                rest = more;
            }
        }
        let at = |place: usize| rest.get(place).copied().unwrap_or_default();
        let (resource, mut name) = (at(0), at(1).to_owned());
        let subresource = if verb == "proxy" { "" } else { at(2) };
        if name.is_empty() {
            match verb {
                "get" => {
                    verb = if query.flag("watch") { "watch" } else { "list" };
                    name = exact_name(query.text("fieldSelector"));
                }
                "delete" => verb = "deletecollection",
                _ => {}
            }
        }
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name,
            path: String::new(),
        }
    }

    /// Whether the request opens streams into a pod.
    pub(super) fn is_stream(&self) -> bool {
        self.group.is_empty()
            && self.resource == "pods"
            && matches!(self.subresource.as_str(), "attach" | "exec" | "portforward")
    }

    /// The same, for the authorizer.
    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            verb: &self.verb,
            group: &self.group,
            resource: &self.resource,
            subresource: &self.subresource,
            namespace: &self.namespace,
            name: &self.name,
            path: &self.path,
        }
    }
}

/// What a method does with something that has a name.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    }
}

/// The one name that a field selector leaves, so that who may list one object by its name can.
fn exact_name(selector: &str) -> String {
    let exact = |term: &str| {
        let (field, value) = term.split_once('=')?;
        let value = value.strip_prefix('=').unwrap_or(value);
        (field.trim() == "metadata.name").then(|| value.trim().to_owned())
    };
    let name = selector.split(',').find_map(exact).unwrap_or_default();
    let one_segment = !name.contains(['/', '%']) && name != "." && name != "..";
    if one_segment { name } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_methods_and_queries_say_what_is_wanted() {
        for (method, uri, verb, about) in [
            (Method::GET, "/api/v1/namespaces/x/pods", "list", "|pods||x||"),
            (Method::GET, "/api/v1/namespaces/x/pods?watch=1", "watch", "|pods||x||"),
            (Method::GET, "/api/v1/watch/namespaces/x/pods/p", "watch", "|pods||x|p|"),
            (Method::GET, "/api/v1/pods?fieldSelector=a%3Db,metadata.name%3D%3Dp", "list", "|pods|||p|"),
            (Method::GET, "/api/v1/pods?fieldSelector=metadata.name!%3Dp", "list", "|pods||||"),
            (Method::GET, "/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb", "list", "|pods||||"),
            (Method::HEAD, "/api/v1/namespaces/x", "get", "|namespaces||x|x|"),
            (Method::PUT, "/api/v1/namespaces/x/finalize", "update", "|namespaces|finalize|x|x|"),
            (Method::POST, "/api/v1/namespaces", "create", "|namespaces||||"),
            (
                Method::DELETE,
                "/apis/apps/v1/namespaces/x/deployments",
                "deletecollection",
                "apps|deployments||x||",
            ),
            (Method::DELETE, "/apis/apps/v1/namespaces/x/deployments/d", "delete", "apps|deployments||x|d|"),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/x/deployments/d/scale",
                "patch",
                "apps|deployments|scale|x|d|",
            ),
            (Method::GET, "/api/v1/namespaces/x/pods/p/log/more", "get", "|pods|log|x|p|"),
            (Method::GET, "/apis/g/v9/nothing/n%2Fm", "get", "g|nothing|||n/m|"),
            (Method::GET, "/api/v1/nodes/n?watch=true", "get", "|nodes|||n|"),
            (Method::OPTIONS, "/api/v1/nodes", "", "|nodes||||"),
            (Method::POST, "/version", "post", "|||||/version"),
            (Method::GET, "/apis/apps/v1", "get", "|||||/apis/apps/v1"),
            (Method::GET, "/", "get", "|||||/"),
            (Method::GET, "/api/v1/", "get", "|||||/api/v1/"),
        ] {
            let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
            let info = RequestInfo::new(&method, path, &Query::new(query));
            let Attributes { group, resource, subresource, namespace, name, path, .. } = info.attributes();
            let found = [group, resource, subresource, namespace, name, path].join("|");
            assert_eq!((info.verb.as_str(), found.as_str()), (verb, about), "{method} {uri}");
        }
    }
}
