//! Running a job of programs under the lab clock: a token is held exactly while the job can go on.
//!
//! All programs of a job run in one task, joined by pipes in memory. When the task has nothing to do, it waits
//! for the clock or for somebody outside, and the clock may move; whatever wakes it takes a token first.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use pulldrill_clock::{Busy, Clock};

/// A job that counts as work while it can go on.
pub(crate) struct Work<F> {
    job: Pin<Box<F>>,
    notice: Arc<Notice>,
}

struct Notice {
    clock: Clock,
    token: Mutex<Option<Busy>>,
    task: AtomicWaker,
}

impl Notice {
    fn take(&self) {
        let mut token = self.token.lock();
        if token.is_none() {
            *token = Some(self.clock.busy());
        }
    }
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.take();
        self.task.wake();
    }
}

impl<F: Future> Work<F> {
    /// Counts `job`, from now on.
    pub(crate) fn new(clock: &Clock, job: F) -> Self {
        let notice = Notice { clock: clock.clone(), token: Mutex::default(), task: AtomicWaker::new() };
        notice.take();
        Self { job: Box::pin(job), notice: Arc::new(notice) }
    }
}

impl<F: Future> Future for Work<F> {
    /// What came of the job, and a token that covers its end.
    type Output = (F::Output, Busy);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let notice = self.notice.clone();
        notice.task.register(cx.waker());
        let running = notice.token.lock().take().unwrap_or_else(|| notice.clock.busy());
        let waker = Waker::from(notice);
        match self.job.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => Poll::Ready((done, running)),
            // Who was woken meanwhile has taken a token of its own.
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::{SignedDuration, Timestamp};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_clock_waits_for_what_can_go_on_and_not_for_what_can_not() {
        let began = Timestamp::from_second(1_800_000_000).unwrap();
        let clock = Clock::held_at(began);
        let (mut near, mut far) = duplex(16);
        let inner = clock.clone();
        let work = Work::new(&clock, async move {
            let both = futures::future::join(
                async {
                    let until = inner.now() + SignedDuration::from_secs(5);
                    drop(inner.sleep_until(inner.busy(), until).await);
                    near.write_all(b"x").await.unwrap();
                },
                async { far.read_u8().await.unwrap() },
            );
            both.await.1
        });
        // The token must not outlive the job.
        let job = tokio::spawn(async move { work.await.0 });
        clock.advance_to(began + SignedDuration::from_secs(60)).await;
        let (byte, at) = (job.await.unwrap(), clock.now());
        assert_eq!((byte, at.duration_since(began).as_secs()), (b'x', 60));

        let (mut outside, inside) = duplex(16);
        let mut inside = inside;
        let idle = tokio::spawn(Work::new(&clock, async move { inside.read_u8().await.unwrap() }));
        clock.advance_to(began + SignedDuration::from_secs(120)).await;
        outside.write_all(b"y").await.unwrap();
        assert_eq!(idle.await.unwrap().0, b'y');
    }
}
