//! Calls that stand for tools of a trainee's trade: node egress, pull log, image copy, ECR password.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use pulldrill_clock::real;
use pulldrill_lab::{
    Lab,
    request::{CopyRequest, EgressRequest, FaultRequest, PullQuery},
    view::{CopyView, EgressView, FaultView, PullView},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer,
    extract::{Asked, Body},
    to_the_end,
};

/// How long something new is waited for, in seconds.
const LONGEST_WAIT: u64 = 60;

/// Which registry's faults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultQuery {
    host: Option<String>,
}

/// Which node's rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeQuery {
    node: Option<String>,
}

/// Which registry's password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    #[serde(default)]
    host: Option<String>,
}

pub(crate) async fn egress(
    State(lab): State<Lab>,
    Asked(query): Asked<NodeQuery>,
) -> Answer<Vec<EgressView>> {
    Ok(Json(lab.egress(query.node.as_deref()).await?))
}

pub(crate) async fn allow_egress(
    State(lab): State<Lab>,
    Body(request): Body<EgressRequest>,
) -> Answer<Vec<EgressView>> {
    to_the_end(async move { lab.allow_egress(&request).await }).await.map(Json)
}

pub(crate) async fn delete_egress(
    State(lab): State<Lab>,
    Path((node, rule)): Path<(String, String)>,
) -> Answer<Value> {
    let deleted = json!({"node": node, "id": rule});
    to_the_end(async move { lab.delete_egress(&node, &rule).await }).await?;
    Ok(Json(deleted))
}

pub(crate) async fn pull_log(
    State(lab): State<Lab>,
    Asked(query): Asked<PullQuery>,
) -> Answer<Vec<PullView>> {
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(LONGEST_WAIT));
    let something = async {
        loop {
            let last = lab.last_pull();
            match lab.pull_log(&query) {
                Ok(found) if found.is_empty() => lab.more_pulls(last).await,
                found => return found,
            }
        }
    };
    // None is an answer too.
    Ok(Json(real::timeout(wait, something).await.unwrap_or_else(|| Ok(Vec::new()))?))
}

pub(crate) async fn faults(
    State(lab): State<Lab>,
    Asked(query): Asked<FaultQuery>,
) -> Answer<Vec<FaultView>> {
    Ok(Json(lab.faults(query.host.as_deref()).await?))
}

pub(crate) async fn add_fault(
    State(lab): State<Lab>,
    Body(request): Body<FaultRequest>,
) -> Answer<Vec<FaultView>> {
    to_the_end(async move { lab.add_fault(&request).await }).await.map(Json)
}

pub(crate) async fn clear_faults(
    State(lab): State<Lab>,
    Asked(query): Asked<FaultQuery>,
) -> Answer<Vec<FaultView>> {
    to_the_end(async move { lab.clear_faults(query.host.as_deref(), None).await }).await.map(Json)
}

pub(crate) async fn clear_fault(State(lab): State<Lab>, Path(id): Path<u64>) -> Answer<Vec<FaultView>> {
    to_the_end(async move { lab.clear_faults(None, Some(id)).await }).await.map(Json)
}

pub(crate) async fn copy_image(State(lab): State<Lab>, Body(request): Body<CopyRequest>) -> Answer<CopyView> {
    to_the_end(async move { lab.copy_image(&request).await }).await.map(Json)
}

pub(crate) async fn ecr_login_password(
    State(lab): State<Lab>,
    Body(request): Body<LoginRequest>,
) -> Answer<Value> {
    let password = to_the_end(async move { lab.ecr_login_password(request.host.as_deref()).await }).await?;
    Ok(Json(json!({"username": "AWS", "password": password})))
}
