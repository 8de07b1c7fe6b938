//! Limits: so many manifests in a window of lab time, per client address or per user, and beside that so many requests
//! of whatever kind per address. The numbers, and the words that went with them, are data (`data/limits.json`): they have
//! changed more than once in the real world.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::LazyLock,
};

use pulldrill_clock::{SignedDuration, Timestamp};
use serde::Deserialize;

/// A quota's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) limit: u32,
    pub(crate) window_seconds: u32,
}

/// A profile of limits and lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// For clients without a log-in; absent means unlimited.
    #[serde(default)]
    anonymous: Option<Quota>,
    /// For users; absent means unlimited.
    #[serde(default)]
    authenticated: Option<Quota>,
    /// For all requests of an address, whoever makes them and whatever for; absent means unlimited.
    #[serde(default)]
    pub(crate) abuse: Option<Quota>,
    /// What is said to whom nothing is left, in place of the personality's own words.
    #[serde(default)]
    pub(crate) refusal: Option<&'static str>,
    /// What is said to whoever asks too much.
    #[serde(default)]
    pub(crate) abuse_refusal: Option<&'static str>,
    /// How long a token is good.
    pub(crate) token_seconds: u32,
}

/// All profiles, by name.
static PROFILES: LazyLock<BTreeMap<&'static str, Limits>> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/limits.json")).unwrap_or_default());

/// The names of all profiles of limits.
pub fn profiles() -> impl Iterator<Item = &'static str> {
    PROFILES.keys().copied()
}

/// The profile of that name, or the names that there are.
pub(crate) fn profile(name: &str) -> Result<Limits, String> {
    let names = || profiles().collect::<Vec<_>>().join(", ");
    PROFILES.get(name).copied().ok_or_else(names)
}

/// Whose quota it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Payer {
    Address(IpAddr),
    User(String),
}

impl Payer {
    /// The user, or else the client's address; of an IPv6 address only the network counts.
    pub(crate) fn new(user: Option<&str>, address: IpAddr) -> Self {
        match (user, address) {
            (Some(user), _) => Self::User(user.to_owned()),
            (None, IpAddr::V6(v6)) => {
                Self::Address(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))))
            }
            (None, v4) => Self::Address(v4),
        }
    }
}

/// How a payer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) quota: Quota,
    pub(crate) remaining: u32,
}

/// How many there are before those that are over are forgotten.
const MANY: usize = 1024;

/// Windows of one kind, which begin with the first of what is counted.
#[derive(Debug, Default)]
struct Windows {
    open: HashMap<Payer, (Timestamp, u32)>,
    sweep_at: usize,
}

impl Windows {
    /// How much of it is used, and how long the window still is.
    fn used(&self, quota: Quota, payer: &Payer, now: Timestamp) -> (u32, SignedDuration) {
        let length = SignedDuration::from_secs(quota.window_seconds.into());
        let open = self.open.get(payer).map(|(start, used)| (*used, length - now.duration_since(*start)));
        open.filter(|(_, left)| left.is_positive()).unwrap_or((0, length))
    }

    fn count(&mut self, quota: Quota, payer: Payer, now: Timestamp) {
        let length = SignedDuration::from_secs(quota.window_seconds.into());
        let is_over = |start: Timestamp| now.duration_since(start) >= length;
        if self.open.len() >= self.sweep_at.max(MANY) {
            self.open.retain(|_, (start, _)| !is_over(*start));
            self.sweep_at = self.open.len() * 2;
        }
        let (start, used) = self.open.entry(payer).or_insert((now, 0));
        if is_over(*start) {
            (*start, *used) = (now, 0);
        }
        *used = used.saturating_add(1);
    }
}

/// What has been used of one host's quotas.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    anonymous: Windows,
    authenticated: Windows,
    requests: Windows,
    exhausted: BTreeSet<Payer>,
}

impl Usage {
    /// Declares a payer's quota used up by others, for good.
    pub(crate) fn exhaust(&mut self, payer: Payer) {
        self.exhausted.insert(payer);
    }

    fn kind(&mut self, limits: &Limits, payer: &Payer) -> Option<(Quota, &mut Windows)> {
        match payer {
            Payer::Address(_) => limits.anonymous.map(|quota| (quota, &mut self.anonymous)),
            Payer::User(_) => limits.authenticated.map(|quota| (quota, &mut self.authenticated)),
        }
    }

    /// How a payer stands now; nothing when it is not limited.
    pub(crate) fn standing(&mut self, limits: &Limits, payer: &Payer, now: Timestamp) -> Option<Standing> {
        let is_exhausted = self.exhausted.contains(payer);
        let (quota, windows) = self.kind(limits, payer)?;
        let (used, _) = windows.used(quota, payer, now);
        let remaining = if is_exhausted { 0 } else { quota.limit.saturating_sub(used) };
        Some(Standing { quota, remaining })
    }

    /// Counts one pull.
    pub(crate) fn count(&mut self, limits: &Limits, payer: Payer, now: Timestamp) {
        if let Some((quota, windows)) = self.kind(limits, &payer) {
            windows.count(quota, payer, now);
        }
    }

    /// Counts one request of an address. When it was one too many: after how many seconds there may be another.
    pub(crate) fn request(&mut self, limits: &Limits, address: IpAddr, now: Timestamp) -> Option<i64> {
        let quota = limits.abuse?;
        let payer = Payer::new(None, address);
        let (used, left) = self.requests.used(quota, &payer, now);
        if used >= quota.limit {
            return Some(left.as_secs() + i64::from(left.subsec_nanos() > 0));
        }
        self.requests.count(quota, payer, now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_of_the_data_file_can_be_read() {
        assert!(PROFILES.len() >= 4, "the data file is broken");
        let hub = profile("docker-hub").unwrap();
        assert_eq!(hub.anonymous, Some(Quota { limit: 100, window_seconds: 21_600 }));
        assert!(profile("nonsense").unwrap_err().contains("docker-hub"));
    }

    #[test]
    fn a_window_opens_with_the_first_pull_and_ends_on_time() {
        let limits = profile("docker-hub").unwrap();
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let payer = Payer::new(None, [192, 0, 2, 1].into());
        let mut usage = Usage::default();
        for n in 0..100 {
            assert_eq!(usage.standing(&limits, &payer, start).unwrap().remaining, 100 - n);
            usage.count(&limits, payer.clone(), start);
        }
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        assert_eq!(usage.standing(&limits, &payer, at(21_599)).unwrap().remaining, 0);
        let other = Payer::new(None, [192, 0, 2, 2].into());
        assert_eq!(usage.standing(&limits, &other, at(21_599)).unwrap().remaining, 100);
        assert_eq!(usage.standing(&limits, &payer, at(21_600)).unwrap().remaining, 100);
        usage.exhaust(payer.clone());
        assert_eq!(usage.standing(&limits, &payer, at(999_999)).unwrap().remaining, 0);
    }

    #[test]
    fn the_quota_of_users_has_windows_of_its_own() {
        let limits = profile("docker-hub-2020-paid").unwrap();
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let (user, address) = (Payer::User("a".into()), Payer::new(None, [192, 0, 2, 1].into()));
        let mut usage = Usage::default();
        usage.count(&limits, user.clone(), start);
        usage.count(&limits, address.clone(), start);
        let later = start + SignedDuration::from_secs(21_600);
        assert_eq!(usage.standing(&limits, &address, later).unwrap().remaining, 100);
        assert_eq!(usage.standing(&limits, &user, later).unwrap().remaining, 4_999);
        let unlimited = profile("docker-hub-paid").unwrap();
        assert_eq!(usage.standing(&unlimited, &user, later), None);
    }

    #[test]
    fn who_asks_too_much_is_told_when_to_ask_again() {
        let limits = profile("docker-hub").unwrap();
        let most = limits.abuse.unwrap().limit;
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        let mut usage = Usage::default();
        let here = [192, 0, 2, 1].into();
        for _ in 0..most {
            assert_eq!(usage.request(&limits, here, start), None);
        }
        assert_eq!(usage.request(&limits, here, at(500)), Some(60));
        assert_eq!(usage.request(&limits, here, at(59_999)), Some(1));
        assert_eq!(usage.request(&limits, [192, 0, 2, 2].into(), at(59_999)), None);
        assert_eq!(usage.request(&limits, here, at(60_000)), None, "a refusal opens no window");
        assert_eq!(usage.request(&profile("unlimited").unwrap(), here, start), None);
    }

    #[test]
    fn windows_that_are_over_are_forgotten() {
        let quota = Quota { limit: 1, window_seconds: 60 };
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut windows = Windows::default();
        for n in 0..100_000_u32 {
            let now = start + SignedDuration::from_secs(n.into());
            windows.count(quota, Payer::Address(std::net::Ipv4Addr::from_bits(n).into()), now);
        }
        assert!(windows.open.len() <= MANY, "{}", windows.open.len());
    }

    #[test]
    fn neighbours_in_an_ipv6_network_share_and_users_do_not() {
        let of = |text: &str| Payer::new(None, text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(Payer::new(Some("a"), [1, 1, 1, 1].into()), Payer::new(Some("b"), [1, 1, 1, 1].into()));
    }
}
