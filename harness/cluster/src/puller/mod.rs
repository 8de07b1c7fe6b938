//! Pulling images as the container runtime does: over real HTTPS, in its order of requests, with its words
//! when that fails.
//!
//! There are two of them: containerd (`steps`), and CRI-O with the library that it shares with podman (`copy`).
//!
//! One [`Puller`] is one node's runtime with its store of content. When to pull, and with whose
//! credentials, is the kubelet's business.

mod authorizer;
mod challenge;
mod content;
mod copy;
mod descriptor;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod reference;
mod session;
mod steps;
#[cfg(test)]
mod tests;
pub(crate) mod transport;
pub(crate) mod words;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use pulldrill_clock::{Busy, Clock, SignedDuration, seed};
use rand::RngExt;
use rustls::ClientConfig;

use crate::{
    dialect::{Dialect, PullLibrary},
    network::Network,
};
pub use content::Image;
pub use error::{Code, PullError};
pub use reference::{Reference, ReferenceError};

/// How long names, routes and handshakes take, in milliseconds of lab time.
const SETUP: std::ops::Range<u64> = 120..480;
/// How long unpacking takes, in milliseconds of lab time.
const UNPACK: std::ops::Range<u64> = 180..1300;
/// How fast content flows, in bytes a millisecond.
const BYTES_PER_MS: u64 = 40_000;
/// No image takes longer than a day, in milliseconds.
const LONGEST_FLOW: i64 = 24 * 3_600 * 1_000;

/// A user name and a password (or token).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.username)
    }
}

/// One node's way of getting images, and what it has.
pub struct Puller {
    client: session::Client,
    content: Mutex<content::Content>,
    rng: Mutex<seed::Rng>,
}

impl fmt::Debug for Puller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Puller({})", self.client.node)
    }
}

impl Puller {
    /// The runtime of `node`, with an empty store.
    #[must_use]
    pub fn new(
        node: &str,
        network: Network,
        clock: Clock,
        dialect: Arc<Dialect>,
        tls: Arc<ClientConfig>,
        seed: u64,
    ) -> Self {
        let rng = Mutex::new(seed::rng(seed, &format!("puller/{node}")));
        let strangers = pulldrill_tls::distrusting_client_config();
        let client = session::Client { node: node.to_owned(), network, clock, dialect, tls, strangers };
        Self { client, content: Mutex::default(), rng }
    }

    /// The image that the node has under a reference.
    #[must_use]
    pub fn image(&self, reference: &Reference) -> Option<Arc<Image>> {
        self.content.lock().image(reference)
    }

    /// What the runtime says when it is asked for an image.
    ///
    /// # Errors
    /// What is wrong with its store, as kubelets show it: of these errors they leave out nothing.
    pub fn inspect(&self, reference: &Reference) -> Result<Option<Arc<Image>>, String> {
        let content = self.content.lock();
        content.inspect(reference).map_err(|error| format!("rpc error: code = Unknown desc = {error}"))
    }

    /// Makes the runtime answer an error when it is asked for an image, as one does whose store is damaged, until it
    /// is well again (`None`). Pulling still works.
    pub fn damage(&self, reference: &Reference, error: Option<String>) {
        self.content.lock().damage(reference, error);
    }

    /// The images that the node has.
    #[must_use]
    pub fn images(&self) -> Vec<Arc<Image>> {
        self.content.lock().images()
    }

    /// Puts an image in place without a pull, from its configuration alone.
    pub fn load(&self, reference: &Reference, config: &serde_json::Value) {
        let digest = format!("sha256:{}", words::hex_id(&[&config.to_string()]));
        let image = content::describe(reference, &digest, &digest, 0, config);
        let image = Image { preloaded: true, ..image };
        self.content.lock().keep(reference, Arc::new(image), std::collections::HashMap::new());
    }

    /// Removes an image, by its id, under all its names.
    pub fn remove(&self, id: &str) {
        self.content.lock().remove(id);
    }

    /// Forgets every image of a registry.
    pub fn forget(&self, host: &str) {
        self.content.lock().forget(host);
    }

    /// Pulls an image with one credential or none. The token is held all along, but for waits in lab time.
    pub async fn pull(
        &self,
        reference: &Reference,
        credential: Option<Credential>,
        busy: Busy,
    ) -> (Result<Arc<Image>, PullError>, Busy) {
        let (setup, unpack) = {
            let mut rng = self.rng.lock();
            (some_time(&mut rng, SETUP), some_time(&mut rng, UNPACK))
        };
        let mut session = session::Session::new(&self.client, busy);
        session.pause(setup).await;
        let (result, mut session) = match self.client.dialect.runtime.library {
            PullLibrary::Containerd => {
                let mut pull = steps::Pull::new(session, reference, credential, &self.content);
                (pull.run().await, pull.session)
            }
            PullLibrary::ContainersImage => {
                let mut pull = copy::Pull::new(session, reference, credential, &self.content);
                (pull.run().await, pull.session)
            }
        };
        if let Ok(image) = &result {
            let flow = flow(image.size, self.client.network.pace(reference.host()));
            session.pause(unpack + flow).await;
        }
        (result, session.into_busy())
    }
}

/// How long so many bytes take, at a pace of their own (in bytes a second) or at the usual one.
fn flow(size: u64, pace: Option<u64>) -> SignedDuration {
    let milliseconds = match pace {
        Some(pace) => size.saturating_mul(1000) / pace.max(1),
        None => size / BYTES_PER_MS,
    };
    SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(LONGEST_FLOW).min(LONGEST_FLOW))
}

/// A duration with all its digits, as measured ones have.
fn some_time(rng: &mut seed::Rng, milliseconds: std::ops::Range<u64>) -> SignedDuration {
    let nanos = rng.random_range(milliseconds.start * 1_000_000..milliseconds.end * 1_000_000);
    SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or_default())
}
