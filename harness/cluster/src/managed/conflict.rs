//! Fields that an applier wants to change and others own.

use serde_json::{Value, json};

use super::{Operation, Owner};
use crate::fields::{FieldSet, shown};

/// The owners of such fields, and what of theirs would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflicts(pub(super) Vec<(Owner, FieldSet)>);

impl Conflicts {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are not about these fields.
    pub(super) fn without(mut self, allowed: &FieldSet) -> Self {
        self.0.retain_mut(|(_, fields)| {
            fields.subtract(allowed);
            !fields.is_empty()
        });
        self
    }

    fn each(&self) -> Vec<(&Owner, Vec<String>)> {
        let mut all: Vec<_> = self.0.iter().map(|(owner, fields)| (owner, paths(fields))).collect();
        all.sort_by_key(|(owner, _)| {
            (owner.manager.clone(), owner.operation, owner.api_version.clone(), owner.subresource.clone())
        });
        all
    }

    /// The text of the refusal.
    #[must_use]
    pub fn message(&self) -> String {
        let all = self.each();
        let count: usize = all.iter().map(|(_, paths)| paths.len()).sum();
        if let [(owner, paths)] = all.as_slice()
            && let [path] = paths.as_slice()
        {
            return format!("Apply failed with 1 conflict: conflict with {}: {path}", name(owner));
        }
        let part = |(owner, paths): &(&Owner, Vec<String>)| {
            let paths: String = paths.iter().map(|path| format!("\n- {path}")).collect();
            format!("conflicts with {}:{paths}", name(owner))
        };
        let parts: Vec<String> = all.iter().map(part).collect();
        format!("Apply failed with {count} conflicts: {}", parts.join("\n"))
    }

    /// The `causes` of the refusal.
    #[must_use]
    pub fn causes(&self) -> Value {
        let mut causes = Vec::new();
        for (owner, paths) in self.each() {
            let message = format!("conflict with {}", name(owner));
            causes.extend(
                paths
                    .iter()
                    .map(|path| json!({"reason": "FieldManagerConflict", "message": message, "field": path})),
            );
        }
        causes.into()
    }
}

fn paths(fields: &FieldSet) -> Vec<String> {
    let mut paths = Vec::new();
    fields.each_path(&mut |path| paths.push(shown(path)));
    paths
}

/// A manager as messages name it. Of one that updated, the version belongs to its name.
fn name(owner: &Owner) -> String {
    let mut name = format!("{:?}", owner.manager);
    if !owner.subresource.is_empty() {
        name.push_str(&format!(" with subresource {:?}", owner.subresource));
    }
    if owner.operation == Operation::Update {
        name.push_str(&format!(" using {}", owner.api_version));
    }
    name
}
