//! Whether the server is well: `/healthz`, `/livez`, `/readyz` and their single checks. Not whether it really is: who
//! answers is.

use super::{Reply, dispatch::Asked, reply};

/// The checks in the order in which they are told, and which of the paths have them. The names are those of the
/// Kubernetes documentation ("Kubernetes API health endpoints"); releases differ in a few of the hooks.
const CHECKS: [(&str, &[&str]); 20] = [
    ("ping", ALL),
    ("log", ALL),
    ("etcd", ALL),
    ("etcd-readiness", READY),
    ("informer-sync", READY),
    ("poststarthook/start-kube-apiserver-admission-initializer", ALL),
    ("poststarthook/generic-apiserver-start-informers", ALL),
    ("poststarthook/start-apiextensions-informers", ALL),
    ("poststarthook/start-apiextensions-controllers", ALL),
    ("poststarthook/crd-informer-synced", ALL),
    ("poststarthook/rbac/bootstrap-roles", ALL),
    ("poststarthook/scheduling/bootstrap-system-priority-classes", ALL),
    ("poststarthook/start-cluster-authentication-info-controller", ALL),
    ("poststarthook/start-kube-aggregator-informers", ALL),
    ("poststarthook/apiservice-registration-controller", ALL),
    ("poststarthook/apiservice-status-available-controller", ALL),
    ("poststarthook/kube-apiserver-autoregistration", ALL),
    ("autoregister-completion", ALL),
    ("poststarthook/apiservice-openapi-controller", ALL),
    ("shutdown", READY),
];

const ALL: &[&str] = &["healthz", "livez", "readyz"];
const READY: &[&str] = &["readyz"];

fn checks(of: &str) -> impl Iterator<Item = &'static str> {
    CHECKS.into_iter().filter(move |(_, paths)| paths.contains(&of)).map(|(name, _)| name)
}

/// Every path there is.
pub(super) fn paths() -> impl Iterator<Item = String> {
    let of = |path: &'static str| checks(path).map(move |check| format!("/{path}/{check}"));
    ALL.iter().flat_map(move |path| std::iter::once(format!("/{path}")).chain(of(path)))
}

/// The answer, if the path is about health.
pub(super) fn answer(asked: &Asked, path: &str) -> Option<Reply> {
    let path = path.strip_prefix('/')?;
    let (whole, check) = path.split_once('/').map_or((path, None), |(whole, check)| (whole, Some(check)));
    if !ALL.contains(&whole) {
        return None;
    }
    let text = match check {
        Some(check) => checks(whole).any(|name| name == check).then(|| "ok".to_owned())?,
        None if asked.query.get("verbose").is_some() => verbose(whole, &asked.query.all("exclude")),
        None => "ok".to_owned(),
    };
    Some(reply::text(200, text))
}

fn verbose(whole: &str, excluded: &[String]) -> String {
    let mut text = String::new();
    for name in checks(whole) {
        let how = if excluded.iter().any(|one| one == name) { "excluded: ok" } else { "ok" };
        text += &format!("[+]{name} {how}\n");
    }
    let unknown: Vec<String> = excluded
        .iter()
        .filter(|one| checks(whole).all(|name| name != *one))
        .map(|one| format!("{one:?}"))
        .collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(",");
        text += &format!("warn: some health checks cannot be excluded: no matches for {unknown}\n");
    }
    text + whole + " check passed\n"
}
