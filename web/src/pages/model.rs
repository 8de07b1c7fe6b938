//! What templates are given: the views, with texts and classes worked out. Every field is always there.

use pulldrill_lab::view::{
    CheckView, ChoiceView, DebriefView, DiagnosisView, DrillState, DrillView, EventView, HintView, LabInfo,
    PodView, ScoreView, StatusView,
};
use serde::Serialize;

use super::markdown;
use crate::duration;

/// The lab around the drills.
#[derive(Serialize)]
pub(super) struct LabModel {
    dialect: String,
    verified: bool,
    time: String,
    epoch: i64,
    advanced: Option<String>,
    kubeconfig: Option<String>,
    env: Option<String>,
    drills: Vec<DrillModel>,
    solved: usize,
    score: i64,
    max: i64,
    percent: i64,
}

/// One drill.
#[derive(Serialize)]
pub(super) struct DrillModel {
    id: String,
    namespace: String,
    title: String,
    story: String,
    state: &'static str,
    state_label: &'static str,
    tone: &'static str,
    icon: &'static str,
    running: bool,
    closed: bool,
    score: i64,
    max: i64,
    percent: i64,
    parts: Vec<PartModel>,
    hint_cost: i64,
    elapsed: Option<String>,
    elapsed_seconds: i64,
    hold_seconds: Option<i64>,
    pods: Vec<PodModel>,
    retry_seconds: Option<i64>,
    events: Vec<EventModel>,
    checks: Vec<CheckView>,
    passed: usize,
    feed: Vec<FeedModel>,
    hints: Vec<HintView>,
    hints_bought: usize,
    next_hint: Option<HintView>,
    choices: Vec<ChoiceView>,
    diagnosis: Option<DiagnosisView>,
    debrief: Option<DebriefModel>,
    error: Option<String>,
}

/// A part of the score.
#[derive(Serialize)]
struct PartModel {
    name: &'static str,
    points: i64,
    max: i64,
}

/// One pod.
#[derive(Serialize)]
struct PodModel {
    name: String,
    ready: String,
    status: String,
    tone: &'static str,
    icon: &'static str,
    restarts: i64,
    age: String,
    age_seconds: i64,
    node: String,
    image: String,
    message: Option<String>,
    retry_seconds: Option<i64>,
}

/// One event.
#[derive(Serialize)]
struct EventModel {
    key: String,
    kind: String,
    tone: &'static str,
    reason: String,
    object: String,
    message: String,
    count: i64,
    last: String,
    last_seconds: i64,
    first: String,
    first_seconds: i64,
}

/// One line of what the lab noticed.
#[derive(Serialize)]
struct FeedModel {
    kind: String,
    time: String,
    message: String,
}

/// A debrief.
#[derive(Serialize)]
struct DebriefModel {
    #[serde(flatten)]
    view: DebriefView,
    html: String,
}

pub(super) fn lab(status: &StatusView, info: &LabInfo) -> LabModel {
    let drills: Vec<_> = status.drills.iter().map(drill).collect();
    let score = drills.iter().map(|drill| drill.score).sum();
    let max = drills.iter().map(|drill| drill.max).sum();
    LabModel {
        dialect: status.dialect.clone(),
        verified: status.verified,
        time: status.clock.shown.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        epoch: status.clock.shown.as_second(),
        advanced: (status.clock.advanced_seconds > 0).then(|| duration::age(status.clock.advanced_seconds)),
        kubeconfig: info.kubeconfig.as_ref().map(|path| path.display().to_string()),
        env: info.kubeconfig.as_ref().map(|path| path.with_file_name("env.sh").display().to_string()),
        solved: status.drills.iter().filter(|drill| drill.state == DrillState::Solved).count(),
        score,
        max,
        percent: percent(score, max),
        drills,
    }
}

pub(super) fn drill(view: &DrillView) -> DrillModel {
    let (state_label, tone, icon) = of_state(view.state);
    let max = if view.score_detail.max > 0 { view.score_detail.max } else { 100 };
    let next_hint = view.hints.iter().find(|hint| hint.text.is_none()).cloned();
    DrillModel {
        id: view.id.clone(),
        namespace: view.namespace.clone(),
        title: view.title.clone(),
        story: markdown::render(&view.story),
        state: view.state.as_str(),
        state_label,
        tone,
        icon,
        running: view.state.is_running(),
        closed: view.state.is_closed(),
        score: view.score,
        max,
        percent: percent(view.score, max),
        parts: parts(&view.score_detail),
        hint_cost: view.score_detail.hints,
        elapsed: view.elapsed_seconds.map(duration::stopwatch),
        elapsed_seconds: view.elapsed_seconds.unwrap_or_default(),
        hold_seconds: view.hold_remaining_seconds,
        retry_seconds: view.pods.iter().filter_map(|pod| pod.next_retry_seconds).min(),
        pods: view.pods.iter().map(pod).collect(),
        events: view.events.iter().map(event).collect(),
        passed: view.checks.iter().filter(|check| check.passed).count(),
        checks: view.checks.clone(),
        feed: view
            .feed
            .iter()
            .rev()
            .map(|line| FeedModel {
                kind: line.kind.clone(),
                time: line.at.strftime("%H:%M:%S").to_string(),
                message: line.message.clone(),
            })
            .collect(),
        hints_bought: view.hints.iter().filter(|hint| hint.text.is_some()).count(),
        hints: view.hints.clone(),
        next_hint,
        choices: view.choices.clone(),
        diagnosis: view.diagnosis.clone(),
        debrief: view.debrief.clone().map(|view| DebriefModel { html: markdown::render(&view.text), view }),
        error: view.error.clone(),
    }
}

fn percent(points: i64, of: i64) -> i64 {
    if of <= 0 { 0 } else { (points * 100 / of).clamp(0, 100) }
}

fn parts(score: &ScoreView) -> Vec<PartModel> {
    [
        ("Repair", score.repair, score.repair_max),
        ("Diagnosis", score.diagnose, score.diagnose_max),
        ("Prevention", score.prevent, score.prevent_max),
    ]
    .into_iter()
    .filter(|(.., max)| *max > 0)
    .map(|(name, points, max)| PartModel { name, points, max })
    .collect()
}

/// Words, tone and icon of a state; never told by colour alone.
fn of_state(state: DrillState) -> (&'static str, &'static str, &'static str) {
    match state {
        DrillState::Injecting => ("Injecting", "wait", "dots"),
        DrillState::WaitingForSymptom => ("Waiting for the symptom", "wait", "dots"),
        DrillState::Open => ("Failing", "bad", "alert"),
        DrillState::Held => ("Holding", "hold", "half"),
        DrillState::Solved => ("Solved", "good", "check"),
        DrillState::GivenUp => ("Given up", "mute", "flag"),
        DrillState::InfrastructureError => ("Lab error", "lab", "wrench"),
    }
}

fn pod(view: &PodView) -> PodModel {
    let (tone, icon) = of_pod(&view.status, &view.ready);
    PodModel {
        name: view.name.clone(),
        ready: view.ready.clone(),
        status: view.status.clone(),
        tone,
        icon,
        restarts: view.restarts,
        age: duration::age(view.age_seconds),
        age_seconds: view.age_seconds,
        node: view.node.clone().unwrap_or_else(|| "<none>".into()),
        image: view.image.clone(),
        message: view.message.clone(),
        retry_seconds: view.next_retry_seconds,
    }
}

/// Tone and icon of a STATUS column.
fn of_pod(status: &str, ready: &str) -> (&'static str, &'static str) {
    let all_ready = ready.split_once('/').is_some_and(|(ready, all)| ready == all);
    match status {
        "Running" if all_ready => ("good", "check"),
        "Completed" | "Succeeded" => ("good", "check"),
        "Running" | "Pending" | "ContainerCreating" | "PodInitializing" => ("wait", "dots"),
        "Terminating" => ("mute", "dots"),
        _ if status.starts_with("Init:") && !status.contains("Err") && !status.contains("BackOff") => {
            ("wait", "dots")
        }
        _ => ("bad", "alert"),
    }
}

fn event(view: &EventView) -> EventModel {
    EventModel {
        key: format!("{}/{}/{}", view.object, view.reason, view.count),
        kind: view.kind.clone(),
        tone: if view.kind == "Warning" { "warn" } else { "mute" },
        reason: view.reason.clone(),
        object: view.object.clone(),
        message: view.message.clone(),
        count: view.count,
        last: duration::age(view.last_seconds),
        last_seconds: view.last_seconds,
        first: duration::age(view.first_seconds),
        first_seconds: view.first_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_column_has_the_tone_that_it_deserves() {
        let cases = [
            ("Running", "1/1", "good"),
            ("Running", "0/1", "wait"),
            ("ContainerCreating", "0/1", "wait"),
            ("Init:0/1", "0/1", "wait"),
            ("Init:ImagePullBackOff", "0/1", "bad"),
            ("ErrImagePull", "0/1", "bad"),
            ("ImagePullBackOff", "0/1", "bad"),
            ("ErrImageNeverPull", "0/1", "bad"),
            ("Terminating", "1/1", "mute"),
        ];
        for (status, ready, tone) in cases {
            assert_eq!(of_pod(status, ready).0, tone, "{status} {ready}");
        }
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert_eq!((percent(5, 0), percent(50, 100), percent(-3, 10)), (0, 50, 0));
    }
}
