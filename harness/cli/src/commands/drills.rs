//! Commands about drills: they ask the lab and show its answer.

use pulldrill_lab::view::{
    DebriefView, DiagnosisView, DrillState, DrillView, HintView, JournalView, StatusView,
};
use serde::Serialize;
use serde_json::json;

use super::{Ground, show};
use crate::{
    client::segment,
    exit::{Exit, Failure, Outcome},
};

/// The answer of `check`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked<'a> {
    schema_version: u32,
    solved: bool,
    drills: Vec<&'a DrillView>,
}

pub(super) async fn status(ground: &Ground<'_>) -> Outcome {
    let status: StatusView = ground.lab()?.get("status").await?;
    ground.out.data(&status, show::status);
    Ok(Exit::Yes)
}

pub(super) async fn check(ground: &Ground<'_>, drill: Option<&str>) -> Outcome {
    let lab = ground.lab()?;
    let drills = match drill {
        Some(id) => vec![lab.get::<DrillView>(&format!("drills/{}", segment(id))).await?],
        None => lab.get::<StatusView>("status").await?.drills,
    };
    let exit = verdict(&drills);
    let checked = Checked {
        schema_version: pulldrill_lab::view::SCHEMA_VERSION,
        solved: exit == Exit::Yes,
        drills: drills.iter().collect(),
    };
    ground.out.data(&checked, |checked| show::checks(&checked.drills));
    Ok(exit)
}

/// Solved if every one is; a failure of the lab outranks an unsolved drill.
pub(super) fn verdict(drills: &[DrillView]) -> Exit {
    if drills.iter().any(|drill| drill.state == DrillState::InfrastructureError) {
        Exit::Infrastructure
    } else if !drills.is_empty() && drills.iter().all(|drill| drill.state == DrillState::Solved) {
        Exit::Yes
    } else {
        Exit::No
    }
}

pub(super) async fn start(ground: &Ground<'_>, scenario: &str) -> Outcome {
    let lab = ground.instructors_lab()?;
    let drill: DrillView = lab.post("drills", &json!({"scenario": scenario})).await?;
    ground.out.data(&drill, |drill| {
        format!("drill {} is {} in namespace {}", drill.id, drill.state.as_str(), drill.namespace)
    });
    Ok(Exit::Yes)
}

pub(super) async fn hint(ground: &Ground<'_>, drill: &str) -> Outcome {
    let hint: HintView = ground.lab()?.post(&format!("drills/{}/hint", segment(drill)), &json!({})).await?;
    ground.out.data(&hint, show::hint);
    Ok(Exit::Yes)
}

pub(super) async fn diagnose(ground: &Ground<'_>, drill: &str, cause: &str) -> Outcome {
    let path = format!("drills/{}/diagnose", segment(drill));
    let diagnosis: DiagnosisView = ground.lab()?.post(&path, &json!({"choice": cause})).await?;
    ground.out.data(&diagnosis, |diagnosis| {
        format!("noted for {drill}: {}; you can change it until the drill is closed", diagnosis.label)
    });
    Ok(Exit::Yes)
}

pub(super) async fn give_up(ground: &Ground<'_>, drill: &str) -> Outcome {
    let path = format!("drills/{}/give-up", segment(drill));
    let debrief: DebriefView = ground.lab()?.post(&path, &json!({})).await?;
    ground.out.data(&debrief, show::debrief);
    Ok(Exit::Yes)
}

pub(super) async fn debrief(ground: &Ground<'_>, drill: &str) -> Outcome {
    let debrief: DebriefView = ground.lab()?.get(&format!("drills/{}/debrief", segment(drill))).await?;
    ground.out.data(&debrief, show::debrief);
    Ok(Exit::Yes)
}

pub(super) async fn reset(ground: &Ground<'_>, drill: &str) -> Outcome {
    let path = format!("drills/{}/reset", segment(drill));
    let drill: DrillView = ground.instructors_lab()?.post(&path, &json!({})).await?;
    ground.out.data(&drill, |drill| format!("drill {} is {} again", drill.id, drill.state.as_str()));
    Ok(Exit::Yes)
}

pub(super) async fn journal(ground: &Ground<'_>) -> Outcome {
    if !ground.common.as_instructor {
        return Err(Failure::usage("the journal tells the causes; add --as-instructor to see it"));
    }
    let journal: Vec<JournalView> = ground.instructors_lab()?.get("journal").await?;
    ground.out.data(&journal, |journal| show::journal(journal));
    Ok(Exit::Yes)
}
