//! Signs what is approved, or says why not. Requests to signers that are none of Kubernetes' own wait for theirs.

use pulldrill_tls::CertificateRequest;
use serde_json::Value;

use super::{add_condition, bytes, condition, issued, texts};
use crate::{
    api::{
        SigningAuthority, Status,
        certificates::{STORE, signers},
    },
    controllers::{deps::Deps, json, timers::Timers},
    engine::{Context, Controller, Queue},
    store::{Event, Key},
};

/// Signs certificates.
pub(in crate::controllers) struct Signing {
    deps: Deps,
    authority: SigningAuthority,
    timers: Timers,
}

impl Signing {
    /// A controller that has seen nothing yet.
    pub(in crate::controllers) fn new(deps: Deps, authority: SigningAuthority) -> Self {
        Self { deps, authority, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(request) = self.deps.get(STORE, key) else { return Ok(()) };
        let request = request.value();
        let says = |kind: &str| json::condition(request, kind).is_some_and(|c| c["status"] == "True");
        if issued(request) || !says("Approved") || says("Failed") {
            return Ok(());
        }
        let spec = &request["spec"];
        let asked = CertificateRequest::from_pem(&bytes(&spec["request"]))
            .map_err(|error| Status::internal(format!("unable to parse csr {:?}: {error}", key.name)))?;
        let usages = texts(&spec["usages"]);
        match signers::check(json::text(&spec["signerName"]), &asked, &usages, self.deps.release()) {
            None => Ok(()),
            Some(Err(why)) => self.write(key, |status| {
                add_condition(status, condition("Failed", "SignerValidationFailure", &why));
            }),
            Some(Ok(())) => {
                let signed = self.authority.sign(&asked, &usages, spec["expirationSeconds"].as_i64());
                let signed = signed.map_err(|error| Status::internal(error.to_string()))?;
                self.write(key, |status| status["certificate"] = encoded(&signed))
            }
        }
    }

    fn write(&self, key: &Key, change: impl Fn(&mut Value)) -> Result<(), Status> {
        self.deps.edit_sub(STORE, key, "status", |request| change(&mut request["status"])).map(drop)
    }
}

fn encoded(text: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text).into()
}

impl Controller for Signing {
    fn name(&self) -> &'static str {
        "csrsigning"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == STORE {
            queue.add(event.key.clone());
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
