//! A set of paths, as a tree. It is kept sorted, so that sets are joined, compared and written in one pass.

use std::sync::Arc;

/// One step of a path as FieldsV1 writes it: `f:spec`, `k:{"name":"c"}`, `v:"x"`, `i:0`.
pub(crate) type Element = Arc<str>;

/// A set of fields of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(pub(super) Vec<(Element, Node)>);

/// What a set says about one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The path itself is in the set.
    pub(super) member: bool,
    /// What is in the set below it.
    pub(super) below: FieldSet,
}

impl Node {
    pub(super) fn leaf() -> Self {
        Self { member: true, below: FieldSet::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// The set of these paths, each a list of field names.
    #[must_use]
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let node = path.iter().rev().fold(Node::leaf(), |node, name| Node {
                member: false,
                below: Self(vec![(format!("f:{name}").into(), node)]),
            });
            set.unite(&node.below);
        }
        set
    }

    /// A set with nothing in it yet.
    pub(super) fn with_capacity(elements: usize) -> Self {
        Self(Vec::with_capacity(elements))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much memory the set takes, with its JSON: an estimate, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // An element is an allocation of its own, with two counters; in the JSON it has quotes, a colon, braces and a comma.
        let each = |element: &Element, node: &Node| 2 * element.len() + 40 + node.below.weight();
        size_of_val(self.0.as_slice())
            + self.0.iter().map(|(element, node)| each(element, node)).sum::<usize>()
    }

    pub(super) fn get(&self, element: &str) -> Option<&Node> {
        self.find(element).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn get_mut(&mut self, element: &str) -> Option<&mut Node> {
        let at = self.find(element).ok()?;
        self.0.get_mut(at).map(|(_, node)| node)
    }

    fn find(&self, element: &str) -> Result<usize, usize> {
        // Sets are mostly built in order.
        match self.0.last() {
            None => Err(0),
            Some((last, _)) if **last < *element => Err(self.0.len()),
            Some(_) => self.0.binary_search_by(|(other, _)| (**other).cmp(element)),
        }
    }

    /// Adds what a node says about a path; nothing if it says nothing.
    pub(super) fn put(&mut self, element: impl FnOnce() -> Element, node: Node) {
        if node.is_empty() {
            return;
        }
        let element = element();
        match self.find(&element) {
            Err(at) => self.0.insert(at, (element, node)),
            Ok(at) => {
                let present = &mut self.0[at].1;
                present.member |= node.member;
                present.below.unite(&node.below);
            }
        }
    }

    /// [`FieldSet::put`] of a path that comes after all that are there.
    pub(super) fn push(&mut self, element: Element, node: Node) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < element), "{element} comes too late");
        if !node.is_empty() {
            self.0.push((element, node));
        }
    }

    /// Adds everything that is in another set.
    pub fn unite(&mut self, other: &Self) {
        for (element, node) in &other.0 {
            match self.find(element) {
                Err(at) => self.0.insert(at, (element.clone(), node.clone())),
                Ok(at) => {
                    let present = &mut self.0[at].1;
                    present.member |= node.member;
                    present.below.unite(&node.below);
                }
            }
        }
    }

    /// Takes out the paths that are in another set; what is below them stays.
    pub fn subtract(&mut self, other: &Self) {
        self.retain(other, |present, node| {
            present.member &= !node.member;
            present.below.subtract(&node.below);
        });
    }

    /// Takes out the paths that are in another set, and all that is below them.
    pub fn subtract_all(&mut self, other: &Self) {
        self.retain(other, |present, node| {
            if node.member {
                *present = Node::default();
            } else {
                present.below.subtract_all(&node.below);
            }
        });
    }

    fn retain(&mut self, other: &Self, change: impl Fn(&mut Node, &Node)) {
        if other.is_empty() {
            return;
        }
        self.0.retain_mut(|(element, present)| {
            if let Some(node) = other.get(element) {
                change(present, node);
            }
            !present.is_empty()
        });
    }

    /// The paths that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (small, large) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        let mut common = Self::default();
        for (element, node) in &small.0 {
            let Some(twin) = large.get(element) else { continue };
            let node =
                Node { member: node.member && twin.member, below: node.below.intersection(&twin.below) };
            common.put(|| element.clone(), node);
        }
        common
    }

    /// Calls back for every path: on each level those that end there first, then those that go deeper.
    pub(crate) fn each_path(&self, visit: &mut impl FnMut(&[&str])) {
        fn walk<'s>(set: &'s FieldSet, path: &mut Vec<&'s str>, visit: &mut impl FnMut(&[&str])) {
            for (element, _) in set.0.iter().filter(|(_, node)| node.member) {
                path.push(element);
                visit(path);
                path.pop();
            }
            for (element, node) in &set.0 {
                path.push(element);
                walk(&node.below, path, visit);
                path.pop();
            }
        }
        walk(self, &mut Vec::new(), visit);
    }
}
