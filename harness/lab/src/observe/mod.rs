//! Reading a drill's namespace: what is there, which pods belong to which workload, what a person would
//! see of them. It reads objects as the Kubernetes API has them and judges nothing.

pub mod events;
pub mod pods;
pub mod snapshot;
pub mod workload;

pub use snapshot::Snapshot;
pub use workload::Workload;
