//! Who may inject drills now.
//!
//! Where lab time is moved for an injection, only one can happen at a time. Where time goes by itself, drills
//! don't wait for each other, but none is begun twice at once.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::LabError;

/// The turns of one lab.
#[derive(Debug)]
pub(super) struct Turns {
    room: Semaphore,
    taken: Mutex<BTreeSet<String>>,
}

/// A turn; it ends when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    drill: String,
    _room: SemaphorePermit<'a>,
}

impl Turns {
    /// Turns for one injection at a time, or for many.
    pub(super) fn new(one_at_a_time: bool) -> Self {
        let room = if one_at_a_time { 1 } else { Semaphore::MAX_PERMITS };
        Self { room: Semaphore::new(room), taken: Mutex::default() }
    }

    /// Waits for a turn with a drill, or with what has no drill yet.
    pub(super) async fn take(&self, drill: &str) -> Result<Turn<'_>, LabError> {
        let ended = |_| LabError::part("lab", "it has ended");
        let room = self.room.acquire().await.map_err(ended)?;
        if !self.taken.lock().insert(drill.to_owned()) {
            return Err(LabError::Invalid(format!("{drill} is being started already")));
        }
        Ok(Turn { turns: self, drill: drill.to_owned(), _room: room })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken.lock().remove(&self.drill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drills_wait_for_each_other_only_where_time_is_moved() {
        let many = Turns::new(false);
        let first = many.take("payments").await.unwrap();
        let _second = many.take("video").await.unwrap();
        assert!(many.take("payments").await.is_err());
        drop(first);
        many.take("payments").await.unwrap();
        let one = Turns::new(true);
        let _first = one.take("payments").await.unwrap();
        assert!(one.room.try_acquire().is_err());
    }
}
