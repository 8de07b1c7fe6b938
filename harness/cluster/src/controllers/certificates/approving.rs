//! Approves what kubelets ask for, when roles say that they may have it.

use std::collections::BTreeMap;

use pulldrill_tls::CertificateRequest;
use serde_json::Value;

use super::{add_condition, bytes, condition, issued, texts};
use crate::{
    api::{
        Attributes, Status, User,
        certificates::{KUBELET_CLIENT, STORE, signers},
    },
    controllers::{
        deps::Deps,
        json::{self, text},
        timers::Timers,
    },
    engine::{Context, Controller, Queue},
    store::{Event, Key},
};

/// Which right lets a request through, and what is said then. The first is for one's own name alone.
const RIGHTS: [(&str, &str); 2] = [
    ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
    ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
];

/// Approves requests of kubelets.
pub(in crate::controllers) struct Approving {
    deps: Deps,
    timers: Timers,
}

impl Approving {
    /// A controller that has seen nothing yet.
    pub(in crate::controllers) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(request) = self.deps.get(STORE, key) else { return Ok(()) };
        let request = request.value();
        let decided = ["Approved", "Denied"].iter().any(|kind| json::condition(request, kind).is_some());
        if issued(request) || decided || request["spec"]["signerName"] != KUBELET_CLIENT {
            return Ok(());
        }
        let Some(why) = self.right(request) else { return Ok(()) };
        let approved = condition("Approved", "AutoApproved", why);
        let approve = |request: &mut Value| add_condition(&mut request["status"], approved.clone());
        self.deps.edit_sub(STORE, key, "approval", approve).map(drop)
    }

    /// What is said when the request may be approved.
    fn right(&self, request: &Value) -> Option<&'static str> {
        let spec = &request["spec"];
        let asked = CertificateRequest::from_pem(&bytes(&spec["request"])).ok()?;
        let usages = texts(&spec["usages"]);
        signers::check(KUBELET_CLIENT, &asked, &usages, self.deps.release())?.ok()?;
        let who = requestor(spec);
        let own = asked.common_name() == who.name;
        let may = |subresource: &str| {
            let (verb, group, resource) = ("create", "certificates.k8s.io", "certificatesigningrequests");
            self.deps.may(&who, &Attributes { verb, group, resource, subresource, ..Attributes::default() })
        };
        let mut rights = RIGHTS.into_iter().skip(usize::from(!own));
        rights.find(|(subresource, _)| may(subresource)).map(|(_, why)| why)
    }
}

/// Who has made a request.
fn requestor(spec: &Value) -> User {
    let list = |list: &Value| -> Vec<String> { texts(list).into_iter().map(str::to_owned).collect() };
    let extra = spec["extra"].as_object().into_iter().flatten();
    let extra: BTreeMap<String, Vec<String>> =
        extra.map(|(key, values)| (key.clone(), list(values))).collect();
    User {
        name: text(&spec["username"]).to_owned(),
        groups: list(&spec["groups"]),
        uid: text(&spec["uid"]).to_owned(),
        extra,
    }
}

impl Controller for Approving {
    fn name(&self) -> &'static str {
        "csrapproving"
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
