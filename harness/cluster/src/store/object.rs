//! One stored version of an object, and the key it is stored under.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use serde_json::{Value, json};

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace, or empty.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key that an object's own metadata names.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let meta = &object["metadata"];
        Self::new(meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}", self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One version of an object: immutable, encoded at most once.
#[derive(Debug)]
pub struct Stored {
    value: Value,
    revision: u64,
    bytes: OnceLock<Bytes>,
}

impl Stored {
    /// Stamps `metadata.resourceVersion` into the object.
    pub(super) fn new(mut value: Value, revision: u64) -> Self {
        if let Some(meta) = value
            .as_object_mut()
            .and_then(|o| o.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
        {
            meta.insert("resourceVersion".into(), revision.to_string().into());
        }
        Self { value, revision, bytes: OnceLock::new() }
    }

    /// An object that is not stored: the answer to a dry run.
    #[must_use]
    pub fn unstored(value: Value) -> Self {
        Self { value, revision: 0, bytes: OnceLock::new() }
    }

    /// The object, with `apiVersion` and `kind`.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Its revision, the number in `metadata.resourceVersion`.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Its JSON encoding, made on first use.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(&self.value)
    }

    /// A string field of `metadata`, empty when absent.
    #[must_use]
    pub fn meta(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}
