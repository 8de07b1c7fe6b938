//! Reading the table from its file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{NameRule, Resource, Subresource};

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
    version: String,
    verbs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRow {
    group: String,
    versions: Vec<String>,
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
    versions: Option<Vec<String>>,
    verbs: Option<Vec<String>>,
    #[serde(default)]
    subresources: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    names: NameRule,
    stored_as: Option<String>,
}

/// The rows of the embedded file.
pub(super) fn embedded() -> Vec<Resource> {
    match parse(FILE) {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(%error, "the embedded table of resources cannot be read");
            Vec::new()
        }
    }
}

fn parse(text: &str) -> Result<Vec<Resource>, serde_saphyr::Error> {
    let file: File = serde_saphyr::from_str(text)?;
    let File { subresources, groups } = file;
    let rows = groups.into_iter().flat_map(|group| {
        let (name, versions) = (group.group, group.versions);
        let subresources = &subresources;
        group
            .resources
            .into_iter()
            .map(move |row| resource(&name, &versions, row, subresources))
            .collect::<Vec<_>>()
    });
    Ok(rows.collect())
}

fn resource(
    group: &str,
    versions: &[String],
    row: Row,
    known: &BTreeMap<String, SubresourceRow>,
) -> Resource {
    let subresources = row.subresources.iter().filter_map(|name| {
        let sub = known.get(name)?;
        Some(Subresource {
            name: name.clone(),
            kind: sub.kind.clone().unwrap_or_else(|| row.kind.clone()),
            group: sub.group.clone(),
            version: sub.version.clone(),
            verbs: sub.verbs.clone(),
        })
    });
    let qualified = if group.is_empty() { row.plural.clone() } else { format!("{}.{group}", row.plural) };
    Resource {
        subresources: subresources.collect(),
        group: group.to_owned(),
        versions: row.versions.unwrap_or_else(|| versions.to_vec()),
        singular: row.singular.unwrap_or_else(|| row.kind.to_lowercase()),
        kind: row.kind,
        store: row.stored_as.unwrap_or(qualified),
        plural: row.plural,
        short_names: row.short,
        categories: row.categories,
        namespaced: !row.cluster,
        verbs: row.verbs.unwrap_or_else(|| STANDARD_VERBS.map(str::to_owned).to_vec()),
        fields: row.fields,
        names: row.names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_readable_and_every_subresource_is_explained() {
        let file: File = serde_saphyr::from_str(FILE).unwrap();
        for name in file.groups.iter().flat_map(|g| &g.resources).flat_map(|r| &r.subresources) {
            assert!(file.subresources.contains_key(name), "{name}");
        }
        assert!(parse("groups: [{}]").is_err());
    }
}
