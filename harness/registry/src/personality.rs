//! The table of personalities: how each kind of registry asks for credentials, what it says when it refuses,
//! and which headers it adds. Everything here is data; [`crate::failure`] turns it into answers.
//!
//! In texts, `{repository}`, `{reference}`, `{digest}`, `{action}`, `{method}`, `{host}`, `{realm}`, `{user}`, `{login}`,
//! `{account}`, `{region}`, `{project}`, `{name}` (the repository without its project) and `{right}` stand for what the request was
//! about.

mod ghcr;
mod quay;

use crate::failure::Kind;

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// User and password with each request.
    Basic,
    /// Basic, where the password is a token of the host's own API.
    IssuedPassword,
    /// A token service; `path` is where it is, on the host itself unless `host` names another one.
    Bearer { host: Option<&'static str>, path: &'static str, service: &'static str, door: Door },
}

/// How a token service receives people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Wrong passwords are refused; whoever may do nothing gets a token for nothing. Takes GET and POST;
    /// the registry itself takes tokens only.
    Hub,
    /// Wrong passwords get a token for nothing, too. GET only; the registry takes passwords directly as well.
    Harbor,
    /// Nobody gets a token for what they may not do. GET only; the registry takes passwords directly as well.
    Google,
    /// Strangers get no token for what they may not do, users one for nothing. GET only; the registry itself takes tokens only.
    GitHub,
    /// Wrong passwords are refused; whoever may do nothing gets a token for nothing. GET only; the registry itself takes tokens only.
    Quay,
}

/// What becomes of requests for repositories that nobody has set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlisted {
    /// Whoever can use the host at all finds nothing there, and may push there.
    Open,
    /// They look like repositories that one may not see; users may push under their own name.
    Hidden,
    /// The same, but users are told that there is nothing.
    HiddenFromStrangers,
}

/// What one kind of refusal looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) kind: Kind,
    pub(crate) status: u16,
    /// Empty when the body is the bare message.
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// JSON; empty when there is none.
    pub(crate) detail: &'static str,
    /// `WWW-Authenticate`; empty when there is none.
    pub(crate) challenge: &'static str,
    /// Whether browsers are told to take the type of the body as given.
    pub(crate) sniffs_nothing: bool,
}

/// One way of answering.
#[derive(Debug)]
pub(crate) struct Personality {
    pub(crate) name: &'static str,
    /// The name of its host, where nobody says another.
    pub(crate) usual_host: &'static str,
    pub(crate) scheme: Scheme,
    /// The profile of limits when none is asked for.
    pub(crate) limits: &'static str,
    /// Whether anonymous requests always need a token, or pass where the repository is open.
    pub(crate) always_challenges: bool,
    /// Whether a manifest of a repository that is not there is missed as such.
    pub(crate) knows_repositories: bool,
    pub(crate) unlisted: Unlisted,
    /// Whether answers say how much of the quota is left, and whose it is.
    pub(crate) shows_quota: bool,
    /// Whether manifests, tags and blobs can be deleted through the registry's own API. Docker Hub wants that done
    /// through another one and says `UNSUPPORTED` here.
    pub(crate) deletes: bool,
    /// Whether pushing makes a repository.
    pub(crate) creates_on_push: bool,
    /// Whether a tag that was there and is no more is told from one that never was.
    pub(crate) remembers_tags: bool,
    /// What `/v2/` has for whoever may use it, and of what type that is.
    pub(crate) welcome: (&'static str, &'static str),
    /// Whether an answer of the token service says more than the token.
    pub(crate) tells_of_tokens: bool,
    /// Whether an OCI manifest is kept from clients that do not ask for one.
    pub(crate) negotiates: bool,
    /// Other names that the certificate is good for.
    pub(crate) also: &'static [&'static str],
    /// A repository that is always there, open to everybody.
    pub(crate) always_has: Option<&'static str>,
    pub(crate) content_type: &'static str,
    /// On every answer.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What differs from [`PLAIN`].
    words: &'static [Words],
}

impl Personality {
    /// By name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|personality| personality.name == name)
    }

    /// All names.
    pub(crate) fn names() -> String {
        ALL.iter().map(|personality| personality.name).collect::<Vec<_>>().join(", ")
    }

    /// What it says for a refusal.
    pub(crate) fn words(&self, kind: Kind) -> Words {
        let of = |all: &[Words], kind| all.iter().find(|words| words.kind == kind).copied();
        let own = of(self.words, kind).or_else(|| of(self.words, kind.general()));
        own.or_else(|| of(PLAIN, kind)).unwrap_or(Words { kind, ..UNKNOWN })
    }
}

const fn words(kind: Kind, status: u16, code: &'static str, message: &'static str) -> Words {
    Words { kind, status, code, message, detail: "", challenge: "", sniffs_nothing: false }
}

impl Words {
    const fn detail(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    /// As Go's HTTP server says it by itself.
    const fn as_go_does(self) -> Self {
        Self { sniffs_nothing: true, ..self }
    }

    const fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge, ..self }
    }
}

const UNKNOWN: Words = words(Kind::Broken, 500, "UNKNOWN", "unknown error");
/// Stands for the list of what has to be granted.
pub(crate) const ACCESS: &str = "{access}";
/// Go's own answer to a path that leads nowhere.
const NO_PAGE: &str = "404 page not found\n";
const BASIC: &str = r#"Basic realm="Registry Realm""#;
const NAME: &str = r#"{"name":"{repository}"}"#;
const MISMATCH: &str = "provided digest did not match uploaded content";
const REQUIRED: &str = "authentication required";

/// Plain distribution, and what the others have in common with it.
const PLAIN: &[Words] = &[
    UNKNOWN,
    words(Kind::Unauthenticated, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(BASIC),
    words(Kind::UnauthenticatedBase, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(BASIC),
    words(Kind::BadCredentials, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(BASIC),
    words(Kind::NotAllowed, 403, "DENIED", "requested access to the resource is denied").detail(ACCESS),
    words(Kind::Expired, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(BASIC),
    words(Kind::ManifestUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown")
        .detail(r#""unknown tag={reference}""#),
    words(Kind::RevisionUnknown, 404, "MANIFEST_UNKNOWN", "manifest unknown")
        .detail(r#"{"Name":"{repository}","Revision":"{reference}"}"#),
    words(Kind::RepositoryUnknown, 404, "NAME_UNKNOWN", "repository name not known to registry").detail(NAME),
    words(
        Kind::ManifestNotAcceptable,
        404,
        "MANIFEST_UNKNOWN",
        "OCI manifest found, but accept header does not support OCI manifests",
    ),
    words(
        Kind::IndexNotAcceptable,
        404,
        "MANIFEST_UNKNOWN",
        "OCI index found, but accept header does not support OCI indexes",
    ),
    words(Kind::BlobUnknown, 404, "BLOB_UNKNOWN", "blob unknown to registry").detail(r#""{reference}""#),
    words(Kind::UploadUnknown, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry").detail("{}"),
    words(Kind::UploadInvalid, 416, "RANGE_INVALID", "invalid content range"),
    words(Kind::BlobGone, 404, "BLOB_UNKNOWN", "blob unknown to registry"),
    words(Kind::RevisionGone, 404, "MANIFEST_UNKNOWN", "manifest unknown"),
    words(Kind::DigestInvalid, 400, "DIGEST_INVALID", MISMATCH),
    words(Kind::DigestMismatch, 400, "DIGEST_INVALID", MISMATCH)
        .detail(r#"{"Digest":"{digest}","Reason":{}}"#),
    words(Kind::DigestMissing, 400, "DIGEST_INVALID", MISMATCH).detail(r#""digest missing""#),
    words(Kind::DigestUnparsed, 400, "DIGEST_INVALID", MISMATCH).detail(r#""digest parsing failed""#),
    words(Kind::DigestUnreadable, 400, "DIGEST_INVALID", MISMATCH).detail("{}"),
    words(Kind::SizeInvalid, 400, "SIZE_INVALID", "provided length did not match content length"),
    words(Kind::TooLarge, 413, "SIZE_INVALID", "content is larger than this registry takes"),
    words(Kind::NameInvalid, 400, "NAME_INVALID", "invalid repository name"),
    words(Kind::TagInvalid, 400, "TAG_INVALID", "manifest tag did not match URI"),
    // Amazon's words: the program that the others follow has nothing of the kind.
    words(
        Kind::TagImmutable,
        400,
        "TAG_INVALID",
        "The image tag '{reference}' already exists in the '{repository}' repository and cannot be overwritten because the tag is immutable.",
    ),
    words(Kind::ManifestInvalid, 400, "MANIFEST_INVALID", "manifest invalid"),
    words(Kind::ManifestBlobUnknown, 400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        .detail(r#""{digest}""#),
    words(Kind::PageInvalid, 400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"),
    words(Kind::Unsupported, 405, "UNSUPPORTED", "The operation is unsupported."),
    words(Kind::TooMany, 429, "TOOMANYREQUESTS", "too many requests"),
    words(Kind::TooManyOfUser, 429, "TOOMANYREQUESTS", "too many requests"),
    words(Kind::MethodNotAllowed, 405, "", "Method not allowed\n").as_go_does(),
    words(Kind::NoSuchPage, 404, "", NO_PAGE).as_go_does(),
];

/// The program itself has no path for a malformed name; what others have in front of it does.
const DISTRIBUTION: &[Words] = &[words(Kind::NameInvalid, 404, "", NO_PAGE).as_go_does()];

const HUB_CHALLENGE: &str =
    r#"Bearer realm="{realm}",service="registry.docker.io",scope="repository:{repository}:{action}""#;
const HUB_INSUFFICIENT: &str = r#"Bearer realm="{realm}",service="registry.docker.io",scope="repository:{repository}:{action}",error="insufficient_scope""#;
const HUB_INVALID: &str = r#"Bearer realm="{realm}",service="registry.docker.io",scope="repository:{repository}:{action}",error="invalid_token""#;
const HUB: &[Words] = &[
    words(Kind::Unauthenticated, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(HUB_CHALLENGE),
    words(Kind::UnauthenticatedBase, 401, "UNAUTHORIZED", REQUIRED)
        .detail(ACCESS)
        .challenge(r#"Bearer realm="{realm}",service="registry.docker.io""#),
    words(Kind::BadCredentials, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(HUB_INVALID),
    words(Kind::Expired, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(HUB_INVALID),
    words(Kind::NotAllowed, 401, "UNAUTHORIZED", REQUIRED).detail(ACCESS).challenge(HUB_INSUFFICIENT),
    words(
        Kind::TooMany,
        429,
        "TOOMANYREQUESTS",
        "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
    ),
    words(
        Kind::TooManyOfUser,
        429,
        "TOOMANYREQUESTS",
        "You have reached your pull rate limit as '{user}': https://www.docker.com/increase-rate-limit",
    ),
];

const ECR_CHALLENGE: &str = r#"Basic realm="https://{host}/",service="ecr.amazonaws.com""#;
const NOT_AUTHORIZED: &str = "Not Authorized\n";
const ECR: &[Words] = &[
    words(Kind::Unauthenticated, 401, "", NOT_AUTHORIZED).challenge(ECR_CHALLENGE),
    words(Kind::UnauthenticatedBase, 401, "", NOT_AUTHORIZED).challenge(ECR_CHALLENGE),
    words(Kind::BadCredentials, 401, "", NOT_AUTHORIZED).challenge(ECR_CHALLENGE),
    words(Kind::NoToken, 400, "DENIED", "Your Authorization Token is invalid."),
    words(
        Kind::Expired,
        403,
        "DENIED",
        "Your authorization token has expired. Reauthenticate and try again.",
    ),
    words(
        Kind::NotAllowed,
        403,
        "DENIED",
        "User: arn:aws:sts::{account}:assumed-role/node/lab is not authorized to perform: ecr:BatchGetImage on \
         resource: arn:aws:ecr:{region}:{account}:repository/{repository} because no identity-based policy allows \
         the ecr:BatchGetImage action",
    ),
    words(
        Kind::RepositoryUnknown,
        404,
        "NAME_UNKNOWN",
        "The repository with name '{repository}' does not exist in the registry with id '{account}'",
    ),
    words(Kind::ManifestUnknown, 404, "MANIFEST_UNKNOWN", "Requested image not found"),
    words(Kind::RevisionUnknown, 404, "MANIFEST_UNKNOWN", "Requested image not found"),
];

const HARBOR_BASE: &str = r#"Bearer realm="{realm}",service="harbor-registry""#;
const HARBOR_CHALLENGE: &str =
    r#"Bearer realm="{realm}",service="harbor-registry",scope="repository:{repository}:{action}""#;
const HARBOR_NEEDED: &str = "authorize header needed to send {method} to repository: authorize header needed to send {method} to repository";
const HARBOR_REFUSED: &str = "unauthorized to access repository: {repository}, action: {action}: unauthorized to access repository: {repository}, action: {action}";
const HARBOR_BASIC: &str = r#"Basic realm="harbor""#;
const HARBOR_NO_PROJECT: &str = "project {project} not found: project {project} not found";
const HARBOR_IMMUTABLE: &str =
    "Failed to process request due to '{name}:{reference}' configured as immutable.";
const HARBOR: &[Words] = &[
    words(Kind::Unauthenticated, 401, "UNAUTHORIZED", HARBOR_REFUSED).challenge(HARBOR_CHALLENGE),
    words(Kind::UnauthenticatedHead, 401, "UNAUTHORIZED", HARBOR_NEEDED).challenge(HARBOR_CHALLENGE),
    words(Kind::ProjectUnknown, 401, "UNAUTHORIZED", HARBOR_NO_PROJECT),
    words(Kind::TagImmutable, 412, "PRECONDITION", HARBOR_IMMUTABLE),
    words(Kind::UnauthenticatedBase, 401, "UNAUTHORIZED", "unauthorized: unauthorized")
        .challenge(HARBOR_BASE),
    words(Kind::BadCredentials, 401, "UNAUTHORIZED", HARBOR_REFUSED).challenge(HARBOR_BASIC),
    words(Kind::Expired, 401, "UNAUTHORIZED", HARBOR_REFUSED).challenge(HARBOR_BASIC),
    words(Kind::NotAllowed, 401, "UNAUTHORIZED", HARBOR_REFUSED).challenge(HARBOR_BASIC),
    words(Kind::ManifestUnknown, 404, "NOT_FOUND", "artifact {repository}:{reference} not found"),
    words(Kind::RevisionUnknown, 404, "NOT_FOUND", "artifact {repository}@{reference} not found"),
    words(Kind::TooMany, 429, "TOO_MANY_REQUEST", "too many requests"),
    words(Kind::TooManyOfUser, 429, "TOO_MANY_REQUEST", "too many requests"),
];

const GOOGLE_BASE: &str = r#"Bearer realm="{realm}""#;
const GOOGLE_CHALLENGE: &str =
    r#"Bearer realm="{realm}",service="{host}",scope="repository:{repository}:{action}""#;
const GOOGLE_INVALID: &str = "not authenticated: No valid credential was supplied.";
const GOOGLE_FORBIDDEN: &str = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/{project}\" (or it may not exist)";
const GOOGLE: &[Words] = &[
    words(Kind::Unauthenticated, 401, "UNAUTHORIZED", GOOGLE_INVALID).challenge(GOOGLE_CHALLENGE),
    words(Kind::UnauthenticatedBase, 401, "UNAUTHORIZED", "not authenticated: No credential was supplied.")
        .challenge(GOOGLE_BASE),
    words(Kind::BadCredentials, 401, "UNAUTHORIZED", GOOGLE_INVALID),
    words(Kind::Expired, 401, "UNAUTHORIZED", GOOGLE_INVALID),
    words(Kind::NotAllowed, 403, "DENIED", GOOGLE_FORBIDDEN),
    words(Kind::ManifestUnknown, 404, "MANIFEST_UNKNOWN", "Failed to fetch \"{reference}\""),
    words(Kind::RevisionUnknown, 404, "MANIFEST_UNKNOWN", "Failed to fetch \"{reference}\""),
    words(Kind::RepositoryUnknown, 404, "NAME_UNKNOWN", "Repository \"{repository}\" not found"),
    words(Kind::TokenRefused, 401, "UNAUTHORIZED", "authentication failed"),
    words(
        Kind::TokenForbidden,
        403,
        "DENIED",
        "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\" on resource \"projects/{project}\" (or it may not exist)",
    ),
    words(Kind::TokenForbiddenToUser, 403, "DENIED", GOOGLE_FORBIDDEN),
];

const API_VERSION: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");
const JSON: &str = "application/json";
const JSON_UTF8: &str = "application/json; charset=utf-8";

/// What most have in common; every entry of [`ALL`] says how it differs.
const BASE: Personality = Personality {
    name: "distribution",
    usual_host: "registry.lab.test",
    scheme: Scheme::Basic,
    limits: "unlimited",
    always_challenges: false,
    knows_repositories: false,
    unlisted: Unlisted::Open,
    shows_quota: false,
    deletes: true,
    creates_on_push: true,
    remembers_tags: false,
    welcome: ("{}", JSON),
    tells_of_tokens: true,
    negotiates: true,
    also: &[],
    always_has: None,
    content_type: JSON,
    headers: &[API_VERSION],
    words: &[],
};

static ALL: &[Personality] = &[
    Personality { words: DISTRIBUTION, ..BASE },
    Personality {
        name: "docker-hub",
        usual_host: "registry-1.docker.io",
        scheme: Scheme::Bearer {
            host: Some("auth.docker.io"),
            path: "/token",
            service: "registry.docker.io",
            door: Door::Hub,
        },
        limits: "docker-hub",
        always_challenges: true,
        unlisted: Unlisted::Hidden,
        shows_quota: true,
        deletes: false,
        negotiates: false,
        also: &["docker.io", "index.docker.io", "registry-1.docker.io"],
        always_has: Some("ratelimitpreview/test"),
        headers: &[API_VERSION, ("strict-transport-security", "max-age=31536000")],
        words: HUB,
        ..BASE
    },
    Personality {
        name: "ecr",
        usual_host: "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        scheme: Scheme::IssuedPassword,
        limits: "ecr",
        always_challenges: true,
        knows_repositories: true,
        creates_on_push: false,
        negotiates: false,
        words: ECR,
        ..BASE
    },
    Personality {
        name: "harbor",
        usual_host: "harbor.lab.test",
        scheme: Scheme::Bearer {
            host: None,
            path: "/service/token",
            service: "harbor-registry",
            door: Door::Harbor,
        },
        limits: "harbor",
        unlisted: Unlisted::Hidden,
        negotiates: false,
        content_type: JSON_UTF8,
        words: HARBOR,
        ..BASE
    },
    Personality {
        name: "artifact-registry",
        usual_host: "us-docker.pkg.dev",
        scheme: Scheme::Bearer { host: None, path: "/v2/token", service: "", door: Door::Google },
        limits: "artifact-registry",
        always_challenges: true,
        knows_repositories: true,
        negotiates: false,
        words: GOOGLE,
        ..BASE
    },
    ghcr::GHCR,
    quay::QUAY,
];
