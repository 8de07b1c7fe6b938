//! One registry host: its state, and the questions that both its listeners and its owner ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use pulldrill_clock::{Clock, SignedDuration, Timestamp, secret};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    HostSpec, PersonalToken, RegistryError, TokenInfo,
    credentials::{Grant, Token, Tokens, same},
    failure::{Failure, Kind},
    fault::Faults,
    harbor::Harbor,
    personality::{Door, Personality, Scheme, Unlisted},
    quota::{self, Limits, Payer, Usage},
    repository::Place,
    spec::{Access, AccessKey, Account, RepositorySpec},
    store::Store,
    unfinished::Unfinished,
    upstream::Upstream,
};

/// The only user name that tokens issued as passwords go with.
pub(crate) const ISSUED_USER: &str = "AWS";

/// One host.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) personality: &'static Personality,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) access_keys: Vec<AccessKey>,
    /// The separate host of its tokens.
    pub(crate) token_name: Option<String>,
    pub(crate) address: SocketAddr,
    pub(crate) token_address: Option<SocketAddr>,
    /// The same as the owner reaches them, which may be by other ports.
    pub(crate) local: RwLock<(SocketAddr, Option<SocketAddr>)>,
    pub(crate) limits: Limits,
    pub(crate) accounts: RwLock<Vec<Account>>,
    pub(crate) personal_tokens: Vec<PersonalToken>,
    pub(crate) repositories: RwLock<BTreeMap<String, Place>>,
    pub(crate) unfinished: Unfinished,
    pub(crate) store: Store,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) usage: Mutex<Usage>,
    pub(crate) faults: Faults,
    /// The real registry that it stands in front of.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// What it knows beside its images, where it is a Harbor.
    pub(crate) harbor: Option<Harbor>,
    /// Tags that were there once, with their repositories, where that is remembered.
    pub(crate) expired: Mutex<BTreeSet<(String, String)>>,
    /// Whether it was told where to listen, so that its clients come by whatever address of this machine.
    pub(crate) listens: bool,
    /// Addresses of their own that the host and its token host have been given, by name.
    pub(crate) own: Vec<(String, Ipv4Addr)>,
    pub(crate) stop: CancellationToken,
    /// Its open sockets.
    pub(crate) listening: TaskTracker,
}

impl Host {
    pub(crate) fn new(
        spec: HostSpec,
        (address, token_address): (SocketAddr, Option<SocketAddr>),
        faults: Faults,
        clock: &Clock,
        store: Store,
        stop: CancellationToken,
    ) -> Result<Self, RegistryError> {
        let personality = personality(&spec)?;
        if !(spec.personal_tokens.is_empty() || takes_personal_tokens(personality)) {
            return Err(RegistryError::NoPersonalTokens(spec.name));
        }
        let profile = spec.limits.as_deref().unwrap_or(personality.limits);
        let mut limits = quota::profile(profile)
            .map_err(|known| RegistryError::NoLimits { name: profile.to_owned(), known })?;
        limits.token_seconds = spec.token_lifetime_seconds.unwrap_or(limits.token_seconds);
        let (account, region) = account_and_region(&spec);
        let own = own_addresses(&spec)?;
        let upstream =
            spec.upstream.as_ref().map(|upstream| Upstream::new(&spec.name, upstream)).transpose()?;
        let now = clock.now();
        let fail = |source| RegistryError::Store { what: "read", host: spec.name.clone(), source };
        let repositories = store.load(&spec.name, now).map_err(fail)?;
        let harbor = match personality.scheme {
            Scheme::Bearer { door: Door::Harbor, .. } => {
                Some(Harbor::open(&store, &spec.name, &spec.administrators, now).map_err(fail)?)
            }
            _ => None,
        };
        let unfinished = Unfinished::of(store.left_behind(&spec.name).map_err(fail)?, now);
        let host = Self {
            personality,
            token_name: token_name(&spec)?,
            account,
            region,
            access_keys: spec.access_keys,
            address,
            token_address,
            local: RwLock::new((address, token_address)),
            limits,
            accounts: RwLock::new(spec.accounts),
            personal_tokens: spec.personal_tokens,
            repositories: RwLock::new(repositories),
            unfinished,
            store,
            tokens: Mutex::default(),
            usage: Mutex::default(),
            faults,
            upstream: upstream.map(Arc::new),
            harbor,
            expired: Mutex::default(),
            listens: spec.listen.is_some(),
            own,
            stop,
            listening: TaskTracker::new(),
            name: spec.name,
        };
        for repository in &spec.repositories {
            host.set_repository(repository, now)?;
        }
        Ok(host)
    }

    /// Makes a repository, or changes who may use it. May block.
    pub(crate) fn set_repository(&self, spec: &RepositorySpec, now: Timestamp) -> Result<(), RegistryError> {
        self.repositories.write().entry(spec.name.clone()).or_insert_with(|| Place::new(spec, now));
        let RepositorySpec { name, pull, push } = spec.clone();
        let changed = self.change(&name, move |repository, _| {
            (repository.pull, repository.push) = (pull, push);
            Ok(())
        });
        changed.map_err(|failure| self.not_kept(&failure))
    }

    /// What the owner is told when something cannot be kept.
    pub(crate) fn not_kept(&self, failure: &Failure) -> RegistryError {
        if failure.kind == Kind::TagImmutable {
            return RegistryError::Immutable(self.name.clone());
        }
        let kind = match failure.kind {
            Kind::TooLarge => std::io::ErrorKind::StorageFull,
            _ => std::io::ErrorKind::Other,
        };
        RegistryError::Store { what: "keep", host: self.name.clone(), source: kind.into() }
    }

    /// Until when these are a known user's: nothing when they are not, no end when they have none.
    pub(crate) fn knows(&self, username: &str, password: &str, now: Timestamp) -> Option<Option<Timestamp>> {
        let mut until = None;
        if let Some(harbor) = &self.harbor
            && let Some(robot) = harbor.data.read().find_robot(username)
        {
            if !robot.is_active(now) {
                return None;
            }
            until = robot.ends_at();
            if let Some(secret) = &robot.secret {
                return secret.is(password).then_some(until);
            }
        }
        let accounts = self.accounts.read();
        let mut known = false;
        for account in accounts.iter() {
            known |= account.username == username && same(&account.password, password);
        }
        known.then_some(until)
    }

    /// The personal access token that these are, expired or not.
    pub(crate) fn personal_token(&self, username: &str, password: &str) -> Option<&PersonalToken> {
        let mut found = None;
        for token in &self.personal_tokens {
            found = if token.is(username, password) { Some(token) } else { found };
        }
        found
    }

    /// Whether this user may do this to that repository, there or not.
    pub(crate) fn may(&self, user: Option<&str>, action: &str, repository: &str) -> bool {
        if let (Some(harbor), None) = (&self.harbor, &self.upstream) {
            return harbor.may(self, user, action, repository);
        }
        if let Some(repository) = self.repositories.read().get(repository) {
            return repository.access(action).allows(user);
        }
        if self.upstream.is_some() {
            // What there is, the upstream knows; who may ask for it is known here.
            let public = matches!(self.personality.scheme, Scheme::Bearer { door: Door::Hub, .. });
            return if action == "pull" && public { true } else { self.outsiders().allows(user) };
        }
        match self.personality.unlisted {
            Unlisted::Open => self.outsiders().allows(user),
            Unlisted::HiddenFromStrangers if action == "pull" => user.is_some(),
            Unlisted::Hidden | Unlisted::HiddenFromStrangers => {
                let own = repository.split_once('/').map(|(namespace, _)| namespace);
                user.is_some() && own == user
            }
        }
    }

    /// Whether a rule of its project keeps a tag as it is.
    pub(crate) fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        self.harbor.as_ref().is_some_and(|harbor| harbor.data.read().is_immutable(repository, tag))
    }

    /// Who may use what nobody has set up.
    fn outsiders(&self) -> Access {
        let closed = self.personality.always_challenges || !self.accounts.read().is_empty();
        if closed { Access::Authenticated } else { Access::Anonymous }
    }

    /// Makes a repository because somebody pushes to it. False when this host does not do that.
    pub(crate) fn ensure_repository(&self, name: &str, user: Option<&str>, now: Timestamp) -> bool {
        if self.repositories.read().contains_key(name) {
            return true;
        }
        if !self.personality.creates_on_push {
            return false;
        }
        let spec = match &self.harbor {
            Some(harbor) => harbor.beginning(self, name, user),
            None => {
                let push = user.map_or(Access::Anonymous, |user| Access::Users(vec![user.to_owned()]));
                RepositorySpec { name: name.to_owned(), pull: self.outsiders(), push }
            }
        };
        self.repositories.write().entry(name.to_owned()).or_insert_with(|| Place::new(&spec, now));
        true
    }

    /// Whose quota a request is on.
    pub(crate) fn payer(&self, user: Option<&str>, address: std::net::IpAddr) -> Payer {
        Payer::new(user, address)
    }

    /// Issues a bearer token that is good for so many seconds; gives its text.
    pub(crate) fn grant(
        &self,
        user: Option<&str>,
        grants: Vec<Grant>,
        refresh: bool,
        (now, seconds): (Timestamp, u32),
    ) -> String {
        let seconds = if refresh { 365 * 24 * 3600 } else { seconds };
        let expires_at = after(now, seconds);
        let text = secret::token();
        let token = Token { user: user.map(str::to_owned), grants, expires_at, refresh };
        self.tokens.lock().insert(text.clone(), token);
        text
    }

    /// Issues a token that is used as a password.
    pub(crate) fn issue(&self, now: Timestamp) -> Result<TokenInfo, RegistryError> {
        if self.personality.scheme != Scheme::IssuedPassword {
            return Err(RegistryError::NoTokens(self.name.clone()));
        }
        let life = (now, self.limits.token_seconds);
        let password = self.grant(Some(ISSUED_USER), Vec::new(), false, life);
        let expires_at = after(now, self.limits.token_seconds);
        Ok(TokenInfo { username: ISSUED_USER.to_owned(), password, expires_at })
    }

    /// Until when a user name and password are good: nothing when they are not, no end when they have none.
    pub(crate) fn credentials(
        &self,
        username: &str,
        password: &str,
        now: Timestamp,
    ) -> Option<Option<Timestamp>> {
        if let Some(until) = self.knows(username, password, now) {
            return Some(until);
        }
        if let Some(token) = self.personal_token(username, password) {
            return (!token.has_expired(now)).then_some(token.expires_at);
        }
        let tokens = self.tokens.lock();
        let token = tokens.get(password).filter(|token| token.user.as_deref() == Some(username))?;
        let issued = self.personality.scheme == Scheme::IssuedPassword;
        (issued && now < token.expires_at).then_some(Some(token.expires_at))
    }
}

/// Whether it is one that gives out personal access tokens.
fn takes_personal_tokens(personality: &Personality) -> bool {
    matches!(personality.scheme, Scheme::Bearer { door: Door::Hub, .. })
}

/// So many seconds later, or the end of time.
fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

/// The personality that is asked for.
pub(crate) fn personality(spec: &HostSpec) -> Result<&'static Personality, RegistryError> {
    Personality::named(&spec.personality).ok_or_else(|| RegistryError::NoPersonality {
        name: spec.personality.clone(),
        known: Personality::names(),
    })
}

/// The name of the separate host for tokens, if this personality has one.
pub(crate) fn token_name(spec: &HostSpec) -> Result<Option<String>, RegistryError> {
    let own = match personality(spec)?.scheme {
        Scheme::Bearer { host: Some(host), .. } => host.to_owned(),
        Scheme::IssuedPassword => format!("api.ecr.{}.amazonaws.com", account_and_region(spec).1),
        _ => return Ok(None),
    };
    Ok(Some(spec.auth_host.clone().unwrap_or(own)))
}

/// The addresses that a host and its token host are given, by name.
pub(crate) fn own_addresses(spec: &HostSpec) -> Result<Vec<(String, Ipv4Addr)>, RegistryError> {
    let tokens = token_name(spec)?.zip(spec.auth_address);
    let all = spec.address.map(|address| (spec.name.clone(), address)).into_iter().chain(tokens);
    all.map(|(name, address)| match address {
        IpAddr::V4(v4) => Ok((name, v4)),
        IpAddr::V6(_) => Err(RegistryError::NotIpv4 { host: name, address }),
    })
    .collect()
}

/// The ECR account and region, as said or as the name has them (`ACCOUNT.dkr.ecr.REGION.…`).
fn account_and_region(spec: &HostSpec) -> (String, String) {
    let parts: Vec<&str> = spec.name.split('.').collect();
    let (account, region) = match parts.as_slice() {
        [account, "dkr", "ecr", region, ..] => (*account, *region),
        _ => ("000000000000", "us-east-1"),
    };
    let account = spec.account.clone().unwrap_or_else(|| account.to_owned());
    (account, spec.region.clone().unwrap_or_else(|| region.to_owned()))
}
