//! Client certificates that are judged after the handshake: a server that speaks HTTP would rather say 401 than
//! hang up. The handshake still proves that the client has the certificate's key.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::{Authority, TlsError, roots};

/// Knows which client certificates an authority has signed.
#[derive(Clone, Debug)]
pub struct Clients(Arc<dyn ClientCertVerifier>);

/// Lets every certificate through whose key the client has.
#[derive(Debug)]
struct AnyCertificate(Arc<dyn ClientCertVerifier>);

impl Clients {
    /// Those of an authority.
    ///
    /// # Errors
    /// [`TlsError::Config`].
    pub fn of(authority: &Authority) -> Result<Self, TlsError> {
        let fail = |message: String| TlsError::Config { name: authority.name.clone(), message };
        let roots = Arc::new(roots(&[authority.pem()])?);
        let verifier = WebPkiClientVerifier::builder(roots)
            .allow_unauthenticated()
            .build()
            .map_err(|e| fail(e.to_string()))?;
        Ok(Self(verifier))
    }

    /// Whether a client's chain leads to the authority and is good now.
    #[must_use]
    pub fn vouch_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        let [own, others @ ..] = chain else { return false };
        self.0.verify_client_cert(own, others, UnixTime::now()).is_ok()
    }

    /// For the handshake: asks for a certificate, and takes any.
    pub(crate) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(AnyCertificate(self.0.clone()))
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
