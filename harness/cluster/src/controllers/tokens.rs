//! Tokens of ServiceAccounts in Secrets: fills in those that somebody made, and, as clusters did before 1.24,
//! gives every ServiceAccount one, which pods there mount.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
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

/// Keeps the Secrets with tokens.
pub(crate) struct Tokens {
    deps: Deps,
    timers: Timers,
    /// The Secrets of each account that are gone and that it may still name.
    gone: HashMap<Key, BTreeSet<String>>,
}

impl Tokens {
    /// A controller that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self { deps, timers: Timers::default(), gone: HashMap::new() }
    }

    fn sync(&mut self, key: &Key) -> Result<(), Status> {
        self.strike_gone(key)?;
        let Some(account) = self.deps.get(ACCOUNTS, key) else { return self.forget(key) };
        let account = account.value();
        if deleting(account) {
            return Ok(());
        }
        for secret in self.secrets_of(key) {
            self.complete(&secret, account)?;
        }
        if self.deps.wording.token_secrets { self.ensure_one(key, account) } else { Ok(()) }
    }

    /// An account no longer names Secrets that are gone (`removeSecretReference` of Kubernetes).
    fn strike_gone(&mut self, key: &Key) -> Result<(), Status> {
        let Some(gone) = self.gone.get(key) else { return Ok(()) };
        let is_gone = |reference: &Value| {
            let secret = text(&reference["name"]);
            gone.contains(secret) && self.deps.get("secrets", &Key::new(&key.namespace, secret)).is_none()
        };
        let account = self.deps.get(ACCOUNTS, key);
        if account.is_some_and(|account| items(&account.value()["secrets"]).iter().any(is_gone)) {
            self.deps.edit(ACCOUNTS, key, |account| {
                let Some(fields) = account.as_object_mut() else { return };
                let Some(secrets) = fields.get_mut("secrets").and_then(Value::as_array_mut) else { return };
                secrets.retain(|reference| !is_gone(reference));
                if secrets.is_empty() {
                    fields.remove("secrets");
                }
            })?;
        }
        self.gone.remove(key);
        Ok(())
    }

    /// The Secrets that are said to be an account's.
    fn secrets_of(&self, account: &Key) -> Vec<Value> {
        let secrets = self.deps.list("secrets", Some(&account.namespace));
        let of_account = |secret: &&Value| {
            secret["type"] == TYPE && secret["metadata"]["annotations"][ACCOUNT_NAME] == account.name.as_str()
        };
        secrets.iter().map(|secret| secret.value()).filter(of_account).cloned().collect()
    }

    /// Fills in what a Secret lacks; one of an earlier account of the same name is deleted.
    fn complete(&self, secret: &Value, account: &Value) -> Result<(), Status> {
        let of = text(&secret["metadata"]["annotations"][ACCOUNT_UID]);
        if !of.is_empty() && of != uid(account) {
            return self.deps.delete("secrets", secret);
        }
        let key = Key::of(secret);
        let has = |field: &str| !text(&secret["data"][field]).is_empty();
        if deleting(secret) || !of.is_empty() && ["ca.crt", "namespace", "token"].into_iter().all(has) {
            return Ok(());
        }
        let token = if has("token") { None } else { Some(self.deps.token_for_secret(account, &key)?) };
        let certificate = self
            .deps
            .get("configmaps", &Key::new("kube-system", "kube-root-ca.crt"))
            .map(|c| text(&c.value()["data"]["ca.crt"]).to_owned())
            .unwrap_or_default();
        let data = [
            ("ca.crt", Some(certificate)),
            ("namespace", Some(namespace(account).to_owned())),
            ("token", token),
        ];
        self.deps
            .edit("secrets", &key, |secret| {
                secret["metadata"]["annotations"][ACCOUNT_UID] = uid(account).into();
                if !secret["data"].is_object() {
                    secret["data"] = json!({});
                }
                for (field, value) in &data {
                    if let Some(value) = value.as_ref().filter(|_| text(&secret["data"][*field]).is_empty()) {
                        secret["data"][*field] = STANDARD.encode(value).into();
                    }
                }
            })
            .map(drop)
    }

    /// Makes an account's Secret and tells the account.
    fn ensure_one(&self, key: &Key, account: &Value) -> Result<(), Status> {
        let has_token = items(&account["secrets"])
            .iter()
            .filter_map(|s| self.deps.get("secrets", &Key::new(&key.namespace, text(&s["name"]))))
            .any(|s| belongs(s.value(), account));
        if has_token || self.deps.namespace_ends(&key.namespace) {
            return Ok(());
        }
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE,
            "metadata": {"generateName": format!("{}-token-", name(account)),
                "annotations": {ACCOUNT_NAME: name(account), ACCOUNT_UID: uid(account)}}});
        let made = self.deps.create("secrets", &key.namespace, secret)?;
        self.complete(made.value(), account)?;
        let reference = json!({"name": made.meta("name")});
        self.deps.edit(ACCOUNTS, key, |account| match account["secrets"].as_array_mut() {
            Some(secrets) => secrets.push(reference.clone()),
            None => account["secrets"] = json!([reference]),
        })?;
        Ok(())
    }

    /// The tokens of an account that is gone go too.
    fn forget(&self, key: &Key) -> Result<(), Status> {
        self.secrets_of(key).iter().try_for_each(|secret| self.deps.delete("secrets", secret))
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
        } else if &*event.resource == "secrets" && event.object.value()["type"] == TYPE {
            let account = text(&event.object.value()["metadata"]["annotations"][ACCOUNT_NAME]);
            if !account.is_empty() {
                let account = Key::new(&event.key.namespace, account);
                if event.change == Change::Deleted {
                    self.gone.entry(account.clone()).or_default().insert(event.key.name.clone());
                }
                queue.add(account);
            }
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.sync(key);
        self.timers.outcome(key, &outcome, context);
    }
}
