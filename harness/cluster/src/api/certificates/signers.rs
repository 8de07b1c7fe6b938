//! What each of Kubernetes' own signers signs (`pkg/controller/certificates/signer`, `pkg/apis/certificates/helpers`), in
//! its words. Other signers are other people's.

use pulldrill_tls::CertificateRequest;

use super::{CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY};
use crate::release::Release;

/// The group of all nodes.
const NODES: &str = "system:nodes";

/// What the names of nodes as users begin with.
const NODE: &str = "system:node:";

/// What a kubelet's key is used for, whatever it is.
const HANDSHAKE: [&str; 2] = ["digital signature", "key encipherment"];

/// Since this minor version kubelets whose keys can't encipher need not say that they do.
const NO_ENCIPHERMENT: u32 = 27;

/// What is wrong with a request for a signer; nothing where the signer is none of Kubernetes' own.
pub(crate) fn check(
    signer: &str,
    asked: &CertificateRequest,
    usages: &[&str],
    release: Release,
) -> Option<Result<(), String>> {
    Some(match signer {
        CLIENT => client(usages),
        KUBELET_CLIENT => kubelet_client(asked, usages, release),
        KUBELET_SERVING => kubelet_serving(asked, usages, release),
        LEGACY => Ok(()),
        _ => return None,
    })
}

fn client(usages: &[&str]) -> Result<(), String> {
    let allowed = |usage: &str| usage == "client auth" || HANDSHAKE.contains(&usage);
    if let Some(usage) = usages.iter().find(|usage| !allowed(usage)) {
        return Err(format!("invalid usage for client certificate: {usage}"));
    }
    if usages.contains(&"client auth") {
        return Ok(());
    }
    Err("missing required usage for client certificate: client auth".to_owned())
}

fn kubelet_client(asked: &CertificateRequest, usages: &[&str], release: Release) -> Result<(), String> {
    node_group(asked)?;
    none(&asked.dns, "DNS")?;
    none(&asked.mails, "Email")?;
    none(&asked.addresses, "IP")?;
    none(&asked.uris, "URI")?;
    node_name(asked)?;
    exactly(usages, "client auth", release)
}

fn kubelet_serving(asked: &CertificateRequest, usages: &[&str], release: Release) -> Result<(), String> {
    node_group(asked)?;
    if asked.dns.is_empty() && asked.addresses.is_empty() {
        return Err("DNS or IP subjectAltName is required".to_owned());
    }
    none(&asked.mails, "Email")?;
    none(&asked.uris, "URI")?;
    exactly(usages, "server auth", release)?;
    node_name(asked)
}

fn node_group(asked: &CertificateRequest) -> Result<(), String> {
    if asked.organizations().eq([NODES]) {
        return Ok(());
    }
    Err(format!("subject organization is not {NODES}"))
}

fn node_name(asked: &CertificateRequest) -> Result<(), String> {
    if asked.common_name().starts_with(NODE) {
        return Ok(());
    }
    Err(format!("subject common name does not begin with {NODE}"))
}

fn none<T>(names: &[T], kind: &str) -> Result<(), String> {
    if names.is_empty() { Ok(()) } else { Err(format!("{kind} subjectAltNames are not allowed")) }
}

/// The usages are those of a handshake and the given one; without enciphering, where that will do.
fn exactly(usages: &[&str], purpose: &str, release: Release) -> Result<(), String> {
    let mut all = [HANDSHAKE[0], HANDSHAKE[1], purpose];
    all.sort_unstable();
    let same = |wanted: &[&str]| {
        wanted.iter().all(|usage| usages.contains(usage)) && usages.iter().all(|usage| wanted.contains(usage))
    };
    if same(&all) || release.since(NO_ENCIPHERMENT) && same(&[HANDSHAKE[0], purpose]) {
        return Ok(());
    }
    Err(format!("usages did not match [{}]", all.join(" ")))
}
