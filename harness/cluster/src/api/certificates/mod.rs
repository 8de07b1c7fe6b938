//! Requests for certificates: who asks is the server's to say, what is asked for stays, and who decides needs the right to
//! speak for the signer (`pkg/registry/certificates`, `plugin/pkg/admission/certificates`). Nothing is signed here; that
//! is a controller's work, with the [`SigningAuthority`].

mod authority;
pub(crate) mod signers;

use pulldrill_tls::CertificateRequest;
use serde_json::{Value, json};

use super::{
    Api, Status, User, WriteOptions,
    access::{Attributes, MASTERS, authorized},
    invalid::Errors,
    json::{bytes, default, is_nothing, items, items_mut, text},
    validate,
};
use crate::{release::Release, resources::Resource};

pub use authority::SigningAuthority;

/// The requests' name in the store.
pub(crate) const STORE: &str = "certificatesigningrequests.certificates.k8s.io";

/// The signer whose certificates the API server takes for users'.
pub(crate) const CLIENT: &str = "kubernetes.io/kube-apiserver-client";

/// The signer of the kubelets' own certificates as clients.
pub(crate) const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";

/// The signer of their certificates as servers.
pub(crate) const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";

/// The signer of everything else that the first version of the API asked for.
pub(crate) const LEGACY: &str = "kubernetes.io/legacy-unknown";

/// The first version of the API, which knew no signers and is less strict.
const FIRST: &str = "v1beta1";

/// The parts of a request's specification that tell who has made it.
const REQUESTOR: [&str; 4] = ["username", "uid", "groups", "extra"];

/// Whether a resource is that of requests.
pub(super) fn is_request(resource: &Resource) -> bool {
    resource.store == STORE
}

/// Notes on a new request who has made it, and refuses one that would make its maker a master.
pub(super) fn begin(who: &User, resource: &Resource, request: &mut Value) -> Result<(), Status> {
    if !is_request(resource) {
        return Ok(());
    }
    default(request, "spec", json!({}));
    let Some(spec) = request["spec"].as_object_mut() else { return Ok(()) };
    for field in REQUESTOR {
        spec.remove(field);
    }
    let said = [
        ("username", json!(who.name), who.name.is_empty()),
        ("uid", json!(who.uid), who.uid.is_empty()),
        ("groups", json!(who.groups), who.groups.is_empty()),
        ("extra", json!(who.extra), who.extra.is_empty()),
    ];
    for (field, value, _) in said.into_iter().filter(|(.., nothing)| !nothing) {
        spec.insert(field.to_owned(), value);
    }
    Ok(())
}

/// Refuses a valid new request for a certificate of a master, which nobody could take back.
pub(super) fn admit(resource: &Resource, request: &Value) -> Result<(), Status> {
    if !is_request(resource) || request["spec"]["signerName"] != CLIENT {
        return Ok(());
    }
    let asked = CertificateRequest::from_pem(&bytes(&request["spec"]["request"]));
    if asked.is_ok_and(|asked| asked.organizations().any(|group| group == MASTERS)) {
        let why = format!("use of {CLIENT} signer with {MASTERS} group is not allowed");
        return Err(Status::forbidden(resource, text(&request["metadata"]["name"]), &why));
    }
    Ok(())
}

/// Complains about a new request.
pub(super) fn check_new(
    api: &Api,
    resource: &Resource,
    request: &Value,
    options: &WriteOptions,
    errors: &mut Errors,
) {
    if is_request(resource) {
        let first = options.api_version.as_deref().is_some_and(|version| version.ends_with(FIRST));
        validate::certificates::spec(&request["spec"], !first, api.options().legacy(), errors);
    }
}

/// What a decision about a request leaves as it is, and the times of what it says. `asked` is what was sent, `subresource`
/// that through which it came.
pub(super) fn decided(subresource: &str, old: &Value, asked: &Value, new: &mut Value, now: &Value) {
    match asked["metadata"].get("labels") {
        Some(labels) => new["metadata"]["labels"] = labels.clone(),
        None => drop(new["metadata"].as_object_mut().map(|meta| meta.remove("labels"))),
    }
    if is_nothing(&new["status"]["conditions"])
        && let Some(status) = new["status"].as_object_mut()
    {
        status.remove("conditions");
    }
    if subresource == "approval" {
        match old["status"].get("certificate") {
            Some(certificate) => new["status"]["certificate"] = certificate.clone(),
            None => drop(new["status"].as_object_mut().map(|status| status.remove("certificate"))),
        }
    }
    let before = items(&old["status"]["conditions"]);
    for condition in items_mut(&mut new["status"], "conditions") {
        let same =
            before.iter().find(|c| ["type", "status"].iter().all(|field| c[field] == condition[field]));
        let since = same.map(|c| c["lastTransitionTime"].clone()).filter(|time| !time.is_null());
        default(condition, "lastUpdateTime", now.clone());
        default(condition, "lastTransitionTime", since.unwrap_or_else(|| now.clone()));
    }
}

/// Complains about a decision.
pub(super) fn check_decision(subresource: &str, old: &Value, new: &Value, errors: &mut Errors) {
    validate::certificates::decision(subresource, &old["status"], &new["status"], errors);
}

/// Refuses a decision of somebody who may not speak for the signer.
pub(super) fn may_decide(
    api: &Api,
    who: &User,
    resource: &Resource,
    subresource: Option<&str>,
    old: &Value,
    new: &Value,
) -> Result<(), Status> {
    let verb = match subresource {
        Some("approval") if is_request(resource) => "approve",
        Some("status") if is_request(resource) && old["status"] != new["status"] => "sign",
        _ => return Ok(()),
    };
    let signer = text(&old["spec"]["signerName"]);
    let domain = signer.split('/').next().unwrap_or_default();
    let may = |name: &str| {
        let group = "certificates.k8s.io";
        authorized(api, who, &Attributes { verb, group, resource: "signers", name, ..Attributes::default() })
    };
    if may(signer) || may(&format!("{domain}/*")) {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {signer:?}");
    Err(Status::forbidden(resource, text(&old["metadata"]["name"]), &why))
}

/// A request of the first version as it is stored: what it does not say follows from what it asks for.
pub(super) fn of_first_version(request: &mut Value) {
    if !request["spec"].is_object() {
        return;
    }
    let spec = &mut request["spec"];
    if items(&spec["usages"]).is_empty() {
        spec["usages"] = json!(["digital signature", "key encipherment"]);
    }
    if text(&spec["signerName"]).is_empty() {
        spec["signerName"] = signer_of(spec).into();
    }
    for condition in items_mut(&mut request["status"], "conditions") {
        default(condition, "status", "True");
    }
}

/// The signer that a request without one is meant for.
fn signer_of(spec: &Value) -> &'static str {
    let Ok(asked) = CertificateRequest::from_pem(&bytes(&spec["request"])) else { return LEGACY };
    let usages: Vec<&str> = items(&spec["usages"]).iter().map(text).collect();
    let for_it = |signer: &&str| signers::check(signer, &asked, &usages, Release::minor(0)) == Some(Ok(()));
    [KUBELET_CLIENT, KUBELET_SERVING].into_iter().find(for_it).unwrap_or(LEGACY)
}

#[cfg(test)]
mod tests;
