//! Bearer tokens of the caller's own choice, good for ever: what an API server reads from its `--token-auth-file`.

use std::collections::HashMap;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use crate::api::User;

/// The tokens, by their digests: looking one up takes no time that depends on its text.
#[derive(Debug, Default)]
pub(super) struct FixedTokens(RwLock<HashMap<[u8; 32], User>>);

impl FixedTokens {
    /// Takes a token for a user.
    pub(super) fn accept(&self, token: &str, user: User) {
        self.0.write().insert(digest(token), user);
    }

    /// Whose token this is.
    pub(super) fn user(&self, token: &str) -> Option<User> {
        self.0.read().get(&digest(token)).cloned()
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
