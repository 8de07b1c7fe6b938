//! One step of a rollout.

use super::{
    Rollout, available, desired,
    rolling::{Limits, Size},
};
use crate::{
    api::Status,
    controllers::{json::int, meta::uid, pods},
};

impl Rollout<'_> {
    /// Moves the Deployment one step towards its present template.
    pub(super) fn advance(&mut self) -> Result<(), Status> {
        if super::recreates(&self.deployment) { self.recreate() } else { self.roll() }
    }

    fn roll(&mut self) -> Result<(), Status> {
        let Some(new) = self.settle_revisions(true)? else { return Ok(()) };
        let moved = self.grow_new(new)? || self.shrink_old(new)?;
        if !moved && self.complete(&self.deployment["status"]) {
            self.forget_old_revisions(new)?;
        }
        self.write_rollout_status(Some(new))
    }

    fn grow_new(&mut self, new: usize) -> Result<bool, Status> {
        let (size, replicas) = (desired(&self.sets[new]), self.replicas());
        let wanted = if size > replicas {
            replicas
        } else {
            Limits::of(&self.deployment).grow(size, self.sum(desired))
        };
        if wanted == size { Ok(false) } else { self.set_size(new, wanted) }
    }

    fn shrink_old(&mut self, new: usize) -> Result<bool, Status> {
        let size = |index: usize| Size {
            desired: desired(&self.sets[index]),
            available: available(&self.sets[index]),
        };
        let old: Vec<usize> = (0..self.sets.len()).filter(|index| *index != new).collect();
        let sizes: Vec<Size> = old.iter().map(|index| size(*index)).collect();
        let Some(cuts) = Limits::of(&self.deployment).shrink(size(new), &sizes) else { return Ok(false) };
        let mut moved = false;
        for ((index, size), cut) in old.into_iter().zip(sizes).zip(cuts) {
            if cut > 0 {
                moved |= self.set_size(index, size.desired - cut)?;
            }
        }
        Ok(moved)
    }

    /// All old pods go first, then the new ones come: an outage, as asked for.
    fn recreate(&mut self) -> Result<(), Status> {
        let new = self.settle_revisions(false)?;
        let mut moved = false;
        for index in (0..self.sets.len()).filter(|index| Some(*index) != new) {
            if desired(&self.sets[index]) > 0 {
                moved |= self.set_size(index, 0)?;
            }
        }
        if moved || self.old_pods_left(new) {
            return self.write_rollout_status(new);
        }
        let Some(new) = self.settle_revisions(true)? else { return Ok(()) };
        if desired(&self.sets[new]) != self.replicas() {
            self.set_size(new, self.replicas())?;
        }
        if self.complete(&self.deployment["status"]) {
            self.forget_old_revisions(new)?;
        }
        self.write_rollout_status(Some(new))
    }

    fn old_pods_left(&self, new: Option<usize>) -> bool {
        self.sets.iter().enumerate().filter(|(index, _)| Some(*index) != new).any(|(_, set)| {
            int(&set["status"]["replicas"]) > 0
                || self.pods.of(self.deps, uid(set)).iter().any(|pod| !pods::ended(pod.value()))
        })
    }
}
