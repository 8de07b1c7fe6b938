//! The controllers together, on a held clock, with a kubelet that only knows good images and bad ones.

mod budgets;
mod claims;
mod daemonsets;
mod deployments;
mod ends;
mod full;
mod jobs;
mod policies;
mod replication;
mod retention;
mod runs;
mod scheduling;
mod services;
mod statefulsets;
mod world;

use world::World;
