//! Faults of registries as words: which there are, what can be chosen about each, and what a rule that switches one
//! on may say. Pure data and its checks; the registry does what a rule says, and the command, the admin API,
//! scenarios and the documentation say no more than the tables here do.
//!
//! - [`kinds`]: the table of faults. [`scope`]: whom one strikes and when, as tables too. [`rule`]: all of it together.
//! - [`shape`]: what a value may be. [`schema`]: the same for programs, as JSON Schema.

pub mod kinds;
pub mod rule;
pub mod schema;
pub mod scope;
pub mod shape;

pub use kinds::{FaultKind, Stage};
pub use rule::{FaultRule, RuleError};
pub use scope::{Part, Schedule, Scope, Subject};
pub use shape::{Parameter, Shape, Value};
