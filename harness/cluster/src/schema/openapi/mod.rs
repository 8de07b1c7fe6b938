//! OpenAPI documents of the served resources, made from the schema table: version 2 as JSON and as the protobuf
//! that kubectl 1.20 insists on, version 3 per group and version. Not HTTP: ETags and Accept are the API's.

mod definitions;
mod gnostic;
mod operations;
mod paths;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::definitions::{Definitions, Style};
use super::table::Schema;
use crate::{release::Release, resources::ResourceInfo};

/// The documents for one set of served resources, each made when it is first asked for.
#[derive(Debug)]
pub struct OpenApi {
    served: Vec<ResourceInfo>,
    release: Release,
    v2: OnceLock<(Bytes, Bytes)>,
    v3: OnceLock<BTreeMap<String, Document>>,
}

/// One document of version 3.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document.
    pub json: Bytes,
    /// What changes when the document does.
    pub hash: String,
}

impl OpenApi {
    /// The documents for these resources, as a release serves them.
    #[must_use]
    pub fn new(served: Vec<ResourceInfo>, release: Release) -> Self {
        Self { served, release, v2: OnceLock::new(), v3: OnceLock::new() }
    }

    /// `/openapi/v2` as JSON.
    #[must_use]
    pub fn v2_json(&self) -> Bytes {
        self.v2().0.clone()
    }

    /// `/openapi/v2` as gnostic's protobuf.
    #[must_use]
    pub fn v2_protobuf(&self) -> Bytes {
        self.v2().1.clone()
    }

    /// `/openapi/v3`: where the documents of version 3 are.
    #[must_use]
    pub fn v3_index(&self) -> Value {
        let entry = |(path, document): (&String, &Document)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.hash);
            (path.clone(), json!({ "serverRelativeURL": url }))
        };
        json!({ "paths": self.documents().iter().map(entry).collect::<Map<_, _>>() })
    }

    /// `/openapi/v3/{path}`, where path is `api/v1` or `apis/{group}/{version}`.
    #[must_use]
    pub fn v3(&self, path: &str) -> Option<&Document> {
        self.documents().get(path)
    }

    fn v2(&self) -> &(Bytes, Bytes) {
        self.v2.get_or_init(|| {
            let document = self.version_2();
            (document.to_string().into(), gnostic::encode(&document).into())
        })
    }

    fn documents(&self) -> &BTreeMap<String, Document> {
        self.v3.get_or_init(|| {
            let paths: BTreeSet<String> = self.served.iter().map(ResourceInfo::root).collect();
            let document = |path: String| {
                let json = Bytes::from(self.version_3(&path).to_string());
                let mut hash = String::new();
                for byte in Sha256::digest(&json) {
                    let _ = write!(hash, "{byte:02X}");
                }
                (path, Document { json, hash })
            };
            paths.into_iter().map(document).collect()
        })
    }

    fn version_2(&self) -> Value {
        let schema = Schema::of(self.release);
        let mut definitions = Definitions::new(&schema, Style::V2, self.release, &self.served);
        let mut paths = Map::new();
        for resource in &self.served {
            definitions.add_kind(resource);
            paths::add(&mut paths, resource, Style::V2, self.release);
        }
        json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": definitions.finish()})
    }

    fn version_3(&self, root: &str) -> Value {
        let schema = Schema::of(self.release);
        let mut definitions = Definitions::new(&schema, Style::V3, self.release, &self.served);
        let mut paths = Map::new();
        for resource in self.served.iter().filter(|resource| resource.root() == root) {
            definitions.add_kind(resource);
            paths::add(&mut paths, resource, Style::V3, self.release);
        }
        json!({"openapi": "3.0.0", "info": info(), "paths": paths,
            "components": {"schemas": definitions.finish()}})
    }
}

impl OpenApi {
    /// The documents for these resources, made once for as long as the resources stay the same.
    fn of(served: &[ResourceInfo], release: Release) -> Arc<Self> {
        static LATEST: Mutex<Option<Arc<OpenApi>>> = Mutex::new(None);
        let mut latest = LATEST.lock();
        match &*latest {
            Some(documents) if documents.served == served && documents.release == release => {
                documents.clone()
            }
            _ => latest.insert(Arc::new(Self::new(served.to_vec(), release))).clone(),
        }
    }
}

impl Schema {
    /// `/openapi/v2` as JSON.
    #[must_use]
    pub fn openapi_v2_json(&self, served: &[ResourceInfo], release: Release) -> Bytes {
        OpenApi::of(served, release).v2_json()
    }

    /// `/openapi/v2` as gnostic's protobuf.
    #[must_use]
    pub fn openapi_v2_protobuf(&self, served: &[ResourceInfo], release: Release) -> Bytes {
        OpenApi::of(served, release).v2_protobuf()
    }

    /// `/openapi/v3` as JSON.
    #[must_use]
    pub fn openapi_v3_index(&self, served: &[ResourceInfo], release: Release) -> Bytes {
        OpenApi::of(served, release).v3_index().to_string().into()
    }

    /// `/openapi/v3/{path}` as JSON, where path is `api/v1` or `apis/{group}/{version}`.
    #[must_use]
    pub fn openapi_v3(&self, path: &str, served: &[ResourceInfo], release: Release) -> Option<Bytes> {
        OpenApi::of(served, release).v3(path).map(|document| document.json.clone())
    }
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "unversioned"})
}

impl ResourceInfo {
    /// `api/v1` or `apis/{group}/{version}`.
    fn root(&self) -> String {
        match self.group.as_str() {
            "" => format!("api/{}", self.version),
            group => format!("apis/{group}/{}", self.version),
        }
    }

    /// `apiVersion` of its objects.
    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// What ties a definition or operation to the kind.
    fn group_version_kind(&self) -> Value {
        json!({"group": self.group, "version": self.version, "kind": self.kind})
    }
}

#[cfg(test)]
mod tests;
