//! Pull quotas: so many manifests in a window of lab time, per client address or per user. The numbers are
//! data (`data/limits.json`): they have changed more than once in the real world.

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
    /// How long a token is good.
    pub(crate) token_seconds: u32,
}

/// All profiles, by name.
static PROFILES: LazyLock<BTreeMap<String, Limits>> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/limits.json")).unwrap_or_default());

/// The profile of that name, or the names that there are.
pub(crate) fn profile(name: &str) -> Result<Limits, String> {
    let names = || PROFILES.keys().cloned().collect::<Vec<_>>().join(", ");
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

/// What has been used of one host's quotas.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    windows: HashMap<Payer, (Timestamp, u32)>,
    exhausted: BTreeSet<Payer>,
}

impl Usage {
    /// Declares a payer's quota used up by others, for good.
    pub(crate) fn exhaust(&mut self, payer: Payer) {
        self.exhausted.insert(payer);
    }

    /// How a payer stands now; nothing when it is not limited.
    pub(crate) fn standing(&mut self, limits: &Limits, payer: &Payer, now: Timestamp) -> Option<Standing> {
        let quota = match payer {
            Payer::Address(_) => limits.anonymous?,
            Payer::User(_) => limits.authenticated?,
        };
        let window = SignedDuration::from_secs(quota.window_seconds.into());
        self.windows.retain(|_, (start, _)| now.duration_since(*start) < window);
        let used = self.windows.get(payer).map_or(0, |(_, used)| *used);
        let remaining = if self.exhausted.contains(payer) { 0 } else { quota.limit.saturating_sub(used) };
        Some(Standing { quota, remaining })
    }

    /// Counts one pull.
    pub(crate) fn count(&mut self, payer: Payer, now: Timestamp) {
        self.windows.entry(payer).or_insert((now, 0)).1 += 1;
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
            usage.count(payer.clone(), start);
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
    fn neighbours_in_an_ipv6_network_share_and_users_do_not() {
        let of = |text: &str| Payer::new(None, text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(Payer::new(Some("a"), [1, 1, 1, 1].into()), Payer::new(Some("b"), [1, 1, 1, 1].into()));
    }
}
