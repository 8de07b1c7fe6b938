//! Robot accounts: names, secrets, what they may do and until when.

use pulldrill_clock::{Timestamp, secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::credentials::same;

/// What the user name of every robot begins with. It can be changed in a Harbor's configuration, not here.
pub(crate) const PREFIX: &str = "robot$";
/// A robot for anything, and one of a project.
pub(crate) const SYSTEM: &str = "system";
pub(crate) const PROJECT: &str = "project";
/// Every project, as the namespace of a permission.
pub(crate) const EVERY: &str = "*";
/// How many days a robot lives when nothing is said (`robot_token_duration`).
const DAYS: i64 = 30;
/// How many letters of a secret are made.
const LETTERS: usize = 32;
const LETTER: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A robot account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Robot {
    pub(crate) id: i64,
    /// As it logs in: `robot$NAME` or `robot$PROJECT+NAME`.
    pub(crate) name: String,
    pub(crate) description: String,
    /// The project that it belongs to; 0 for one of the system.
    pub(crate) project: i64,
    pub(crate) disabled: bool,
    /// In days, -1 for ever.
    pub(crate) days: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// What it may do; without a word, what the repositories let somebody of its name do.
    pub(crate) permissions: Option<Vec<Permission>>,
    /// Its secret; without one, the password of the account of its name.
    pub(crate) secret: Option<Secret>,
}

/// What a robot may do somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Permission {
    /// `project` or `system`.
    pub(crate) kind: String,
    /// A project's name, `*`, or `/` for the system.
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) access: Vec<Allowed>,
}

/// One thing that it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) resource: String,
    pub(crate) action: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) effect: String,
}

impl Allowed {
    pub(crate) fn new(resource: &str, action: &str) -> Self {
        Self { resource: resource.to_owned(), action: action.to_owned(), effect: String::new() }
    }
}

impl Robot {
    /// When it ends, if ever.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        let days = (self.days >= 0).then(|| super::days(self.days))?;
        Some(self.created_at.checked_add(days).unwrap_or(Timestamp::MAX))
    }

    /// Whether it may log in.
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        !self.disabled && self.ends_at().is_none_or(|end| now < end)
    }

    /// `project` or `system`.
    pub(crate) fn level(&self) -> &'static str {
        if self.project == 0 { SYSTEM } else { PROJECT }
    }

    /// Whether its own permissions let it do that in a project, or in the system (`None`); nothing when it has none.
    pub(crate) fn may(&self, project: Option<&str>, resource: &str, action: &str) -> Option<bool> {
        let there = |permission: &&Permission| match (permission.kind.as_str(), project) {
            (SYSTEM, None) => true,
            (PROJECT, Some(project)) => permission.namespace == EVERY || permission.namespace == project,
            _ => false,
        };
        let fits = |one: &Allowed| {
            (one.resource == resource || one.resource == EVERY)
                && (one.action == action || one.action == EVERY)
                && one.effect != "deny"
        };
        let permissions = self.permissions.as_ref()?;
        Some(permissions.iter().filter(there).any(|permission| permission.access.iter().any(fits)))
    }
}

/// Whether somebody of that name is a robot.
pub(crate) fn is_robot(username: &str) -> bool {
    username.starts_with(PREFIX)
}

/// The days that a robot lives for whom so many are asked.
pub(crate) fn days(asked: i64) -> i64 {
    if asked == 0 { DAYS } else { asked }
}

/// A secret that cannot be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    salt: String,
    digest: String,
}

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        let salt = secret::token();
        Self { digest: digest(&salt, text), salt }
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        same(&self.digest, &digest(&self.salt, text))
    }
}

fn digest(salt: &str, text: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(text).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a secret that somebody has chosen is good enough.
pub(crate) fn is_good(text: &str) -> bool {
    let has = |what: fn(&u8) -> bool| text.as_bytes().iter().any(what);
    (8..=128).contains(&text.len())
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

/// A secret nobody can guess, of letters and digits.
pub(crate) fn fresh_secret() -> String {
    loop {
        let random = secret::token() + &secret::token();
        let bytes = random.as_bytes().chunks(4).filter_map(|four| {
            let four = std::str::from_utf8(four).ok()?;
            usize::from_str_radix(four, 16).ok()
        });
        let letters = bytes.filter_map(|number| LETTER.get(number % LETTER.len()));
        let text: String = letters.take(LETTERS).map(|letter| char::from(*letter)).collect();
        if is_good(&text) {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::SignedDuration;

    use super::*;

    #[test]
    fn secrets_are_good_and_told_from_others() {
        let text = fresh_secret();
        assert_eq!(text.len(), LETTERS);
        assert_ne!(text, fresh_secret());
        let secret = Secret::new(&text);
        assert!(secret.is(&text) && !secret.is("") && !secret.is(&text[1..]));
        assert!(!serde_json::to_string(&secret).unwrap().contains(&text));
        for bad in ["", "Aa345", "aaaaaaa1", "AAAAAAA1", "aaaaAAAA"] {
            assert!(!is_good(bad), "{bad}");
        }
        assert!(!is_good(&"Aa1".repeat(50)));
    }

    #[test]
    fn a_robot_may_do_what_it_is_allowed_where_it_is_allowed() {
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let permission = |kind: &str, namespace: &str, action: &str| Permission {
            kind: kind.into(),
            namespace: namespace.into(),
            access: vec![Allowed::new("repository", action)],
        };
        let mut robot = Robot {
            id: 1,
            name: "robot$a".into(),
            description: String::new(),
            project: 0,
            disabled: false,
            days: 7,
            created_at: now,
            updated_at: now,
            permissions: None,
            secret: None,
        };
        assert_eq!(robot.may(Some("team"), "repository", "pull"), None);
        robot.permissions = Some(vec![permission(PROJECT, "team", "pull"), permission(SYSTEM, "/", "read")]);
        assert_eq!(robot.may(Some("team"), "repository", "pull"), Some(true));
        for (project, resource, action) in [
            (Some("other"), "repository", "pull"),
            (Some("team"), "repository", "push"),
            (Some("team"), "artifact", "pull"),
            (None, "repository", "pull"),
        ] {
            assert_eq!(robot.may(project, resource, action), Some(false), "{project:?} {resource} {action}");
        }
        assert_eq!(robot.may(None, "repository", "read"), Some(true));
        robot.permissions = Some(vec![permission(PROJECT, EVERY, "pull")]);
        assert_eq!(robot.may(Some("other"), "repository", "pull"), Some(true));
        let day = |days: i64| now + SignedDuration::from_hours(24 * days);
        assert!(robot.is_active(day(6)) && !robot.is_active(day(7)));
        robot.days = -1;
        assert!(robot.is_active(day(70_000)));
        robot.disabled = true;
        assert!(!robot.is_active(now));
        robot.days = i64::MAX;
        assert_eq!(robot.ends_at(), Some(Timestamp::MAX));
    }
}
