//! The sentences that `kubectl explain` shows: data in `descriptions/`, by definition and field, read when the first
//! OpenAPI document is made. Not the values of named strings: these are in [`super::enums`].
//!
//! Each file is about a part of the API: `{"core.v1.Pod": {"": "about the type", "spec": "about the field"}}`. A
//! definition may say `"like"`: what it doesn't say itself is then taken from that other one. An entry whose name
//! begins with `*` is for all definitions that end like it, and for what nothing more exact is said about; `{}` in it
//! stands for the rest of the name. The sentences are the project's own, not those of Kubernetes' documentation.

use std::{borrow::Cow, collections::HashMap, sync::OnceLock};

static DATA: &[&str] = &[
    include_str!("descriptions/access.json"),
    include_str!("descriptions/apps.json"),
    include_str!("descriptions/autoscaling.json"),
    include_str!("descriptions/batch.json"),
    include_str!("descriptions/certificates.json"),
    include_str!("descriptions/coordination.json"),
    include_str!("descriptions/core-cluster.json"),
    include_str!("descriptions/core-pods.json"),
    include_str!("descriptions/core-services.json"),
    include_str!("descriptions/core-volumes.json"),
    include_str!("descriptions/events.json"),
    include_str!("descriptions/general.json"),
    include_str!("descriptions/kinds.json"),
    include_str!("descriptions/networking.json"),
    include_str!("descriptions/policy.json"),
    include_str!("descriptions/rbac.json"),
    include_str!("descriptions/scheduling.json"),
    include_str!("descriptions/storage.json"),
];

/// The word for a definition that says the rest.
const LIKE: &str = "like";

/// What is said about one definition. The texts stay where they are in the program: none has anything to unescape.
type Fields = HashMap<&'static str, &'static str>;

#[derive(Default)]
struct Table {
    definitions: HashMap<&'static str, Fields>,
    /// What is said by the end of a definition's name, the longest end first.
    endings: Vec<(&'static str, Fields)>,
}

impl Table {
    fn read(parts: &[&'static str]) -> serde_json::Result<Self> {
        let mut table = Self::default();
        for part in parts {
            for (name, fields) in serde_json::from_str::<HashMap<&'static str, Fields>>(part)? {
                match name.strip_prefix('*') {
                    Some(ending) => table.endings.push((ending, fields)),
                    None => drop(table.definitions.insert(name, fields)),
                }
            }
        }
        table.endings.sort_by_key(|(ending, _)| std::cmp::Reverse(ending.len()));
        Ok(table)
    }

    fn of(&self, definition: &str, field: &str) -> Cow<'static, str> {
        let own = self.definitions.get(definition);
        let like = || self.definitions.get(*own?.get(LIKE)?);
        if let Some(text) = own.and_then(|own| own.get(field)).or_else(|| like()?.get(field)) {
            return Cow::Borrowed(text);
        }
        let short = definition.rsplit('.').next().unwrap_or(definition);
        let by_ending = |(ending, fields): &(&'static str, Fields)| {
            Some((short.strip_suffix(ending)?, *fields.get(field)?))
        };
        match self.endings.iter().find_map(by_ending) {
            Some((rest, text)) if text.contains("{}") => Cow::Owned(text.replace("{}", rest)),
            Some((_, text)) => Cow::Borrowed(text),
            None => Cow::Borrowed(""),
        }
    }
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
    TABLE.get_or_init(|| Table::read(DATA).expect("the embedded descriptions are well-formed"))
}

/// What is said about a field, or with an empty field about the type; empty when nothing is. A kind that the table
/// has no definition of is called by kind and group: `RuntimeClass.node.k8s.io`.
pub(super) fn of(definition: &str, field: &str) -> Cow<'static, str> {
    table().of(definition, field)
}

#[cfg(test)]
mod tests;
