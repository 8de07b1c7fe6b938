//! An error of a scenario's document, at the place of a path in it.

use crate::tree::{self, Key};
use crate::{Scenario, ScenarioError};

/// The error that something at a path is wrong.
pub(super) fn wrong(scenario: &Scenario, path: &[Key], message: String, help: &str) -> ScenarioError {
    let file = scenario.source.display("scenario.yaml");
    let text = scenario.source.files.get("scenario.yaml").map_or("", String::as_str);
    ScenarioError::at(&file, text, tree::place(text, path), message, help)
}

/// The path of keys and indices.
macro_rules! at {
    ($($key:expr),* $(,)?) => { &[$(crate::tree::Key::from($key)),*] };
}
pub(super) use at;
