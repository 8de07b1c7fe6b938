//! Small content that was wanted lately: manifests, mostly. What has a digest never changes, so nothing here can be
//! out of date.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// The largest content that is remembered.
const LARGEST: usize = 256 << 10;
/// How much is remembered.
const MOST: usize = 64 << 20;

/// What is remembered; the oldest makes way.
#[derive(Default)]
pub(super) struct Cache {
    by_digest: HashMap<String, Bytes>,
    order: VecDeque<String>,
    total: usize,
}

impl Cache {
    pub(super) fn get(&self, digest: &str) -> Option<Bytes> {
        self.by_digest.get(digest).cloned()
    }

    pub(super) fn insert(&mut self, digest: &str, bytes: &Bytes) {
        if bytes.len() > LARGEST || self.by_digest.contains_key(digest) {
            return;
        }
        self.total += bytes.len();
        self.order.push_back(digest.to_owned());
        self.by_digest.insert(digest.to_owned(), bytes.clone());
        while self.total > MOST {
            let Some(oldest) = self.order.pop_front() else { break };
            self.total -= self.by_digest.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_way_and_large_content_is_not_taken() {
        let mut cache = Cache::default();
        let some = Bytes::from(vec![0; LARGEST]);
        let most = MOST / LARGEST;
        for n in 0..=most {
            cache.insert(&n.to_string(), &some);
            cache.insert(&n.to_string(), &some);
        }
        assert!(
            cache.get("0").is_none() && cache.get("1").is_some() && cache.get(&most.to_string()).is_some()
        );
        cache.insert("large", &vec![0; LARGEST + 1].into());
        assert!(cache.get("large").is_none());
        assert_eq!(cache.total, MOST);
    }
}
