//! Requests for certificates (PKCS #10): who wants one, for which key. That the asker has the key is proven here; whether
//! anybody is to get a certificate is not decided here.

use std::net::IpAddr;

use thiserror::Error;
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::{OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519},
    pem::Pem,
    prelude::FromDer,
    x509::X509Name,
};

use crate::name::Name;

/// What the PEM block of a request is called.
const LABEL: &str = "CERTIFICATE REQUEST";

/// The tag of a sequence.
const SEQUENCE: u8 = 0x30;

/// Why something is no request, in the words of Go's standard library and Kubernetes.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// The text is no PEM, or that of something else.
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    NoRequest,
    /// The first byte is not that of a request.
    #[error(
        "asn1: structure error: tags don't match (16 vs {{class:{class} tag:{tag} length:{length} \
         isCompound:{compound}}}) {{optional:false explicit:false application:false private:false defaultValue:<nil> \
         tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}} certificateRequest @2"
    )]
    Tag {
        /// The class of the tag that is there.
        class: u8,
        /// Its number.
        tag: u8,
        /// How long what follows says it is.
        length: usize,
        /// Whether it has parts.
        compound: bool,
    },
    /// It ends too early.
    #[error("asn1: syntax error: data truncated")]
    Truncated,
    /// Something comes after it.
    #[error("asn1: syntax error: trailing data")]
    Trailing,
    /// It is something else inside.
    #[error("asn1: structure error: sequence tag mismatch")]
    Structure,
    /// It was not signed with its key.
    #[error("{0}")]
    Signature(&'static str),
}

/// A request whose author has the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Who asks.
    pub(crate) subject: Name,
    /// The key, with its algorithm, in DER.
    pub(crate) key: Vec<u8>,
    /// Host names.
    pub dns: Vec<String>,
    /// Mail addresses.
    pub mails: Vec<String>,
    /// Network addresses.
    pub addresses: Vec<IpAddr>,
    /// Other names, as URIs.
    pub uris: Vec<String>,
}

impl CertificateRequest {
    /// Reads the first PEM block of a text, and checks its signature.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_pem(text: &[u8]) -> Result<Self, RequestError> {
        let block = Pem::iter_from_buffer(text).next().and_then(Result::ok);
        let block = block.filter(|block| block.label == LABEL).ok_or(RequestError::NoRequest)?;
        Self::from_der(&block.contents)
    }

    fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        check_frame(der)?;
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Structure)?;
        if !rest.is_empty() {
            return Err(RequestError::Trailing);
        }
        // Nobody signs these two: the parser takes any tag for that of an algorithm's name, and signatures are whole bytes.
        let names_algorithm = names_algorithm(der, request.certification_request_info.raw.len());
        if !names_algorithm || request.signature_value.unused_bits != 0 {
            return Err(RequestError::Structure);
        }
        request.verify_signature().map_err(|_| RequestError::Signature(forged(&request)))?;
        let info = &request.certification_request_info;
        let mut read = Self {
            subject: subject(&info.subject),
            key: info.subject_pki.raw.to_vec(),
            dns: Vec::new(),
            mails: Vec::new(),
            addresses: Vec::new(),
            uris: Vec::new(),
        };
        for extension in request.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                names.general_names.iter().for_each(|name| read.also(name));
            }
        }
        Ok(read)
    }

    fn also(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.dns.push((*name).to_owned()),
            GeneralName::RFC822Name(mail) => self.mails.push((*mail).to_owned()),
            GeneralName::URI(uri) => self.uris.push((*uri).to_owned()),
            GeneralName::IPAddress(bytes) => self.addresses.extend(address(bytes)),
            _ => {}
        }
    }

    /// The user that a certificate would be about; empty when it names none.
    #[must_use]
    pub fn common_name(&self) -> &str {
        self.subject.common_name()
    }

    /// The groups.
    pub fn organizations(&self) -> impl Iterator<Item = &str> {
        self.subject.organizations()
    }
}

fn subject(name: &X509Name<'_>) -> Name {
    let attributes = name.iter_attributes().filter_map(|attribute| {
        let value = attribute.as_str().ok()?;
        Some((attribute.attr_type().iter()?.collect::<Vec<u64>>(), value.to_owned()))
    });
    Name::of(attributes)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// What is said of a signature that does not fit, by the kind of key.
fn forged(request: &X509CertificationRequest<'_>) -> &'static str {
    let algorithm = &request.certification_request_info.subject_pki.algorithm.algorithm;
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        "crypto/rsa: verification error"
    } else if *algorithm == OID_SIG_ED25519 {
        "x509: Ed25519 verification failure"
    } else {
        "x509: ECDSA verification failure"
    }
}

/// Whether the bytes are one sequence and nothing else, as far as its first bytes tell.
fn check_frame(der: &[u8]) -> Result<(), RequestError> {
    let [tag, first, rest @ ..] = der else { return Err(RequestError::Truncated) };
    let (length, head) = match *first {
        short if short < 0x80 => (usize::from(short), 0),
        long => {
            let count = usize::from(long & 0x7f);
            let bytes = rest.get(..count).filter(|bytes| bytes.len() <= 4);
            let bytes = bytes.ok_or(RequestError::Truncated)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), count)
        }
    };
    if *tag != SEQUENCE {
        let (class, compound, tag) = (tag >> 6, tag & 0x20 != 0, tag & 0x1f);
        return Err(RequestError::Tag { class, tag, length, compound });
    }
    match rest.len().saturating_sub(head).cmp(&length) {
        std::cmp::Ordering::Less => Err(RequestError::Truncated),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(RequestError::Trailing),
    }
}

/// Whether what follows so many bytes of content is a sequence that begins with an object identifier, in short form.
fn names_algorithm(der: &[u8], content: usize) -> bool {
    let length = der.get(1).copied().unwrap_or_default();
    let head = 2 + if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
    matches!(der.get(head + content..), Some([0x30, _, 0x06, ..]))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    /// Made by OpenSSL: rcgen has no names with two groups, and ring makes no RSA keys.
    const TWO_GROUPS: &str = include_str!("two-groups.csr.pem");
    const RSA: &str = include_str!("rsa.csr.pem");

    fn read(text: &str) -> Result<CertificateRequest, RequestError> {
        CertificateRequest::from_pem(text.as_bytes())
    }

    fn der(text: &str) -> Vec<u8> {
        Pem::iter_from_buffer(text.as_bytes()).next().unwrap().unwrap().contents
    }

    #[test]
    fn requests_say_who_asks_and_for_which_names() {
        let asked = read(TWO_GROUPS).unwrap();
        assert_eq!(asked.common_name(), "bob");
        assert_eq!(asked.organizations().collect::<Vec<_>>(), ["devs", "ops"]);
        assert_eq!(read(RSA).unwrap().common_name(), "rsa");
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let mut params = CertificateParams::new(vec!["a.b".to_owned()]).unwrap();
            params.subject_alt_names.push(SanType::IpAddress("1.2.3.4".parse().unwrap()));
            params.subject_alt_names.push(SanType::IpAddress("::1".parse().unwrap()));
            params.subject_alt_names.push(SanType::Rfc822Name("a@b.c".try_into().unwrap()));
            params.subject_alt_names.push(SanType::URI("spiffe://x".try_into().unwrap()));
            params.distinguished_name.push(DnType::CommonName, "zoe");
            let asked = read(&params.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
            assert_eq!((asked.common_name(), asked.dns.as_slice()), ("zoe", &["a.b".to_owned()][..]));
            assert_eq!((asked.mails[0].as_str(), asked.uris[0].as_str()), ("a@b.c", "spiffe://x"));
            assert_eq!(asked.addresses.len(), 2);
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        for text in ["", "abc", &TWO_GROUPS.replace("CERTIFICATE REQUEST", "CERTIFICATE")] {
            assert_eq!(said(text), "PEM block type must be CERTIFICATE REQUEST");
        }
        assert!(read(&format!("before\n{TWO_GROUPS}after")).is_ok(), "as with Go's decoder");
        let said = |der: &[u8]| CertificateRequest::from_der(der).unwrap_err().to_string();
        let good = der(TWO_GROUPS);
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(said(&forged), "x509: ECDSA verification failure");
        let mut forged = der(RSA);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(said(&forged), "crypto/rsa: verification error");
        assert_eq!(said(&good[..good.len() - 20]), "asn1: syntax error: data truncated");
        assert_eq!(said(&[good.clone(), vec![0]].concat()), "asn1: syntax error: trailing data");
        assert!(said(&[0, 0, 0]).starts_with(
            "asn1: structure error: tags don't match (16 vs {class:0 tag:0 length:0 isCompound:false})"
        ));
        // Nothing that is cut or changed anywhere may do more than be refused.
        for at in 0..good.len() {
            assert!(CertificateRequest::from_der(&good[..at]).is_err());
            let mut changed = good.clone();
            changed[at] ^= 0x55;
            assert!(CertificateRequest::from_der(&changed).is_err(), "byte {at}");
        }
        assert!(CertificateRequest::from_der(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(CertificateRequest::from_der(&[0x30, 0xff]).is_err());
    }
}
