//! Tokens that a host has issued, and comparing secrets. A token is a random text that means something only
//! here, with an end in lab time.

use std::collections::{HashMap, VecDeque};

use pulldrill_clock::Timestamp;

/// How many tokens a host remembers.
const MOST: usize = 20_000;

/// The right to do something with a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) repository: String,
    pub(crate) actions: Vec<String>,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) user: Option<String>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) expires_at: Timestamp,
    /// Good only for getting other tokens.
    pub(crate) refresh: bool,
}

/// A host's tokens. Expired ones are remembered for a while, because some hosts tell them from wrong ones.
#[derive(Default)]
pub(crate) struct Tokens {
    by_text: HashMap<String, Token>,
    order: VecDeque<String>,
}

impl Tokens {
    /// Remembers a token.
    pub(crate) fn insert(&mut self, text: String, token: Token) {
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_text.remove(&oldest);
        }
        self.order.push_back(text.clone());
        self.by_text.insert(text, token);
    }

    /// What a text stands for, expired or not.
    pub(crate) fn get(&self, text: &str) -> Option<&Token> {
        self.by_text.get(text)
    }
}

/// Compares secrets in a time that does not depend on where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
