//! `scenarios`: what there is to start.
//!
//! Titles are what a trainee sees on a drill, so beside the family they would give causes away: they are
//! shown with `--as-instructor` only.

use pulldrill_lab::BackendKind;
use pulldrill_scenarios::{Catalogue, Scenario};
use serde::Serialize;

use super::{Ground, place};
use crate::{
    args::Backend,
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
    /// Whether the backend that was asked about can run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<bool>,
    /// Why it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn scenarios(ground: &Ground<'_>, backend: Option<Backend>, allow_node_access: bool) -> Outcome {
    let catalogue = Catalogue::embedded().map_err(|error| Failure::infrastructure(error.to_string()))?;
    let instructor = ground.common.as_instructor;
    let backend = backend.map(|backend| place::any(backend, allow_node_access));
    let list = catalogue.iter().map(|scenario| listed(scenario, instructor, backend.as_ref()));
    let list = list.collect::<Result<Vec<_>, _>>()?;
    ground.out.data(&list, |list| {
        let mut head = vec!["scenario", "family", "difficulty"];
        head.extend(instructor.then_some("title"));
        head.extend(backend.as_ref().map(|_| "available"));
        table(&head, list.iter().map(row))
    });
    Ok(Exit::Yes)
}

fn listed(scenario: &Scenario, instructor: bool, backend: Option<&BackendKind>) -> Result<Listed, Failure> {
    let variant = scenario.variant(1).map_err(|error| Failure::infrastructure(error.to_string()))?;
    let lacks = backend.map(|backend| backend.lacks(&variant));
    let document = scenario.document();
    let difficulty = serde_json::to_value(document.difficulty).unwrap_or_default();
    Ok(Listed {
        id: document.id.clone(),
        family: document.family.clone(),
        difficulty: difficulty.as_str().unwrap_or_default().to_owned(),
        title: instructor.then(|| document.title.clone()),
        cause: instructor.then(|| document.cause.clone()),
        objectives: instructor.then(|| document.objectives.clone()),
        available: lacks.as_ref().map(Option::is_none),
        reason: lacks.flatten(),
    })
}

fn row(scenario: &Listed) -> Vec<String> {
    let mut row = vec![scenario.id.clone(), scenario.family.clone(), scenario.difficulty.clone()];
    row.extend(scenario.title.clone());
    let answer = |reason: &Option<String>| reason.as_ref().map_or("yes".into(), |why| format!("no: {why}"));
    row.extend(scenario.available.map(|_| answer(&scenario.reason)));
    row
}
