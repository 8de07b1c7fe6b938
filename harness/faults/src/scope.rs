//! Whom a fault strikes, and when: as types that rules are read into, and as tables of what can be said.

use std::net::IpAddr;

use pulldrill_clock::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    kinds::Stage,
    shape::{Parameter, Shape},
};

/// What can be said of whom a fault strikes.
pub const SCOPE: &[Parameter] = &[
    say("part", Shape::Word(PARTS), "only what this part of the registry answers"),
    say("repository", Shape::Text, "only this repository"),
    say("tag", Shape::Text, "only this tag"),
    say("digest", Shape::Text, "only this digest"),
    say("client", Shape::Address, "only clients of this address, behind any NAT"),
    say("node", Shape::Text, "only this node"),
    say("user-agent", Shape::Text, "only clients whose user agent begins so"),
    say("method", Shape::Text, "only this HTTP method"),
];

/// What can be said of when a fault strikes.
pub const SCHEDULE: &[Parameter] = &[
    say("after", ANY, "after so many requests in its scope went through"),
    say("times", ANY, "so many times, and no more"),
    say("seconds", Shape::Number { from: 0, to: u32::MAX as u64 }, "for so many seconds of the lab's clock"),
    say("probability", Shape::Fraction, "how often, drawn from the seed"),
];

const PARTS: &[&str] = &["base", "token", "manifest", "blob", "config", "layer", "upload", "list", "api"];
const ANY: Shape = Shape::Number { from: 0, to: u64::MAX };

const fn say(name: &'static str, shape: Shape, summary: &'static str) -> Parameter {
    Parameter { name, shape, default: "", summary }
}

/// How much is known of what a fault may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: the port itself is at fault.
    Nothing,
    /// Who comes, and not yet what for.
    Client,
    /// The request.
    Request,
}

impl Known {
    /// What is known at a stage.
    pub(crate) fn at(stage: Stage) -> Self {
        match stage {
            Stage::Port => Self::Nothing,
            Stage::Connection | Stage::Handshake => Self::Client,
            Stage::Request | Stage::Refusal | Stage::Answer => Self::Request,
        }
    }
}

/// What of [`SCOPE`] is known at a stage: before a request has come, only who has.
#[must_use]
pub fn known_at(stage: Stage, name: &str) -> bool {
    match Known::at(stage) {
        Known::Nothing => false,
        Known::Client => matches!(name, "client" | "node"),
        Known::Request => true,
    }
}

/// The name of a field in JSON and YAML.
#[must_use]
pub fn field(name: &str) -> &str {
    if name == "user-agent" { "userAgent" } else { name }
}

/// Which part of a registry is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// `/v2/` itself.
    Base,
    /// The token service.
    Token,
    /// Manifests and lists of them.
    Manifest,
    /// Blobs, whatever is in them.
    Blob,
    /// Blobs that are configurations of images.
    Config,
    /// All other blobs.
    Layer,
    /// Uploads.
    Upload,
    /// Lists of tags, repositories and referrers.
    List,
    /// The provider's own API.
    Api,
}

/// Whom a fault strikes: everything that is said has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Scope {
    /// Only what this part answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Only this repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Only this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only this digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Only clients of this address, behind any NAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Only clients whose user agent begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Only this HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// When a fault strikes: everything that is said has to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Schedule {
    /// After so many requests in its scope went through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// So many times, and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// For so many seconds of the lab's clock from when it was switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// How often, from 0 to 1; always when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// What is known about whatever a fault may strike.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The part of the registry.
    pub part: Option<Part>,
    /// The repository in the path.
    pub repository: Option<&'a str>,
    /// Tag or digest.
    pub reference: Option<&'a str>,
    /// The address that it comes from.
    pub client: Option<IpAddr>,
    /// The node that it comes from.
    pub node: Option<&'a str>,
    /// What the client calls itself.
    pub user_agent: Option<&'a str>,
    /// The HTTP method.
    pub method: Option<&'a str>,
}

impl Part {
    /// Whether the other is this, or a kind of it.
    fn includes(self, other: Self) -> bool {
        self == other || self == Self::Blob && matches!(other, Self::Config | Self::Layer)
    }
}

impl Scope {
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// What it says, by the names of [`SCOPE`].
    pub(crate) fn said(&self) -> Vec<(&'static str, String)> {
        let all = serde_json::to_value(self).unwrap_or_default();
        let text = |parameter: &Parameter| Some(all.get(field(parameter.name))?.as_str()?.to_owned());
        SCOPE.iter().filter_map(|parameter| Some((parameter.name, text(parameter)?))).collect()
    }

    /// Whether that is in it.
    #[must_use]
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        let fits = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == given)
        };
        let begins = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| given.is_some_and(|given| given.starts_with(wanted)))
        };
        self.part.is_none_or(|part| subject.part.is_some_and(|given| part.includes(given)))
            && fits(&self.repository, subject.repository)
            && fits(&self.tag, subject.reference)
            && fits(&self.digest, subject.reference)
            && self
                .client
                .as_ref()
                .is_none_or(|client| client.parse().ok() == subject.client && subject.client.is_some())
            && fits(&self.node, subject.node)
            && begins(&self.user_agent, subject.user_agent)
            && fits(&self.method, subject.method)
    }
}

impl Schedule {
    pub(crate) fn is_always(&self) -> bool {
        *self == Self::default()
    }

    /// Until when, of what was switched on then.
    #[must_use]
    pub fn until(&self, since: Timestamp) -> Option<Timestamp> {
        let seconds = SignedDuration::from_secs(i64::from(self.seconds?));
        Some(since.checked_add(seconds).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_say_what_the_types_take() {
        let scope: serde_json::Map<_, _> = SCOPE
            .iter()
            .map(|one| {
                let value = match one.shape {
                    Shape::Word(words) => words[0],
                    _ => "10.0.0.1",
                };
                (field(one.name).to_owned(), value.into())
            })
            .collect();
        let read: Scope = serde_json::from_value(scope.into()).unwrap();
        assert_eq!(read.said().len(), SCOPE.len());
        for part in PARTS {
            assert!(serde_json::from_value::<Part>((*part).into()).is_ok(), "{part}");
        }
        let schedule: serde_json::Map<_, _> =
            SCHEDULE.iter().map(|one| (field(one.name).to_owned(), 1.into())).collect();
        let read: Schedule = serde_json::from_value(schedule.into()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap().as_object().unwrap().len(), SCHEDULE.len());
    }

    #[test]
    fn a_scope_covers_what_all_of_it_fits() {
        let scope = Scope {
            part: Some(Part::Manifest),
            repository: Some("a/b".into()),
            user_agent: Some("containerd/".into()),
            node: Some("worker".into()),
            ..Scope::default()
        };
        let subject = Subject {
            part: Some(Part::Manifest),
            repository: Some("a/b"),
            reference: Some("1"),
            user_agent: Some("containerd/v2.1"),
            node: Some("worker"),
            method: Some("GET"),
            client: None,
        };
        assert!(scope.covers(&subject));
        assert!(!scope.covers(&Subject { part: Some(Part::Blob), ..subject }));
        assert!(!scope.covers(&Subject { user_agent: Some("curl/8"), ..subject }));
        assert!(!scope.covers(&Subject { node: None, ..subject }));
        assert!(Scope::default().covers(&Subject::default()));
    }
}
