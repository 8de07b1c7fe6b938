//! How drills are scored: one score sheet for all of them, so that it says nothing about the fault.
//!
//! A scenario only says what each line means for it (`checks:` in its `scenario.yaml`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::Category;
use crate::tree::Key;
use crate::{ScenarioError, tree};

/// One line of the score sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RubricLine {
    /// Its id, the key in a scenario's `checks`.
    pub id: String,
    /// What it asks for.
    pub title: String,
    /// What it is worth.
    pub points: u32,
    /// What it is part of.
    pub category: Category,
    /// Whether a drill is unsolved without it.
    pub required: bool,
    /// What is still missing, as long as it fails.
    pub message: String,
}

/// The score sheet. Its points add up to 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rubric {
    /// Its lines, in the order they are shown.
    pub checks: Vec<RubricLine>,
}

impl Rubric {
    /// Reads and checks a `rubric.yaml`.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let rubric: Self = tree::parse(file, text)?;
        let wrong = |path: &[Key], message: String, help: &str| {
            Err(ScenarioError::at(file, text, tree::place(text, path), message, help))
        };
        let mut seen = BTreeSet::new();
        for (n, line) in rubric.checks.iter().enumerate() {
            if !seen.insert(line.id.as_str()) {
                return wrong(
                    &["checks".into(), n.into(), "id".into()],
                    format!("{:?} is there twice", line.id),
                    "give each its own name",
                );
            }
        }
        let checks: &[Key] = &["checks".into()];
        let points: u32 = rubric.checks.iter().map(|line| line.points).sum();
        if points != 100 {
            return wrong(
                checks,
                format!("the points of all checks add up to {points}"),
                "make them add up to 100",
            );
        }
        for category in [Category::Diagnose, Category::Repair] {
            if !rubric.checks.iter().any(|line| line.category == category) {
                return wrong(
                    checks,
                    format!("no check is of the category {category:?}"),
                    "add one: each drill asks for a diagnosis and a repair",
                );
            }
        }
        if !rubric.checks.iter().any(|line| line.required && line.category == Category::Repair) {
            let message = "no repair is required, so every drill would be solved from the start".to_owned();
            return wrong(checks, message, "mark the repair with `required: true`");
        }
        Ok(rubric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "title: t, message: m";

    fn problem(text: &str) -> String {
        Rubric::parse("rubric.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn the_points_add_up_and_a_repair_is_required() {
        let both = |points: u32, required: bool| {
            format!(
                "checks:\n  - {{ id: a, points: 20, category: diagnose, required: false, {LINE} }}\n  - {{ id: b, points: {points}, category: repair, required: {required}, {LINE} }}\n"
            )
        };
        assert!(Rubric::parse("rubric.yaml", &both(80, true)).is_ok());
        assert_eq!(problem(&both(70, true)), "rubric.yaml:2:3: the points of all checks add up to 90");
        assert!(problem(&both(80, false)).contains("no repair is required"));
        assert!(
            problem(&both(80, true).replace("id: b", "id: a"))
                .starts_with("rubric.yaml:3:11: \"a\" is there twice")
        );
    }
}
