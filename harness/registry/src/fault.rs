//! Faults: ways in which a host misbehaves on purpose. They are applied at one place, before a request is
//! answered, and drawn from the host's own seeded series.

use bytes::Bytes;
use parking_lot::Mutex;
use pulldrill_clock::seed;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Any status with any body.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
        /// Its type.
        content_type: String,
    },
    /// Every token is taken for an expired one.
    RevokedTokens,
    /// Layers arrive with one byte changed, so that they are not what their digest says.
    CorruptLayers,
    /// Layers arrive without their second half; a client that then asks for the rest gets it.
    TruncatedLayers,
}

/// How compressed layers begin; configurations, the other blobs, are JSON.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl Fault {
    /// What becomes of a blob that is sent as a whole.
    pub(crate) fn spoil(&self, blob: Bytes) -> Bytes {
        if !blob.starts_with(&GZIP) {
            return blob;
        }
        match self {
            Self::CorruptLayers => {
                let mut bytes = blob.to_vec();
                if let Some(last) = bytes.last_mut() {
                    *last = !*last;
                }
                bytes.into()
            }
            Self::TruncatedLayers => blob.slice(..blob.len() / 2),
            Self::Status { .. } | Self::RevokedTokens => blob,
        }
    }
}

/// Which requests it concerns; an empty field means all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultRule {
    /// Only this repository.
    pub repository: Option<String>,
    /// Only this tag or digest.
    pub reference: Option<String>,
    /// Only this HTTP method.
    pub method: Option<String>,
    /// How often, from 0 to 1.
    pub probability: f64,
    /// What goes wrong.
    pub fault: Fault,
}

/// A host's faults.
pub(crate) struct Faults {
    rules: Mutex<Vec<FaultRule>>,
    chance: Mutex<seed::Rng>,
}

impl Faults {
    pub(crate) fn new(seed: u64, host: &str) -> Self {
        Self {
            rules: Mutex::default(),
            chance: Mutex::new(seed::rng(seed, &format!("registry/faults/{host}"))),
        }
    }

    /// Replaces all rules.
    pub(crate) fn set(&self, rules: Vec<FaultRule>) {
        *self.rules.lock() = rules;
    }

    /// The fault that strikes this request, if one does: the first rule that does.
    pub(crate) fn strike(
        &self,
        method: &str,
        repository: Option<&str>,
        reference: Option<&str>,
    ) -> Option<Fault> {
        let rules = self.rules.lock();
        let fits = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == given)
        };
        let mut concerned = rules.iter().filter(|rule| {
            fits(&rule.repository, repository)
                && fits(&rule.reference, reference)
                && fits(&rule.method, Some(method))
        });
        let mut chance = self.chance.lock();
        concerned.find(|rule| chance.random_range(0.0..1.0) < rule.probability).map(|rule| rule.fault.clone())
    }
}
