//! `wait`: until drills have come to where they should be.

use std::time::Duration;

use pulldrill_clock::real;
use pulldrill_lab::view::{DrillState, DrillView, StatusView};

use super::{Ground, drills, show};
use crate::{
    args::{Until, Wait},
    client::{Client, segment},
    exit::{Exit, Failure, Outcome},
};

/// How often the lab is asked. It is on this machine and answers from memory.
const PERIOD: Duration = Duration::from_millis(150);

/// What one look has found.
enum Look {
    /// It is decided.
    Over(Exit, Vec<DrillView>),
    /// Not there yet; the state of things, if any could be seen.
    NotYet(Vec<DrillView>),
}

pub(super) async fn wait(ground: &Ground<'_>, wait: &Wait) -> Outcome {
    let limit = Duration::try_from(wait.timeout).unwrap_or_default();
    let watch = real::stopwatch();
    loop {
        let look = look(ground, wait).await?;
        let (exit, drills) = match look {
            Look::Over(exit, drills) => (exit, drills),
            Look::NotYet(drills) if watch.elapsed() >= limit => (Exit::No, drills),
            Look::NotYet(_) => {
                real::sleep(PERIOD.min(limit.saturating_sub(watch.elapsed()))).await;
                continue;
            }
        };
        ground.out.data(&drills, |drills| lines(drills));
        return Ok(exit);
    }
}

async fn look(ground: &Ground<'_>, wait: &Wait) -> Result<Look, Failure> {
    let lab = match ground.lab() {
        Ok(lab) => lab,
        // It may still be starting, or not even have begun to: `up` in the background and `wait` right after.
        Err(_) if ground.folder.info()?.is_none() => return Ok(Look::NotYet(Vec::new())),
        Err(failure) => return Err(failure),
    };
    let drills = ask(&lab, wait.drill.as_deref()).await?;
    let over = match wait.until {
        Until::Symptom => symptom(&drills),
        Until::Solved => solved(&drills),
    };
    Ok(match over {
        Some(exit) => Look::Over(exit, drills),
        None => Look::NotYet(drills),
    })
}

async fn ask(lab: &Client, drill: Option<&str>) -> Result<Vec<DrillView>, Failure> {
    Ok(match drill {
        Some(id) => vec![lab.get::<DrillView>(&format!("drills/{}", segment(id))).await?],
        None => lab.get::<StatusView>("status").await?.drills,
    })
}

fn symptom(drills: &[DrillView]) -> Option<Exit> {
    if drills.iter().any(|drill| drill.state == DrillState::InfrastructureError) {
        return Some(Exit::Infrastructure);
    }
    let there = drills.iter().all(|drill| drill.state.is_running() || drill.state.is_closed());
    (there && !drills.is_empty()).then_some(Exit::Yes)
}

fn solved(drills: &[DrillView]) -> Option<Exit> {
    match drills::verdict(drills) {
        Exit::No if drills.iter().any(|drill| drill.state == DrillState::GivenUp) => Some(Exit::No),
        Exit::No => None,
        decided => Some(decided),
    }
}

fn lines(drills: &[DrillView]) -> String {
    if drills.is_empty() {
        return "no lab is ready".into();
    }
    let lines: Vec<_> =
        drills.iter().map(|drill| format!("{}: {}", drill.id, show::state(drill.state))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drills(states: &[&str]) -> Vec<DrillView> {
        states
            .iter()
            .map(|state| {
                serde_json::from_value(serde_json::json!({
                    "id": "payments", "namespace": "payments", "title": "", "story": "", "state": state, "score": 0,
                    "scoreDetail": {"total": 0, "max": 0, "diagnose": 0, "diagnoseMax": 0, "repair": 0, "repairMax": 0,
                        "prevent": 0, "preventMax": 0, "hints": 0},
                    "checks": [], "pods": [], "events": [], "feed": [], "hints": [], "choices": []
                }))
                .unwrap()
            })
            .collect()
    }

    #[test]
    fn a_wait_ends_when_it_is_decided() {
        for (states, expected) in [
            (&["open", "open"][..], Some(Exit::Yes)),
            (&["open", "waiting-for-symptom"], None),
            (&["open", "infrastructure-error"], Some(Exit::Infrastructure)),
            (&[], None),
        ] {
            assert_eq!(symptom(&drills(states)), expected, "{states:?}");
        }
        for (states, expected) in [
            (&["solved", "solved"][..], Some(Exit::Yes)),
            (&["solved", "held"], None),
            (&["solved", "given-up"], Some(Exit::No)),
            (&["infrastructure-error", "given-up"], Some(Exit::Infrastructure)),
        ] {
            assert_eq!(solved(&drills(states)), expected, "{states:?}");
        }
    }
}
