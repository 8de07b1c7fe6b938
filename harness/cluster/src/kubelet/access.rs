//! Who may use an image that is on the node already: whoever's credentials pulled it, or could have.

use std::collections::{HashMap, HashSet};

use super::secrets::{Entry, Origin};
use crate::puller::{Credential, Image, Reference};

/// How an image of one repository came to the node.
#[derive(Debug, Default)]
struct Record {
    anonymous: bool,
    origins: HashSet<Origin>,
    credentials: HashSet<Credential>,
}

/// The pulls of one node, by image and repository.
#[derive(Debug, Default)]
pub(super) struct Access {
    records: HashMap<(String, String), Record>,
}

impl Access {
    /// Remembers a pull, and with which entry it was made.
    pub(super) fn pulled(&mut self, reference: &Reference, image: &Image, with: Option<&Entry>) {
        let record = self.records.entry((image.id.clone(), reference.name())).or_default();
        match with {
            // What the node's own credentials got is for every pod, as what needed none.
            None | Some(Entry { origin: None, .. }) => record.anonymous = true,
            Some(Entry { origin: Some(origin), credential, .. }) => {
                record.origins.insert(origin.clone());
                record.credentials.insert(credential.clone());
            }
        }
    }

    /// Whether a pod with these entries may use the image without pulling it.
    pub(super) fn allows(&mut self, reference: &Reference, image: &Image, entries: &[Entry]) -> bool {
        let Some(record) = self.records.get_mut(&(image.id.clone(), reference.name())) else { return false };
        if record.anonymous {
            return true;
        }
        let known = entries.iter().find(|e| {
            e.origin.as_ref().is_some_and(|origin| record.origins.contains(origin))
                || record.credentials.contains(&e.credential)
        });
        if let Some(origin) = known.and_then(|entry| entry.origin.as_ref()) {
            record.origins.insert(origin.clone());
        }
        known.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entry(name: &str, password: &str) -> Entry {
        let origin = Origin { namespace: "a".into(), name: name.into(), uid: name.into() };
        let credential = Credential { username: "u".into(), password: password.into() };
        Entry { server: "r.example".into(), credential, origin: Some(origin) }
    }

    #[test]
    fn the_same_secret_or_the_same_password_opens() {
        let reference = Reference::parse("r.example/app:1").unwrap();
        let image = Image {
            id: "sha256:1".into(),
            reference: reference.to_string(),
            repo_digest: String::new(),
            size: 0,
            labels: BTreeMap::new(),
            architecture: "amd64".into(),
            ..Image::default()
        };
        let mut access = Access::default();
        assert!(!access.allows(&reference, &image, &[]));
        access.pulled(&reference, &image, Some(&entry("one", "good")));
        assert!(!access.allows(&reference, &image, &[]));
        assert!(!access.allows(&reference, &image, &[entry("two", "bad")]));
        assert!(access.allows(&reference, &image, &[entry("two", "good")]));
        assert!(access.allows(&reference, &image, &[entry("one", "rotated")]));
        let own = Entry { origin: None, ..entry("node", "own") };
        access.pulled(&reference, &image, Some(&own));
        assert!(access.allows(&reference, &image, &[]), "the node's own credentials open it to all");
    }
}
