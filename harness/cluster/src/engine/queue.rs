//! Keys waiting to be reconciled: first in, first out, each at most once.

use std::collections::{HashSet, VecDeque};

use crate::store::Key;

/// The keys that one controller still has to look at.
#[derive(Debug, Default)]
pub struct Queue {
    order: VecDeque<Key>,
    waiting: HashSet<Key>,
}

impl Queue {
    /// Adds a key, unless it waits already.
    pub fn add(&mut self, key: Key) {
        if self.waiting.insert(key.clone()) {
            self.order.push_back(key);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        let key = self.order.pop_front()?;
        self.waiting.remove(&key);
        Some(key)
    }
}
