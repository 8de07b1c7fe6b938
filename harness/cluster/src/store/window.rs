//! The latest events of a store, for watches: bounded in number, and in the bytes of the versions that nothing but they holds.

use std::{collections::VecDeque, sync::Arc};

use super::{Change, Event, Stored, space::Account};

#[derive(Debug)]
pub(super) struct Window {
    /// Each with what is freed when it is forgotten.
    events: VecDeque<(Arc<Event>, u64)>,
    /// How many there may be.
    most: usize,
}

impl Window {
    /// An empty one for so many events, at least one.
    pub(super) fn new(most: usize) -> Self {
        Self { events: VecDeque::new(), most: most.max(1) }
    }

    /// Adds the latest event. Returns up to which revision others had to go for it, if any had.
    pub(super) fn push(&mut self, event: Event, account: &mut Account) -> Option<u64> {
        let before = event.previous.as_ref().map_or(0, |previous| previous.weight());
        let last = if event.change == Change::Deleted { event.object.weight() } else { 0 };
        account.keep(before + last);
        self.events.push_back((Arc::new(event), before + last));
        let mut gone = None;
        while (self.events.len() > self.most || account.past_is_full())
            && self.events.len() > 1
            && let Some((oldest, freed)) = self.events.pop_front()
        {
            account.forget(freed);
            gone = Some(oldest.revision);
        }
        gone
    }

    /// What happened after a revision, oldest first.
    pub(super) fn after(&self, revision: u64) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        let from = self.events.partition_point(|(event, _)| event.revision <= revision);
        self.events.range(from..).map(|(event, _)| event)
    }

    /// Puts other versions that say the same into the event of a revision, if it is still there.
    pub(super) fn exchange(&mut self, revision: u64, with: impl Fn(&Arc<Stored>) -> Arc<Stored>) {
        let at = self.events.partition_point(|(event, _)| event.revision < revision);
        if let Some((event, _)) = self.events.get_mut(at).filter(|(event, _)| event.revision == revision) {
            let (object, previous) = (with(&event.object), event.previous.as_ref().map(with));
            *event = Arc::new(Event { object, previous, ..Event::clone(event) });
        }
    }

    /// All versions are about to be replaced without an event: those for which `is_present` holds become ones of the past.
    pub(super) fn supersede(
        &mut self,
        is_present: impl Fn(&Event, &Arc<Stored>) -> bool,
        account: &mut Account,
    ) {
        for (event, freed) in &mut self.events {
            if is_present(event, &event.object) {
                *freed += event.object.weight();
                account.keep(event.object.weight());
            }
        }
    }
}
