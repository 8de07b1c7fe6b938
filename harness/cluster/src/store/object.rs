//! One stored version of an object, and the key it is stored under.

use std::{borrow::Cow, fmt, sync::OnceLock};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Whole, weight, whole::FIRST};
use crate::managed::ManagedFields;

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

/// What is written: an object, and who owns its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The object, without `metadata.managedFields`.
    pub value: Value,
    /// What belongs there.
    pub managed: ManagedFields,
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self { value, managed: ManagedFields::default() }
    }
}

/// One version of an object: immutable, encoded at most once.
#[derive(Debug)]
pub struct Stored {
    value: Value,
    managed: ManagedFields,
    revision: u64,
    weight: u64,
    encoded: OnceLock<Encoded>,
}

/// The JSON of an object.
#[derive(Debug)]
struct Encoded {
    all: Bytes,
    /// Where what comes after its kind and version begins.
    item: usize,
}

impl Stored {
    /// Stamps `metadata.resourceVersion` into the object.
    pub(super) fn new(body: Body, revision: u64) -> Self {
        let Body { mut value, managed } = body;
        if let Some(meta) = value
            .as_object_mut()
            .and_then(|o| o.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
        {
            meta.insert("resourceVersion".into(), revision.to_string().into());
        }
        let weight = weight::of(&value, &managed);
        Self { value, managed, revision, weight, encoded: OnceLock::new() }
    }

    /// An object that is not stored: the answer to a dry run.
    #[must_use]
    pub fn unstored(body: impl Into<Body>) -> Self {
        let Body { value, managed } = body.into();
        Self { value, managed, revision: 0, weight: 0, encoded: OnceLock::new() }
    }

    /// The object, with `apiVersion` and `kind`, but without `metadata.managedFields`.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Who owns its fields.
    #[must_use]
    pub fn managed(&self) -> &ManagedFields {
        &self.managed
    }

    /// The object with everything that clients see.
    #[must_use]
    pub fn whole(&self) -> Cow<'_, Value> {
        if self.managed.is_empty() {
            return Cow::Borrowed(&self.value);
        }
        let mut value = self.value.clone();
        value["metadata"]["managedFields"] = self.managed.to_value();
        Cow::Owned(value)
    }

    /// The same owners of another version of the object.
    #[must_use]
    pub fn with(&self, value: Value) -> Body {
        Body { value, managed: self.managed.clone() }
    }

    /// Its revision, the number in `metadata.resourceVersion`.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How much memory it takes, in bytes, by an estimate that depends on its content alone; nothing when it is not stored.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    fn encoded(&self) -> &Encoded {
        self.encoded.get_or_init(|| {
            let mut all = serde_json::to_vec(&Whole(&self.value, &self.managed)).unwrap_or_default();
            // It stays as long as the version does, and writing it has taken up to twice as much.
            all.shrink_to_fit();
            let head = |name: &str| {
                self.value.get(name).map_or(0, |value| {
                    // Both in quotes, a colon between and a comma after.
                    format!("{name:?}:{value},").len()
                })
            };
            let item = 1 + FIRST.into_iter().map(head).sum::<usize>();
            Encoded { item: item.min(all.len().saturating_sub(1)), all: all.into() }
        })
    }

    /// Its JSON encoding, made on first use.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.encoded().all.clone()
    }

    /// What has to follow an opening brace to write the object into a list, which says for all what they are.
    #[must_use]
    pub fn item(&self) -> Bytes {
        let Encoded { all, item } = self.encoded();
        all.slice(item..)
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
