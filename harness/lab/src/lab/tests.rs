//! What is left of a lab that has ended.

use std::sync::Arc;

use pulldrill_clock::{SignedDuration, Timestamp};

use super::*;
use crate::ClockMode;

#[tokio::test]
async fn nothing_of_a_lab_that_has_ended_stays_in_memory() {
    let lab = Lab::start(LabOptions {
        scenarios: vec!["wrong-tag".into()],
        clock: ClockMode::Held(Timestamp::from_second(1_790_000_000).unwrap()),
        ..LabOptions::default()
    })
    .await
    .unwrap();
    lab.open().await.unwrap();
    let inner = Arc::downgrade(&lab.0);
    let store = Arc::downgrade(lab.0.backend.objects());
    let stage = Arc::downgrade(&lab.0.stage);
    let clock = lab.clock().clone();
    assert!(clock.next_due().is_some());
    lab.shutdown().await;
    clock.advance(SignedDuration::from_hours(1)).await;
    assert!(clock.next_due().is_none());
    drop(lab);
    assert!(inner.upgrade().is_none());
    assert!(store.upgrade().is_none(), "{:?} others own the store", store.strong_count());
    assert!(stage.upgrade().is_none(), "{:?} others own the registries", stage.strong_count());
}
