//! The lab's own certificates: authorities, servers, clients; and keys that sign tokens.
//!
//! Also certificates for keys that others have: [`CertificateRequest`], [`Authority::issue`].
//!
//! Everything is made at run time, so nothing committed can expire; keys never leave the process except
//! where a caller writes them (a kubeconfig). Transport stays on real time: a certificate is valid from
//! 2024 to 2060, unless it is *meant* to be bad ([`Years`]).

mod clients;
mod issue;
mod name;
mod request;
mod servers;
mod signer;
mod usages;

use std::{net::IpAddr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use thiserror::Error;

pub use clients::Clients;
pub use issue::{Terms, check_chain};
pub use request::{CertificateRequest, RequestError};
pub use signer::Signer;
pub use usages::usages;

/// Why a certificate could not be made or used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The name or key was not acceptable.
    #[error("cannot make a certificate for {name}: {source}")]
    Certificate {
        /// For whom it was to be.
        name: String,
        /// What the generator said.
        source: rcgen::Error,
    },
    /// The TLS library refused the certificate or key.
    #[error("cannot use the certificate of {name}: {message}")]
    Config {
        /// Whose it is.
        name: String,
        /// What the library said.
        message: String,
    },
    /// A request could not be answered with a certificate.
    #[error("cannot issue a certificate: {message}")]
    Issue {
        /// What is wrong.
        message: String,
    },
    /// There is no randomness for a key or a signature.
    #[error("cannot make or use a signing key: the system gives no randomness")]
    Signing,
}

/// A certificate authority.
pub struct Authority {
    name: String,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key, both PEM.
#[derive(Clone)]
pub struct Identity {
    name: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PEM (PKCS#8).
    pub key: String,
}

/// From the beginning of which year to the beginning of which other a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Years {
    from: i32,
    to: i32,
}

impl Default for Years {
    fn default() -> Self {
        Self { from: 2024, to: 2060 }
    }
}

impl Years {
    /// Those of a certificate that is no longer good.
    pub const PAST: Self = Self { from: 2022, to: 2024 };
    /// Those of one that is not yet good.
    pub const FUTURE: Self = Self { from: 2059, to: 2060 };
}

/// How the key begins, in PEM.
const KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// Makes ring the process's TLS provider. Call it first in `main` and in every test world; again is fine.
pub fn install_provider() {
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] for a name that no certificate can carry.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        let fail = |source| TlsError::Certificate { name: name.to_owned(), source };
        let key = KeyPair::generate().map_err(fail)?;
        let mut params = parameters(name, &[], Years::default())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).map_err(fail)?.pem();
        Ok(Self { name: name.to_owned(), pem, issuer: Issuer::new(params, key) })
    }

    /// The authority that [`Authority::to_pem`] has written.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when there is no certificate of an authority with its key in it.
    pub fn from_pem(name: &str, text: &str) -> Result<Self, TlsError> {
        let fail = |source| TlsError::Certificate { name: name.to_owned(), source };
        let (certificate, key) = text.split_at(text.find(KEY).unwrap_or(text.len()));
        let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key).map_err(fail)?);
        let (pem, issuer) = (certificate.to_owned(), issuer.map_err(fail)?);
        Ok(Self { name: name.to_owned(), pem, issuer })
    }

    /// The certificate and the private key, for a safe place.
    #[must_use]
    pub fn to_pem(&self) -> String {
        format!("{}{}", self.pem, self.issuer.key().serialize_pem())
    }

    /// The authority's own certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server certificate for host names and addresses; the first name is its common name.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] for a name that is not a host name.
    pub fn server(&self, names: &[String], addresses: &[IpAddr]) -> Result<Identity, TlsError> {
        self.server_of(Years::default(), names, addresses)
    }

    /// The same for other years.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] for a name that is not a host name.
    pub fn server_of(
        &self,
        years: Years,
        names: &[String],
        addresses: &[IpAddr],
    ) -> Result<Identity, TlsError> {
        let common = names.first().map_or(self.name.as_str(), String::as_str);
        let mut params = parameters(common, names, years)?;
        params.subject_alt_names.extend(addresses.iter().map(|ip| SanType::IpAddress(*ip)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(common, &params)
    }

    /// A client certificate as Kubernetes reads it: common name = user, organisations = groups.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] for a name that no certificate can carry.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity, TlsError> {
        let mut params = parameters(user, &[], Years::default())?;
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(user, &params)
    }

    fn sign(&self, name: &str, params: &CertificateParams) -> Result<Identity, TlsError> {
        let fail = |source| TlsError::Certificate { name: name.to_owned(), source };
        let key = KeyPair::generate().map_err(fail)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(fail)?.pem();
        Ok(Identity { name: name.to_owned(), certificate, key: key.serialize_pem() })
    }
}

impl Identity {
    /// A TLS server with this certificate. With `clients`, client certificates are asked for, but not required;
    /// whether one is good is asked later, with [`Clients::vouch_for`].
    ///
    /// # Errors
    /// [`TlsError::Config`].
    pub fn server_config(&self, clients: Option<&Clients>) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients.verifier()),
        };
        Ok(Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(self.key()?)))))
    }

    /// A TLS server with this certificate that shows another one to those who ask for a name.
    ///
    /// # Errors
    /// [`TlsError::Config`].
    pub fn server_config_with(&self, name: &str, its: &Self) -> Result<Arc<ServerConfig>, TlsError> {
        let (name, its, others) = (name.to_owned(), Arc::new(its.key()?), Arc::new(self.key()?));
        let resolver = Arc::new(servers::ByName { name, its, others });
        Ok(Arc::new(ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver)))
    }

    fn key(&self) -> Result<CertifiedKey, TlsError> {
        let fail = |message: String| TlsError::Config { name: self.name.clone(), message };
        let chain = certificates(&self.certificate).map_err(fail)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|e| fail(e.to_string()))?;
        let key = any_supported_type(&key).map_err(|e| fail(e.to_string()))?;
        Ok(CertifiedKey::new(chain, key))
    }
}

/// A TLS client that trusts exactly the given authorities (PEM); without any, every certificate is a stranger's.
///
/// # Errors
/// [`TlsError::Config`] for something that is no certificate.
pub fn client_config(authorities: &[&str]) -> Result<Arc<ClientConfig>, TlsError> {
    if authorities.is_empty() {
        return Ok(distrusting_client_config());
    }
    let fail = |message| TlsError::Config { name: "a client".into(), message };
    servers::client(roots(authorities)?).map_err(fail)
}

/// The configuration of a client that trusts no authority: every certificate is a stranger's.
#[must_use]
pub fn distrusting_client_config() -> Arc<ClientConfig> {
    servers::distrusting_client()
}

fn roots(authorities: &[&str]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        let fail = |message: String| TlsError::Config { name: "authority".into(), message };
        for certificate in certificates(pem).map_err(fail)? {
            roots.add(certificate).map_err(|e| fail(e.to_string()))?;
        }
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|e| e.to_string())
}

fn parameters(name: &str, alternatives: &[String], years: Years) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(alternatives.to_vec())
        .map_err(|source| TlsError::Certificate { name: name.to_owned(), source })?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(years.from, 1, 1);
    params.not_after = date_time_ymd(years.to, 1, 1);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_clients_can_be_made_and_used() {
        install_provider();
        let authority = Authority::new("lab").unwrap();
        let server = authority.server(&["registry.example".into()], &["127.0.0.1".parse().unwrap()]).unwrap();
        let clients = Clients::of(&authority).unwrap();
        server.server_config(Some(&clients)).unwrap();
        let trainee = authority.client("trainee", &["trainees"]).unwrap();
        let chain = |identity: &Identity| certificates(&identity.certificate).unwrap();
        assert!(clients.vouch_for(&chain(&trainee)));
        assert!(!clients.vouch_for(&chain(&server)), "a server's certificate is no client's");
        let other = Authority::new("lab").unwrap().client("trainee", &[]).unwrap();
        assert!(!clients.vouch_for(&chain(&other)) && !clients.vouch_for(&[]));
        client_config(&[authority.pem()]).unwrap();
        client_config(&[]).unwrap();
        let again = Authority::from_pem("lab", &authority.to_pem()).unwrap();
        assert_eq!(again.pem(), authority.pem());
        assert!(clients.vouch_for(&chain(&again.client("later", &[]).unwrap())));
        assert!(Authority::from_pem("lab", authority.pem()).is_err(), "there is no key in it");
        assert!(Authority::from_pem("lab", "").is_err());
        assert!(client_config(&["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]).is_err());
    }
}
