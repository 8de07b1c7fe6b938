//! Tokens of service accounts: JSON Web Tokens for those who read them, and known by their digest to the
//! server that made them. Claims tell the times that clients are shown; whether a token has expired is for
//! the lab clock, so what it says is kept here and not read back.

mod recognised;

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::{Mutex, RwLock};
use pulldrill_clock::{Clock, Timestamp, secret};
use pulldrill_tls::Signer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api::{Status, User, json::text, user::CREDENTIAL_ID},
    store::{Key, Store},
};

/// Who issues tokens, and whom they are for unless somebody says otherwise; as `kubeadm` sets it.
pub(in crate::api) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The issuer of tokens in Secrets.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// How many tokens are kept before the expired ones are looked for.
const ENOUGH: usize = 1024;

/// What one token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Token {
    /// The service account.
    pub(in crate::api) account: Key,
    /// Its uid: one of the same name that comes later is another.
    pub(in crate::api) uid: String,
    /// The token is worth nothing without this object.
    pub(in crate::api) bound: Option<Bound>,
    /// The servers that may take it.
    pub(in crate::api) audiences: Vec<String>,
    /// When it ends, in lab time; tokens in Secrets don't.
    pub(in crate::api) expires: Option<Timestamp>,
}

/// The object that a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Bound {
    /// The store's name of its resource: `pods`, `secrets` or `nodes`.
    pub(in crate::api) resource: &'static str,
    /// Where it is.
    pub(in crate::api) key: Key,
    /// Its uid.
    pub(in crate::api) uid: String,
    /// The node of a pod: name and uid.
    pub(in crate::api) node: Option<(String, String)>,
}

impl Bound {
    /// What claims call it.
    fn claim(&self) -> &'static str {
        self.resource.trim_end_matches('s')
    }
}

/// A token's owner and those whom it may be shown to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Bearer {
    pub(in crate::api) user: User,
    pub(in crate::api) audiences: Vec<String>,
}

/// Makes tokens and knows them again.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    key: OnceLock<Option<Signer>>,
    issued: RwLock<HashMap<[u8; 32], Issued>>,
    /// How many tokens were left after the last search for expired ones.
    kept: Mutex<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Issued {
    token: Token,
    /// The token's own name; older releases give none.
    id: Option<String>,
}

impl Issuer {
    fn key(&self) -> Result<&Signer, Status> {
        let key = self.key.get_or_init(|| Signer::new().ok()).as_ref();
        key.ok_or_else(|| Status::internal("failed to generate token: no signing key"))
    }

    /// Signs with a key that was kept; later calls change nothing.
    pub(crate) fn sign_with(&self, key: Signer) {
        let _there_is_one = self.key.set(Some(key));
    }

    /// The name of the key: the digest of its public half.
    fn key_id(key: &Signer) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(key.public_key_der()))
    }

    /// The keys, as a JSON Web Key Set.
    ///
    /// # Errors
    /// 500 without randomness.
    pub(in crate::api) fn key_set(&self) -> Result<Value, Status> {
        let key = self.key()?;
        let (x, y) = key.coordinates();
        Ok(json!({"keys": [{"use": "sig", "kty": "EC", "kid": Self::key_id(key), "crv": "P-256",
            "alg": "ES256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}]}))
    }

    /// Makes a token. With `named` it has a name of its own, which its user carries along, as since 1.30.
    ///
    /// # Errors
    /// 500 without randomness.
    pub(in crate::api) fn issue(&self, token: Token, clock: &Clock, named: bool) -> Result<String, Status> {
        let id = named.then(secret::uid);
        let text = self.signed(&claims(&token, id.as_deref(), clock))?;
        self.keep(&text, Issued { token, id }, clock.now());
        Ok(text)
    }

    /// Makes the token that a Secret holds, good as long as the Secret is there.
    ///
    /// # Errors
    /// 500 without randomness.
    pub(crate) fn issue_for_secret(
        &self,
        account: Key,
        uid: &str,
        secret: &Key,
        now: Timestamp,
    ) -> Result<String, Status> {
        let text = self.signed(&json!({"iss": LEGACY_ISSUER,
            "kubernetes.io/serviceaccount/namespace": account.namespace,
            "kubernetes.io/serviceaccount/secret.name": secret.name,
            "kubernetes.io/serviceaccount/service-account.name": account.name,
            "kubernetes.io/serviceaccount/service-account.uid": uid,
            "sub": User::service_account(&account.namespace, &account.name).name}))?;
        let bound = Bound { resource: "secrets", key: secret.clone(), uid: String::new(), node: None };
        let audiences = vec![ISSUER.to_owned()];
        let token = Token { account, uid: uid.to_owned(), bound: Some(bound), audiences, expires: None };
        self.keep(&text, Issued { token, id: None }, now);
        Ok(text)
    }

    fn signed(&self, claims: &Value) -> Result<String, Status> {
        let key = self.key()?;
        let header = json!({"alg": "ES256", "kid": Self::key_id(key)});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = key.sign(message.as_bytes()).map_err(|e| Status::internal(e.to_string()))?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn keep(&self, text: &str, token: Issued, now: Timestamp) {
        let mut issued = self.issued.write();
        let mut kept = self.kept.lock();
        if issued.len() >= ENOUGH.max(2 * *kept) {
            issued.retain(|_, issued| issued.token.expires.is_none_or(|expires| now < expires));
            *kept = issued.len();
        }
        issued.insert(digest(text), token);
    }

    /// Keeps a token that an issuer with the same key has made: this one, before the process was started again. For
    /// such tokens the times in them are lab times, since no clock has been advanced yet.
    fn recognise(&self, text: &str, now: Timestamp) {
        let Some(Some(key)) = self.key.get() else { return };
        if let Some(issued) = recognised::read(text, key) {
            self.keep(text, issued, now);
        }
    }

    /// Who carries a token.
    ///
    /// # Errors
    /// What is wrong with it, as reviews of tokens say it.
    pub(in crate::api) fn bearer(&self, text: &str, store: &Store, now: Timestamp) -> Result<Bearer, String> {
        let digest = digest(text);
        let known = self.issued.read().contains_key(&digest);
        if !known {
            self.recognise(text, now);
        }
        let issued = self.issued.read();
        let Issued { token, id } = issued.get(&digest).ok_or(INVALID)?;
        let wrong = |why: &str| format!("[{INVALID}, {why}]");
        if token.expires.is_some_and(|expires| now >= expires) {
            return Err(wrong("service account token has expired"));
        }
        let lives = |resource: &str, key: &Key, uid: &str| {
            store.get(resource, key).filter(|object| uid.is_empty() || object.meta("uid") == uid)
        };
        if lives("serviceaccounts", &token.account, &token.uid).is_none() {
            return Err(wrong("service account token has been invalidated"));
        }
        if let Some(bound) = &token.bound {
            let object = lives(bound.resource, &bound.key, &bound.uid);
            let object = object.ok_or_else(|| wrong("service account token has been invalidated"))?;
            if token.expires.is_none() && !holds(object.value(), text) {
                return Err(wrong("service account token has been invalidated"));
            }
        }
        Ok(Bearer { user: user(token, id.as_deref()), audiences: token.audiences.clone() })
    }
}

const INVALID: &str = "invalid bearer token";

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether a Secret holds a token.
fn holds(secret: &Value, token: &str) -> bool {
    use base64::engine::general_purpose::STANDARD;
    text(&secret["data"]["token"]) == STANDARD.encode(token)
}

/// Who a token makes of its bearer.
fn user(token: &Token, id: Option<&str>) -> User {
    let mut extra = BTreeMap::new();
    let mut add = |name: &str, value: &str| {
        extra.insert(format!("authentication.kubernetes.io/{name}"), vec![value.to_owned()])
    };
    if let Some(bound) = token.bound.as_ref().filter(|bound| bound.resource != "secrets") {
        add(&format!("{}-name", bound.claim()), &bound.key.name);
        add(&format!("{}-uid", bound.claim()), &bound.uid);
        if let Some((name, uid)) = bound.node.as_ref().filter(|_| id.is_some()) {
            add("node-name", name);
            add("node-uid", uid);
        }
    }
    if let Some(id) = id {
        extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]);
    }
    let user = User::service_account(&token.account.namespace, &token.account.name);
    User { uid: token.uid.clone(), extra, ..user }
}

/// What a token says of itself.
fn claims(token: &Token, id: Option<&str>, clock: &Clock) -> Value {
    let Token { account, uid, bound, audiences, expires } = token;
    let now = clock.shown_now().as_second();
    let mut about = json!({"namespace": account.namespace,
        "serviceaccount": {"name": account.name, "uid": uid}});
    if let Some(bound) = bound {
        about[bound.claim()] = json!({"name": bound.key.name, "uid": bound.uid});
        if let Some((name, uid)) = bound.node.as_ref().filter(|_| id.is_some()) {
            about["node"] = json!({"name": name, "uid": uid});
        }
    }
    let mut claims = json!({"aud": audiences, "iat": now, "iss": ISSUER, "nbf": now, "kubernetes.io": about,
        "sub": User::service_account(&account.namespace, &account.name).name});
    if let Some(expires) = expires {
        claims["exp"] = clock.shown(*expires).as_second().into();
    }
    if let Some(id) = id {
        claims["jti"] = id.into();
    }
    claims
}

#[cfg(test)]
impl Issuer {
    /// How many tokens are kept.
    pub(super) fn len(&self) -> usize {
        self.issued.read().len()
    }
}
