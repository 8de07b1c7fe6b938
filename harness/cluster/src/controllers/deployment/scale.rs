//! Changing the sizes of ReplicaSets, and what a changed number of replicas means in mid-rollout.

use serde_json::Value;

use super::{DESIRED, MAXIMUM, Rollout, desired, rolling::Limits};
use crate::{
    api::Status,
    controllers::{
        json::int,
        meta::{annotate, annotation, name},
        replicaset,
        wording::fill,
    },
    store::Key,
};

impl Rollout<'_> {
    /// Whether `spec.replicas` has changed since the sizes were last decided.
    pub(super) fn size_changed(&self) -> bool {
        let replicas = self.replicas().to_string();
        self.sets.iter().any(|set| {
            let known = annotation(set, DESIRED);
            desired(set) > 0 && !known.is_empty() && known != replicas
        })
    }

    /// Gives a ReplicaSet a size. True when it had another one.
    pub(super) fn set_size(&mut self, index: usize, size: i64) -> Result<bool, Status> {
        let limits = Limits::of(&self.deployment);
        let (wanted, most) = (limits.replicas.to_string(), (limits.replicas + limits.surge).to_string());
        let before = desired(&self.sets[index]);
        let written = self.deps.edit(replicaset::RESOURCE, &Key::of(&self.sets[index]), |set| {
            set["spec"]["replicas"] = size.into();
            annotate(set, DESIRED, &wanted);
            annotate(set, MAXIMUM, &most);
        })?;
        self.replace(index, &written);
        if before != size {
            let name = name(written.value()).to_owned();
            self.tell_scaled(&name, before, size);
        }
        Ok(before != size)
    }

    pub(super) fn tell_scaled(&self, set: &str, old: i64, new: i64) {
        let direction = if old < new { "up" } else { "down" };
        let (old, new) = (old.to_string(), new.to_string());
        let values = [("direction", direction), ("name", set), ("old", &old), ("new", &new)];
        self.deps.normal(&self.deployment, "ScalingReplicaSet", &fill(self.deps.wording.scaled, &values));
    }

    /// A look at a Deployment that is paused or whose `spec.replicas` has changed: sizes only.
    pub(super) fn resize(&mut self) -> Result<(), Status> {
        let new = self.settle_revisions(false)?;
        self.spread_size(new)?;
        if let Some(new) = new
            && self.paused()
        {
            self.forget_old_revisions(new)?;
        }
        self.write_counters()
    }

    fn spread_size(&mut self, new: Option<usize>) -> Result<(), Status> {
        let replicas = self.replicas();
        let active: Vec<usize> = (0..self.sets.len()).filter(|i| desired(&self.sets[*i]) > 0).collect();
        let only = match active.as_slice() {
            [] => new.or_else(|| self.sets.len().checked_sub(1)),
            [one] => Some(*one),
            _ => None,
        };
        if let Some(only) = only {
            if desired(&self.sets[only]) != replicas {
                self.set_size(only, replicas)?;
            }
            return Ok(());
        }
        if let Some(new) = new
            && self.saturated(new)
        {
            for index in active.into_iter().filter(|index| *index != new) {
                self.set_size(index, 0)?;
            }
            return Ok(());
        }
        if !active.is_empty() && !super::recreates(&self.deployment) {
            self.spread_proportionally(active)?;
        }
        Ok(())
    }

    fn saturated(&self, index: usize) -> bool {
        let (set, replicas) = (&self.sets[index], self.replicas());
        desired(set) == replicas
            && annotation(set, DESIRED) == replicas.to_string()
            && super::available(set) == replicas
    }

    /// In mid-rollout every ReplicaSet takes its share of the change, so that a broken one does not get all.
    fn spread_proportionally(&mut self, mut active: Vec<usize>) -> Result<(), Status> {
        let limits = Limits::of(&self.deployment);
        let most = if limits.replicas > 0 { limits.replicas + limits.surge } else { 0 };
        let to_add = most - active.iter().map(|i| desired(&self.sets[*i])).sum::<i64>();
        // The largest first; among equals the newer one gains first and the older one loses first.
        active.sort_by_key(|i| {
            let order = i64::try_from(*i).unwrap_or(i64::MAX);
            (-desired(&self.sets[*i]), if to_add > 0 { -order } else { order })
        });
        let mut added = 0;
        let mut sizes: Vec<i64> = active
            .iter()
            .map(|i| {
                let set = &self.sets[*i];
                let left = to_add - added;
                let share = share(set, &limits, int(&self.deployment["status"]["replicas"]));
                let share = if to_add > 0 { share.min(left) } else { share.max(left) };
                let share = if to_add == 0 { 0 } else { share };
                added += share;
                desired(set) + share
            })
            .collect();
        if let Some(first) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (index, size) in active.into_iter().zip(sizes) {
            self.set_size(index, size)?;
        }
        Ok(())
    }
}

/// What a ReplicaSet would gain or lose if all kept their proportions.
fn share(set: &Value, limits: &Limits, replicas_now: i64) -> i64 {
    if limits.replicas == 0 {
        return -desired(set);
    }
    let before = annotation(set, MAXIMUM).parse().unwrap_or(replicas_now);
    if before <= 0 {
        return 0;
    }
    let scaled = desired(set) * (limits.replicas + limits.surge);
    (2 * scaled + before) / (2 * before) - desired(set)
}
