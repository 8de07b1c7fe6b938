//! What is wrong with the fields of an object, in the words of the API.

use std::fmt;

use serde_json::{Value, json};

use crate::release::Release;

/// The path of a field, for example `spec.containers[0].image`. It is written out when there is something to complain about:
/// nearly all objects are sound.
pub(super) type FieldPath<'a> = &'a dyn fmt::Display;

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path, for example `spec.containers[0].image`.
    pub field: String,
    /// The machine-readable reason, for example `FieldValueRequired`.
    pub reason: &'static str,
    /// The text without the path.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl FieldError {
    /// As it appears in `details.causes`.
    #[must_use]
    pub fn cause(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}

/// All complaints about one object. What releases complain about differs; the default is the newest.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    found: Vec<FieldError>,
    release: Release,
}

impl Errors {
    /// None yet, as a release complains.
    #[must_use]
    pub const fn of(release: Release) -> Self {
        Self { found: Vec::new(), release }
    }

    /// Whose complaints they are.
    #[must_use]
    pub const fn release(&self) -> Release {
        self.release
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    fn add(&mut self, field: impl fmt::Display, reason: &'static str, message: String) {
        self.found.push(FieldError { field: field.to_string(), reason, message });
    }

    /// A field that must be there.
    pub fn required(&mut self, field: impl fmt::Display, detail: &str) {
        self.add(field, "FieldValueRequired", with_detail("Required value".into(), detail));
    }

    /// A field with a value that won't do.
    pub fn invalid(&mut self, field: impl fmt::Display, value: &Value, detail: &str) {
        self.add(field, "FieldValueInvalid", with_detail(format!("Invalid value: {value}"), detail));
    }

    /// [`Errors::invalid`], with the value as it is to be shown.
    pub fn invalid_shown(&mut self, field: impl fmt::Display, shown: &str, detail: &str) {
        self.add(field, "FieldValueInvalid", with_detail(format!("Invalid value: {shown}"), detail));
    }

    /// A field with a value outside a closed set.
    pub fn unsupported(&mut self, field: impl fmt::Display, value: &Value, supported: &[&str]) {
        self.unsupported_shown(field, &value.to_string(), supported);
    }

    /// [`Errors::unsupported`], with the value as it is to be shown.
    pub fn unsupported_shown(&mut self, field: impl fmt::Display, shown: &str, supported: &[&str]) {
        let supported: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let message = format!("Unsupported value: {shown}: supported values: {}", supported.join(", "));
        self.add(field, "FieldValueNotSupported", message);
    }

    /// A field that may not be (changed) here.
    pub fn forbidden(&mut self, field: impl fmt::Display, detail: &str) {
        self.add(field, "FieldValueForbidden", with_detail("Forbidden".into(), detail));
    }

    /// A value that may appear only once.
    pub fn duplicate(&mut self, field: impl fmt::Display, value: &Value) {
        self.add(field, "FieldValueDuplicate", format!("Duplicate value: {value}"));
    }

    /// A reference to something that is not there.
    pub fn not_found(&mut self, field: impl fmt::Display, value: &Value) {
        self.add(field, "FieldValueNotFound", format!("Not found: {value}"));
    }

    /// A value that is too long.
    pub fn too_long(&mut self, field: impl fmt::Display, detail: &str) {
        self.add(field, "FieldValueTooLong", with_detail("Too long".into(), detail));
    }

    /// A list that is too long.
    pub fn too_many(&mut self, field: impl fmt::Display, count: usize, most: usize) {
        let message = format!("Too many: {count}: must have at most {most} items");
        self.add(field, "FieldValueTooMany", message);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds others, after these.
    pub fn append(&mut self, mut others: Self) {
        self.found.append(&mut others.found);
    }

    /// The complaints, in the order in which they were found.
    #[must_use]
    pub fn into_vec(self) -> Vec<FieldError> {
        self.found
    }
}

/// A value as the API server's own type is written in a complaint: its names begin with capitals, nothing is left out.
pub(super) fn own_type<'a>(fields: impl IntoIterator<Item = (&'a str, &'a dyn fmt::Display)>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn with_detail(text: String, detail: &str) -> String {
    if detail.is_empty() { text } else { format!("{text}: {detail}") }
}
