//! The scenario format: what a `scenario.yaml` may say, as types. Not how it is checked (`validate`) or made concrete (`variant`).
//!
//! Every string may be a template over the scenario's parameters (`{{ ns }}`); the same types hold
//! the templates in a [`Scenario`](crate::Scenario) and the finished texts in a [`Variant`](crate::Variant).

mod check;
mod document;
mod hint;
mod history;
mod parameter;
mod registry;
mod workload;

pub use check::{Category, Check, CheckKind};
pub use document::{Backend, DiagnosisSpec, Difficulty, Document, Need};
pub use hint::{Alternative, Condition, Hint};
pub use history::{Action, EgressAction, NodeSet, PatchType, Step};
pub use parameter::{Generator, Parameter};
pub use registry::{
    Access, Account, Build, Image, LIMITS, PersonalToken, Personality, Registry, Repository, TokenHost,
    TokenScope,
};
pub use workload::{Symptom, WaitingReason, Workload, WorkloadKind};
