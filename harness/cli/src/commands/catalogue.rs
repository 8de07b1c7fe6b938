//! `scenarios`: what there is to start.
//!
//! Titles are what a trainee sees on a drill, so beside the family they would give causes away: they are
//! shown with `--as-instructor` only.

use pulldrill_scenarios::{Catalogue, Scenario};
use serde::Serialize;

use super::Ground;
use crate::{
    exit::{Exit, Failure, Outcome},
    output::table,
};

/// A scenario in the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    family: String,
    difficulty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objectives: Option<Vec<String>>,
}

pub(super) fn scenarios(ground: &Ground<'_>) -> Outcome {
    let catalogue = Catalogue::embedded().map_err(|error| Failure::infrastructure(error.to_string()))?;
    let instructor = ground.common.as_instructor;
    let list: Vec<_> = catalogue.iter().map(|scenario| listed(scenario, instructor)).collect();
    ground.out.data(&list, |list| {
        let head = ["scenario", "family", "difficulty", "title"];
        table(&head[..if instructor { 4 } else { 3 }], list.iter().map(row))
    });
    Ok(Exit::Yes)
}

fn listed(scenario: &Scenario, instructor: bool) -> Listed {
    let document = scenario.document();
    let difficulty = serde_json::to_value(document.difficulty).unwrap_or_default();
    Listed {
        id: document.id.clone(),
        family: document.family.clone(),
        difficulty: difficulty.as_str().unwrap_or_default().to_owned(),
        title: instructor.then(|| document.title.clone()),
        cause: instructor.then(|| document.cause.clone()),
        objectives: instructor.then(|| document.objectives.clone()),
    }
}

fn row(scenario: &Listed) -> Vec<String> {
    let mut row = vec![scenario.id.clone(), scenario.family.clone(), scenario.difficulty.clone()];
    row.extend(scenario.title.clone());
    row
}
