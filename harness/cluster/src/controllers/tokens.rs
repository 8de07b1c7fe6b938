//! Tokens of ServiceAccounts in Secrets, as clusters made them before 1.24: pods there mount the Secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pulldrill_clock::secret;
use serde_json::{Value, json};

use super::{
    deps::Deps,
    json::{items, text},
    meta::{deleting, name, namespace, uid},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const ACCOUNTS: &str = "serviceaccounts";
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// Gives every ServiceAccount a Secret with a token.
pub(crate) struct Tokens {
    deps: Deps,
    timers: Timers,
}

impl Tokens {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default() }
    }

    fn sync(&self, key: &Key) -> Result<(), Status> {
        let Some(account) = self.deps.get(ACCOUNTS, key) else { return self.forget(key) };
        let account = account.value();
        let has_token = items(&account["secrets"])
            .iter()
            .filter_map(|s| self.deps.get("secrets", &Key::new(&key.namespace, text(&s["name"]))))
            .any(|s| belongs(s.value(), account));
        if has_token || deleting(account) || self.deps.namespace_ends(&key.namespace) {
            return Ok(());
        }
        let made = self.deps.create("secrets", &key.namespace, self.token_of(account))?;
        let reference = json!({"name": made.meta("name")});
        self.deps.edit(ACCOUNTS, key, |account| match account["secrets"].as_array_mut() {
            Some(secrets) => secrets.push(reference.clone()),
            None => account["secrets"] = json!([reference]),
        })?;
        Ok(())
    }

    fn token_of(&self, account: &Value) -> Value {
        let certificate = self
            .deps
            .get("configmaps", &Key::new("kube-system", "kube-root-ca.crt"))
            .map(|c| text(&c.value()["data"]["ca.crt"]).to_owned())
            .unwrap_or_default();
        json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE,
            "metadata": {"generateName": format!("{}-token-", name(account)),
                "annotations": {ACCOUNT_NAME: name(account), ACCOUNT_UID: uid(account)}},
            "data": {"ca.crt": STANDARD.encode(certificate), "namespace": STANDARD.encode(namespace(account)),
                "token": STANDARD.encode(secret::token())}})
    }

    /// The tokens of an account that is gone go too.
    fn forget(&self, key: &Key) -> Result<(), Status> {
        for secret in self.deps.list("secrets", Some(&key.namespace)) {
            let value = secret.value();
            if value["type"] == TYPE && value["metadata"]["annotations"][ACCOUNT_NAME] == key.name.as_str() {
                self.deps.delete("secrets", value)?;
            }
        }
        Ok(())
    }
}

fn belongs(secret: &Value, account: &Value) -> bool {
    secret["type"] == TYPE && secret["metadata"]["annotations"][ACCOUNT_UID] == uid(account)
}

impl Controller for Tokens {
    fn name(&self) -> &'static str {
        "tokens-controller"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        if &*event.resource == ACCOUNTS {
            queue.add(event.key.clone());
        } else if &*event.resource == "secrets" && event.change == Change::Deleted {
            let account = text(&event.object.value()["metadata"]["annotations"][ACCOUNT_NAME]);
            if !account.is_empty() {
                queue.add(Key::new(&event.key.namespace, account));
            }
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
