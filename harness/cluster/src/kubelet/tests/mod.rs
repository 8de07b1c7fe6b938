//! Pods on a node with a registry beside it: what events and statuses come of it, and when.

mod conditions;
mod deadline;
mod failing;
mod last_words;
mod nodes;
mod non_root;
mod references;
mod remembered;
mod restarts;
mod running;
mod secrets;
mod sidecars;
mod stopping;
mod world;
