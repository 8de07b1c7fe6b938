//! The documents of discovery, with their fields in the order in which real servers write them (that of the Go types in
//! `k8s.io/apimachinery/pkg/apis/meta/v1` and `k8s.io/api/apidiscovery`): there are those who look for pieces of text.

use serde::Serialize;

/// The versions of the core (`/api`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions<'a> {
    pub(super) kind: &'static str,
    pub(super) versions: Vec<&'a str>,
    #[serde(rename = "serverAddressByClientCIDRs")]
    pub(super) server_addresses: [ServerAddress<'a>; 1],
}

/// Where clients of a network find the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerAddress<'a> {
    #[serde(rename = "clientCIDR")]
    pub(super) client_cidr: &'static str,
    pub(super) server_address: &'a str,
}

/// All groups but the core (`/apis`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupList {
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) groups: Vec<Group>,
}

/// A group: alone, or in a list, which says of which kind its elements are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_version: Option<&'static str>,
    pub(super) name: String,
    pub(super) versions: Vec<GroupVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preferred_version: Option<GroupVersion>,
}

impl Group {
    /// A group with its versions, the preferred one first.
    pub(super) fn new<'a>(name: &str, versions: impl IntoIterator<Item = &'a str>) -> Self {
        let versions: Vec<_> = versions.into_iter().map(|version| GroupVersion::new(name, version)).collect();
        let preferred_version = versions.first().cloned();
        Self { kind: None, api_version: None, name: name.to_owned(), versions, preferred_version }
    }

    /// The same, as it stands alone.
    pub(super) fn alone(self) -> Self {
        Self { kind: Some("APIGroup"), api_version: Some("v1"), ..self }
    }
}

/// One version of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupVersion {
    group_version: String,
    version: String,
}

impl GroupVersion {
    fn new(group: &str, version: &str) -> Self {
        Self { group_version: format!("{group}/{version}"), version: version.to_owned() }
    }
}

/// The resources of one version of a group (`/apis/apps/v1`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceList<'a> {
    pub(super) kind: &'static str,
    /// The core's has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_version: Option<&'static str>,
    pub(super) group_version: String,
    pub(super) resources: Vec<Resource<'a>>,
}

/// A resource, or a subresource of one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    pub(super) name: String,
    pub(super) singular_name: &'a str,
    pub(super) namespaced: bool,
    /// Of another group's kinds alone, as is the version.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    pub(super) verbs: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) short_names: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) categories: &'a [String],
    /// Of what is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage_version_hash: Option<String>,
}

/// The aggregated document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Aggregated<'a> {
    pub(super) kind: &'static str,
    pub(super) api_version: String,
    pub(super) metadata: Meta,
    pub(super) items: Vec<AggregatedGroup<'a>>,
}

/// What is known of a list or a group.
#[derive(Debug, Default, Serialize)]
pub(super) struct Meta {
    /// The core has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
}

/// A group in the aggregated document.
#[derive(Debug, Serialize)]
pub(super) struct AggregatedGroup<'a> {
    pub(super) metadata: Meta,
    pub(super) versions: Vec<AggregatedVersion<'a>>,
}

/// A version in the aggregated document.
#[derive(Debug, Serialize)]
pub(super) struct AggregatedVersion<'a> {
    pub(super) version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) resources: Vec<AggregatedResource<'a>>,
    /// `Current`, or `Stale` when who serves it could not be asked.
    pub(super) freshness: &'static str,
}

/// A resource in the aggregated document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AggregatedResource<'a> {
    pub(super) resource: &'a str,
    pub(super) response_kind: Kind<'a>,
    pub(super) scope: &'static str,
    pub(super) singular_resource: &'a str,
    pub(super) verbs: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) short_names: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) categories: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) subresources: Vec<AggregatedSubresource<'a>>,
}

/// A subresource in the aggregated document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AggregatedSubresource<'a> {
    pub(super) subresource: &'a str,
    pub(super) response_kind: Kind<'a>,
    pub(super) verbs: &'a [String],
}

/// A kind. Group and version are empty where they are those of the document's place.
#[derive(Debug, Serialize)]
pub(super) struct Kind<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
}
