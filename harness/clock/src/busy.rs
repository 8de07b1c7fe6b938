//! Tokens that keep the lab clock from jumping.
//!
//! While one [`Busy`] exists, the world is not idle and a stepped clock waits. Whoever starts work that
//! belongs to the present instant takes one first and drops it when the work is done.

use crate::clock::Clock;

/// A claim that work for the present instant is still going on. Dropping it ends the claim.
#[derive(Debug)]
pub struct Busy {
    clock: Clock,
}

impl Busy {
    /// Takes a token. Only [`Clock`] makes them.
    pub(crate) fn new(clock: Clock) -> Self {
        clock.busy_changed(1);
        Self { clock }
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        Self::new(self.clock.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.clock.busy_changed(-1);
    }
}
