//! Personal access tokens, as Docker Hub gives them out: used as a password, good for less than one, and perhaps not for
//! ever. Their scopes have the names of Docker Hub's API. They are no bearer tokens, which `credentials` has.

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::credentials::same;

/// A personal access token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PersonalToken {
    /// Whose it is; of an organisation's token, the organisation.
    pub username: String,
    /// What is used as the password (`dckr_pat_…`).
    pub token: String,
    /// What it is good for.
    #[serde(default)]
    pub scope: TokenScope,
    /// Until when, in lab time; for ever without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for PersonalToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalToken")
            .field("username", &self.username)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl PersonalToken {
    /// Whether these are it, expired or not.
    pub(crate) fn is(&self, username: &str, password: &str) -> bool {
        self.username == username && same(&self.token, password)
    }

    /// Whether it is good no more.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What a personal access token is good for, if its owner may do it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenScope {
    /// Everything.
    #[default]
    #[serde(rename = "repo:admin")]
    Admin,
    /// Pulling and pushing.
    #[serde(rename = "repo:write")]
    Write,
    /// Pulling.
    #[serde(rename = "repo:read")]
    Read,
    /// Pulling what everybody may pull.
    #[serde(rename = "repo:public_read")]
    PublicRead,
}

impl TokenScope {
    /// Whether a token with this scope is good for an action.
    pub(crate) fn covers(self, action: &str) -> bool {
        match self {
            Self::Admin => true,
            Self::Write => matches!(action, "pull" | "push"),
            Self::Read | Self::PublicRead => action == "pull",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_covers_less_than_the_one_before() {
        let covered = |scope: TokenScope| ["pull", "push", "delete"].map(|action| scope.covers(action));
        assert_eq!(covered(TokenScope::Admin), [true, true, true]);
        assert_eq!(covered(TokenScope::Write), [true, true, false]);
        assert_eq!(covered(TokenScope::Read), [true, false, false]);
        assert_eq!(covered(TokenScope::PublicRead), [true, false, false]);
    }

    #[test]
    fn a_token_is_never_shown() {
        let text = r#"{"username":"dev","token":"dckr_pat_secret","scope":"repo:read"}"#;
        let token: PersonalToken = serde_json::from_str(text).unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(serde_json::to_string(&token).unwrap(), text);
        assert!(token.is("dev", "dckr_pat_secret") && !token.is("ops", "dckr_pat_secret"));
        assert!(!token.has_expired(Timestamp::MAX));
    }
}
