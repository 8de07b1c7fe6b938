//! What the lab's views look like in a terminal.

use std::fmt::Write;

use pulldrill_lab::view::{DebriefView, DrillState, DrillView, HintView, JournalView, StatusView};
use pulldrill_web::duration::{age, stopwatch};

use crate::output::{Tone, paint, table};

/// What is said of a dialect that no recording proves.
pub(super) const UNVERIFIED: &str = "not verified by recordings";

/// The lab: a line for each drill.
pub(super) fn status(status: &StatusView) -> String {
    if status.drills.is_empty() {
        return "no drill has been started; `pulldrill start SCENARIO` starts one".into();
    }
    let rows = status.drills.iter().map(|drill| {
        let passed = drill.checks.iter().filter(|check| check.passed).count();
        vec![
            drill.id.clone(),
            drill.namespace.clone(),
            state(drill.state),
            drill.score.to_string(),
            format!("{passed}/{}", drill.checks.len()),
            drill.elapsed_seconds.map_or_else(|| "-".into(), stopwatch),
            next(drill),
        ]
    });
    let head = ["drill", "namespace", "state", "score", "checks", "since symptom", "next"];
    let mut text = table(&head, rows);
    let causes = status.drills.iter().any(|drill| drill.cause.is_some());
    if causes {
        let rows = status
            .drills
            .iter()
            .filter_map(|drill| Some(vec![drill.id.clone(), drill.scenario.clone()?, drill.cause.clone()?]));
        let _never = write!(text, "\n\n{}", table(&["drill", "scenario", "cause"], rows));
    }
    if !status.verified {
        let _never = write!(text, "\n\ndialect {}, {}", status.dialect, paint(Tone::Wait, UNVERIFIED));
    }
    text
}

/// What happens next without anybody's doing.
fn next(drill: &DrillView) -> String {
    if let Some(error) = &drill.error {
        return error.clone();
    }
    if let Some(seconds) = drill.hold_remaining_seconds {
        return format!("solved in {seconds}s if it holds");
    }
    let retry = drill.pods.iter().filter_map(|pod| pod.next_retry_seconds).min();
    retry
        .filter(|_| !drill.state.is_closed())
        .map_or_else(String::new, |seconds| format!("pull retry in {seconds}s"))
}

/// A state in its tone.
pub(super) fn state(state: DrillState) -> String {
    let tone = match state {
        DrillState::Solved => Tone::Good,
        DrillState::Open | DrillState::InfrastructureError => Tone::Bad,
        DrillState::Held | DrillState::Injecting | DrillState::WaitingForSymptom => Tone::Wait,
        DrillState::GivenUp => Tone::Dim,
    };
    paint(tone, state.as_str())
}

/// Drills with their checks, and what a diagnosis may name.
pub(super) fn checks(drills: &[&DrillView]) -> String {
    let mut text = String::new();
    for (n, drill) in drills.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        let since = drill.elapsed_seconds.map_or_else(String::new, |seconds| format!(", {}", age(seconds)));
        let _never = writeln!(
            text,
            "{}  {} ({} of {} points{since})",
            paint(Tone::Strong, &drill.id),
            state(drill.state),
            drill.score,
            drill.score_detail.max,
        );
        for check in &drill.checks {
            let mark = if check.passed { paint(Tone::Good, "✓") } else { paint(Tone::Dim, "○") };
            let bonus = if check.required { "" } else { " (bonus)" };
            let _never = write!(text, "  {mark} {}{bonus}", check.title);
            if !check.passed && !check.message.is_empty() {
                let _never = write!(text, "\n      {}", paint(Tone::Dim, &check.message));
            }
            text.push('\n');
        }
        if drill.state.is_running() && drill.diagnosis.is_none() && drills.len() == 1 {
            let choices: Vec<_> = drill.choices.iter().map(|choice| choice.id.as_str()).collect();
            let _never = writeln!(text, "  causes to choose from: {}", choices.join(", "));
        }
        if let Some(error) = &drill.error {
            let _never = writeln!(text, "  {}", paint(Tone::Bad, error));
        }
    }
    text
}

/// A hint.
pub(super) fn hint(hint: &HintView) -> String {
    let price = if hint.price > 0 { format!(" (-{} if solved)", hint.price) } else { String::new() };
    format!(
        "{}{price}\n{}",
        paint(Tone::Strong, format!("Hint {}", hint.n)),
        hint.text.as_deref().unwrap_or_default()
    )
}

/// A debrief.
pub(super) fn debrief(debrief: &DebriefView) -> String {
    let mut text = format!(
        "{}\n{} ({})\n\n{}\n",
        paint(Tone::Strong, &debrief.title),
        debrief.cause_label,
        paint(Tone::Code, &debrief.cause),
        debrief.text.trim_end(),
    );
    for remedy in &debrief.remedies {
        let script: Vec<_> = remedy.script.trim_end().lines().map(|line| format!("    {line}")).collect();
        let _never = write!(
            text,
            "\n{}\n{}\n",
            paint(Tone::Strong, format!("Repair: {}", remedy.title)),
            script.join("\n")
        );
    }
    for reference in &debrief.references {
        let title =
            if reference.title == reference.url { String::new() } else { format!("{}: ", reference.title) };
        let _never = write!(text, "\n{title}{}", reference.url);
    }
    text
}

/// The journal of a run.
pub(super) fn journal(journal: &[JournalView]) -> String {
    let rows = journal.iter().map(|entry| {
        vec![entry.at.strftime("%H:%M:%S").to_string(), entry.drill.clone(), entry.event.to_string()]
    });
    if journal.is_empty() {
        "nothing has happened yet".into()
    } else {
        table(&["time", "drill", "event"], rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> StatusView {
        let text = include_str!("../../../../web/fixtures/lab.json");
        let mut lab: serde_json::Value = serde_json::from_str(text).unwrap();
        let status: StatusView = serde_json::from_value(lab["status"].take()).unwrap();
        status.filtered(pulldrill_lab::view::Audience::Trainee)
    }

    #[test]
    fn a_status_has_a_line_for_each_drill_and_no_answers() {
        let text = status(&fixture());
        assert!(text.contains("payments") && text.contains("pull retry in 42s"), "{text}");
        assert!(text.contains("solved in 18s if it holds"), "{text}");
        assert!(!text.contains("SECRET"), "{text}");
    }

    #[test]
    fn a_dialect_that_nothing_proves_is_said_to_be_one() {
        let mut lab = fixture();
        for verified in [true, false] {
            lab.verified = verified;
            assert_eq!(status(&lab).contains(UNVERIFIED), !verified);
        }
    }

    #[test]
    fn checks_say_what_is_missing() {
        let lab = fixture();
        let text = checks(&[&lab.drills[0]]);
        assert!(text.contains("1 of 3 replicas is ready") && text.contains("(bonus)"), "{text}");
        assert!(text.contains("causes to choose from: image-reference"), "{text}");
    }
}
