//! Clients other than kubectl on the embedded cluster, with each recorded server's dialect: the Python and the Node
//! client, kube-rs, and helm. What one of them trips over, others of its kind will. Their outputs were not recorded,
//! so the scenarios check what they see themselves.

mod helm;
mod host;
mod rust;
mod scripts;
