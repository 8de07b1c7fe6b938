//! The pages: what a status looks like.
//!
//! `model` turns the lab's views into what templates show (texts, classes, seconds to count), `markdown`
//! renders stories, `duration` writes times as kubectl does, `handlers` and `forms` answer requests.
//! Templates get nothing that the views of the audience do not have.

pub(crate) mod forms;
mod fragments;
pub(crate) mod handlers;
mod markdown;
mod model;
#[cfg(test)]
mod tests;

pub(crate) use fragments::Fragments;
use pulldrill_lab::view::{DrillView, LabInfo, StatusView};
use serde::Serialize;
use tera::{Context, Tera};

use crate::{WebError, assets};

/// The pages, ready to be rendered.
pub struct Pages(Tera);

/// What a page says about itself.
#[derive(Serialize)]
struct Frame<'a> {
    /// Of the window.
    title: &'a str,
    /// Where the page gets its fragment from.
    fragment: &'a str,
    /// What the trainee has just done, when a form was sent without a script.
    notice: Option<&'a str>,
}

impl Pages {
    /// Compiles the templates.
    ///
    /// # Errors
    /// [`WebError::Template`] for a broken template.
    pub fn new() -> Result<Self, WebError> {
        let mut tera = Tera::default();
        tera.add_raw_templates(assets::templates())?;
        Ok(Self(tera))
    }

    /// The page of all drills.
    ///
    /// # Errors
    /// A template's, which would be a bug.
    pub fn overview(&self, status: &StatusView, info: &LabInfo) -> Result<String, tera::Error> {
        let frame = Frame { title: "Drills", fragment: "/fragments/drills", notice: None };
        self.render("overview.html", status, info, &frame, None)
    }

    /// The live part of the page of all drills.
    ///
    /// # Errors
    /// A template's, which would be a bug.
    pub fn overview_fragment(&self, status: &StatusView, info: &LabInfo) -> Result<String, tera::Error> {
        let frame = Frame { title: "", fragment: "", notice: None };
        self.render("overview_live.html", status, info, &frame, None)
    }

    /// The page of one drill.
    ///
    /// # Errors
    /// A template's, which would be a bug.
    pub fn drill(
        &self,
        status: &StatusView,
        info: &LabInfo,
        drill: &DrillView,
        notice: Option<&str>,
    ) -> Result<String, tera::Error> {
        let fragment = format!("/fragments/drills/{}", drill.id);
        let frame = Frame { title: &drill.title, fragment: &fragment, notice };
        self.render("drill.html", status, info, &frame, Some(drill))
    }

    /// The live part of the page of one drill.
    ///
    /// # Errors
    /// A template's, which would be a bug.
    pub fn drill_fragment(
        &self,
        status: &StatusView,
        info: &LabInfo,
        drill: &DrillView,
    ) -> Result<String, tera::Error> {
        let frame = Frame { title: "", fragment: "", notice: None };
        self.render("drill_live.html", status, info, &frame, Some(drill))
    }

    /// A page that says what went wrong.
    ///
    /// # Errors
    /// A template's, which would be a bug.
    pub fn problem(
        &self,
        status: &StatusView,
        info: &LabInfo,
        title: &str,
        message: &str,
    ) -> Result<String, tera::Error> {
        let frame = Frame { title, fragment: "", notice: Some(message) };
        self.render("problem.html", status, info, &frame, None)
    }

    fn render(
        &self,
        template: &str,
        status: &StatusView,
        info: &LabInfo,
        frame: &Frame<'_>,
        drill: Option<&DrillView>,
    ) -> Result<String, tera::Error> {
        let mut context = Context::new();
        context.insert("page", frame);
        context.insert("lab", &model::lab(status, info));
        if let Some(drill) = drill {
            context.insert("drill", &model::drill(drill));
        }
        self.0.render(template, &context)
    }
}
