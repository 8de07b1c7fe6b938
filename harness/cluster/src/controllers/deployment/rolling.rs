//! The arithmetic of a rolling update. Pure numbers, so that its promises can be tested as such: never
//! more than `replicas + surge` pods are wanted, never fewer than `replicas - unavailable` are kept.

use serde_json::Value;

/// What a Deployment allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The replicas that are wanted in the end.
    pub(super) replicas: i64,
    /// How many more pods there may be on the way.
    pub(super) surge: i64,
    /// How many fewer pods may be available on the way.
    pub(super) unavailable: i64,
}

/// One ReplicaSet in the arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// The pods it should have.
    pub(super) desired: i64,
    /// Those of its pods that are available.
    pub(super) available: i64,
}

impl Limits {
    /// Reads `spec.replicas` and `spec.strategy`, with the API's defaults.
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        if super::recreates(deployment) {
            return Self { replicas, surge: 0, unavailable: 0 };
        }
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        let surge = share(&rolling["maxSurge"], replicas, true);
        let unavailable = share(&rolling["maxUnavailable"], replicas, false);
        // Both 0 would never get anywhere.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { replicas, surge, unavailable: unavailable.min(replicas) }
    }

    /// How many pods must stay available.
    pub(super) fn least_available(&self) -> i64 {
        self.replicas - self.unavailable
    }

    /// How large the new ReplicaSet may be now, given how large it is and how many pods all ReplicaSets
    /// together should have.
    pub(super) fn grow(&self, new: i64, total: i64) -> i64 {
        let room = self.replicas + self.surge - total;
        if room <= 0 { new } else { new + room.min(self.replicas - new) }
    }

    /// By how much each old ReplicaSet (oldest first) shrinks now: first by what is not available anyway,
    /// then by as many available pods as can be spared. `None` when nothing may shrink.
    pub(super) fn shrink(&self, new: Size, old: &[Size]) -> Option<Vec<i64>> {
        let old_total: i64 = old.iter().map(|s| s.desired).sum();
        if old_total == 0 {
            return None;
        }
        let allowed = old_total + new.desired - self.least_available() - (new.desired - new.available);
        if allowed <= 0 {
            return None;
        }
        let mut left = allowed;
        let mut cuts: Vec<i64> = old
            .iter()
            .map(|size| {
                let cut = (size.desired - size.available).clamp(0, left);
                left -= cut;
                cut
            })
            .collect();
        let available = new.available + old.iter().map(|s| s.available).sum::<i64>();
        let mut spare = (available - self.least_available()).max(0);
        for (cut, size) in cuts.iter_mut().zip(old) {
            let more = (size.desired - *cut).min(spare);
            *cut += more;
            spare -= more;
        }
        cuts.iter().any(|cut| *cut > 0).then_some(cuts)
    }
}

/// A number or a percentage of `total`; 25 % when absent.
pub(crate) fn share(value: &Value, total: i64, up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number.max(0);
    }
    let percent = value.as_str().unwrap_or("25%").trim_end_matches('%').parse::<i64>().unwrap_or(0).max(0);
    let scaled = percent.saturating_mul(total);
    if up { scaled.saturating_add(99) / 100 } else { scaled / 100 }
}

#[cfg(test)]
mod tests;
