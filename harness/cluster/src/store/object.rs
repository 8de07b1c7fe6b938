//! One stored version of an object, and the key it is stored under.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    packing::Home,
    weight::{self, Measure},
    whole,
};
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

/// One version of an object: immutable, encoded at most once. It may be *packed*, and then has nothing but its JSON until
/// somebody asks for its value.
#[derive(Debug)]
pub struct Stored {
    key: Key,
    /// What it is; always there when there is no JSON.
    body: OnceLock<Body>,
    /// Its JSON; always there when there is no body.
    encoded: OnceLock<Encoded>,
    revision: u64,
    weight: u64,
    /// Whether a reader of JSON would take what its JSON is.
    flat: bool,
    /// Somebody asked for its value, or for its owners, since [`Stored::take_used`].
    used: AtomicBool,
    /// Who is to know when a packed one gets its body back.
    home: Option<Home>,
}

/// The JSON of an object.
#[derive(Clone, Debug)]
struct Encoded {
    all: Bytes,
    /// Where what comes after its kind and version begins.
    item: usize,
}

impl Stored {
    /// Stamps `metadata.resourceVersion` into the object.
    pub(super) fn new(key: Key, mut body: Body, revision: u64) -> Self {
        if let Some(meta) = body
            .value
            .as_object_mut()
            .and_then(|o| o.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
        {
            meta.insert("resourceVersion".into(), revision.to_string().into());
        }
        let Measure { weight, depth } = weight::of(&body.value, &body.managed);
        Self { revision, weight, flat: depth <= DEEPEST, ..Self::of(key, body) }
    }

    fn of(key: Key, body: Body) -> Self {
        let (encoded, revision, weight, flat, used) = Default::default();
        Self { key, body: body.into(), encoded, revision, weight, flat, used, home: None }
    }

    /// An object that is not stored: the answer to a dry run.
    #[must_use]
    pub fn unstored(body: impl Into<Body>) -> Self {
        let body = body.into();
        Self::of(Key::of(&body.value), body)
    }

    /// The same version without its value, if it has one that can be had back from its JSON.
    pub(super) fn packed(&self, mut home: Home) -> Option<Self> {
        if !self.flat || self.is_packed() {
            return None;
        }
        home.returned = self.home.is_some();
        Some(Self {
            key: self.key.clone(),
            body: OnceLock::new(),
            encoded: self.encoded().clone().into(),
            used: false.into(),
            home: Some(home),
            ..*self
        })
    }

    /// Whether it has nothing but its JSON.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.body.get().is_none()
    }

    /// Whether its value or its owners were asked for since this was called before.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Relaxed)
    }

    /// What it is, for whoever works with it.
    fn used(&self) -> &Body {
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
        self.body()
    }

    fn body(&self) -> &Body {
        self.body.get_or_init(|| {
            let body = self.unpack();
            if let Some(home) = &self.home {
                home.unpacked(&self.key, self.revision, self.weight);
            }
            body
        })
    }

    /// The JSON of a packed one.
    fn json(&self) -> &[u8] {
        self.encoded.get().map_or(&[], |encoded| &encoded.all)
    }

    fn unpack(&self) -> Body {
        Body::decode(self.json()).unwrap_or_else(|error| {
            tracing::error!(key = %self.key, %error, "a stored object can't be read back");
            Body::default()
        })
    }

    /// The object, with `apiVersion` and `kind`, but without `metadata.managedFields`.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.used().value
    }

    /// Who owns its fields.
    #[must_use]
    pub fn managed(&self) -> &ManagedFields {
        &self.used().managed
    }

    /// [`Stored::value`] for whoever looks at very many objects once: one that is packed stays so.
    #[must_use]
    pub fn peek(&self) -> Cow<'_, Value> {
        match self.body.get() {
            Some(body) => Cow::Borrowed(&body.value),
            None => Cow::Owned(self.unpack().value),
        }
    }

    /// Its labels. A packed one stays packed.
    #[must_use]
    pub fn labels(&self) -> Cow<'_, Value> {
        match self.body.get() {
            Some(body) => Cow::Borrowed(&body.value["metadata"]["labels"]),
            None => Cow::Owned(Labelled::of(self.json()).metadata.labels),
        }
    }

    /// The object with everything that clients see. A packed one stays packed.
    #[must_use]
    pub fn whole(&self) -> Cow<'_, Value> {
        if self.is_packed() {
            return Cow::Owned(serde_json::from_slice(self.json()).unwrap_or_default());
        }
        let Body { value, managed } = self.used();
        if managed.is_empty() {
            return Cow::Borrowed(value);
        }
        let mut value = value.clone();
        value["metadata"]["managedFields"] = managed.to_value();
        Cow::Owned(value)
    }

    /// The same owners of another version of the object.
    #[must_use]
    pub fn with(&self, value: Value) -> Body {
        Body { value, managed: self.managed().clone() }
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
            let Body { value, managed } = self.body();
            encode(|space| whole::write(space, value, managed))
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
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A string field of `metadata`, empty when absent.
    #[must_use]
    pub fn meta(&self, field: &str) -> &str {
        self.value()["metadata"][field].as_str().unwrap_or_default()
    }
}

/// JSON in no more memory than it needs: it stays as long as the version does. It is written into the same space again and
/// again, which has grown already.
fn encode(write: impl FnOnce(&mut Vec<u8>) -> usize) -> Encoded {
    thread_local! {
        static SPACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SPACE.with_borrow_mut(|space| {
        let item = write(space);
        let all = Bytes::copy_from_slice(space);
        space.clear();
        space.shrink_to(LARGE);
        Encoded { all, item }
    })
}

/// How much of that space is kept, in bytes.
const LARGE: usize = 64 << 10;

/// What of an object's JSON is read for its labels.
#[derive(Default, Deserialize)]
struct Labelled {
    #[serde(default)]
    metadata: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    labels: Value,
}

impl Labelled {
    fn of(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }
}

/// How deep an object may be that is packed: a reader of JSON stops at 128, and the owners of fields are written five levels
/// below the object, twice as deep as they are there.
const DEEPEST: usize = 50;
