//! The drills as data, and the crate that loads, validates and renders them.
//!
//! A scenario is a folder: `scenario.yaml`, `manifests/`, `story.md`, `debrief.md`, `remedies/*.sh`,
//! `cheats/*.sh`. [`Catalogue`] holds the loaded and validated ones; [`Scenario::variant`] makes one
//! concrete with a seed. What is done with a variant (registry, cluster, checks) is none of this crate's business.

mod catalogue;
mod causes;
mod error;
mod generate;
mod model;
mod placement;
mod render;
mod rubric;
mod scenario;
mod script;
mod source;
mod tree;
mod validate;
mod variant;

pub use catalogue::Catalogue;
pub use causes::{Cause, Causes};
pub use error::ScenarioError;
pub use model::*;
pub use placement::Placement;
pub use rubric::{Rubric, RubricLine};
pub use scenario::Scenario;
pub use script::Script;
pub use variant::{Diagnosis, Variant};
