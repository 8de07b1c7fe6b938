//! A fault that is switched on: which one, with what, for whom and when. It is what admins write and read, in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::{
    kinds::FaultKind,
    scope::{SCHEDULE, SCOPE, Schedule, Scope, field, known_at},
    shape::{Parameter, Value},
};

/// A fault that is switched on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultRule {
    /// The name of the fault, as in the table.
    pub fault: String,
    /// Its parameters; what is left out is as the table says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub with: BTreeMap<String, String>,
    /// Whom it strikes.
    #[serde(skip_serializing_if = "Scope::is_everything")]
    pub on: Scope,
    /// When it strikes.
    #[serde(skip_serializing_if = "Schedule::is_always")]
    pub when: Schedule,
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
            check(&fault, parameter, given)?;
        }
        if let Some(given) = self.when.probability.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(RuleError::NoProbability { fault, given });
        }
        for (name, given) in self.on.said() {
            if !known_at(kind.stage, name) {
                return Err(RuleError::TooEarly { fault, field: field(name) });
            }
            if let Some(parameter) = SCOPE.iter().find(|parameter| parameter.name == name) {
                check(&fault, parameter, &given)?;
            }
        }
        Ok(kind)
    }

    /// A rule from what was said under the names of the tables, as on a command line.
    ///
    /// # Errors
    /// [`RuleError`], for the first thing that makes no sense.
    pub fn from_said(
        kind: &'static FaultKind,
        said: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, RuleError> {
        let with = kind.parameters.iter().filter_map(|one| Some((one.name.to_owned(), said(one.name)?)));
        let (mut rule, with) = (Self::new(kind.name), with.collect());
        rule.with = with;
        let read = |table: &[Parameter]| {
            let mut object = Map::new();
            for one in table {
                let Some(given) = said(one.name) else { continue };
                let value = match check(kind.name, one, &given)? {
                    Value::Number(number) => number.into(),
                    Value::Fraction(part) => part.into(),
                    Value::Flag(flag) => flag.into(),
                    Value::Text(text) => Json::from(text),
                };
                object.insert(field(one.name).to_owned(), value);
            }
            Ok(Json::from(object))
        };
        // The tables say what the types take.
        rule.on = serde_json::from_value(read(SCOPE)?).unwrap_or_default();
        rule.when = serde_json::from_value(read(SCHEDULE)?).unwrap_or_default();
        rule.kind()?;
        Ok(rule)
    }

    /// What its fault's parameters are: as it says, or else as the table does. Nothing for what makes no sense.
    #[must_use]
    pub fn values(&self) -> BTreeMap<&'static str, Value> {
        let parameters = FaultKind::named(&self.fault).map_or(&[][..], |kind| kind.parameters);
        let values = parameters.iter().filter_map(|parameter| {
            let given = self.with.get(parameter.name).map_or(parameter.default, String::as_str);
            Some((parameter.name, parameter.shape.read(given).ok()?))
        });
        values.collect()
    }
}

fn check(fault: &str, parameter: &Parameter, given: &str) -> Result<Value, RuleError> {
    parameter.shape.read(given).map_err(|wanted| RuleError::BadParameter {
        fault: fault.to_owned(),
        name: parameter.name.to_owned(),
        given: given.to_owned(),
        wanted,
    })
}

/// Parameters are texts, and may be written as the numbers and flags that they stand for.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Flag(bool),
        Whole(u64),
        Text(String),
    }
    let written = BTreeMap::<String, Written>::deserialize(deserializer)?;
    let text = |written| match written {
        Written::Flag(flag) => flag.to_string(),
        Written::Whole(number) => number.to_string(),
        Written::Text(text) => text,
    };
    Ok(written.into_iter().map(|(name, value)| (name, text(value))).collect())
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
        let client = Scope { client: Some("10.0.0".into()), ..Scope::default() };
        assert!(
            said(FaultRule::new("reset").on(client)).contains("client is \"10.0.0\"; it has to be an IP")
        );
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
        let bare = r#"{"fault":"corrupt","with":{"rescue":true,"more":7,"x":"7"}}"#;
        let with = serde_json::from_str::<FaultRule>(bare).unwrap().with;
        assert_eq!(with.values().map(String::as_str).collect::<Vec<_>>(), ["7", "true", "7"]);
        assert!(serde_json::from_str::<FaultRule>(r#"{"fault":"reset","with":{"a":[]}}"#).is_err());
    }

    #[test]
    fn a_rule_is_made_of_what_was_said_and_nonsense_is_told_in_the_same_words() {
        let status = FaultKind::named("status").unwrap();
        let said = |pairs: &'static [(&str, &str)]| {
            FaultRule::from_said(status, move |name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let all = [
            ("status", "418"),
            ("user-agent", "curl"),
            ("part", "blob"),
            ("after", "2"),
            ("probability", "0.5"),
        ];
        let rule = FaultRule::from_said(status, |name| {
            all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let text = r#"{"fault":"status","with":{"status":"418"},"on":{"part":"blob","userAgent":"curl"},"when":{"after":2,"probability":0.5}}"#;
        assert_eq!(serde_json::to_string(&rule.unwrap()).unwrap(), text);
        assert_eq!(said(&[]).unwrap(), FaultRule::new("status"));
        let error = said(&[("status", "42")]).unwrap_err();
        assert_eq!(error, FaultRule::new("status").with("status", &42).kind().unwrap_err());
        assert!(
            said(&[("part", "cellar")]).unwrap_err().to_string().contains("has to be one of base, token")
        );
        assert!(said(&[("after", "-1")]).is_err() && said(&[("probability", "2")]).is_err());
    }
}
