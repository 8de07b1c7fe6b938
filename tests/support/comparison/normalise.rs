//! The one place that says what two recordings may differ in; the rules are `normalisation.yaml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// The reviewed rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    replace: Vec<Replace>,
    drop_events: Vec<DropEvent>,
    drop_lines: Vec<DropLine>,
    ages: String,
    /// Per dialect: may the two events of a pair come in either order?
    pub(crate) unordered_pairs: BTreeMap<String, bool>,
    /// Back-offs after the n-th failed pull, least and most.
    pub(crate) back_offs_after_attempt: Vec<(usize, usize)>,
    /// How many more there may be after the first, where another container has started.
    pub(crate) back_offs_beside_a_started_container: usize,
    /// Seconds between pulls, least and most, beyond the pull's own time.
    pub(crate) seconds_between_attempts: Vec<(f64, f64)>,
    /// Seconds between two syncs that refuse without a pull, least and most; the last range holds on.
    pub(crate) seconds_between_refusals: Vec<(f64, f64)>,
    /// By event reason.
    pub(crate) count_tolerance: BTreeMap<String, i64>,
    /// How many more statuses one recording may end with.
    pub(crate) status_tail: usize,
    /// From how many seconds on a pull's time is compared, and how far two may lie apart.
    pub(crate) long_pull: (f64, f64),
    /// For how many seconds a workload's state has to last to be compared.
    pub(crate) rest_seconds: f64,
    /// Paths in a pod's last status that are not compared as such.
    pub(crate) not_of_a_status: Vec<String>,
    /// Conditions with which a pod's state may be missing in one of two recordings.
    pub(crate) passing_conditions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    #[expect(dead_code, reason = "read by people")]
    why: String,
    find: String,
    with: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DropEvent {
    #[expect(dead_code, reason = "read by people")]
    why: String,
    reason: String,
    contains: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DropLine {
    #[expect(dead_code, reason = "read by people")]
    why: String,
    contains: String,
    #[serde(default)]
    and_next: bool,
}

/// The rules, compiled.
pub(crate) struct Normaliser {
    /// The rules as written.
    pub(crate) rules: Rules,
    replace: Vec<(Regex, String)>,
    ages: Regex,
}

impl Normaliser {
    /// Reads and compiles the rules.
    pub(crate) fn new() -> Result<Self> {
        let rules: Rules = serde_saphyr::from_str(include_str!("normalisation.yaml"))?;
        let replace = rules
            .replace
            .iter()
            .map(|r| Ok((Regex::new(&r.find).with_context(|| r.find.clone())?, r.with.clone())))
            .collect::<Result<_>>()?;
        let ages = Regex::new(&rules.ages)?;
        Ok(Self { rules, replace, ages })
    }

    /// One message.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.replace('\n', "⏎");
        for (find, with) in &self.replace {
            text = find.replace_all(&text, with).into_owned();
        }
        text
    }

    /// Whether an event is one that only one of two recordings may have.
    pub(crate) fn is_dropped(&self, event: &Value) -> bool {
        let message = event["message"].as_str().unwrap_or_default();
        let mut rules = self.rules.drop_events.iter();
        rules.any(|rule| event["reason"] == *rule.reason && message.contains(&rule.contains))
    }

    /// The lines of a `kubectl describe pods`, one block a pod, in an order that names do not decide.
    pub(crate) fn describe(&self, text: &str) -> Vec<String> {
        let mut blocks: Vec<Vec<String>> = Vec::new();
        let mut skip = false;
        let mut table = false;
        for line in text.lines() {
            if line.starts_with("Name:") {
                blocks.push(Vec::new());
                table = false;
            }
            if std::mem::take(&mut skip) {
                continue;
            }
            if let Some(rule) = self.rules.drop_lines.iter().find(|d| line.contains(&d.contains)) {
                skip = rule.and_next;
                continue;
            }
            let squeezed = self.text(&line.split_whitespace().collect::<Vec<_>>().join(" "));
            if squeezed.is_empty() || squeezed.starts_with("----") || squeezed.starts_with("===") {
                continue;
            }
            let shown = if table { self.ages.replace(&squeezed, "<age>").into_owned() } else { squeezed };
            table |= line.starts_with("Events:");
            if let Some(block) = blocks.last_mut() {
                block.push(shown);
            }
        }
        for block in &mut blocks {
            let events = block.iter().position(|l| l.starts_with("Events:")).map_or(block.len(), |at| at + 1);
            if let Some(rows) = block.get_mut(events..) {
                rows.sort();
            }
            let mut seen = std::collections::HashSet::new();
            let mut index = 0;
            block.retain(|line| {
                index += 1;
                index <= events || seen.insert(line.clone())
            });
        }
        // The names of ReplicaSets are of chance, their revisions are not.
        let revision = |line: &&String| line.contains("deployment.kubernetes.io/revision:");
        blocks.sort_by_key(|block| {
            (block.iter().any(|line| line == "Status: Pending"), block.iter().find(revision).cloned())
        });
        blocks.concat()
    }
}
