//! The faults that a scenario gives its registries: each is one of the table, and says of itself what the table has. What is a
//! template is checked once it has its values.

use pulldrill_faults::FaultRule;

use super::report::{at, wrong};
use crate::model::{Action, Registry, Step};
use crate::tree::Key;
use crate::{Scenario, ScenarioError};

type Outcome = Result<(), ScenarioError>;

/// Checks the rules in which nothing is a template.
pub(crate) fn of_templates(scenario: &Scenario) -> Outcome {
    let document = &scenario.document;
    each(&document.registries, &document.history, |rule, path| {
        if is_template(rule) { Ok(()) } else { check(scenario, rule, path) }
    })
}

/// Checks all rules of a variant.
pub(crate) fn of_values(scenario: &Scenario, registries: &[Registry], history: &[Step]) -> Outcome {
    each(registries, history, |rule, path| check(scenario, rule, path))
}

/// Every rule with its place.
fn each(
    registries: &[Registry],
    history: &[Step],
    mut look: impl FnMut(&FaultRule, &[Key]) -> Outcome,
) -> Outcome {
    for (n, registry) in registries.iter().enumerate() {
        for (f, rule) in registry.faults.iter().enumerate() {
            look(rule, at!["registries", n, "faults", f])?;
        }
    }
    for (n, step) in history.iter().enumerate() {
        if let Action::AddFault { rule, .. } = &step.action {
            look(rule, at!["history", n, "do", "add-fault", "rule"])?;
        }
    }
    Ok(())
}

fn check(scenario: &Scenario, rule: &FaultRule, path: &[Key]) -> Outcome {
    let refused = |error: pulldrill_faults::RuleError| {
        wrong(
            scenario,
            path,
            error.to_string(),
            "docs/faults.md lists the faults, and what can be said of each",
        )
    };
    rule.kind().map(drop).map_err(refused)
}

fn is_template(rule: &FaultRule) -> bool {
    let text = serde_json::to_string(rule).unwrap_or_default();
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}
