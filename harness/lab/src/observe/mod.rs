//! Reading a drill's namespace: what is there, which pods belong to which workload, what a person would
//! see of them. It reads objects as the Kubernetes API has them and judges nothing.

pub(crate) mod events;
pub(crate) mod pods;
pub(crate) mod retry;
pub(crate) mod snapshot;
pub(crate) mod workload;

pub(crate) use retry::Retries;
pub(crate) use snapshot::Snapshot;
pub(crate) use workload::Workload;
