//! Quay, `quay.io` or one's own: robot accounts `org+name`, a token service at `/v2/auth`, and a memory of tags that were deleted.
//!
//! The words are those of Quay's sources, `endpoints/v2` and `data/model/user`.

use super::{BASE, Door, Personality, Scheme, Unlisted, Words, words};
use crate::failure::Kind;

const CODE: &str = "UNAUTHORIZED";
const UNAUTHORIZED: &str = "access to the requested resource is not authorized";
const BASE_CHALLENGE: &str = r#"Bearer realm="{realm}",service="{host}""#;
const CHALLENGE: &str = r#"Bearer realm="{realm}",service="{host}",scope="repository:{repository}:{action}""#;
const NO_ROBOT: &str = "Could not find robot with username: {login} and supplied password.";

const WORDS: &[Words] = &[
    words(Kind::Unauthenticated, 401, CODE, UNAUTHORIZED).detail("{}").challenge(CHALLENGE),
    words(Kind::UnauthenticatedBase, 401, "", "true").challenge(BASE_CHALLENGE),
    words(Kind::BadCredentials, 401, CODE, UNAUTHORIZED).detail("{}").challenge(CHALLENGE),
    words(Kind::Expired, 401, CODE, UNAUTHORIZED).detail("{}").challenge(CHALLENGE),
    words(Kind::NotAllowed, 401, CODE, UNAUTHORIZED).detail("{}").challenge(CHALLENGE),
    words(Kind::TokenForbidden, 401, CODE, UNAUTHORIZED).detail("{}").challenge(BASE_CHALLENGE),
    words(Kind::TokenRefused, 401, CODE, "Invalid Username or Password")
        .detail("{}")
        .challenge(BASE_CHALLENGE),
    words(Kind::RobotRefused, 401, CODE, NO_ROBOT).detail("{}").challenge(BASE_CHALLENGE),
    words(Kind::ManifestUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown").detail("{}"),
    words(Kind::RevisionUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown").detail("{}"),
    words(
        Kind::TagExpired,
        404,
        "TAG_EXPIRED",
        "Tag {reference} was deleted or has expired. To pull, revive via time machine",
    )
    .detail("{}"),
    words(Kind::RepositoryUnknown, 404, "NAME_UNKNOWN", "repository name not known to registry")
        .detail(r#""repository not found""#),
    words(Kind::BlobUnknown, 404, "BLOB_UNKNOWN", "blob unknown to registry").detail("{}"),
];

pub(super) const QUAY: Personality = Personality {
    name: "quay",
    usual_host: "quay.io",
    scheme: Scheme::Bearer { host: None, path: "/v2/auth", service: "", door: Door::Quay },
    limits: "quay",
    unlisted: Unlisted::Hidden,
    negotiates: false,
    remembers_tags: true,
    welcome: ("true", "text/html; charset=utf-8"),
    tells_of_tokens: false,
    words: WORDS,
    ..BASE
};
