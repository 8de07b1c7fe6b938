//! The certificates of one listener: the good one, and bad ones made when a fault first asks for them.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;
use pulldrill_tls::{Authority, TlsError, Years};
use tokio_rustls::TlsAcceptor;

use super::Strike;

/// Who signs the certificates of `unknown-authority`.
const STRANGER: &str = "somebody else's authority";

/// What this machine calls itself: those who ask for it are shown a certificate for that, so that nobody else sees the
/// name in theirs.
const THIS_MACHINE: &str = "localhost";

/// What a listener shows in handshakes.
pub(crate) struct Certificates {
    authority: Arc<Authority>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    good: TlsAcceptor,
    /// By fault, and by the name in it.
    bad: Mutex<HashMap<(&'static str, String), TlsAcceptor>>,
}

impl Certificates {
    /// Those for some names and addresses.
    pub(crate) fn new(
        authority: &Arc<Authority>,
        names: Vec<String>,
        addresses: Vec<IpAddr>,
    ) -> Result<Self, TlsError> {
        let good = acceptor(authority, Years::default(), &names, &addresses)?;
        Ok(Self { authority: authority.clone(), names, addresses, good, bad: Mutex::default() })
    }

    /// What is shown when nothing is wrong.
    pub(crate) fn good(&self) -> TlsAcceptor {
        self.good.clone()
    }

    /// What is shown under a fault; nothing when it is no fault of certificates.
    pub(crate) fn bad(&self, strike: &Strike) -> Option<Result<TlsAcceptor, TlsError>> {
        let own = |authority: &Authority, years| acceptor(authority, years, &self.names, &self.addresses);
        let make = || match strike.name {
            "unknown-authority" => Some(Authority::new(STRANGER).and_then(|it| own(&it, Years::default()))),
            "expired-certificate" => Some(own(&self.authority, Years::PAST)),
            "future-certificate" => Some(own(&self.authority, Years::FUTURE)),
            "wrong-name" => {
                let names = [strike.text("name").to_owned()];
                let identity = self.authority.server_of(Years::default(), &names, &[]);
                Some(identity.and_then(|identity| identity.server_config(None)).map(TlsAcceptor::from))
            }
            _ => None,
        };
        let key = (strike.name, strike.text("name").to_owned());
        if let Some(known) = self.bad.lock().get(&key) {
            return Some(Ok(known.clone()));
        }
        let made = make()?;
        if let Ok(acceptor) = &made {
            self.bad.lock().insert(key, acceptor.clone());
        }
        Some(made)
    }
}

fn acceptor(
    authority: &Authority,
    years: Years,
    names: &[String],
    addresses: &[IpAddr],
) -> Result<TlsAcceptor, TlsError> {
    let identity = authority.server_of(years, names, addresses)?;
    let ours = authority.server_of(years, &[THIS_MACHINE.to_owned()], addresses)?;
    Ok(TlsAcceptor::from(identity.server_config_with(THIS_MACHINE, &ours)?))
}
