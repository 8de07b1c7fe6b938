//! What a scenario must be beyond its shape: names that exist, points that add up, nothing given away.

mod document;
mod faults;
mod neutral;
mod report;
mod variant;

pub(crate) use document::document;
pub(crate) use variant::variant;
