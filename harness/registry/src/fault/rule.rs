//! A fault that is switched on: which one, with what, for whom and when. It is what admins write and read, in JSON.

use std::{collections::BTreeMap, net::IpAddr};

use pulldrill_clock::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::kinds::{FaultKind, Parameter, Shape, Stage};

/// A fault that is switched on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultRule {
    /// The name of the fault, as in the table.
    pub fault: String,
    /// Its parameters; what is left out is as the table says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// Whom it strikes.
    #[serde(skip_serializing_if = "Scope::is_everything")]
    pub on: Scope,
    /// When it strikes.
    #[serde(skip_serializing_if = "Schedule::is_always")]
    pub when: Schedule,
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
    pub client: Option<IpAddr>,
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

/// Why a rule is none.
#[derive(Debug, Error, PartialEq)]
pub enum RuleError {
    /// There is no such fault.
    #[error("there is no fault {name:?}; there are {known}")]
    NoFault {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The fault has no such parameter.
    #[error("{fault} has no parameter {name:?}; it has {known}")]
    NoParameter {
        /// The fault.
        fault: String,
        /// The parameter.
        name: String,
        /// Those that it has.
        known: String,
    },
    /// A parameter is not what it may be.
    #[error("{fault}: {name} is {given:?}; it has to be {wanted}")]
    BadParameter {
        /// The fault.
        fault: String,
        /// The parameter.
        name: String,
        /// What was given.
        given: String,
        /// What it may be.
        wanted: String,
    },
    /// The scope says what is not known yet when the fault strikes.
    #[error("{fault} strikes before a request has come: its scope can't be narrowed by {field}")]
    TooEarly {
        /// The fault.
        fault: String,
        /// The field of the scope.
        field: &'static str,
    },
    /// A probability is none.
    #[error("{fault}: a probability is from 0 to 1, not {given}")]
    NoProbability {
        /// The fault.
        fault: String,
        /// What was given.
        given: f64,
    },
}

/// What is known about whatever a fault may strike.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) part: Option<Part>,
    pub(crate) repository: Option<&'a str>,
    /// Tag or digest.
    pub(crate) reference: Option<&'a str>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) node: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
}

impl Part {
    /// Whether the other is this, or a kind of it.
    fn includes(self, other: Self) -> bool {
        self == other || self == Self::Blob && matches!(other, Self::Config | Self::Layer)
    }
}

impl FaultRule {
    /// A rule without limits.
    #[must_use]
    pub fn new(fault: &str) -> Self {
        Self { fault: fault.to_owned(), ..Self::default() }
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &dyn std::fmt::Display) -> Self {
        self.with.insert(name.to_owned(), value.to_string());
        self
    }

    /// The same on a part of the traffic only.
    #[must_use]
    pub fn on(mut self, scope: Scope) -> Self {
        self.on = scope;
        self
    }

    /// Its row of the table, once everything it says makes sense.
    ///
    /// # Errors
    /// [`RuleError`], for the first thing that does not.
    pub fn kind(&self) -> Result<&'static FaultKind, RuleError> {
        let fault = self.fault.clone();
        let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let kind = FaultKind::named(&fault).ok_or_else(|| RuleError::NoFault {
            name: fault.clone(),
            known: list(FaultKind::all().iter().map(|kind| kind.name).collect()),
        })?;
        for (name, given) in &self.with {
            let parameter = kind.parameter(name).ok_or_else(|| RuleError::NoParameter {
                fault: fault.clone(),
                name: name.clone(),
                known: list(kind.parameters.iter().map(|parameter| parameter.name).collect()),
            })?;
            value(parameter, given).map_err(|wanted| RuleError::BadParameter {
                fault: fault.clone(),
                name: name.clone(),
                given: given.clone(),
                wanted,
            })?;
        }
        if let Some(given) = self.when.probability.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(RuleError::NoProbability { fault, given });
        }
        match self.on.first_unknown_at(kind.stage) {
            Some(field) => Err(RuleError::TooEarly { fault, field }),
            None => Ok(kind),
        }
    }
}

/// What a parameter is, read from its text; else what it has to be.
pub(crate) fn value(parameter: &Parameter, given: &str) -> Result<Value, String> {
    match parameter.shape {
        Shape::Text => Ok(Value::Text(given.to_owned())),
        Shape::Flag => given.parse().map(Value::Flag).map_err(|_| "true or false".to_owned()),
        Shape::Number { from, to } => {
            let number = given.parse().ok().filter(|number| (from..=to).contains(number));
            number.map(Value::Number).ok_or_else(|| format!("a number from {from} to {to}"))
        }
    }
}

/// A parameter, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    Flag(bool),
}

impl Scope {
    fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The first thing it says that nobody knows yet at a stage.
    fn first_unknown_at(&self, stage: Stage) -> Option<&'static str> {
        let of_request = [
            ("part", self.part.is_some()),
            ("repository", self.repository.is_some()),
            ("tag", self.tag.is_some()),
            ("digest", self.digest.is_some()),
            ("userAgent", self.user_agent.is_some()),
            ("method", self.method.is_some()),
        ];
        let of_connection = [("client", self.client.is_some()), ("node", self.node.is_some())];
        let unknown: &[&[(&'static str, bool)]] = match stage {
            Stage::Port => &[&of_connection, &of_request],
            Stage::Connection | Stage::Handshake => &[&of_request],
            Stage::Request | Stage::Refusal | Stage::Answer => &[],
        };
        unknown.iter().copied().flatten().find(|(_, said)| *said).map(|(field, _)| *field)
    }

    /// Whether that is in it.
    pub(crate) fn covers(&self, subject: &Subject<'_>) -> bool {
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
            && self.client.is_none_or(|client| subject.client == Some(client))
            && fits(&self.node, subject.node)
            && begins(&self.user_agent, subject.user_agent)
            && fits(&self.method, subject.method)
    }
}

impl Schedule {
    fn is_always(&self) -> bool {
        *self == Self::default()
    }

    /// Until when, of what was switched on then.
    pub(crate) fn until(&self, since: Timestamp) -> Option<Timestamp> {
        let seconds = SignedDuration::from_secs(i64::from(self.seconds?));
        Some(since.checked_add(seconds).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_told_with_what_would() {
        let said = |rule: FaultRule| rule.kind().unwrap_err().to_string();
        assert!(
            said(FaultRule::new("gremlins")).contains("there are refuse, reset"),
            "{}",
            said(FaultRule::new("x"))
        );
        assert!(
            said(FaultRule::new("status").with("code", &1)).contains("it has status, body, content-type")
        );
        assert!(said(FaultRule::new("reset").with("code", &1)).contains("it has none"));
        assert!(said(FaultRule::new("status").with("status", &99)).contains("a number from 200 to 599"));
        assert!(said(FaultRule::new("corrupt").with("rescue", &"maybe")).contains("true or false"));
        let early = Scope { repository: Some("a".into()), ..Scope::default() };
        assert!(said(FaultRule::new("reset").on(early.clone())).contains("narrowed by repository"));
        let node = Scope { node: Some("n".into()), ..Scope::default() };
        assert!(said(FaultRule::new("refuse").on(node.clone())).contains("narrowed by node"));
        assert!(FaultRule::new("reset").on(node).kind().is_ok());
        assert!(FaultRule::new("status").on(early).kind().is_ok());
        for given in [-0.1, 1.1, f64::NAN] {
            let when = Schedule { probability: Some(given), ..Schedule::default() };
            assert!(said(FaultRule { when, ..FaultRule::new("reset") }).contains("from 0 to 1"));
        }
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        let text = r#"{"fault":"status","with":{"status":"500"},"on":{"part":"manifest","tag":"1","userAgent":"containerd/"},"when":{"after":2,"probability":0.5}}"#;
        let rule: FaultRule = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&rule).unwrap(), text);
        assert_eq!(serde_json::to_string(&FaultRule::new("reset")).unwrap(), r#"{"fault":"reset"}"#);
        assert!(serde_json::from_str::<FaultRule>(r#"{"fault":"reset","onn":{}}"#).is_err());
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
