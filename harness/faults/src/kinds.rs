//! The table of faults: what can be switched on, what can be chosen about it, and where it strikes. How each strikes is
//! the registry's: before a request in its listener, instead of an answer in the exchange, in an answer on its way out.

use serde::Serialize;

use crate::shape::{Parameter, Shape};

/// When in the life of a connection a fault strikes. What can be said of its scope follows from that: before a
/// request has come, only host, client and node are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The port itself, whoever comes.
    Port,
    /// A connection, before anything is read.
    Connection,
    /// The TLS handshake.
    Handshake,
    /// Before a request is answered.
    Request,
    /// In place of the answer that there would have been.
    Refusal,
    /// The answer, on its way.
    Answer,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FaultKind {
    /// Its name.
    pub name: &'static str,
    /// When it strikes.
    pub stage: Stage,
    /// What clients meet.
    pub summary: &'static str,
    /// What can be chosen.
    pub parameters: &'static [Parameter],
}

impl FaultKind {
    /// All rows.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        ALL
    }

    /// The row of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.name == name)
    }

    /// What can be chosen under a name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

const fn number(
    name: &'static str,
    (from, to): (u64, u64),
    default: &'static str,
    summary: &'static str,
) -> Parameter {
    Parameter { name, shape: Shape::Number { from, to }, default, summary }
}

const fn text(name: &'static str, default: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, shape: Shape::Text, default, summary }
}

const fn fault(
    name: &'static str,
    stage: Stage,
    parameters: &'static [Parameter],
    summary: &'static str,
) -> FaultKind {
    FaultKind { name, stage, summary, parameters }
}

/// A day: nothing takes longer.
const LONGEST: u64 = 24 * 3_600 * 1_000;

const STATUS: Parameter = number("status", (200, 599), "503", "the HTTP status");
const STATUS_OK: Parameter = Parameter { default: "200", ..STATUS };
const RETRY_AFTER: Parameter =
    number("retry-after", (0, 86_400), "0", "seconds in a Retry-After header; 0 for none");
const MILLISECONDS: Parameter = number("milliseconds", (0, LONGEST), "5000", "how long, in real time");
const LIFETIME: Parameter = number("lifetime", (0, 86_400), "0", "for how many seconds tokens are good");
const RESCUE: Parameter = Parameter {
    name: "rescue",
    shape: Shape::Flag,
    default: "false",
    summary: "who asks for a range of it gets what is right, so that going on where it ended helps",
};
const AFTER: Parameter = number("after-bytes", (0, u64::MAX >> 1), "0", "how much of the body goes through");

static ALL: &[FaultKind] = &[
    fault("refuse", Stage::Port, &[], "the port is closed: connection refused"),
    fault("reset", Stage::Connection, &[], "connections are reset as soon as they are made"),
    fault("blackhole", Stage::Connection, &[], "connections are made, and nothing ever comes back"),
    fault("handshake-stall", Stage::Handshake, &[], "the TLS handshake begins and does not go on"),
    fault("plain-http", Stage::Handshake, &[], "HTTP without TLS is spoken where TLS is expected"),
    fault("unexpected-tls", Stage::Handshake, &[], "TLS is spoken where HTTP without it is expected"),
    fault("unknown-authority", Stage::Handshake, &[], "the certificate is signed by a stranger"),
    fault("expired-certificate", Stage::Handshake, &[], "the certificate was good until 2024"),
    fault("future-certificate", Stage::Handshake, &[], "the certificate is good from 2059 on"),
    fault(
        "wrong-name",
        Stage::Handshake,
        &[text("name", "other.invalid", "the name in the certificate")],
        "the certificate is for another name",
    ),
    fault("latency", Stage::Request, &[MILLISECONDS], "every answer begins late"),
    fault("revoked-tokens", Stage::Request, &[], "every token is taken for an expired one"),
    fault("short-tokens", Stage::Request, &[LIFETIME], "the token service issues tokens that die early"),
    fault(
        "status",
        Stage::Refusal,
        &[
            STATUS,
            text("body", "", "the body"),
            text("content-type", "text/plain; charset=utf-8", "what the body claims to be"),
            RETRY_AFTER,
        ],
        "any status with any body",
    ),
    fault("rate-limit", Stage::Refusal, &[], "429 as the host says it when a quota is used up"),
    fault(
        "abuse-limit",
        Stage::Refusal,
        &[Parameter { default: "60", ..RETRY_AFTER }],
        "429 as plain text, as a door before the registry says it",
    ),
    fault("html", Stage::Refusal, &[STATUS_OK], "a page of a proxy or a portal, in HTML"),
    fault("not-found", Stage::Refusal, &[], "what is asked for is not there, in the host's own words"),
    fault(
        "dead-redirect",
        Stage::Refusal,
        &[number("port", (1, 65_535), "1", "the port of this host to which clients are sent")],
        "307 to a place where nobody listens",
    ),
    fault("reset-midway", Stage::Answer, &[AFTER, RESCUE], "the connection is reset in the middle of a body"),
    fault(
        "bandwidth",
        Stage::Answer,
        &[number("bytes-per-second", (1, u64::MAX >> 1), "65536", "how much")],
        "bodies come slowly",
    ),
    fault(
        "truncated",
        Stage::Answer,
        &[
            Parameter {
                name: "promised",
                shape: Shape::Flag,
                default: "false",
                summary: "Content-Length still says how much there is, and the connection ends before that",
            },
            RESCUE,
        ],
        "bodies end after their first half, as if that were all",
    ),
    fault("corrupt", Stage::Answer, &[RESCUE], "the last byte of bodies is another one"),
    fault("empty", Stage::Answer, &[RESCUE], "bodies are empty"),
    fault(
        "wrong-length",
        Stage::Answer,
        &[number("more", (1, 1 << 40), "1000", "by how many bytes Content-Length is too large"), RESCUE],
        "Content-Length promises more than comes",
    ),
    fault(
        "wrong-type",
        Stage::Answer,
        &[text("content-type", "text/html", "what the body claims to be")],
        "the body claims to be something else",
    ),
    fault(
        "missing-platform",
        Stage::Answer,
        &[text("platform", "", "os/architecture that is left out; all where nothing is said")],
        "lists of manifests lack a platform",
    ),
    fault("head-disagrees", Stage::Answer, &[], "HEAD names another digest than GET"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scope::{SCHEDULE, SCOPE};

    #[test]
    fn names_are_unique_and_defaults_are_what_they_may_be() {
        let names: BTreeSet<_> = ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), ALL.len());
        for kind in ALL {
            let parameters: BTreeSet<_> = kind.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(parameters.len(), kind.parameters.len(), "{}", kind.name);
            for parameter in kind.parameters {
                assert!(parameter.shape.read(parameter.default).is_ok(), "{} {}", kind.name, parameter.name);
                let everybodys = SCOPE.iter().chain(SCHEDULE).any(|other| other.name == parameter.name);
                assert!(
                    !everybodys,
                    "{} {}: on a command line they stand together",
                    kind.name, parameter.name
                );
            }
        }
    }
}
