//! An unbounded channel whose messages keep the world busy until their receiver is done with them.
//!
//! The sender takes the token before the message is queued, so there is no moment between "sent" and
//! "being handled" at which the clock could believe that nothing is going on.

use tokio::sync::mpsc;

use crate::{busy::Busy, clock::Clock};

/// The sending side; cheap to clone.
#[derive(Debug)]
pub struct Sender<T> {
    clock: Clock,
    tx: mpsc::UnboundedSender<(T, Busy)>,
}

/// The receiving side.
pub type Receiver<T> = mpsc::UnboundedReceiver<(T, Busy)>;

/// Makes a mailbox. A received pair is `(message, token)`: keep the token until the message is handled.
#[must_use]
pub fn mailbox<T>(clock: &Clock) -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = mpsc::unbounded_channel();
    (Sender { clock: clock.clone(), tx }, rx)
}

impl<T> Sender<T> {
    /// Queues a message. A mailbox whose receiver is gone swallows it: that part has been shut down.
    pub fn send(&self, message: T) {
        drop(self.tx.send((message, self.clock.busy())));
    }

    /// True when nobody will ever receive again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { clock: self.clock.clone(), tx: self.tx.clone() }
    }
}
