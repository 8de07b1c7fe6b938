//! What strangers need to verify tokens of service accounts: the discovery document of OpenID Connect, and
//! the keys.

use http::{HeaderValue, header};
use serde_json::json;

use super::{Reply, Server, reply};
use crate::api::{ISSUER, Status};

/// Where the discovery document is.
pub(super) const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// Where the keys are.
pub(super) const KEYS: &str = "/openid/v1/jwks";

/// The discovery document.
pub(super) fn configuration(server: &Server) -> Reply {
    let document = json!({"issuer": ISSUER, "jwks_uri": format!("https://{}{KEYS}", server.address),
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"]});
    public("application/json", document.to_string())
}

/// The keys.
pub(super) fn keys(server: &Server) -> Result<Reply, Status> {
    Ok(public("application/jwk-set+json", server.api.issuer().key_set()?.to_string()))
}

fn public(content_type: &str, document: String) -> Reply {
    let mut reply = reply::bytes(200, content_type, document);
    let hour = HeaderValue::from_static("public, max-age=3600");
    reply.headers_mut().insert(header::CACHE_CONTROL, hour);
    reply
}
