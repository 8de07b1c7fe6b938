//! Words of the command line that are more than text: durations, addresses, names of dialects.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

use clap::builder::{PossibleValue, PossibleValuesParser};
use jiff::SignedDuration;
use pulldrill_cluster::api::AuthorizationMode;

/// Where the page is served unless told otherwise; another port is taken when this one is not free.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7878);

/// The personality whose limits can be chosen, and how the names of their profiles begin.
pub(crate) const DOCKER_HUB: &str = "docker-hub";

/// A span like `30s`, `5m`, `1h30m`.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    let span = text
        .parse::<SignedDuration>()
        .map_err(|_| format!("{text:?} is not a duration; write it like 30s, 5m, 12h or 1h30m"))?;
    if span.is_negative() {
        return Err(format!("{text:?} is negative; time goes forward only"));
    }
    Ok(span)
}

/// An address to listen on: `127.0.0.1:8080`, `0.0.0.0`, `8080`.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::new(DEFAULT_LISTEN.ip(), port));
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok()) {
        return Ok(SocketAddr::new(DEFAULT_LISTEN.ip(), port));
    }
    let ip = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    ip.map(|ip| SocketAddr::new(ip, DEFAULT_LISTEN.port()))
        .map_err(|_| format!("{text:?} is not an address; write it like 127.0.0.1:8080, 0.0.0.0 or 8080"))
}

/// An address for an API to listen on. Without a port it is a free one.
pub(crate) fn api_listen(text: &str) -> Result<SocketAddr, String> {
    match text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, 0)),
        Err(_) => listen(text),
    }
}

/// The profiles of limits that Docker Hub has or had.
pub(crate) fn hub_limits() -> PossibleValuesParser {
    PossibleValuesParser::new(
        pulldrill_registry::limit_profiles().filter(|name| name.starts_with(DOCKER_HUB)),
    )
}

/// A personality of a registry, and the name of its host where one is given.
pub(crate) fn personality(text: &str) -> Result<(String, Option<String>), String> {
    let (personality, host) = match text.split_once('=') {
        Some((_, "")) => return Err("there is no host after the `=`".to_owned()),
        Some((personality, host)) => (personality, Some(host.to_owned())),
        None => (text, None),
    };
    Ok((personality.to_owned(), host))
}

/// A bearer token, as far as one can stand in a header.
pub(crate) fn token(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("a token is made of visible ASCII characters, without blanks".to_owned()),
    }
}

/// The least memory that objects can do with: what a cluster begins with takes about half of a mebibyte.
const LEAST_QUOTA: u64 = 8 << 20;

/// So many bytes for objects.
pub(crate) fn quota(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        bytes if bytes >= LEAST_QUOTA => Ok(bytes),
        _ => Err(format!("a cluster needs 8Mi at least, {text} is less")),
    }
}

/// Who decides about what users may, as kube-apiserver has it: `RBAC`, `AlwaysAllow`, or both.
pub(crate) fn authorization_mode(text: &str) -> Result<AuthorizationMode, String> {
    text.split(',').try_fold(AuthorizationMode::Rbac, |before, mode| match mode {
        "RBAC" => Ok(before),
        "AlwaysAllow" => Ok(AuthorizationMode::AlwaysAllow),
        _ => Err(format!("{mode:?} is no mode of authorization here; choose from RBAC and AlwaysAllow")),
    })
}

/// The name of a registry and its place: `registry.example.com=127.0.0.1:5000`.
pub(crate) fn place(text: &str) -> Result<(String, SocketAddr), String> {
    let wrong =
        || format!("{text:?} is not HOST=ADDRESS:PORT; write it like registry.example.com=127.0.0.1:5000");
    let (name, place) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let place = place.parse().map_err(|_| wrong())?;
    Ok((name.to_owned(), place))
}

/// So many bytes, as Kubernetes writes quantities: `512Mi`, `2G`, `1073741824`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("k", 1000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let parsed = UNITS.iter().find_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        number.checked_mul(*bytes)
    });
    let wrong = || format!("{text:?} is no number of bytes; write for example 512Mi, 2Gi or 1073741824");
    parsed.ok_or_else(wrong)
}

/// The name of a kind cluster, which becomes part of host and container names.
pub(crate) fn cluster_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_lowercase());
    match good && text.len() <= 30 && !text.ends_with('-') {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("{text:?} is no name for a cluster; use up to 30 of a-z, 0-9 and -, a letter first"))
        }
    }
}

/// Seeds: `7`, or `1..3` with both ends.
pub(crate) fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (first.parse(), last.trim_start_matches('=').parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("{text:?} are no seeds; write 7 or 1..3")),
    }
}

/// The names of the dialects, with what they stand for.
pub(crate) fn dialect() -> PossibleValuesParser {
    PossibleValuesParser::new(pulldrill_lab::dialects().into_iter().map(|dialect| {
        let doubt = if dialect.verified { "" } else { "; not verified by recordings" };
        PossibleValue::new(dialect.id).help(format!("{}{doubt}", dialect.title))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_authorization_are_those_of_a_real_server() {
        assert_eq!(authorization_mode("RBAC"), Ok(AuthorizationMode::Rbac));
        assert_eq!(authorization_mode("RBAC,AlwaysAllow"), Ok(AuthorizationMode::AlwaysAllow));
        assert!(authorization_mode("Node,RBAC").unwrap_err().starts_with("\"Node\" is no mode"));
        assert!(authorization_mode("").is_err());
    }

    #[test]
    fn quotas_are_written_as_quantities() {
        for (text, bytes) in [
            ("512Mi", 512 << 20),
            ("2Gi", 2 << 30),
            ("16000Ki", 16_000 << 10),
            ("2G", 2_000_000_000),
            ("16777216", 16 << 20),
        ] {
            assert_eq!(quota(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "0", "7Mi", "1000", "-1Gi", "1.5Gi", "Gi", "20000000000Gi", "99999999999999999999", "1 Gi"]
        {
            assert!(quota(text).is_err_and(|error| error.contains(text)), "{text}");
        }
    }

    #[test]
    fn spans_are_written_as_people_write_them() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("12h", 43_200), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(span(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "5", "soon", "-5m"] {
            assert!(span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_cluster_name_is_also_a_host_name() {
        for good in ["pulldrill", "lab-2", "a"] {
            assert_eq!(cluster_name(good).as_deref(), Ok(good));
        }
        for bad in ["", "Lab", "2nd", "a_b", "a-", "../x", &"a".repeat(31)] {
            assert!(cluster_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_may_leave_out_what_is_usual() {
        assert_eq!(listen("8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(listen(":8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(listen("localhost:0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(listen("0.0.0.0").unwrap().to_string(), "0.0.0.0:7878");
        assert_eq!(listen("[::1]:9").unwrap().to_string(), "[::1]:9");
        for text in ["", "example.org:80", "99999", "1.2.3:4"] {
            assert!(listen(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_api_is_served_at_a_free_port_unless_one_is_named() {
        assert_eq!(api_listen("0.0.0.0").unwrap().to_string(), "0.0.0.0:0");
        assert_eq!(api_listen("[::1]").unwrap().to_string(), "[::1]:0");
        assert_eq!(api_listen("6443").unwrap().to_string(), "127.0.0.1:6443");
        assert!(api_listen("here").is_err());
    }

    #[test]
    fn a_personality_may_have_a_host() {
        assert_eq!(personality("ecr"), Ok(("ecr".into(), None)));
        assert_eq!(personality("harbor=h.example"), Ok(("harbor".into(), Some("h.example".into()))));
        assert!(personality("harbor=").is_err());
    }

    #[test]
    fn a_token_can_stand_in_a_header() {
        assert_eq!(token("admin-token").as_deref(), Ok("admin-token"));
        for text in ["", "two words", "line\nbreak", "caf\u{e9}"] {
            assert!(token(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn seeds_include_both_ends() {
        assert_eq!(seeds("1..3").unwrap(), 1..=3);
        assert_eq!(seeds("7").unwrap(), 7..=7);
        for text in ["", "3..1", "a..b", "1.."] {
            assert!(seeds(text).is_err(), "{text:?}");
        }
    }
}
