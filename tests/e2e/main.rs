//! The lab as its users meet it: the command, kubectl, the page, hostile input.

#[path = "../support/mod.rs"]
mod support;

mod boot;
mod browser;
mod cluster_alone;
mod durable;
mod hostile;
mod kubectl;
mod layers;
mod leaks;
mod registry;
mod registry_alone;
mod registry_conformance;
mod registry_faults;
mod registry_front;
mod registry_killed;
mod security_groups;
