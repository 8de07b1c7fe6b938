//! The lab clock.
//!
//! It has two ways of going:
//!
//! - **live**: it runs with real time, perhaps ahead of it by what it has been advanced;
//! - **held**: it stands still. [`Clock::advance_to`] and [`Clock::skip`] move it from timer to timer, each
//!   time waiting until nobody is [`Busy`] any more, so that hours of waiting cost only the work in them.
//!
//! Advancing a live clock by Δ makes the world older by Δ for its clients: they compute ages from their own
//! clocks, so what they are shown moves into the past and nothing is ever in the future. [`Clock::shown`]
//! is that translation, and [`Clock::on_advance`] tells the keepers of shown times to move them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{busy::Busy, real};

/// What runs when a timer is due. It gets a token, so that what it sets off counts as work.
type Action = Box<dyn FnOnce(Busy) + Send>;

/// Told of an advance before any timer in it fires, with how much older the world gets.
type AdvanceHook = Box<dyn Fn(SignedDuration) + Send + Sync>;

/// The lab clock; cheap to clone, all clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

/// A timer, to be cancelled with [`Clock::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(Timestamp, u64);

struct Inner {
    state: Mutex<State>,
    /// Wakes whoever waits for idleness.
    idle: Notify,
    /// Wakes the live driver when the next timer may have changed.
    timers_changed: Notify,
    /// One advance at a time.
    stepping: tokio::sync::Mutex<()>,
    hooks: Mutex<Vec<AdvanceHook>>,
}

struct State {
    going: Going,
    /// How much older than real the world has been made in all; subtracted from what is shown.
    advanced: SignedDuration,
    busy: isize,
    timers: BTreeMap<TimerId, Action>,
    next_id: u64,
    /// Nothing will be due any more.
    ended: bool,
}

enum Going {
    /// Lab time = real time + this.
    Live(SignedDuration),
    /// Lab time stands here.
    Held(Timestamp),
}

impl State {
    fn now(&self) -> Timestamp {
        match self.going {
            Going::Live(ahead) => real::now() + ahead,
            Going::Held(at) => at,
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.timers.first_key_value().map(|(id, _)| id.0)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        write!(f, "Clock({}, busy {}, timers {})", state.now(), state.busy, state.timers.len())
    }
}

impl Clock {
    fn new(going: Going) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                going,
                advanced: SignedDuration::ZERO,
                busy: 0,
                timers: BTreeMap::new(),
                next_id: 0,
                ended: false,
            }),
            idle: Notify::new(),
            timers_changed: Notify::new(),
            stepping: tokio::sync::Mutex::new(()),
            hooks: Mutex::new(Vec::new()),
        }))
    }

    /// A clock that runs with real time. Needs a tokio runtime.
    #[must_use]
    pub fn live() -> Self {
        let clock = Self::new(Going::Live(SignedDuration::ZERO));
        clock.drive();
        clock
    }

    /// A clock that stands at `at` until it is moved.
    #[must_use]
    pub fn held_at(at: Timestamp) -> Self {
        Self::new(Going::Held(at))
    }

    /// Lets a held clock run from where it stands. Needs a tokio runtime. A live clock stays as it is.
    pub fn go_live(&self) {
        {
            let mut state = self.0.state.lock();
            let Going::Held(at) = state.going else { return };
            state.going = Going::Live(at.duration_since(real::now()));
        }
        self.drive();
    }

    /// Whether the clock stands still until it is moved.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.0.state.lock().going, Going::Held(_))
    }

    /// Lab time. It never goes back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.state.lock().now()
    }

    /// What a client should be shown for the lab time `at`.
    #[must_use]
    pub fn shown(&self, at: Timestamp) -> Timestamp {
        at - self.0.state.lock().advanced
    }

    /// [`Clock::shown`] of now: what objects are stamped with.
    #[must_use]
    pub fn shown_now(&self) -> Timestamp {
        let state = self.0.state.lock();
        state.now() - state.advanced
    }

    /// Takes a token: until it is dropped, a stepped clock does not move.
    #[must_use]
    pub fn busy(&self) -> Busy {
        Busy::new(self.clone())
    }

    pub(crate) fn busy_changed(&self, by: isize) {
        let mut state = self.0.state.lock();
        state.busy += by;
        if state.busy == 0 {
            self.0.idle.notify_waiters();
        }
    }

    /// Runs `action` when lab time reaches `at` (at once, on the next step, if that is past).
    pub fn schedule(&self, at: Timestamp, action: impl FnOnce(Busy) + Send + 'static) -> TimerId {
        let mut state = self.0.state.lock();
        state.next_id += 1;
        let id = TimerId(at, state.next_id);
        if state.ended {
            // What an action owns may call the clock when it is dropped.
            drop(state);
            return id;
        }
        state.timers.insert(id, Box::new(action));
        drop(state);
        self.0.timers_changed.notify_one();
        id
    }

    /// Takes a timer back. False when it has fired already.
    pub fn cancel(&self, id: TimerId) -> bool {
        self.0.state.lock().timers.remove(&id).is_some()
    }

    /// Waits for lab time `at`. The caller's token is given up for the wait and a new one comes back, so
    /// there is no instant at which the world looks idle though this work has only been put off.
    pub async fn sleep_until(&self, busy: Busy, at: Timestamp) -> Busy {
        let (tx, rx) = tokio::sync::oneshot::channel();
        let id = self.schedule(at, move |token| drop(tx.send(token)));
        let guard = CancelOnDrop { clock: self.clone(), id };
        drop(busy);
        let token = rx.await;
        drop(guard);
        token.unwrap_or_else(|_| self.busy())
    }

    /// Waits until nobody is busy. Never call it while holding a [`Busy`].
    pub async fn idle(&self) {
        loop {
            let notified = self.0.idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.0.state.lock().busy == 0 {
                return;
            }
            notified.await;
        }
    }

    /// When the next timer is due, if there is one.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.state.lock().next_due()
    }

    /// Registers who has to move shown times when a live clock is advanced.
    pub fn on_advance(&self, hook: impl Fn(SignedDuration) + Send + Sync + 'static) {
        self.0.hooks.lock().push(Box::new(hook));
    }

    /// Ends the world that this clock is of: every timer and hook is dropped, and what is scheduled later is
    /// never due. They own parts of the world, which own the clock; without an end, nothing is ever freed.
    /// Whoever still sleeps is woken.
    pub fn end(&self) {
        let timers = {
            let mut state = self.0.state.lock();
            state.ended = true;
            std::mem::take(&mut state.timers)
        };
        let hooks = std::mem::take(&mut *self.0.hooks.lock());
        drop((timers, hooks));
    }

    /// Makes a **live** world older by `by`: shown times move into the past, then every timer in the span
    /// fires in order. On a held clock it only fires the timers: nothing was shown in real time there.
    pub async fn advance(&self, by: SignedDuration) {
        let _one = self.0.stepping.lock().await;
        let live = {
            let mut state = self.0.state.lock();
            let now = state.now();
            let live = matches!(state.going, Going::Live(_));
            state.going = Going::Held(now);
            if live {
                state.advanced += by;
            }
            live
        };
        if live {
            for hook in self.0.hooks.lock().iter() {
                hook(by);
            }
        }
        let target = self.now() + by;
        while self.step(target).await {}
        if live {
            self.0.state.lock().going = Going::Live(target.duration_since(real::now()));
            self.0.timers_changed.notify_one();
        }
    }

    /// Moves a held clock to `target`, firing every timer on the way in order.
    pub async fn advance_to(&self, target: Timestamp) {
        let _one = self.0.stepping.lock().await;
        while self.step(target).await {}
    }

    /// Moves a held clock to its next timer, but not beyond `limit`. False when it has come to `limit`.
    pub async fn skip(&self, limit: Timestamp) -> bool {
        let _one = self.0.stepping.lock().await;
        self.step(limit).await
    }

    /// Waits for idleness, then moves to the next instant at which a timer is due and fires all of that
    /// instant; or, when there is none up to `target`, to `target`. False in the latter case.
    async fn step(&self, target: Timestamp) -> bool {
        self.idle().await;
        let due = {
            let mut state = self.0.state.lock();
            let now = state.now();
            match state.next_due() {
                Some(at) if at <= target => {
                    state.going = Going::Held(at.max(now));
                    take_due(&mut state)
                }
                _ => {
                    state.going = Going::Held(target.max(now));
                    return false;
                }
            }
        };
        self.fire(due);
        true
    }

    fn fire(&self, due: Vec<Action>) {
        for action in due {
            action(self.busy());
        }
    }

    /// Starts the task that fires a live clock's timers. It ends with the last clone of the clock.
    fn drive(&self) {
        let weak = Arc::downgrade(&self.0);
        tokio::spawn(drive(weak));
    }
}

/// The timers that are due now, in order, taken out.
fn take_due(state: &mut State) -> Vec<Action> {
    let now = state.now();
    let mut due = Vec::new();
    while state.next_due().is_some_and(|at| at <= now) {
        if let Some((_, action)) = state.timers.pop_first() {
            due.push(action);
        }
    }
    due
}

async fn drive(weak: Weak<Inner>) {
    /// How long the driver sleeps at most, so that it notices the end of its clock.
    const NAP: Duration = Duration::from_millis(500);
    loop {
        let Some(inner) = weak.upgrade() else { return };
        let clock = Clock(inner);
        let (due, wait) = {
            let mut state = clock.0.state.lock();
            if matches!(state.going, Going::Held(_)) {
                (Vec::new(), NAP)
            } else {
                let due = take_due(&mut state);
                let now = state.now();
                let wait = state.next_due().map_or(NAP, |at| {
                    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(NAP)
                });
                (due, wait)
            }
        };
        clock.fire(due);
        let changed = clock.0.timers_changed.notified();
        let _woken_early = real::timeout(wait.max(Duration::from_millis(1)), changed).await;
    }
}

/// Removes the timer of a sleep that nobody waits for any more.
struct CancelOnDrop {
    clock: Clock,
    id: TimerId,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.clock.cancel(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mailbox;

    fn epoch() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[tokio::test]
    async fn timers_fire_in_order_and_work_is_waited_for() {
        let clock = Clock::held_at(epoch());
        let (tx, mut rx) = mailbox::<u32>(&clock);
        for (n, seconds) in [(2u32, 20), (1, 10), (3, 3600)] {
            let tx = tx.clone();
            clock.schedule(epoch() + SignedDuration::from_secs(seconds), move |_busy| tx.send(n));
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (seen2, clock2) = (seen.clone(), clock.clone());
        let worker = tokio::spawn(async move {
            while let Some((n, busy)) = rx.recv().await {
                let started = clock2.now();
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                seen2.lock().push((n, started.duration_since(epoch()).as_secs(), clock2.now() == started));
                drop(busy);
            }
        });
        clock.advance(SignedDuration::from_hours(2)).await;
        assert_eq!(*seen.lock(), vec![(1, 10, true), (2, 20, true), (3, 3600, true)]);
        assert_eq!(clock.now(), epoch() + SignedDuration::from_hours(2));
        drop(tx);
        worker.await.unwrap();
    }

    #[tokio::test]
    async fn a_sleep_costs_lab_time_only_and_can_be_dropped() {
        let clock = Clock::held_at(epoch());
        let sleeper = clock.clone();
        let busy = clock.busy();
        let task = tokio::spawn(async move {
            let busy = sleeper.sleep_until(busy, epoch() + SignedDuration::from_hours(12)).await;
            drop(busy);
            sleeper.now()
        });
        clock.advance(SignedDuration::from_hours(13)).await;
        assert_eq!(task.await.unwrap(), epoch() + SignedDuration::from_hours(12));
        drop(clock.sleep_until(clock.busy(), epoch()));
        assert!(clock.next_due().is_none());
    }

    #[tokio::test]
    async fn advancing_a_live_clock_moves_what_is_shown_into_the_past() {
        let clock = Clock::live();
        let told = Arc::new(Mutex::new(SignedDuration::ZERO));
        let told2 = told.clone();
        clock.on_advance(move |by| *told2.lock() += by);
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(12)).await;
        assert!(clock.now().duration_since(before) >= SignedDuration::from_hours(12));
        assert!(clock.shown_now() <= real::now());
        assert_eq!(*told.lock(), SignedDuration::from_hours(12));
    }

    #[tokio::test]
    async fn an_ended_clock_owns_nothing_and_is_freed_with_its_last_clone() {
        let clock = Clock::held_at(epoch());
        let (tx, _rx) = mailbox::<u32>(&clock);
        let owned = Arc::new(());
        let (by_timer, by_hook) = (owned.clone(), owned.clone());
        let later = epoch() + SignedDuration::from_hours(1);
        let timers_sender = tx.clone();
        clock.schedule(later, move |_busy| timers_sender.send(u32::from(Arc::strong_count(&by_timer) > 9)));
        let cycle = clock.clone();
        clock.on_advance(move |_by| assert!(cycle.is_held() && Arc::strong_count(&by_hook) > 9));
        let sleeper = clock.clone();
        let busy = clock.busy();
        let asleep = tokio::spawn(async move { drop(sleeper.sleep_until(busy, later).await) });
        clock.idle().await;
        assert_eq!(Arc::strong_count(&owned), 3);
        clock.end();
        asleep.await.unwrap();
        assert_eq!(Arc::strong_count(&owned), 1);
        let too_late = owned.clone();
        clock.schedule(later, move |_busy| drop(too_late));
        assert_eq!((Arc::strong_count(&owned), clock.next_due()), (1, None));
        let weak = Arc::downgrade(&clock.0);
        drop((clock, tx));
        assert!(weak.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_live_clock_fires_its_timers() {
        let clock = Clock::live();
        let (tx, mut rx) = mailbox::<()>(&clock);
        clock.schedule(clock.now() + SignedDuration::from_millis(5), move |_busy| tx.send(()));
        assert!(real::timeout(Duration::from_secs(10), rx.recv()).await.is_some());
    }
}
