//! Who is who, and who may what.

mod authorizer;
mod fixed;
mod rbac;
mod tokens;

use http::HeaderMap;
use pulldrill_clock::{Clock, Timestamp};

pub use authorizer::Attributes;
use fixed::FixedTokens;
use tokens::Tokens;

use super::{Status, User};

/// The group that may do everything.
pub(super) const MASTERS: &str = "system:masters";

/// The group of the people who practise.
pub(super) const TRAINEES: &str = "pulldrill:trainees";

/// The authentication and authorization of one cluster.
#[derive(Debug)]
pub struct Access {
    clock: Clock,
    tokens: Tokens,
    fixed: FixedTokens,
}

impl Access {
    /// Nobody has a token yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, tokens: Tokens::default(), fixed: FixedTokens::default() }
    }

    /// Makes a token for a user, good until a lab time.
    pub fn issue(&self, user: User, expires: Timestamp) -> String {
        self.tokens.issue(user, expires)
    }

    /// Takes a token of the caller's own choice for a user, good for ever.
    pub fn accept(&self, token: &str, user: User) {
        self.fixed.accept(token, user);
    }

    /// Who a token belongs to, while it is good.
    pub(super) fn token_user(&self, token: &str, clock: &Clock) -> Option<User> {
        self.fixed.user(token).or_else(|| self.tokens.user(token, clock.now()))
    }

    /// Finds out who makes a request: by certificate, by token, or nobody in particular.
    ///
    /// # Errors
    /// 401 for a bad token, 403 for an impersonation that is not allowed.
    pub(super) fn authenticate(&self, certified: Option<User>, headers: &HeaderMap) -> Result<User, Status> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let bearer = header("authorization").and_then(|v| v.strip_prefix("Bearer "));
        let user = match (certified, bearer) {
            (Some(user), _) => user.authenticated(),
            (None, Some(token)) => {
                self.token_user(token.trim(), &self.clock).ok_or_else(Status::unauthorized)?.authenticated()
            }
            (None, None) => User::anonymous(),
        };
        match header("impersonate-user") {
            None => Ok(user),
            Some(other) if user.is_in(MASTERS) => {
                let groups = headers.get_all("impersonate-group").iter();
                let groups = groups.filter_map(|g| g.to_str().ok()).map(str::to_owned).collect();
                Ok(User { name: other.to_owned(), groups }.authenticated())
            }
            Some(other) => Err(authorizer::forbidden(
                &user,
                &Attributes { verb: "impersonate", resource: "users", name: other, ..Attributes::default() },
            )),
        }
    }
}
