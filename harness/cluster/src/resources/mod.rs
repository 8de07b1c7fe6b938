//! Which resources the API serves: a table, loaded from data, that can grow while the server runs.
//!
//! Everything that differs between resources but is not behaviour is here: names, versions, scope, verbs,
//! subresources, field selectors. What a kind *does* (defaults, validation, columns) is elsewhere.

mod load;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::{Mutex, RwLock};

use crate::release::Release;

/// One served resource at one version: what OpenAPI documents are made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceInfo {
    /// The API group, empty for the core.
    pub group: String,
    /// The version, for example `v1`.
    pub version: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
    /// The plural name, for example `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs that it takes.
    pub verbs: Vec<String>,
}

/// What names of a resource's objects may look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    /// An RFC 1123 subdomain.
    #[default]
    Subdomain,
    /// An RFC 1123 label.
    Label,
    /// Anything that fits into one path segment.
    Path,
}

/// One subresource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// Its name, for example `status`.
    pub name: String,
    /// The kind it speaks.
    pub kind: String,
    /// That kind's group, when it is not the parent's.
    pub group: String,
    /// That kind's version, when it is not the parent's.
    pub version: String,
    /// The verbs that it takes.
    pub verbs: Vec<String>,
}

/// One resource, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group, empty for the core.
    pub group: String,
    /// The versions, the preferred one first.
    pub versions: Vec<String>,
    /// `apiVersion` of its objects as they are stored.
    pub stored_in: String,
    /// The kind.
    pub kind: String,
    /// The plural name.
    pub plural: String,
    /// The singular name.
    pub singular: String,
    /// Short names, for example `po`.
    pub short_names: Vec<String>,
    /// Categories, for example `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs that it takes.
    pub verbs: Vec<String>,
    /// Its subresources, by name.
    pub subresources: Vec<Subresource>,
    /// Field selectors beyond the name and the namespace.
    pub fields: Vec<String>,
    /// What its names may look like.
    pub names: NameRule,
    /// The name it has in the store, for example `deployments.apps`.
    pub store: String,
}

impl Resource {
    /// `apiVersion` of its objects at a version.
    #[must_use]
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The plural name with the group, as error messages say it: `deployments.apps`.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind with the group, as validation errors say it: `Deployment.apps`.
    #[must_use]
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Whether it takes a verb.
    #[must_use]
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| v == verb)
    }

    /// A subresource by its name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// What it looks like at each of its versions.
    #[must_use]
    pub fn infos(&self) -> Vec<ResourceInfo> {
        let info = |version: &String| ResourceInfo {
            group: self.group.clone(),
            version: version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
            namespaced: self.namespaced,
            verbs: self.verbs.clone(),
        };
        self.versions.iter().map(info).collect()
    }
}

/// The table of one cluster; cheap to read, and open for new rows.
#[derive(Debug)]
pub struct Resources {
    rows: RwLock<Rows>,
}

impl Default for Resources {
    fn default() -> Self {
        Self::of(Release::default())
    }
}

/// What releases serve, read once.
static LOADED: Mutex<BTreeMap<Release, Rows>> = Mutex::new(BTreeMap::new());

type Rows = Arc<Vec<Arc<Resource>>>;

impl Resources {
    /// What a release serves.
    #[must_use]
    pub fn of(release: Release) -> Self {
        let loaded = || Arc::new(load::embedded(release).into_iter().map(Arc::new).collect());
        let rows = LOADED.lock().entry(release).or_insert_with(loaded).clone();
        Self { rows: RwLock::new(rows) }
    }

    /// All rows, in discovery order.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Arc<Resource>>> {
        self.rows.read().clone()
    }

    /// Adds a row; one that has the same group and plural name is replaced.
    pub fn add(&self, resource: Resource) {
        let mut rows = self.rows.write();
        let mut changed: Vec<_> = rows
            .iter()
            .filter(|r| (&r.group, &r.plural) != (&resource.group, &resource.plural))
            .cloned()
            .collect();
        changed.push(Arc::new(resource));
        *rows = Arc::new(changed);
    }

    /// Takes a row out again.
    pub fn remove(&self, group: &str, plural: &str) {
        let mut rows = self.rows.write();
        let kept = rows.iter().filter(|r| (r.group.as_str(), r.plural.as_str()) != (group, plural));
        let kept = kept.cloned().collect();
        *rows = Arc::new(kept);
    }

    /// The resource behind a path.
    #[must_use]
    pub fn at(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let rows = self.rows.read();
        rows.iter()
            .find(|r| r.group == group && r.plural == plural && r.versions.iter().any(|v| v == version))
            .cloned()
    }

    /// The resource that has a name in the store.
    #[must_use]
    pub fn stored(&self, name: &str) -> Option<Arc<Resource>> {
        self.rows.read().iter().find(|r| r.store == name).cloned()
    }

    /// The resource of an object, by its `apiVersion` and `kind`.
    #[must_use]
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let rows = self.rows.read();
        rows.iter()
            .find(|r| r.group == group && r.kind == kind && r.versions.iter().any(|v| v == version))
            .cloned()
    }

    /// Every resource at every version.
    #[must_use]
    pub fn infos(&self) -> Vec<ResourceInfo> {
        self.rows.read().iter().flat_map(|r| r.infos()).collect()
    }
}

#[cfg(test)]
mod tests;
