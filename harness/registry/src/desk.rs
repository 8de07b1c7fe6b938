//! Where changes of one repository are made: one after the other, and those that come while another one is being
//! written are written together. Nobody sees a change before it lasts, and none is answered before.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use crate::repository::{Blobs, Repository};

/// A change of a repository that may look at its blobs; false when there is nothing to change.
pub(crate) type Edit = Box<dyn FnOnce(&mut Repository, &Blobs) -> bool + Send>;

/// The desk of a repository.
#[derive(Default)]
pub(crate) struct Desk {
    waiting: Mutex<Vec<Order>>,
    turn: Mutex<()>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

struct Order {
    edit: Edit,
    done: Done,
}

/// How it went, once it has.
type Done = Arc<OnceLock<Result<(), (io::ErrorKind, String)>>>;

impl Desk {
    /// Makes a change: `work` is given the changes whose turn it is, and makes them last, all or none.
    ///
    /// # Errors
    /// Whatever `work` could not do; then none of the changes that it was given is made.
    pub(crate) fn change(
        &self,
        edit: Edit,
        work: impl FnOnce(Vec<Edit>) -> io::Result<()>,
    ) -> io::Result<()> {
        let done = Done::default();
        self.waiting.lock().push(Order { edit, done: done.clone() });
        let _turn = self.turn.lock();
        // Whoever had the turn may have made this change as well.
        if done.get().is_none() {
            let (edits, all): (Vec<Edit>, Vec<Done>) = std::mem::take(&mut *self.waiting.lock())
                .into_iter()
                .map(|order| (order.edit, order.done))
                .unzip();
            let outcome = work(edits).map_err(|error| (error.kind(), error.to_string()));
            for done in all {
                let _only_set_here = done.set(outcome.clone());
            }
        }
        match done.get() {
            Some(Ok(())) => Ok(()),
            Some(Err((kind, message))) => Err(io::Error::new(*kind, message.clone())),
            None => Err(io::Error::other("the change was not made")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;
    use crate::spec::{Access, RepositorySpec};

    fn repository() -> Repository {
        let spec = RepositorySpec { name: "a".into(), pull: Access::Anonymous, push: Access::Anonymous };
        Repository::new(&spec, pulldrill_clock::Timestamp::UNIX_EPOCH)
    }

    fn tag(name: String) -> Edit {
        Box::new(move |repository, _| repository.tags.insert(name, String::new()).is_none())
    }

    #[test]
    fn changes_that_wait_are_written_together_and_none_is_lost() {
        let (desk, kept) = (Desk::default(), Mutex::new(repository()));
        let writes = Mutex::new(0);
        let (begun, all_wait) = (Barrier::new(2), Barrier::new(2));
        let write = |edits: Vec<Edit>| {
            assert!(edits.into_iter().all(|edit| edit(&mut kept.lock(), &Blobs::new())));
            *writes.lock() += 1;
            Ok(())
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                desk.change(tag("first".into()), |edits| {
                    begun.wait();
                    all_wait.wait();
                    write(edits)
                })
            });
            begun.wait();
            for n in 0..8 {
                let (desk, write) = (&desk, &write);
                scope.spawn(move || desk.change(tag(format!("t{n}")), write));
            }
            while desk.waiting.lock().len() < 8 {
                thread::yield_now();
            }
            all_wait.wait();
        });
        assert_eq!((kept.lock().tags.len(), *writes.lock()), (9, 2));
    }

    #[test]
    fn what_could_not_be_written_is_told_to_everybody_who_waited() {
        let desk = Desk::default();
        let full = || Err(io::ErrorKind::StorageFull.into());
        let error = desk.change(tag("a".into()), |_| full()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(desk.change(tag("b".into()), |_| Ok(())).is_ok(), "the next one is not concerned");
    }
}
