//! Kubeconfigs with everything in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pulldrill_tls::Identity;

/// How a user of a kubeconfig proves who it is.
pub(super) enum Credential<'a> {
    Certificate(&'a Identity),
    Token(&'a str),
}

/// A kubeconfig of one cluster, one user, one context.
pub(super) fn write(
    server: &str,
    authority: &str,
    cluster: &str,
    user: &str,
    credential: &Credential<'_>,
) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let proof = match credential {
        Credential::Certificate(identity) => format!(
            "client-certificate-data: {}\n    client-key-data: {}",
            encode(&identity.certificate),
            encode(&identity.key)
        ),
        Credential::Token(token) => format!("token: {token}"),
    };
    let authority = encode(authority);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {cluster}\nclusters:\n- name: {cluster}\n  cluster:\n    \
         server: {server}\n    certificate-authority-data: {authority}\nusers:\n- name: {user}\n  user:\n    \
         {proof}\ncontexts:\n- name: {cluster}\n  context:\n    cluster: {cluster}\n    user: {user}\n"
    )
}
