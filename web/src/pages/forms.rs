//! The forms of a drill's page. They work without a script: each answers with a redirect to the drill.

use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    response::{IntoResponse, Redirect, Response},
};
use pulldrill_lab::LabError;
use serde::Deserialize;

use super::handlers::problem;
use crate::{api::drills::Diagnosis, error::Refusal, site::Site};

/// A purchase that must be the one the buyer saw, not a second click on it.
#[derive(Debug, Deserialize)]
pub(crate) struct Purchase {
    n: usize,
}

pub(crate) async fn hint(
    State(site): State<Site>,
    Path(id): Path<String>,
    Form(purchase): Form<Purchase>,
) -> Result<Response, Refusal> {
    let bought = match site.lab.drill(&id, pulldrill_lab::view::Audience::Trainee) {
        Ok(drill) => drill.hints.iter().any(|hint| hint.n == purchase.n && hint.text.is_some()),
        Err(error) => return problem(&site, &error),
    };
    if bought {
        return Ok(back(&id, "hint"));
    }
    let result = site.lab.hint(&id).await.map(|_| ());
    answer(&site, &id, "hint", result)
}

pub(crate) async fn diagnose(
    State(site): State<Site>,
    Path(id): Path<String>,
    form: Result<Form<Diagnosis>, FormRejection>,
) -> Result<Response, Refusal> {
    let Ok(Form(diagnosis)) = form else {
        return problem(&site, &LabError::Invalid("choose one of the causes first".into()));
    };
    let result = site.lab.diagnose(&id, &diagnosis.choice).await.map(|_| ());
    answer(&site, &id, "diagnose", result)
}

pub(crate) async fn give_up(State(site): State<Site>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let result = site.lab.give_up(&id).await.map(|_| ());
    answer(&site, &id, "give-up", result)
}

fn answer(site: &Site, id: &str, done: &str, result: Result<(), LabError>) -> Result<Response, Refusal> {
    match result {
        Ok(()) => Ok(back(id, done)),
        Err(error) => problem(site, &error),
    }
}

/// To the drill. The lab knows the id by now, so it is one of its own plain names.
fn back(id: &str, done: &str) -> Response {
    Redirect::to(&format!("/drills/{id}?done={done}")).into_response()
}
