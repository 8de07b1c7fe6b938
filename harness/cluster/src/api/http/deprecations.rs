//! Warnings about versions and kinds that are on their way out: data in `deprecated.yaml`. Warnings about what an
//! object says are not here.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Reply, reply, route::Target};
use crate::release::{Release, Span};

static DEPRECATED: LazyLock<Vec<Deprecated>> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("deprecated.yaml")).unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded table of deprecated versions cannot be read");
        Vec::new()
    })
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deprecated {
    version: String,
    kind: Option<String>,
    since: u32,
    until: Option<u32>,
    r#use: Option<String>,
}

/// Adds the warning about what was asked for, if there is one.
pub(super) fn warn(answer: &mut Reply, target: &Target, release: Release) {
    let version = target.resource.api_version(&target.version);
    reply::warn(answer, text(&version, &target.resource.kind, release).as_slice());
}

fn text(version: &str, kind: &str, release: Release) -> Option<String> {
    let meant = |row: &&Deprecated| row.version == version && row.kind.as_deref().is_none_or(|k| k == kind);
    // What a release has no more is served for clients of before, who know.
    let there = |row: &&Deprecated| Span::new(Some(row.since), row.until).has(release);
    let row = DEPRECATED.iter().find(meant).filter(there)?;
    let mut text = format!("{version} {kind} is deprecated in v1.{}+", row.since);
    if let Some(until) = row.until {
        text += &format!(", unavailable in v1.{until}+");
    }
    match &row.r#use {
        Some(other) if other.contains(' ') => text += &format!("; use {other}"),
        Some(version) => text += &format!("; use {version} {kind}"),
        None => {}
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_out_is_said_from_its_release_on() {
        let say = |version: &str, kind: &str, minor: u32| text(version, kind, Release::minor(minor));
        let cron_job =
            "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob";
        assert_eq!(say("batch/v1beta1", "CronJob", 24).as_deref(), Some(cron_job));
        assert_eq!(say("batch/v1beta1", "CronJob", 36), None, "it is there for old clients only");
        assert_eq!(say("batch/v1beta1", "CronJob", 20), None, "it was the only one then");
        let ingress = "extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use \
                       networking.k8s.io/v1 Ingress";
        assert_eq!(say("extensions/v1beta1", "Ingress", 20).as_deref(), Some(ingress));
        let endpoints = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
        assert_eq!(say("v1", "Endpoints", 33).as_deref(), Some(endpoints));
        assert_eq!(say("v1", "Endpoints", 31), None);
        let component = "v1 ComponentStatus is deprecated in v1.19+";
        assert_eq!(say("v1", "ComponentStatus", 20).as_deref(), Some(component));
        assert_eq!(say("v1", "Pod", 36), None);
        let policy = "policy/v1beta1 PodSecurityPolicy is deprecated in v1.21+, unavailable in v1.25+";
        assert_eq!(say("policy/v1beta1", "PodSecurityPolicy", 21).as_deref(), Some(policy));
    }
}
