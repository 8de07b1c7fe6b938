//! Who makes a request.

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, for example `trainee` or `system:node:node-1`.
    pub name: String,
    /// The groups, for example `system:masters`.
    pub groups: Vec<String>,
}

impl User {
    /// A part of the cluster itself, which may do everything: `system:serviceaccount:kube-system:<name>`.
    #[must_use]
    pub fn controller(name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:kube-system:{name}"),
            groups: vec!["system:masters".into()],
        }
    }
}
