//! Which fields differ between two versions of an object. The order of a list's elements is no difference.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    element,
    set::{Element, FieldSet, Node},
    shape::{Shape, Walk},
};
use crate::schema::is_zero;

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the new version has.
    pub added: FieldSet,
    /// Fields that have another value in it.
    pub modified: FieldSet,
    /// Fields that it no longer has.
    pub removed: FieldSet,
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// The comparison without these fields and what is below them.
    #[must_use]
    pub fn without(mut self, ignored: &FieldSet) -> Self {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.subtract_all(ignored);
        }
        self
    }

    /// The fields that the new version sets: the added and the modified ones.
    #[must_use]
    pub fn set(&self) -> FieldSet {
        let mut all = self.added.clone();
        all.unite(&self.modified);
        all
    }
}

/// Compares two versions of an object.
pub(crate) fn compare(walk: Walk<'_>, shape: Shape<'_>, old: &Value, new: &Value) -> Comparison {
    let Diff { added, modified, removed } = Compare(walk).both(shape, old, new);
    Comparison { added: added.below, modified: modified.below, removed: removed.below }
}

#[derive(Default)]
struct Diff {
    added: Node,
    modified: Node,
    removed: Node,
}

impl Diff {
    /// A value that has no parts.
    fn leaf(old: Option<&Value>, new: Option<&Value>) -> Self {
        let mut diff = Self::default();
        match (old, new) {
            (None, Some(_)) => diff.added.member = true,
            (Some(_), None) => diff.removed.member = true,
            (old, new) => diff.modified.member = old != new,
        }
        diff
    }

    fn put(&mut self, element: impl Fn() -> Element, part: Self) {
        self.added.below.put(&element, part.added);
        self.modified.below.put(&element, part.modified);
        self.removed.below.put(&element, part.removed);
    }
}

struct Compare<'a>(Walk<'a>);

impl Compare<'_> {
    fn values(&self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) -> Diff {
        match (old, new) {
            (None, None) => Diff::default(),
            (None, Some(new)) => Diff { added: self.alone(shape, new), ..Diff::default() },
            (Some(old), None) => Diff { removed: self.alone(shape, old), ..Diff::default() },
            (Some(old), Some(new)) => self.both(shape, old, new),
        }
    }

    fn both(&self, shape: Shape<'_>, old: &Value, new: &Value) -> Diff {
        if old == new {
            return Diff::default();
        }
        match shape.settled([Some(old), Some(new)]) {
            Shape::Leaf => Diff::leaf(Some(old), Some(new)),
            _ if is_empty(old) && is_empty(new) => Diff::leaf(Some(old), Some(new)),
            shape @ (Shape::Keyed(..) | Shape::Set) => self.lists(shape, old, new),
            shape => self.objects(shape, old, new),
        }
    }

    /// A value that the other version has not: it and all its parts.
    fn alone(&self, shape: Shape<'_>, value: &Value) -> Node {
        let shape = shape.settled([Some(value), None]);
        let below = match (shape, value) {
            (Shape::Leaf, _) => return Node::leaf(),
            (_, Value::Object(fields)) => {
                let mut below = FieldSet::with_capacity(fields.len());
                for (name, value) in fields {
                    let declared = self.0.declared(shape, name);
                    let part = self.alone(self.0.entry(shape, declared), value);
                    below.push(element::field(name, declared), part);
                }
                below
            }
            (_, Value::Array(items)) => {
                let mut below = FieldSet::with_capacity(items.len());
                let inner = self.0.items(shape);
                for item in items {
                    let element = self.0.item(shape, item);
                    match below.get_mut(&element) {
                        // Elements of the same name are one thing.
                        Some(present) => *present = Node::leaf(),
                        None => below.put(|| element, self.alone(inner, item)),
                    }
                }
                below
            }
            _ => FieldSet::default(),
        };
        Node { member: true, below }
    }

    fn objects(&self, shape: Shape<'_>, old: &Value, new: &Value) -> Diff {
        let none = Map::new();
        let [old, new] = [old, new].map(|value| value.as_object().unwrap_or(&none));
        let mut diff = Diff::default();
        if old.is_empty() {
            diff.added.below = FieldSet::with_capacity(new.len());
        }
        let mut compare = |name: &str, was: Option<&Value>, is: Option<&Value>| {
            if was == is {
                return;
            }
            let declared = self.0.declared(shape, name);
            let shape = self.0.entry(shape, declared);
            let part = match declared {
                Some(field) if field.keep_zero => self.never_absent(shape, was, is),
                _ => self.values(shape, was, is),
            };
            diff.put(|| element::field(name, declared), part);
        };
        for (name, is) in new {
            compare(name, old.get(name), Some(is));
        }
        for (name, was) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            compare(name, Some(was), None);
        }
        diff
    }

    /// A field that Go always writes: where it is absent, it has its zero value.
    fn never_absent(&self, shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>) -> Diff {
        static NOTHING: Value = Value::Null;
        match (old, new) {
            (None, Some(value)) | (Some(value), None) if is_zero(value) => Diff::default(),
            _ => self.both(shape, old.unwrap_or(&NOTHING), new.unwrap_or(&NOTHING)),
        }
    }

    fn lists(&self, shape: Shape<'_>, old: &Value, new: &Value) -> Diff {
        let (old, new) = (self.indexed(shape, old), self.indexed(shape, new));
        let mut diff = Diff::default();
        let none = Vec::new();
        for element in old.keys().chain(new.keys().filter(|element| !old.contains_key(*element))) {
            let (was, is) = (old.get(element).unwrap_or(&none), new.get(element).unwrap_or(&none));
            let (first_was, first_is) = (was.first().copied(), is.first().copied());
            let part = match (was.as_slice(), is.as_slice()) {
                ([] | [_], [] | [_]) => self.values(self.0.items(shape), first_was, first_is),
                // Elements of the same name are one thing.
                (was, is) if was == is => continue,
                _ => Diff::leaf(first_was, first_is),
            };
            diff.put(|| element.clone(), part);
        }
        diff
    }

    fn indexed<'v>(&self, shape: Shape<'_>, list: &'v Value) -> BTreeMap<Element, Vec<&'v Value>> {
        let mut all: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
        for item in list.as_array().into_iter().flatten() {
            all.entry(self.0.item(shape, item)).or_default().push(item);
        }
        all
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}
