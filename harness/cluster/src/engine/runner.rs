//! Running the controllers of one cluster.

use std::{future::Future, sync::Arc, time::Duration};

use pulldrill_clock::{Busy, Clock, Timestamp, mailbox, real};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Controller, Outcome, Queue};
use crate::store::{Change, Event, Key, Store, StoreChanged};

/// How long controllers let writes come together before they look: those of real clusters take longer to hear of one.
const MOMENT: Duration = Duration::from_millis(1);

/// What wakes the engine.
enum Wake {
    /// Objects changed.
    Store,
    /// A controller wanted to see a key again at this time.
    Due { controller: usize, key: Key },
    /// A new part begins to work.
    Joined(Box<dyn Controller>),
    /// Work has ended.
    Finished { controller: usize, key: Key, outcome: Outcome },
}

/// What a controller may do besides reading and writing objects.
pub struct Context {
    /// The lab clock.
    pub clock: Clock,
    controller: usize,
    wakes: mailbox::Sender<Wake>,
    stop: CancellationToken,
    work: TaskTracker,
}

impl Context {
    /// Asks for `key` to be reconciled again at lab time `at`, whatever else happens.
    pub fn again_at(&self, key: Key, at: Timestamp) {
        let (wakes, controller) = (self.wakes.clone(), self.controller);
        self.clock.schedule(at, move |_busy| wakes.send(Wake::Due { controller, key }));
    }

    /// Starts work that takes time. It owns a busy token, which it hands to [`Clock::sleep_until`] to wait
    /// in lab time; its outcome comes back through [`Controller::finished`].
    pub fn start<F, W>(&self, key: Key, work: W)
    where
        W: FnOnce(Busy) -> F,
        F: Future<Output = (Outcome, Busy)> + Send + 'static,
    {
        let (wakes, controller, stop) = (self.wakes.clone(), self.controller, self.stop.clone());
        let work = work(self.clock.busy());
        self.work.spawn(async move {
            let done = tokio::select! {
                done = work => done,
                () = stop.cancelled() => return,
            };
            let (outcome, busy) = done;
            wakes.send(Wake::Finished { controller, key, outcome });
            drop(busy);
        });
    }
}

/// The way into a running engine.
#[derive(Clone)]
pub struct Door {
    wakes: mailbox::Sender<Wake>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// A new part begins to work, after it has been shown everything that is there.
    pub fn join(&self, controller: Box<dyn Controller>) {
        self.wakes.send(Wake::Joined(controller));
    }
}

/// The controllers of one cluster and what they still have to do.
pub struct Engine {
    store: Arc<Store>,
    clock: Clock,
    controllers: Vec<(Box<dyn Controller>, Queue, Context)>,
    sender: mailbox::Sender<Wake>,
    wakes: mailbox::Receiver<Wake>,
    changes: mailbox::Receiver<StoreChanged>,
    stop: CancellationToken,
    work: TaskTracker,
    seen: u64,
}

impl Engine {
    /// An engine over `store`; nothing runs until [`Engine::run`].
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        clock: &Clock,
        controllers: Vec<Box<dyn Controller>>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, wakes) = mailbox::mailbox(clock);
        let (changed, changes) = mailbox::mailbox(clock);
        store.subscribe(changed);
        let work = TaskTracker::new();
        let controllers = controllers
            .into_iter()
            .enumerate()
            .map(|(index, controller)| {
                let context = Context {
                    clock: clock.clone(),
                    controller: index,
                    wakes: sender.clone(),
                    stop: stop.clone(),
                    work: work.clone(),
                };
                (controller, Queue::default(), context)
            })
            .collect();
        Self { store, clock: clock.clone(), controllers, sender, wakes, changes, stop, work, seen: 0 }
    }

    /// Lets parts join while the engine runs.
    #[must_use]
    pub fn door(&self) -> Door {
        Door { wakes: self.sender.clone() }
    }

    /// Runs until stopped, and until all work that was started has ended.
    pub async fn run(mut self) {
        self.react().await;
        self.work.close();
        self.work.wait().await;
    }

    async fn react(&mut self) {
        self.catch_up();
        self.drain();
        loop {
            let (wake, _busy) = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                Some((wake, busy)) = self.wakes.recv() => (wake, busy),
                Some((StoreChanged, busy)) = self.changes.recv() => tokio::select! {
                    biased;
                    Some(other) = self.wakes.recv() => other,
                    () = gathered(&self.clock) => (Wake::Store, busy),
                },
                else => return,
            };
            self.handle(wake);
            while let Ok((StoreChanged, _busy)) = self.changes.try_recv() {}
            self.catch_up();
            self.drain();
            while self.store.pack() {}
        }
    }

    fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Store => {}
            Wake::Due { controller, key } => {
                if let Some((_, queue, _)) = self.controllers.get_mut(controller) {
                    queue.add(key);
                }
            }
            Wake::Joined(controller) => self.join(controller),
            Wake::Finished { controller, key, outcome } => {
                if let Some((controller, _, context)) = self.controllers.get_mut(controller) {
                    controller.finished(&key, outcome, context);
                }
            }
        }
    }

    /// Takes a part in, and shows it everything that is there.
    fn join(&mut self, mut controller: Box<dyn Controller>) {
        let context = Context {
            clock: self.clock.clone(),
            controller: self.controllers.len(),
            wakes: self.sender.clone(),
            stop: self.stop.clone(),
            work: self.work.clone(),
        };
        let mut queue = Queue::default();
        for event in self.everything() {
            controller.observe(&event, &mut queue);
        }
        self.controllers.push((controller, queue, context));
    }

    /// Every object, as if it were new.
    fn everything(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for resource in self.store.resources() {
            for object in self.store.list(&resource, None).0 {
                let (key, revision) = (object.key().clone(), object.revision());
                let resource = resource.clone();
                events.push(Event { revision, resource, key, change: Change::Added, object, previous: None });
            }
        }
        events
    }

    /// Shows the controllers what has happened since the last look.
    fn catch_up(&mut self) {
        match self.store.events_since(self.seen) {
            Ok(events) => {
                for event in events {
                    self.seen = event.revision;
                    self.show(&event);
                }
            }
            Err(_) => self.show_everything(),
        }
    }

    /// After a gap: every object, as if it were new.
    fn show_everything(&mut self) {
        self.seen = self.store.revision();
        for event in self.everything() {
            self.show(&event);
        }
    }

    fn show(&mut self, event: &Event) {
        for (controller, queue, _) in &mut self.controllers {
            controller.observe(event, queue);
        }
    }

    /// Reconciles until no key waits, looking at new events after each.
    fn drain(&mut self) {
        while self.reconcile_one() {
            self.catch_up();
        }
    }

    fn reconcile_one(&mut self) -> bool {
        for (controller, queue, context) in &mut self.controllers {
            if let Some(key) = queue.pop() {
                tracing::trace!(controller = controller.name(), %key, "reconcile");
                controller.reconcile(&key, context);
                return true;
            }
        }
        false
    }
}

/// Until what several write, or one after the other, has come together.
async fn gathered(clock: &Clock) {
    if clock.is_held() {
        // Nobody outside writes between two instants of a world that is moved.
        tokio::task::yield_now().await;
    } else {
        real::sleep(MOMENT).await;
    }
}
