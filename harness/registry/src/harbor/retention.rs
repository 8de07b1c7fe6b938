//! Retention: which artifacts a project keeps. Whatever no rule keeps in a repository that a rule is about is deleted.
//!
//! The templates and what they count are Harbor's, and so is how schedules are written; what is deleted, and when, is decided
//! by whoever runs a policy.

use std::collections::{BTreeMap, BTreeSet};

use pulldrill_clock::{
    Timestamp,
    cron::{Grammar, Schedule},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    immutable::{Scope, means},
    selector::Selector,
};

/// What a rule keeps, by the name of its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    LastPushed,
    LastPulled,
    PushedWithinDays,
    PulledWithinDays,
    Everything,
}

/// A template: its name, what it keeps, what its number counts, and how many that is when nothing is said.
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    keeps: Keeps,
    default: i64,
}

const fn template(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    keeps: Keeps,
    default: i64,
) -> Template {
    Template { name, title, unit, keeps, default }
}

/// All templates.
pub(crate) const TEMPLATES: &[Template] = &[
    template("latestPushedK", "the most recently pushed # artifacts", "COUNT", Keeps::LastPushed, 10),
    template("latestPulledN", "the most recently pulled # artifacts", "COUNT", Keeps::LastPulled, 10),
    template("nDaysSinceLastPush", "pushed within the last # days", "DAYS", Keeps::PushedWithinDays, 30),
    template("nDaysSinceLastPull", "pulled within the last # days", "DAYS", Keeps::PulledWithinDays, 30),
    template("always", "always", "", Keeps::Everything, 0),
];

/// The retention policy of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) id: i64,
    pub(crate) project: i64,
    pub(crate) rules: Vec<Rule>,
    /// Kept as it came; [`schedule`] reads it.
    pub(crate) trigger: Value,
}

/// When a trigger has its policy run by itself, if it does: `{"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}}`. There are
/// six fields, the first of which are the seconds.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn schedule(trigger: &Value) -> Result<Option<Schedule>, String> {
    let cron = trigger["settings"]["cron"].as_str().unwrap_or_default();
    if trigger["kind"] != "Schedule" || cron.is_empty() {
        return Ok(None);
    }
    let refused = |why: String| format!("invalid cron {cron}: {why}");
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [seconds, minutes @ ..] = fields.as_slice() else { return Ok(None) };
    if fields.len() != 6 {
        let shown = fields.join(" ");
        return Err(refused(format!("expected exactly 6 fields, found {}: [{shown}]", fields.len())));
    }
    if *seconds != "0" {
        return Err(refused("the 1st field (indicating Seconds of time) must be 0".to_owned()));
    }
    Schedule::parse(&minutes.join(" "), Grammar::V3).map(Some).map_err(refused)
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rule {
    pub(crate) id: i64,
    pub(crate) priority: i64,
    pub(crate) disabled: bool,
    pub(crate) action: String,
    pub(crate) template: String,
    pub(crate) params: BTreeMap<String, Value>,
    pub(crate) tag_selectors: Vec<Selector>,
    pub(crate) scope_selectors: Scope,
}

/// An artifact that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) pushed_at: Timestamp,
    pub(crate) pulled_at: Option<Timestamp>,
}

impl Policy {
    /// The digests of what is kept of a repository (named without its project); nothing when no rule is about it.
    pub(crate) fn kept(
        &self,
        repository: &str,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Option<BTreeSet<String>> {
        let about =
            self.rules.iter().filter(|rule| !rule.disabled && means(&rule.scope_selectors, repository));
        let mut about = about.peekable();
        about.peek()?;
        Some(about.flat_map(|rule| rule.keeps(candidates, now)).map(|one| one.digest.clone()).collect())
    }
}

impl Rule {
    /// The template that it is made of, if there is one of its name.
    pub(crate) fn template(&self) -> Option<&'static Template> {
        TEMPLATES.iter().find(|template| template.name == self.template)
    }

    fn keeps<'a>(&self, candidates: &'a [Candidate], now: Timestamp) -> Vec<&'a Candidate> {
        let Some(template) = self.template() else { return candidates.iter().collect() };
        let meant = |one: &&Candidate| {
            let tags = || one.tags.iter().map(String::as_str);
            self.tag_selectors.iter().all(|selector| selector.means_any(tags()))
        };
        let mut meant: Vec<&Candidate> = candidates.iter().filter(meant).collect();
        let said = self.params.get(template.name).and_then(Value::as_f64);
        // Numbers come as integers, floats or, from forms, not at all.
        let number = said.filter(|number| *number >= 0.0).map_or(template.default, |number| number as i64);
        let count = usize::try_from(number).unwrap_or(usize::MAX);
        let since = || now.checked_sub(super::days(number));
        let since = since().unwrap_or(Timestamp::MIN);
        match template.keeps {
            Keeps::Everything => {}
            Keeps::LastPushed => {
                meant.sort_by_key(|one| std::cmp::Reverse(one.pushed_at));
                meant.truncate(count);
            }
            Keeps::LastPulled => {
                meant.sort_by_key(|one| std::cmp::Reverse(one.pulled_at));
                meant.truncate(count);
            }
            Keeps::PushedWithinDays => meant.retain(|one| one.pushed_at >= since),
            Keeps::PulledWithinDays => meant.retain(|one| one.pulled_at.is_some_and(|at| at >= since)),
        }
        meant
    }
}

/// A run of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Execution {
    pub(crate) id: i64,
    pub(crate) policy: i64,
    pub(crate) dry_run: bool,
    /// Whether its schedule made it run, and nobody else.
    #[serde(default)]
    pub(crate) scheduled: bool,
    pub(crate) at: Timestamp,
    pub(crate) tasks: Vec<Task>,
}

/// What a run did to one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub(crate) id: i64,
    /// Without its project.
    pub(crate) repository: String,
    pub(crate) total: usize,
    pub(crate) retained: usize,
    /// What it says of each artifact.
    pub(crate) log: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn policy(rules: Value) -> Policy {
        let rules = serde_json::from_value(rules).unwrap();
        Policy { id: 1, project: 1, rules, trigger: Value::Null }
    }

    fn rule(template: &str, params: &Value, pattern: &str) -> Value {
        json!({
            "template": template, "params": params, "action": "retain",
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "app"}]},
        })
    }

    fn kept(policy: &Policy, repository: &str) -> Option<Vec<String>> {
        let one = |digest: &str, tags: &[&str], pushed: i64, pulled: Option<i64>| Candidate {
            digest: digest.into(),
            tags: tags.iter().map(ToString::to_string).collect(),
            pushed_at: at(pushed),
            pulled_at: pulled.map(at),
        };
        let day = 86_400;
        let candidates = [
            one("old", &["v1", "stable"], 0, Some(9 * day)),
            one("new", &["v2"], 8 * day, None),
            one("newest", &["latest"], 9 * day, Some(5 * day)),
            one("nameless", &[], 7 * day, None),
        ];
        policy.kept(repository, &candidates, at(10 * day)).map(|kept| kept.into_iter().collect())
    }

    #[test]
    fn templates_keep_what_they_say() {
        for (template, params, pattern, left) in [
            ("latestPushedK", json!({"latestPushedK": 1}), "**", &["newest"][..]),
            ("latestPushedK", json!({"latestPushedK": 2.0}), "v*", &["new", "old"]),
            ("latestPushedK", json!({"latestPushedK": 0}), "**", &[]),
            ("latestPushedK", json!({"latestPushedK": "many"}), "**", &["new", "newest", "old"]),
            ("latestPushedK", json!({"latestPushedK": -3}), "**", &["new", "newest", "old"]),
            ("latestPulledN", json!({"latestPulledN": 1}), "**", &["old"]),
            ("nDaysSinceLastPush", json!({"nDaysSinceLastPush": 3}), "**", &["new", "newest"]),
            ("nDaysSinceLastPull", json!({"nDaysSinceLastPull": 2}), "**", &["old"]),
            ("nDaysSinceLastPull", json!({"nDaysSinceLastPull": 1e300}), "**", &["newest", "old"]),
            ("always", json!({}), "latest", &["newest"]),
        ] {
            let policy = policy(json!([rule(template, &params, pattern)]));
            assert_eq!(kept(&policy, "app").unwrap(), left, "{template} {params} {pattern}");
        }
    }

    #[test]
    fn schedules_have_six_fields() {
        let of = |cron: Value| schedule(&json!({"kind": "Schedule", "settings": {"cron": cron}}));
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (cron, next) in [
            ("0 0 * * * *", "2026-03-01T13:00:00Z"),
            ("0 0 0 * * *", "2026-03-02T00:00:00Z"),
            ("0 30 4 * * 6", "2026-03-07T04:30:00Z"),
        ] {
            let found = of(cron.into()).unwrap().unwrap().next(noon, &jiff::tz::TimeZone::UTC);
            assert_eq!(found.unwrap().to_string(), next, "{cron}");
        }
        for none in [json!(""), json!(null), json!(7)] {
            assert_eq!(of(none), Ok(None));
        }
        assert_eq!(schedule(&json!({"settings": {"cron": "0 0 0 * * *"}})), Ok(None), "of no kind");
        for (bad, why) in [
            ("0 0 * * *", "expected exactly 6 fields, found 5: [0 0 * * *]"),
            ("1 0 0 * * *", "must be 0"),
            ("0 99 0 * * *", "99"),
            ("0 0 0 * * *  *", "found 7"),
            ("@daily", "found 1"),
        ] {
            let refused = of(bad.into()).unwrap_err();
            assert!(
                refused.starts_with(&format!("invalid cron {bad}: ")) && refused.contains(why),
                "{refused}"
            );
        }
    }

    #[test]
    fn rules_add_up_and_what_none_is_about_is_left_alone() {
        let last = rule("latestPushedK", &json!({"latestPushedK": 1}), "**");
        let both = policy(json!([last, rule("always", &json!({}), "stable")]));
        assert_eq!(kept(&both, "app").unwrap(), ["newest", "old"]);
        assert_eq!(kept(&both, "other"), None);
        let mut off = last;
        off["disabled"] = true.into();
        assert_eq!(kept(&policy(json!([off])), "app"), None);
        assert_eq!(kept(&policy(json!([])), "app"), None);
    }
}
