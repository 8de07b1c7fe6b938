//! Calls about the lab as a whole: status, clock, catalogue, end.

use axum::{Json, extract::State};
use http::StatusCode;
use pulldrill_clock::SignedDuration;
use pulldrill_lab::{
    Lab,
    view::{ClockView, JournalView, LabInfo, ScenarioView, StatusView},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, extract::Body, to_the_end};
use crate::{gate::Viewer, site::Site};

/// How far to advance the clock.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Advance {
    seconds: i64,
}

pub(crate) async fn info(State(lab): State<Lab>) -> Json<LabInfo> {
    Json(lab.info())
}

pub(crate) async fn status(State(lab): State<Lab>, Viewer(audience): Viewer) -> Json<StatusView> {
    Json(lab.status(audience))
}

pub(crate) async fn scenarios(State(lab): State<Lab>) -> Json<Vec<ScenarioView>> {
    Json(lab.scenarios())
}

pub(crate) async fn journal(State(lab): State<Lab>) -> Answer<Vec<JournalView>> {
    Ok(Json(lab.journal().await?))
}

pub(crate) async fn clock(State(lab): State<Lab>, Viewer(audience): Viewer) -> Json<ClockView> {
    Json(lab.status(audience).clock)
}

pub(crate) async fn advance(State(lab): State<Lab>, Body(body): Body<Advance>) -> Answer<ClockView> {
    let by = SignedDuration::from_secs(body.seconds);
    to_the_end(async move { lab.advance(by).await }).await.map(Json)
}

/// Answers first, then ends: the server finishes this answer before it closes.
pub(crate) async fn shutdown(State(site): State<Site>) -> (StatusCode, Json<Value>) {
    tracing::info!("a client asked the lab to end");
    site.stop.cancel();
    (StatusCode::ACCEPTED, Json(json!({"stopping": true})))
}
