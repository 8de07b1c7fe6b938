//! Injecting drills: the steps of their histories, done in order through the Kubernetes API and the
//! stage, on a clock that is moved from step to step or runs with real time.
//!
//! - [`objects`]: writing objects as a team with kubectl would.
//! - [`step`]: one step. [`timeline`]: the steps of many drills, in order.

pub(crate) mod objects;
pub(crate) mod step;
pub(crate) mod timeline;

pub(crate) use objects::Objects;
pub(crate) use step::Injector;
