//! Reading the table from its file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{NameRule, Resource, Subresource};
use crate::release::{Release, Span, Spanned, at};

const FILE: &str = include_str!("resources.yaml");

/// What most resources take.
const STANDARD_VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    subresources: BTreeMap<String, SubresourceRow>,
    groups: Vec<GroupRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubresourceRow {
    kind: Option<String>,
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: Vec<Spanned<String>>,
    verbs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRow {
    group: String,
    versions: Vec<Spanned<String>>,
    resources: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    kind: String,
    plural: String,
    singular: Option<String>,
    #[serde(default)]
    short: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    cluster: bool,
    versions: Option<Vec<Spanned<String>>>,
    verbs: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    subresources: Vec<Spanned<String>>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    names: NameRule,
    stored_as: Option<String>,
    stored_in: Option<String>,
    since: Option<u32>,
    until: Option<u32>,
}

/// The rows of the embedded file that a release has.
pub(super) fn embedded(release: Release) -> Vec<Resource> {
    match parse(FILE, release) {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(%error, "the embedded table of resources cannot be read");
            Vec::new()
        }
    }
}

fn parse(text: &str, release: Release) -> Result<Vec<Resource>, serde_saphyr::Error> {
    let file: File = serde_saphyr::from_str(text)?;
    let mut rows = Vec::new();
    for group in &file.groups {
        let there = group.resources.iter().filter(|row| Span::new(row.since, row.until).has(release));
        rows.extend(there.map(|row| resource(group, row, &file.subresources, release)));
    }
    rows.retain(|row| !row.versions.is_empty());
    Ok(rows)
}

fn resource(
    group: &GroupRow,
    row: &Row,
    known: &BTreeMap<String, SubresourceRow>,
    release: Release,
) -> Resource {
    let subresource = |name: String| {
        let sub = known.get(&name)?;
        Some(Subresource {
            kind: sub.kind.as_deref().unwrap_or("*").replace('*', &row.kind),
            group: sub.group.clone(),
            version: at(&sub.version, release).into_iter().next().unwrap_or_default(),
            verbs: sub.verbs.clone(),
            name,
        })
    };
    let versions = at(row.versions.as_ref().unwrap_or(&group.versions), release);
    let verbs = row.verbs.as_ref().map(|verbs| at(verbs, release));
    let plural = row.plural.clone();
    let qualified = if group.group.is_empty() { plural.clone() } else { format!("{plural}.{}", group.group) };
    Resource {
        subresources: at(&row.subresources, release).into_iter().filter_map(subresource).collect(),
        group: group.group.clone(),
        stored_in: row
            .stored_in
            .clone()
            .or_else(|| {
                let version = versions.first()?;
                Some(if group.group.is_empty() {
                    version.clone()
                } else {
                    format!("{}/{version}", group.group)
                })
            })
            .unwrap_or_default(),
        versions,
        singular: row.singular.clone().unwrap_or_else(|| row.kind.to_lowercase()),
        kind: row.kind.clone(),
        store: row.stored_as.clone().unwrap_or(qualified),
        plural,
        short_names: row.short.clone(),
        categories: row.categories.clone(),
        namespaced: !row.cluster,
        verbs: verbs.unwrap_or_else(|| STANDARD_VERBS.map(str::to_owned).to_vec()),
        fields: row.fields.clone(),
        names: row.names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Within;

    #[test]
    fn the_file_is_readable_and_every_subresource_is_explained() {
        let file: File = serde_saphyr::from_str(FILE).unwrap();
        for name in file.groups.iter().flat_map(|g| &g.resources).flat_map(|r| &r.subresources) {
            let (Spanned::Always(name) | Spanned::Within(Within { is: name, .. })) = name;
            assert!(file.subresources.contains_key(name), "{name}");
        }
        assert!(parse("groups: [{}]", Release::default()).is_err());
    }
}
