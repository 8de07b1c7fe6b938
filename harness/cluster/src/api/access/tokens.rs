//! Bearer tokens: opaque, kept as digests.

use std::collections::HashMap;

use parking_lot::RwLock;
use pulldrill_clock::{Timestamp, secret};
use sha2::{Digest, Sha256};

use crate::api::User;

/// The tokens that were issued. Looking one up by its digest takes no time that depends on the token's text.
#[derive(Debug, Default)]
pub(super) struct Tokens(RwLock<HashMap<[u8; 32], (User, Timestamp)>>);

impl Tokens {
    /// Makes a token.
    pub(super) fn issue(&self, user: User, expires: Timestamp) -> String {
        let token = secret::token();
        self.0.write().insert(digest(&token), (user, expires));
        token
    }

    /// Whose token this is, if it is still good.
    pub(super) fn user(&self, token: &str, now: Timestamp) -> Option<User> {
        let tokens = self.0.read();
        let (user, expires) = tokens.get(&digest(token))?;
        (now < *expires).then(|| user.clone())
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
