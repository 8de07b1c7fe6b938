//! Credential providers: programs on the node that know the credentials of registries (`ecr-credential-provider`).
//!
//! A provider is asked about images that match its patterns, and its answer is kept for a while. One that fails is
//! nothing that a pod is told of: the pull goes on without it (kubelet's `plugin.go` of `credentialprovider`).

mod plugins;

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use pulldrill_clock::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{keyring, secrets::Entry};
use crate::puller::{Credential, Reference};
pub use plugins::{PluginError, plugins};

/// For which images an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum CacheKey {
    /// The one that was asked about.
    Image,
    /// All of its registry.
    Registry,
    /// All.
    Global,
}

/// What a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// For which images it holds.
    pub key: CacheKey,
    /// For how long it is kept: `None` for as long as the kubelet's configuration says, nothing not to keep it,
    /// less than nothing for ever.
    pub keep: Option<SignedDuration>,
    /// Credentials by what they are for: `registry.example/team`, `*.registry.example`.
    pub auth: Vec<(String, Credential)>,
}

/// How a provider finds credentials for an image (repository without tag), or why it can't.
pub type Ask = Arc<dyn Fn(&str) -> Result<Provided, String> + Send + Sync>;

/// A provider, as a kubelet is told of it.
#[derive(Clone)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// The images that it is asked about.
    pub match_images: Vec<String>,
    /// For how long answers are kept that don't say it.
    pub default_keep: SignedDuration,
    /// What it does.
    pub ask: Ask,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}

/// An answer that is kept.
struct Kept {
    entries: Vec<Entry>,
    until: Option<Timestamp>,
}

/// The providers of one node, and what they have answered.
#[derive(Default)]
pub(super) struct Providers {
    all: Vec<Provider>,
    kept: Mutex<HashMap<(usize, String), Kept>>,
}

impl Providers {
    pub(super) fn new(all: Vec<Provider>) -> Self {
        Self { all, kept: Mutex::default() }
    }

    /// The credentials for an image, those for more specific names first.
    pub(super) fn entries(&self, reference: &Reference, now: Timestamp) -> Vec<Entry> {
        let image = reference.name();
        let asked = self.all.iter().enumerate().filter(|(_, provider)| provider.is_for(&image));
        let entries: Vec<Entry> = asked.flat_map(|(n, provider)| self.of(n, provider, &image, now)).collect();
        keyring::matching(&entries, reference)
    }

    fn of(&self, number: usize, provider: &Provider, image: &str, now: Timestamp) -> Vec<Entry> {
        let registry = image.split('/').next().unwrap_or_default();
        let mut kept = self.kept.lock();
        kept.retain(|_, answer| answer.until.is_none_or(|until| now < until));
        if let Some(known) =
            [image, registry, ""].iter().find_map(|key| kept.get(&(number, (*key).to_owned())))
        {
            return known.entries.clone();
        }
        let answer = match (provider.ask)(image) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(provider = provider.name, image, error, "credential provider failed");
                return Vec::new();
            }
        };
        let entry = |(server, credential): (String, Credential)| Entry { server, credential, origin: None };
        let entries: Vec<Entry> = answer.auth.into_iter().map(entry).collect();
        let key = match answer.key {
            CacheKey::Image => image,
            CacheKey::Registry => registry,
            CacheKey::Global => "",
        };
        let keep = answer.keep.unwrap_or(provider.default_keep);
        if !keep.is_zero() {
            let until = (!keep.is_negative()).then(|| now + keep);
            kept.insert((number, key.to_owned()), Kept { entries: entries.clone(), until });
        }
        entries
    }
}

impl Provider {
    fn is_for(&self, image: &str) -> bool {
        self.match_images.iter().any(|pattern| keyring::is_for(pattern, image))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// A provider that counts how often it is asked.
    fn provider(key: CacheKey, keep: Option<i64>, patterns: &[&str]) -> (Providers, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = asked.clone();
        let provider = Provider {
            name: "ecr".into(),
            match_images: patterns.iter().map(|p| (*p).to_owned()).collect(),
            default_keep: SignedDuration::from_secs(60),
            ask: Arc::new(move |image| {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                let server = image.split('/').next().unwrap_or_default().to_owned();
                let credential = Credential { username: "AWS".into(), password: format!("p{n}") };
                Ok(Provided {
                    key,
                    keep: keep.map(SignedDuration::from_secs),
                    auth: vec![(server, credential)],
                })
            }),
        };
        (Providers::new(vec![provider]), asked)
    }

    const ONE: &str = "1.dkr.ecr.eu-west-1.amazonaws.example/team/app:1";
    const OTHER: &str = "1.dkr.ecr.eu-west-1.amazonaws.example/team/other:1";
    const ELSEWHERE: &str = "2.dkr.ecr.eu-west-1.amazonaws.example/team/app:1";
    const PATTERN: &str = "*.dkr.ecr.*.amazonaws.example";

    #[test]
    fn answers_are_kept_by_image_registry_or_for_all() {
        for (key, expected) in [(CacheKey::Image, 3), (CacheKey::Registry, 2), (CacheKey::Global, 1)] {
            let (providers, asked) = provider(key, None, &[PATTERN]);
            for image in [ONE, ONE, OTHER, ELSEWHERE, OTHER] {
                let found = providers.entries(&Reference::parse(image).unwrap(), at(0));
                let right = key != CacheKey::Global || image != ELSEWHERE;
                assert_eq!(found.len(), usize::from(right), "{key:?} {image}");
            }
            assert_eq!(asked.load(Ordering::Relaxed), expected, "{key:?}");
        }
    }

    #[test]
    fn answers_are_kept_as_long_as_they_say() {
        for (keep, at_59, at_61) in [(None, 1, 2), (Some(0), 2, 3), (Some(-1), 1, 1), (Some(10), 2, 3)] {
            let (providers, asked) = provider(CacheKey::Image, keep, &[PATTERN]);
            let one = Reference::parse(ONE).unwrap();
            providers.entries(&one, at(0));
            providers.entries(&one, at(59));
            assert_eq!(asked.load(Ordering::Relaxed), at_59, "{keep:?}");
            providers.entries(&one, at(79));
            assert_eq!(asked.load(Ordering::Relaxed), at_61, "{keep:?}");
        }
    }

    #[test]
    fn only_images_that_match_are_asked_about() {
        for (pattern, matches) in [
            (PATTERN, true),
            ("*.amazonaws.example", false),
            ("1.dkr.ecr.eu-west-1.amazonaws.example/team", true),
            ("1.dkr.ecr.eu-west-1.amazonaws.example/ops", false),
            ("1.dkr.ecr.eu-west-1.amazonaws.example:443", false),
        ] {
            let (providers, asked) = provider(CacheKey::Image, None, &[pattern]);
            let found = providers.entries(&Reference::parse(ONE).unwrap(), at(0));
            assert_eq!(
                (found.len(), asked.load(Ordering::Relaxed)),
                (usize::from(matches), u32::from(matches))
            );
        }
    }
}
