//! The authority of one cluster: who signs certificates for its users, and knows them again.

use std::sync::{Arc, OnceLock};

use pulldrill_clock::real;
use pulldrill_tls::{Authority, CertificateRequest, Clients, Terms, TlsError};
use rustls::pki_types::CertificateDer;

/// What all authorities are called; clients choose their certificates by the name of who has signed them.
const NAME: &str = "kubernetes";

/// How long certificates are good, in seconds: a year.
const LONGEST: i64 = 365 * 24 * 3600;

/// How long they are good at least.
const SHORTEST: i64 = 600;

/// How long they have been good when they are made, for clocks that go wrong.
const BACKDATED: i64 = 300;

/// Below this their end is not moved back with their beginning.
const SHORT: i64 = 8 * 3600;

/// An authority, made when it is first needed. Copies are the same one.
#[derive(Clone)]
pub struct SigningAuthority(Arc<OnceLock<Made>>);

struct Made {
    authority: Arc<Authority>,
    clients: Clients,
}

impl SigningAuthority {
    /// The authority whose clients are known already.
    #[must_use]
    pub fn of(authority: Arc<Authority>, clients: Clients) -> Self {
        Self(Arc::new(OnceLock::from(Made { authority, clients })))
    }

    /// An authority of its own, made when somebody asks for a certificate: most clusters never need one.
    #[must_use]
    pub fn later() -> Self {
        Self(Arc::default())
    }

    /// Signs what is asked for, for the time that is asked for if that is less than a year. Certificates are on real
    /// time, as all of the transport is.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn sign(
        &self,
        asked: &CertificateRequest,
        usages: &[&str],
        seconds: Option<i64>,
    ) -> Result<String, TlsError> {
        let good = seconds.map_or(LONGEST, |seconds| seconds.clamp(SHORTEST, LONGEST));
        let now = real::now().as_second();
        let end = if good < SHORT { now + good } else { now + good - BACKDATED };
        self.made()?.authority.issue(asked, &Terms { usages, from: now - BACKDATED, to: end })
    }

    /// Whether a client's chain leads to this authority and is good now.
    pub(crate) fn vouch_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.0.get().is_some_and(|made| made.clients.vouch_for(chain))
    }

    fn made(&self) -> Result<&Made, TlsError> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let authority = Authority::new(NAME)?;
        let clients = Clients::of(&authority)?;
        Ok(self.0.get_or_init(|| Made { authority: Arc::new(authority), clients }))
    }
}
