//! Sets of fields of an object, as `managedFields` speak of them: what a set is and how it is written, which
//! fields an object has, which differ between two versions of it, and how to take some away. Not who owns
//! them: that is [`crate::managed`].
//!
//! The rules are those of Kubernetes' structured-merge-diff: <https://sigs.k8s.io/structured-merge-diff>.

mod alike;
mod check;
mod collect;
mod compare;
mod element;
mod named;
mod remove;
mod set;
mod shape;
mod wire;

pub(crate) use alike::alike;
pub(crate) use check::check;
pub(crate) use collect::collect;
pub use compare::Comparison;
pub(crate) use compare::compare;
pub(crate) use element::shown;
pub(crate) use named::with_named;
pub(crate) use remove::remove;
pub(crate) use set::Element;
pub use set::FieldSet;
pub(crate) use shape::{Shape, Walk};

#[cfg(test)]
pub(crate) mod tests;
