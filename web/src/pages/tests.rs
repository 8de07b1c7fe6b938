//! What the pages show of a lab, told by a recorded one with one drill in each state.

use pulldrill_lab::view::{Audience, DrillView, LabInfo, StatusView};
use serde::Deserialize;

use super::Pages;

#[derive(Deserialize)]
struct Fixture {
    status: StatusView,
    info: LabInfo,
}

fn fixture(audience: Audience) -> (StatusView, LabInfo) {
    let fixture: Fixture = serde_json::from_str(include_str!("../../fixtures/lab.json")).unwrap();
    (fixture.status.filtered(audience), fixture.info)
}

fn drill_page(id: &str, audience: Audience) -> String {
    let (status, info) = fixture(audience);
    let drill: &DrillView = status.drills.iter().find(|drill| drill.id == id).unwrap();
    Pages::new().unwrap().drill(&status, &info, drill, None).unwrap()
}

#[test]
fn a_drill_of_every_state_can_be_shown() {
    let (status, info) = fixture(Audience::Trainee);
    let pages = Pages::new().unwrap();
    let overview = pages.overview(&status, &info).unwrap();
    for drill in &status.drills {
        assert!(overview.contains(&format!("data-state=\"{}\"", drill.state.as_str())), "{}", drill.id);
        let page = pages.drill(&status, &info, drill, None).unwrap();
        let fragment = pages.drill_fragment(&status, &info, drill).unwrap();
        assert!(page.contains(fragment.trim()), "the page of {} is not its fragment in a frame", drill.id);
    }
    assert!(overview.contains("1 of 5 drills solved"));
    assert!(overview.contains("source /home/me/.pulldrill/env.sh"));
}

#[test]
fn what_others_wrote_is_text() {
    let page = drill_page("payments", Audience::Trainee);
    assert!(
        page.contains("&lt;img src&#x3D;x") || page.contains("&lt;img src=x"),
        "the event's words are gone"
    );
    assert!(!page.contains("<img") && !page.contains("<script>"), "markup came through");
    // The only scripts are our own files, which is all that the content security policy lets run.
    assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/").count());
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
}

#[test]
fn a_trainee_reads_no_answer_before_the_end() {
    let page = drill_page("payments", Audience::Trainee);
    assert!(!page.contains("SECRET"), "an open drill gives its answer away");
    assert!(drill_page("payments", Audience::Instructor).contains("SECRET-cause"));
    let closed = drill_page("orders", Audience::Trainee);
    assert!(closed.contains("credentials-expired/ecr-token") && closed.contains("Debrief"));
}

#[test]
fn every_action_is_a_form_that_needs_no_script() {
    let page = drill_page("payments", Audience::Trainee);
    for action in ["diagnose", "hint", "give-up"] {
        assert!(
            page.contains(&format!("<form method=\"post\" action=\"/drills/payments/{action}\"")),
            "{action}"
        );
    }
    assert!(
        !drill_page("orders", Audience::Trainee).contains("<form"),
        "a closed drill takes no more answers"
    );
}

#[test]
fn events_and_retries_read_as_in_kubectl() {
    let page = drill_page("payments", Audience::Trainee);
    assert!(page.contains("(x14 over"), "{page}");
    assert!(page.contains("data-tick=\"down\" data-seconds=\"42\""));
    assert!(page.contains("4m7s"), "ages are written as kubectl writes them");
}

#[test]
fn an_empty_lab_has_a_page() {
    let (mut status, mut info) = fixture(Audience::Trainee);
    status.drills.clear();
    info.kubeconfig = None;
    let page = Pages::new().unwrap().overview(&status, &info).unwrap();
    assert!(page.contains("No drill has been started yet"));
    assert!(page.contains("0 of 0 drills solved"));
}

#[test]
fn a_dialect_that_nothing_proves_is_said_to_be_one() {
    let (mut status, info) = fixture(Audience::Trainee);
    for verified in [true, false] {
        status.verified = verified;
        let page = Pages::new().unwrap().overview(&status, &info).unwrap();
        assert_eq!(page.contains("not verified by recordings"), !verified);
    }
}
