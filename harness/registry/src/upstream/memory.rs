//! What has to be remembered of the upstream: where its uploads go on, since it gives them addresses of its own; and which
//! blobs are configurations, which faults ask. Both are bounded; what is forgotten, clients begin anew.

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;
use pulldrill_clock::secret;
use reqwest::Url;
use serde_json::Value;

/// How many uploads can be under way.
const UPLOADS: usize = 4_096;
/// How many configurations are known.
const CONFIGS: usize = 100_000;

/// The memory of one upstream.
#[derive(Default)]
pub(crate) struct Memory {
    uploads: Mutex<VecDeque<Upload>>,
    configs: Mutex<HashSet<String>>,
}

struct Upload {
    id: String,
    repository: String,
    url: Url,
}

impl Memory {
    /// Remembers a new upload; gives its name here.
    pub(crate) fn begin(&self, repository: &str, url: Url) -> String {
        let id = secret::uid();
        let mut uploads = self.uploads.lock();
        if uploads.len() >= UPLOADS {
            uploads.pop_front();
        }
        uploads.push_back(Upload { id: id.clone(), repository: repository.to_owned(), url });
        id
    }

    /// Where an upload of a repository goes on.
    pub(crate) fn upload(&self, repository: &str, id: &str) -> Option<Url> {
        let uploads = self.uploads.lock();
        let found = uploads.iter().find(|upload| upload.id == id && upload.repository == repository);
        found.map(|upload| upload.url.clone())
    }

    /// It goes on elsewhere.
    pub(crate) fn moved(&self, id: &str, url: Url) {
        if let Some(upload) = self.uploads.lock().iter_mut().find(|upload| upload.id == id) {
            upload.url = url;
        }
    }

    /// It has ended.
    pub(crate) fn end(&self, id: &str) {
        self.uploads.lock().retain(|upload| upload.id != id);
    }

    /// Sees a manifest pass by.
    pub(crate) fn see(&self, manifest: &[u8]) {
        let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else { return };
        let Some(config) = manifest["config"]["digest"].as_str() else { return };
        let mut configs = self.configs.lock();
        if configs.len() >= CONFIGS {
            configs.clear();
        }
        configs.insert(config.to_owned());
    }

    /// Whether a manifest that has passed by names that as its configuration.
    pub(crate) fn is_config(&self, digest: &str) -> bool {
        self.configs.lock().contains(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_found_in_their_repository_until_they_end_and_the_oldest_are_forgotten() {
        let (memory, url) = (Memory::default(), Url::parse("http://u.example/x?_state=1").unwrap());
        let first = memory.begin("a", url.clone());
        assert_eq!(memory.upload("a", &first), Some(url.clone()));
        assert_eq!(memory.upload("b", &first), None);
        let other = Url::parse("http://u.example/y").unwrap();
        memory.moved(&first, other.clone());
        assert_eq!(memory.upload("a", &first), Some(other));
        for _ in 0..UPLOADS {
            memory.begin("a", url.clone());
        }
        assert_eq!(memory.upload("a", &first), None);
        let last = memory.begin("a", url);
        memory.end(&last);
        assert_eq!(memory.upload("a", &last), None);
    }

    #[test]
    fn configurations_are_known_from_manifests() {
        let memory = Memory::default();
        memory.see(br#"{"config":{"digest":"sha256:1"}}"#);
        memory.see(b"nonsense");
        assert!(memory.is_config("sha256:1") && !memory.is_config("sha256:2"));
    }
}
