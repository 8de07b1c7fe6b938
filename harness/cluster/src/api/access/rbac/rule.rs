//! One rule of a role: what it lets through, and how it is written.

use serde_json::{Map, Value};

use super::super::attributes::{Attributes, quoted_list};
use crate::api::json::items;

/// One `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::api) struct Rule {
    /// What may be done.
    pub(in crate::api) verbs: Vec<String>,
    /// The groups of the resources.
    pub(in crate::api) api_groups: Vec<String>,
    /// The resources, with `/` and their subresources.
    pub(in crate::api) resources: Vec<String>,
    /// The only names, where there are any.
    pub(in crate::api) resource_names: Vec<String>,
    /// Paths that are not about resources.
    pub(in crate::api) non_resource_urls: Vec<String>,
}

/// What each list is called, in the order in which refusals name them.
type Lists<'a> = [(&'static str, &'static str, &'a Vec<String>); 5];

impl Rule {
    /// Reads a rule; what is no text is left out.
    pub(in crate::api) fn read(rule: &Value) -> Self {
        let list = |field: &str| {
            items(&rule[field]).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        Self {
            verbs: list("verbs"),
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            non_resource_urls: list("nonResourceURLs"),
        }
    }

    /// All rules of a role.
    pub(in crate::api) fn read_all(role: &Value) -> Vec<Self> {
        items(&role["rules"]).iter().map(Self::read).collect()
    }

    fn lists(&self) -> Lists<'_> {
        [
            ("APIGroups", "apiGroups", &self.api_groups),
            ("Resources", "resources", &self.resources),
            ("NonResourceURLs", "nonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", "resourceNames", &self.resource_names),
            ("Verbs", "verbs", &self.verbs),
        ]
    }

    /// As a JSON object, without what is empty.
    pub(in crate::api) fn to_value(&self) -> Value {
        let lists = self.lists().into_iter().filter(|(_, _, list)| !list.is_empty());
        lists
            .map(|(_, name, list)| (name.to_owned(), Value::from(list.clone())))
            .collect::<Map<_, _>>()
            .into()
    }

    /// As refusals write it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
    pub(in crate::api) fn compact(&self) -> String {
        let lists = self.lists().into_iter().filter(|(_, _, list)| !list.is_empty());
        let parts: Vec<String> =
            lists.map(|(name, _, list)| format!("{name}:{}", quoted_list(list))).collect();
        format!("{{{}}}", parts.join(", "))
    }

    /// Whether the rule lets through what is wanted.
    pub(super) fn allows(&self, wanted: &Attributes<'_>) -> bool {
        if !matches(&self.verbs, wanted.verb) {
            return false;
        }
        if !wanted.is_resource() {
            return self.non_resource_urls.iter().any(|url| covers_path(url, wanted.path));
        }
        matches(&self.api_groups, wanted.group)
            && self.resources.iter().any(|r| covers_resource(r, wanted.resource, wanted.subresource))
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == wanted.name))
    }
}

/// Whether a list names a value, or all.
fn matches(list: &[String], value: &str) -> bool {
    list.iter().any(|item| item == "*" || item == value)
}

/// Whether a pattern is a resource, that of its subresource, all of that subresource, or all.
fn covers_resource(pattern: &str, resource: &str, subresource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    if subresource.is_empty() {
        return pattern == resource;
    }
    let parent = pattern.strip_suffix(subresource).and_then(|rest| rest.strip_suffix('/'));
    parent.is_some_and(|parent| parent == "*" || parent == resource)
}

/// Whether a pattern is a path, or begins like it and ends in a star.
pub(super) fn covers_path(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*'))
}
