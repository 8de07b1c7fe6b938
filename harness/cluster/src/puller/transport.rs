//! The words of the runtime's TLS and HTTP libraries for what can go wrong below HTTP.

use jiff::Timestamp;
use rustls::{CertificateError, Error as TlsError, pki_types::UnixTime};

/// What a failed handshake is called.
pub(crate) fn handshake_error(error: &std::io::Error, host: &str) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        return io_error(error);
    };
    match tls {
        TlsError::InvalidCertificate(reason) => {
            format!("tls: failed to verify certificate: x509: {}", certificate_error(reason, host))
        }
        TlsError::InvalidMessage(_) => "http: server gave HTTP response to HTTPS client".to_owned(),
        TlsError::AlertReceived(alert) => format!("remote error: tls: {alert:?}"),
        other => format!("tls: {other}"),
    }
}

/// What a broken connection is called.
pub(super) fn io_error(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        std::io::ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

fn certificate_error(error: &CertificateError, host: &str) -> String {
    let expired = "certificate has expired or is not yet valid";
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("{expired}: current time {} is after {}", rfc3339(*time), rfc3339(*not_after))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("{expired}: current time {} is before {}", rfc3339(*time), rfc3339(*not_before))
        }
        CertificateError::Expired | CertificateError::NotValidYet => expired.to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => wrong_name(presented, host),
        CertificateError::NotValidForName => {
            format!("certificate is not valid for any names, but wanted to match {host}")
        }
        _ => "certificate signed by unknown authority".to_owned(),
    }
}

fn wrong_name(presented: &[String], host: &str) -> String {
    // Addresses in a certificate are not shown to those who came by a name.
    let names: Vec<&str> = presented.iter().filter_map(|name| host_name(name)).collect();
    if host.parse::<std::net::IpAddr>().is_ok() {
        format!("cannot validate certificate for {host} because it doesn't contain any IP SANs")
    } else if names.is_empty() {
        format!("certificate is not valid for any names, but wanted to match {host}")
    } else {
        format!("certificate is valid for {}, not {host}", names.join(", "))
    }
}

/// The name inside a description such as `DnsName("a.example")`.
fn host_name(described: &str) -> Option<&str> {
    described.strip_prefix("DnsName(")?.split('"').nth(1)
}

fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default()
}
