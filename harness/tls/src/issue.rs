//! Certificates for keys that others have: what the signers of a cluster sign, in the form in which they do
//! (`k8s.io/kubernetes/pkg/controller/certificates/authority`, Go's `crypto/x509`).

use std::net::IpAddr;

use rcgen::SigningKey;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, pem::Pem, prelude::FromDer};
use yasna::{DERWriter, DERWriterSeq, Tag, models::ObjectIdentifier, tags};

use crate::{Authority, CertificateRequest, TlsError, usages};

const ECDSA_WITH_SHA256: [u64; 7] = [1, 2, 840, 10045, 4, 3, 2];
const KEY_USAGE: [u64; 4] = [2, 5, 29, 15];
const EXTENDED_KEY_USAGE: [u64; 4] = [2, 5, 29, 37];
const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];
const AUTHORITY_KEY: [u64; 4] = [2, 5, 29, 35];
const ALTERNATIVE_NAMES: [u64; 4] = [2, 5, 29, 17];

/// From this year on times are written with four digits of the year.
const LONG_YEARS: i16 = 2050;

/// How long a line of PEM is.
const LINE: usize = 64;

/// What a certificate is to say beside what its request says.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What its key may be used for, in Kubernetes' words; those that are none are left out.
    pub usages: &'a [&'a str],
    /// From when on it is good, in seconds of Unix time.
    pub from: i64,
    /// Until when.
    pub to: i64,
}

impl Authority {
    /// The certificate that a request asks for, PEM. It is not good for longer than the authority's own.
    ///
    /// # Errors
    /// [`TlsError::Issue`] when the authority's own certificate can't be read, or the times mean nothing;
    /// [`TlsError::Signing`] when the system gives no randomness.
    pub fn issue(&self, request: &CertificateRequest, terms: &Terms<'_>) -> Result<String, TlsError> {
        let own = CertificateDer::from_pem_slice(self.pem.as_bytes()).map_err(failed)?;
        let (_, own) = X509Certificate::from_der(&own).map_err(failed)?;
        let end = terms.to.min(own.validity().not_after.timestamp());
        let (from, to) = (Moment::of(terms.from)?, Moment::of(end)?);
        let mut serial = [0; 16];
        SystemRandom::new().fill(&mut serial).map_err(|_| TlsError::Signing)?;
        let body = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
                writer.next().write_bigint_bytes(&serial, true);
                algorithm(writer.next());
                writer.next().write_der(own.subject().as_raw());
                writer.next().write_sequence(|writer| {
                    from.write(writer.next());
                    to.write(writer.next());
                });
                request.subject.write(writer.next());
                writer.next().write_der(&request.key);
                writer.next().write_tagged(Tag::context(3), |writer| {
                    writer.write_sequence(|writer| extensions(writer, request, terms, &own));
                });
            });
        });
        let signature = self.issuer.key().sign(&body).map_err(failed)?;
        let whole = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                algorithm(writer.next());
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        Ok(pem(&whole))
    }
}

/// Complains about a text that is to be a chain of certificates in PEM, in the words of the API server.
///
/// # Errors
/// What is wrong with it.
pub fn check_chain(text: &[u8]) -> Result<(), String> {
    let mut found = false;
    // A header stands right after the line with which a block begins.
    let text_lines = String::from_utf8_lossy(text);
    let mut lines = text_lines.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("-----BEGIN ") && lines.clone().next().is_some_and(|next| next.contains(':')) {
            return Err("no PEM block headers are permitted".to_owned());
        }
    }
    for block in Pem::iter_from_buffer(text) {
        let Ok(block) = block else { break };
        if block.label != "CERTIFICATE" {
            return Err(format!("only CERTIFICATE PEM blocks are allowed, found {:?}", block.label));
        }
        if X509Certificate::from_der(&block.contents).is_err() {
            return Err("x509: malformed certificate".to_owned());
        }
        found = true;
    }
    if found { Ok(()) } else { Err("must contain at least one CERTIFICATE PEM block".to_owned()) }
}

fn failed(error: impl std::fmt::Display) -> TlsError {
    TlsError::Issue { message: error.to_string() }
}

fn algorithm(writer: DERWriter<'_>) {
    writer
        .write_sequence(|writer| writer.next().write_oid(&ObjectIdentifier::from_slice(&ECDSA_WITH_SHA256)));
}

fn extensions(
    writer: &mut DERWriterSeq<'_>,
    request: &CertificateRequest,
    terms: &Terms<'_>,
    own: &X509Certificate<'_>,
) {
    let bits = usages::key_bits(terms.usages);
    if bits != 0 {
        extension(writer, &KEY_USAGE, true, |writer| {
            let length = 16 - bits.trailing_zeros() as usize;
            writer.write_bitvec_bytes(&bits.to_be_bytes()[..length.div_ceil(8)], length);
        });
    }
    let purposes = usages::purposes(terms.usages);
    if !purposes.is_empty() {
        extension(writer, &EXTENDED_KEY_USAGE, false, |writer| {
            writer.write_sequence(|writer| {
                for purpose in purposes {
                    writer.next().write_oid(&ObjectIdentifier::from_slice(purpose));
                }
            });
        });
    }
    extension(writer, &BASIC_CONSTRAINTS, true, |writer| writer.write_sequence(|_| ()));
    if let Some(key) = key_identifier(own) {
        extension(writer, &AUTHORITY_KEY, false, |writer| {
            writer.write_sequence(|writer| context(writer.next(), 0, key));
        });
    }
    let names = alternative_names(request);
    if !names.is_empty() {
        extension(writer, &ALTERNATIVE_NAMES, request.subject.is_empty(), |writer| {
            writer.write_sequence(|writer| {
                for (tag, name) in &names {
                    context(writer.next(), *tag, name);
                }
            });
        });
    }
}

fn extension(
    writer: &mut DERWriterSeq<'_>,
    identifier: &[u64],
    critical: bool,
    content: impl FnOnce(DERWriter<'_>),
) {
    writer.next().write_sequence(|writer| {
        writer.next().write_oid(&ObjectIdentifier::from_slice(identifier));
        if critical {
            writer.next().write_bool(true);
        }
        writer.next().write_bytes(&yasna::construct_der(content));
    });
}

fn context(writer: DERWriter<'_>, tag: u64, content: &[u8]) {
    writer.write_tagged_implicit(Tag::context(tag), |writer| writer.write_bytes(content));
}

fn key_identifier<'a>(own: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    own.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0),
        _ => None,
    })
}

/// The names beside the subject: the number of each kind, and the name.
fn alternative_names(request: &CertificateRequest) -> Vec<(u64, Vec<u8>)> {
    let texts = |tag: u64, texts: &[String]| -> Vec<(u64, Vec<u8>)> {
        texts.iter().map(|text| (tag, text.as_bytes().to_vec())).collect()
    };
    let bytes = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut names = texts(2, &request.dns);
    names.extend(texts(1, &request.mails));
    names.extend(request.addresses.iter().map(|address| (7, bytes(address))));
    names.extend(texts(6, &request.uris));
    names
}

/// A time of a certificate, as its digits.
struct Moment {
    year: i16,
    digits: String,
}

impl Moment {
    fn of(seconds: i64) -> Result<Self, TlsError> {
        let at = jiff::Timestamp::from_second(seconds).map_err(failed)?;
        let year = at.to_zoned(jiff::tz::TimeZone::UTC).year();
        Ok(Self { year, digits: at.strftime("%Y%m%d%H%M%SZ").to_string() })
    }

    fn write(&self, writer: DERWriter<'_>) {
        let (tag, digits) = if self.year < LONG_YEARS {
            (tags::TAG_UTCTIME, &self.digits[2..])
        } else {
            (tags::TAG_GENERALIZEDTIME, self.digits.as_str())
        };
        writer.write_tagged_implicit(tag, |writer| writer.write_ia5_string(digits));
    }
}

fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use x509_parser::extensions::GeneralName;

    use super::*;
    use crate::{Clients, RequestError};

    const YEAR: i64 = 365 * 24 * 3600;

    fn asked(params: &rcgen::CertificateParams) -> Result<CertificateRequest, RequestError> {
        let key = rcgen::KeyPair::generate().unwrap();
        CertificateRequest::from_pem(params.serialize_request(&key).unwrap().pem().unwrap().as_bytes())
    }

    fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()]
    }

    #[test]
    fn a_certificate_says_what_was_asked_for_and_is_known_again() {
        crate::install_provider();
        let authority = Authority::new("lab").unwrap();
        let clients = Clients::of(&authority).unwrap();
        let request = include_bytes!("two-groups.csr.pem");
        let request = CertificateRequest::from_pem(request).unwrap();
        // From now on, as far as a test can say that without a clock: the authority's own time is long.
        let terms = Terms { usages: &["client auth", "digital signature"], from: 54 * YEAR, to: 95 * YEAR };
        let issued = authority.issue(&request, &terms).unwrap();
        assert!(clients.vouch_for(&chain(&issued)));
        let other = Clients::of(&Authority::new("lab").unwrap()).unwrap();
        assert!(!other.vouch_for(&chain(&issued)), "of the same name, but another one");
        let der = &chain(&issued)[0];
        let (_, read) = X509Certificate::from_der(der).unwrap();
        assert_eq!(read.subject().to_string(), "O=ops + O=devs, CN=bob");
        assert_eq!(read.validity().not_before.timestamp(), 54 * YEAR);
        let (_, own) = Pem::read(std::io::Cursor::new(authority.pem())).map(|(pem, n)| (n, pem)).unwrap();
        let own = own.parse_x509().unwrap();
        assert_eq!(read.validity().not_after, own.validity().not_after, "no longer than the authority's");
        let usage = read.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_encipherment());
        let purposes = read.extended_key_usage().unwrap().unwrap();
        assert!(purposes.value.client_auth && !purposes.value.server_auth);
        assert!(!read.is_ca() && read.basic_constraints().unwrap().unwrap().critical);
        assert_ne!(
            read.raw_serial(),
            X509Certificate::from_der(&chain(&authority.issue(&request, &terms).unwrap())[0])
                .unwrap()
                .1
                .raw_serial()
        );
        for (usages, from, to) in [
            (&["server auth"][..], 54 * YEAR, 95 * YEAR),
            (&["client auth"], 53 * YEAR, 54 * YEAR),
            (&["client auth"], 88 * YEAR, 89 * YEAR),
        ] {
            let issued = authority.issue(&request, &Terms { usages, from, to }).unwrap();
            assert!(!clients.vouch_for(&chain(&issued)), "{usages:?} {from} {to}");
        }
    }

    #[test]
    fn names_beside_the_subject_are_kept() {
        let authority = Authority::new("lab").unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["n1".to_owned(), "10.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let terms = Terms { usages: &["server auth", "key encipherment"], from: 54 * YEAR, to: 90 * YEAR };
        let issued = chain(&authority.issue(&asked(&params).unwrap(), &terms).unwrap());
        let (_, read) = X509Certificate::from_der(&issued[0]).unwrap();
        let names = read.subject_alternative_name().unwrap().unwrap();
        assert!(names.critical, "there is no subject");
        let names = &names.value.general_names;
        assert_eq!(names, &[GeneralName::DNSName("n1"), GeneralName::IPAddress(&[10, 0, 0, 1])]);
        assert!(read.key_usage().unwrap().unwrap().value.key_encipherment());
    }

    #[test]
    fn chains_are_certificates_and_nothing_else() {
        let good = Authority::new("lab").unwrap().pem().to_owned();
        assert_eq!(check_chain(format!("{good}{good}").as_bytes()), Ok(()));
        let request = include_str!("two-groups.csr.pem");
        for (text, why) in [
            (String::new(), "must contain at least one CERTIFICATE PEM block"),
            ("abc".to_owned(), "must contain at least one CERTIFICATE PEM block"),
            (good.replacen('\n', "\na: b\n\n", 1), "no PEM block headers are permitted"),
            (
                format!("{good}{request}"),
                "only CERTIFICATE PEM blocks are allowed, found \"CERTIFICATE REQUEST\"",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
                "x509: malformed certificate",
            ),
        ] {
            assert_eq!(check_chain(text.as_bytes()), Err(why.to_owned()));
        }
    }
}
