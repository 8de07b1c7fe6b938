//! Requests for pages and their live parts.

use axum::{
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Response},
};
use http::StatusCode;
use pulldrill_lab::{LabError, view::Audience};
use serde::Deserialize;

use crate::{error::Refusal, gate::Viewer, site::Site};

/// What a form that was sent without a script has to say afterwards.
#[derive(Debug, Deserialize)]
pub(crate) struct Notice {
    done: Option<String>,
}

impl Notice {
    /// Only our own words are ever shown, whatever the query says.
    fn words(&self) -> Option<&'static str> {
        match self.done.as_deref() {
            Some("hint") => Some("The hint is below."),
            Some("diagnose") => Some("Your diagnosis is noted. You can change it until the drill is closed."),
            Some("give-up") => Some("You gave this drill up. The answer is below."),
            _ => None,
        }
    }
}

pub(crate) async fn overview(
    State(site): State<Site>,
    Viewer(audience): Viewer,
) -> Result<Html<String>, Refusal> {
    Ok(Html(site.pages.overview(&site.lab.status(audience), &site.lab.info())?))
}

pub(crate) async fn overview_fragment(
    State(site): State<Site>,
    Viewer(audience): Viewer,
) -> Result<Html<String>, Refusal> {
    fragment(&site, audience, "", || {
        Ok(site.pages.overview_fragment(&site.lab.status(audience), &site.lab.info())?)
    })
}

pub(crate) async fn drill(
    State(site): State<Site>,
    Viewer(audience): Viewer,
    Path(id): Path<String>,
    Query(notice): Query<Notice>,
) -> Result<Response, Refusal> {
    let drill = match site.lab.drill(&id, audience) {
        Ok(drill) => drill,
        Err(error) => return problem(&site, &error),
    };
    let page = site.pages.drill(&site.lab.status(audience), &site.lab.info(), &drill, notice.words())?;
    Ok(Html(page).into_response())
}

pub(crate) async fn drill_fragment(
    State(site): State<Site>,
    Viewer(audience): Viewer,
    Path(id): Path<String>,
) -> Result<Html<String>, Refusal> {
    fragment(&site, audience, &id, || {
        let drill = site.lab.drill(&id, audience)?;
        Ok(site.pages.drill_fragment(&site.lab.status(audience), &site.lab.info(), &drill)?)
    })
}

/// A live part: rendered once for all pages that ask for it at about the same time.
fn fragment(
    site: &Site,
    audience: Audience,
    id: &str,
    render: impl FnOnce() -> Result<String, Refusal>,
) -> Result<Html<String>, Refusal> {
    if audience != Audience::Trainee {
        return render().map(Html);
    }
    let moment = (*site.lab.updates().borrow(), site.lab.clock().shown_now().as_second());
    site.fragments.at(moment, id, render).map(Html)
}

pub(crate) async fn nothing_here(
    State(site): State<Site>,
    Viewer(audience): Viewer,
) -> Result<Response, Refusal> {
    let words = "There is no such page. The drills are on the first one.";
    let page = site.pages.problem(&site.lab.status(audience), &site.lab.info(), "Nothing here", words)?;
    Ok((StatusCode::NOT_FOUND, Html(page)).into_response())
}

/// A page for a person about something that the lab refused.
pub(super) fn problem(site: &Site, error: &LabError) -> Result<Response, Refusal> {
    // What a trainee may see is enough to frame it.
    let status = site.lab.status(Audience::Trainee);
    let page = site.pages.problem(&status, &site.lab.info(), "That is not possible", &error.to_string())?;
    let code = match error {
        LabError::UnknownDrill { .. } => StatusCode::NOT_FOUND,
        LabError::WrongState { .. } => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((code, Html(page)).into_response())
}
