//! Calls about one drill.

use axum::{
    Json,
    extract::{Path, State},
};
use pulldrill_lab::{
    Lab,
    view::{Audience, DebriefView, DiagnosisView, DrillView, HintView, RecordingView},
};
use serde::Deserialize;

use super::{Answer, extract::Body, to_the_end};
use crate::gate::Viewer;

/// A diagnosis.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diagnosis {
    pub(crate) choice: String,
}

/// A drill to start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    scenario: String,
}

pub(crate) async fn drill(
    State(lab): State<Lab>,
    Viewer(audience): Viewer,
    Path(id): Path<String>,
) -> Answer<DrillView> {
    Ok(Json(lab.drill(&id, audience)?))
}

pub(crate) async fn hint(State(lab): State<Lab>, Path(id): Path<String>) -> Answer<HintView> {
    to_the_end(async move { lab.hint(&id).await }).await.map(Json)
}

pub(crate) async fn diagnose(
    State(lab): State<Lab>,
    Path(id): Path<String>,
    Body(body): Body<Diagnosis>,
) -> Answer<DiagnosisView> {
    to_the_end(async move { lab.diagnose(&id, &body.choice).await }).await.map(Json)
}

pub(crate) async fn give_up(State(lab): State<Lab>, Path(id): Path<String>) -> Answer<DebriefView> {
    to_the_end(async move { lab.give_up(&id).await }).await.map(Json)
}

pub(crate) async fn debrief(
    State(lab): State<Lab>,
    Viewer(audience): Viewer,
    Path(id): Path<String>,
) -> Answer<DebriefView> {
    Ok(Json(lab.debrief(&id, audience)?))
}

pub(crate) async fn recording(
    State(lab): State<Lab>,
    Viewer(audience): Viewer,
    Path(id): Path<String>,
) -> Answer<RecordingView> {
    Ok(Json(lab.recording(&id, audience)?))
}

pub(crate) async fn reset(State(lab): State<Lab>, Path(id): Path<String>) -> Answer<DrillView> {
    to_the_end(async move {
        lab.reset(&id).await?;
        lab.drill(&id, Audience::Trainee)
    })
    .await
    .map(Json)
}

pub(crate) async fn start(State(lab): State<Lab>, Body(body): Body<Start>) -> Answer<DrillView> {
    to_the_end(async move {
        let id = lab.start_drill(&body.scenario).await?;
        lab.drill(&id, Audience::Trainee)
    })
    .await
    .map(Json)
}
