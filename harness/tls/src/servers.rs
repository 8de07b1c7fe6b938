//! Server certificates from both sides of a handshake.
//!
//! Clients here find what is wrong with a certificate in the order of Go's library, in which the programs are written whose
//! words the lab speaks: its years, then its names, then who has signed it. Nothing is taken that would not be otherwise.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A client that trusts these authorities.
pub(crate) fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let trust = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|error| error.to_string())?;
    Ok(with(Some(trust)))
}

/// A client that trusts nobody.
pub(crate) fn distrusting_client() -> Arc<ClientConfig> {
    with(None)
}

fn with(trust: Option<Arc<WebPkiServerVerifier>>) -> Arc<ClientConfig> {
    let algorithms = CryptoProvider::get_default().map_or_else(
        || ring::default_provider().signature_verification_algorithms,
        |provider| provider.signature_verification_algorithms,
    );
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(InOrder { trust, algorithms }))
        .with_no_client_auth();
    Arc::new(config)
}

/// Looks at years and names before it asks whom a certificate is from.
#[derive(Debug)]
struct InOrder {
    trust: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for InOrder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        check_years(own, now)?;
        verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
        match &self.trust {
            Some(trust) => trust.verify_server_cert(own, others, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn check_years(own: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let (_, certificate) = X509Certificate::from_der(own).map_err(|_| CertificateError::BadEncoding)?;
    let validity = certificate.validity();
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or_default();
    let time = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let (from, to) = (seconds(validity.not_before), seconds(validity.not_after));
    if now.as_secs() < from {
        return Err(CertificateError::NotValidYetContext { time: now, not_before: time(from) });
    }
    if now.as_secs() > to {
        return Err(CertificateError::ExpiredContext { time: now, not_after: time(to) });
    }
    Ok(())
}

/// One certificate for those who ask for a name, another one for everybody else.
#[derive(Debug)]
pub(crate) struct ByName {
    pub(crate) name: String,
    pub(crate) its: Arc<CertifiedKey>,
    pub(crate) others: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().is_some_and(|asked| asked.eq_ignore_ascii_case(&self.name));
        Some(if asked { self.its.clone() } else { self.others.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Years, certificates, install_provider, roots};

    #[test]
    fn years_come_before_names_and_names_before_who_has_signed() {
        install_provider();
        let (known, stranger) = (Authority::new("known").unwrap(), Authority::new("stranger").unwrap());
        let provider = ring::default_provider();
        let trust = WebPkiServerVerifier::builder(Arc::new(roots(&[known.pem()]).unwrap())).build().unwrap();
        let algorithms = provider.signature_verification_algorithms;
        let all = [InOrder { trust: Some(trust), algorithms }, InOrder { trust: None, algorithms }];
        let says = |verifier: &InOrder, by: &Authority, years, asked: &'static str| {
            let identity = by.server_of(years, &["a.example".into()], &[]).unwrap();
            let own = certificates(&identity.certificate).unwrap().remove(0);
            let name = ServerName::try_from(asked).unwrap();
            match verifier.verify_server_cert(&own, &[], &name, &[], UnixTime::now()) {
                Ok(_) => "good".to_owned(),
                Err(Error::InvalidCertificate(error)) => {
                    format!("{error:?}").split([' ', '(']).next().unwrap_or_default().to_owned()
                }
                Err(error) => error.to_string(),
            }
        };
        let years = Years::default;
        for verifier in &all {
            let good = if verifier.trust.is_some() { "good" } else { "UnknownIssuer" };
            assert_eq!(says(verifier, &known, years(), "a.example"), good);
            assert_eq!(says(verifier, &stranger, years(), "a.example"), "UnknownIssuer");
            for by in [&known, &stranger] {
                assert_eq!(says(verifier, by, years(), "b.example"), "NotValidForNameContext");
                assert_eq!(says(verifier, by, Years::PAST, "b.example"), "ExpiredContext");
                assert_eq!(says(verifier, by, Years::FUTURE, "b.example"), "NotValidYetContext");
            }
        }
        let garbage = CertificateDer::from(vec![1, 2, 3]);
        let name = ServerName::try_from("a.example").unwrap();
        assert!(all[0].verify_server_cert(&garbage, &[], &name, &[], UnixTime::now()).is_err());
    }
}
