//! Every route that the server has, with the kind that its bodies are of.

use pulldrill_clock::seed::Rng;
use pulldrill_cluster::resources::{Resource, Resources};
use rand::{RngExt, seq::IndexedRandom};

/// Paths that are not about resources, or not quite.
const OTHERS: [&str; 40] = [
    "/",
    "//",
    "/api",
    "/api/",
    "/api/v1",
    "/api/v2",
    "/api/v1/",
    "/apis",
    "/apis/apps",
    "/apis/apps/v1",
    "/apis/apps/v9",
    "/apis/x",
    "/apis/x/v1/things",
    "/api/v1/things",
    "/api/v1/watch",
    "/api/v1/proxy/namespaces/default/pods/a",
    "/api/v1/namespaces/default",
    "/api/v1/namespaces/default/",
    "/api/v1/namespaces//pods/a",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/api/v1",
    "/openapi/v3/apis/apps/v1?hash=0",
    "/openapi/v3/x",
    "/version",
    "/version/",
    "/healthz",
    "/healthz/etcd",
    "/livez",
    "/livez/ping",
    "/readyz",
    "/readyz/x",
    "/metrics",
    "/logs",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
    "/clusters",
    "/clusters/",
    "/clusters/x/api",
    "/clusters/a",
];

/// Parts of paths.
const WORDS: [&str; 20] = [
    "a",
    "b",
    "default",
    "kubernetes",
    "node-1",
    "A",
    "..",
    ".",
    "%00",
    "%2F",
    "%",
    "%C3%28",
    "status",
    "watch",
    "namespaces",
    "v1",
    "-",
    "é",
    "0",
    "a.b-c",
];

/// The virtual cluster that some requests go to.
pub(super) const VIRTUAL: &str = "a";

/// One route.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// What comes before the namespace, or all of it.
    root: String,
    /// What comes after the namespace.
    rest: Vec<String>,
    namespaced: bool,
    /// `apiVersion` and kind of what is sent there.
    pub(super) api_version: String,
    pub(super) kind: String,
    /// Whether it has a name.
    pub(super) named: bool,
}

const NAME: &str = "{name}";

fn of_resource(resource: &Resource, version: &str, routes: &mut Vec<Route>) {
    let base =
        if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
    let mut add = |root: String, rest: &[&str], namespaced, (api_version, kind): (String, &str)| {
        let named = rest.contains(&NAME);
        let rest = rest.iter().map(|part| (*part).to_owned()).collect();
        routes.push(Route { root, rest, namespaced, api_version, kind: kind.to_owned(), named });
    };
    let (root, plural) = (format!("{base}/{version}"), resource.plural.as_str());
    let own = || (resource.api_version(version), resource.kind.as_str());
    for root in [root.clone(), format!("{root}/watch")] {
        add(root.clone(), &[plural], resource.namespaced, own());
        add(root.clone(), &[plural, NAME], resource.namespaced, own());
        if resource.namespaced {
            add(root, &[plural], false, own());
        }
    }
    for sub in &resource.subresources {
        let group = if sub.group.is_empty() { &resource.group } else { &sub.group };
        let version = if sub.version.is_empty() { version } else { &sub.version };
        let spoken = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        add(root.clone(), &[plural, NAME, &sub.name], resource.namespaced, (spoken, &sub.kind));
    }
    add(root, &[plural, NAME, "proxy", "x"], resource.namespaced, own());
}

/// All of them.
pub(super) fn all(resources: &Resources) -> Vec<Route> {
    let mut routes = Vec::new();
    for resource in resources.all().iter() {
        for version in &resource.versions {
            of_resource(resource, version, &mut routes);
        }
    }
    routes.extend(OTHERS.map(|path| Route {
        root: path.to_owned(),
        rest: Vec::new(),
        namespaced: false,
        api_version: "v1".into(),
        kind: "Pod".into(),
        named: false,
    }));
    routes
}

impl Route {
    /// A path of it, with a namespace and a name that there are, or not.
    pub(super) fn path(&self, rng: &mut Rng, name: &str) -> String {
        let word = |rng: &mut Rng, usual: &str| match rng.random_range(0..8) {
            0 => WORDS.choose(rng).copied().unwrap_or_default().to_owned(),
            _ => usual.to_owned(),
        };
        let mut path = self.root.clone();
        if self.namespaced {
            path += &format!("/namespaces/{}", word(rng, "default"));
        }
        for part in &self.rest {
            path += "/";
            path += &if part == NAME { word(rng, name) } else { part.clone() };
        }
        match rng.random_range(0..60) {
            0 => path + "/",
            1 => path + "/" + &word(rng, "x"),
            2..8 => format!("/clusters/{VIRTUAL}{path}"),
            _ => path,
        }
    }
}
