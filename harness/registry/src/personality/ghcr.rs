//! GitHub's container registry, `ghcr.io`: personal access tokens as passwords, and a token service that refuses strangers.
//!
//! The words are those of public threads about it. A stranger who wants a package that is private, or is not there, gets no token and
//! a 403 for it; some, since 2025, have seen a 401 in its place, which the fault `status` with `part: token` makes. A password that
//! is no good token, or one that has expired, is a 403 that says `denied`. A good one of somebody who may not read a package gets a
//! token, and the package's own 403.

use super::{BASE, Door, Personality, REQUIRED, Scheme, Unlisted, Words, words};
use crate::failure::Kind;

/// The path of its token service, and what that calls itself.
const TOKEN: &str = "/token";
const SERVICE: &str = "ghcr.io";
const CHALLENGE: &str =
    r#"Bearer realm="{realm}",service="ghcr.io",scope="repository:{repository}:{action}""#;
/// That of `/v2/`, which names no package of anybody's.
const CHALLENGE_OF_BASE: &str =
    r#"Bearer realm="{realm}",service="ghcr.io",scope="repository:user/image:pull""#;
const REFUSED: &str = "requested access to the resource is denied";

const WORDS: &[Words] = &[
    words(Kind::Unauthenticated, 401, "UNAUTHORIZED", REQUIRED).challenge(CHALLENGE),
    words(Kind::UnauthenticatedBase, 401, "UNAUTHORIZED", REQUIRED).challenge(CHALLENGE_OF_BASE),
    words(Kind::BadCredentials, 401, "UNAUTHORIZED", REQUIRED).challenge(CHALLENGE),
    words(Kind::Expired, 401, "UNAUTHORIZED", REQUIRED).challenge(CHALLENGE),
    words(Kind::NotAllowed, 403, "DENIED", "permission_denied: {right}_package"),
    words(Kind::TokenRefused, 403, "DENIED", "denied"),
    words(Kind::TokenForbidden, 403, "DENIED", REFUSED),
    words(Kind::ManifestUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown"),
    words(Kind::RevisionUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown"),
];

pub(super) const GHCR: Personality = Personality {
    name: "ghcr",
    usual_host: "ghcr.io",
    scheme: Scheme::Bearer { host: None, path: TOKEN, service: SERVICE, door: Door::GitHub },
    limits: "ghcr",
    always_challenges: true,
    unlisted: Unlisted::HiddenFromStrangers,
    // Packages and their versions are deleted by GitHub's own API.
    deletes: false,
    tells_of_tokens: false,
    words: WORDS,
    ..BASE
};
