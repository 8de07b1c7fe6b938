//! Work that goes on at once when a part of it wakes another part.
//!
//! A connection with HTTP on it is such work: the head of a request wakes its handler, the handler the body. A runtime
//! queues a task that was woken while it ran behind all others, and wakes a thread that may take it over: for nothing,
//! and in the middle of every request.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;

/// How often it goes on before others have their turn.
const TURNS: usize = 8;

/// Nobody polls: the runtime has to be woken.
const RESTING: u8 = 0;
/// Somebody polls, and looks at this when that is done.
const POLLED: u8 = 1;
/// Somebody polls, and has to do so once more.
const WOKEN: u8 = 2;

/// A future that is polled again when it is woken while it is polled.
#[derive(Debug)]
pub struct Eager<F> {
    inner: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// That of the bell.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.compare_exchange(POLLED, WOKEN, SeqCst, SeqCst) == Err(RESTING) {
            self.task.wake();
        }
    }
}

impl<F> Eager<F> {
    /// Makes a future eager.
    pub fn new(inner: F) -> Self {
        let bell = Arc::new(Bell::default());
        Self { inner: Box::pin(inner), waker: bell.clone().into(), bell }
    }
}

impl<F: Future> Future for Eager<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { inner, bell, waker } = &mut *self;
        bell.task.register(cx.waker());
        for _turn in 0..TURNS {
            bell.state.store(POLLED, SeqCst);
            if let Poll::Ready(done) = inner.as_mut().poll(&mut Context::from_waker(waker)) {
                return Poll::Ready(done);
            }
            if bell.state.swap(RESTING, SeqCst) == POLLED {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::atomic::AtomicUsize};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Polls a future once; how often it woke meanwhile.
    fn poll<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, usize) {
        let count = Arc::new(Count::default());
        let polled = Pin::new(future).poll(&mut Context::from_waker(&count.clone().into()));
        (polled, count.0.load(SeqCst))
    }

    /// A future that wakes itself so often.
    fn wakes_itself(times: usize) -> impl Future<Output = usize> {
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            if polls > times {
                return Poll::Ready(polls);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    #[test]
    fn what_wakes_itself_goes_on_and_nobody_else_is_woken() {
        assert_eq!(poll(&mut Eager::new(wakes_itself(5))), (Poll::Ready(6), 0));
    }

    #[test]
    fn what_never_ends_lets_others_have_their_turn() {
        let mut eager = Eager::new(wakes_itself(TURNS + 1));
        assert_eq!(poll(&mut eager), (Poll::Pending, 1));
        assert_eq!(poll(&mut eager), (Poll::Ready(TURNS + 2), 0));
    }

    #[test]
    fn what_waits_for_others_is_polled_once_and_woken_by_them() {
        let waker = Arc::new(AtomicWaker::new());
        let (given, mut polls) = (waker.clone(), 0);
        let mut eager = Eager::new(poll_fn(move |cx| -> Poll<()> {
            polls += 1;
            given.register(cx.waker());
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        for _poll in 0..2 {
            let count = Arc::new(Count::default());
            let polled = Pin::new(&mut eager).poll(&mut Context::from_waker(&count.clone().into()));
            assert_eq!((polled, count.0.load(SeqCst)), (Poll::Pending, 0));
            waker.wake();
            assert_eq!(count.0.load(SeqCst), 1);
        }
        assert_eq!(poll(&mut eager), (Poll::Ready(()), 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_of_another_thread_is_lost() {
        for _round in 0..200 {
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            let count = tokio::spawn(Eager::new(async move {
                let mut count = 0;
                while told.recv().await.is_some() {
                    count += 1;
                }
                count
            }));
            let tellers = (0..3).map(|_| {
                let tell = tell.clone();
                tokio::spawn(async move { (0..100).for_each(|n| tell.send(n).unwrap()) })
            });
            let tellers: Vec<_> = tellers.collect();
            drop(tell);
            for teller in tellers {
                teller.await.unwrap();
            }
            assert_eq!(count.await.unwrap(), 300);
        }
    }
}
