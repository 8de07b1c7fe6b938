//! Liveness: one small message per change, on which a page asks for what it shows.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use pulldrill_clock::real;
use tokio::sync::watch;

use crate::site::Site;

/// Comments in between keep proxies from closing a quiet stream, and tell the server when a page has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a page waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

/// Messages are at least this far apart: the first of a burst goes at once, the last of it soon after.
const GAP: Duration = Duration::from_millis(50);

pub(crate) async fn events(State(site): State<Site>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = revisions(site.lab.updates())
        .take_until(site.stop.cancelled_owned())
        .map(|revision| Ok(Event::default().event("revision").retry(RETRY).data(revision.to_string())));
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// The present number at once, so that a page that reconnects learns what it missed; then each later one
/// that is still the latest when its time comes.
fn revisions(mut updates: watch::Receiver<u64>) -> impl Stream<Item = u64> + Send {
    updates.mark_changed();
    stream::unfold((updates, None), async |(mut updates, last): (_, Option<Instant>)| {
        updates.changed().await.ok()?;
        if let Some(wait) = last.and_then(|last| GAP.checked_sub(last.elapsed())) {
            real::sleep(wait).await;
        }
        let revision = *updates.borrow_and_update();
        Some((revision, (updates, Some(real::stopwatch()))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_becomes_its_first_and_its_last() {
        let (tx, rx) = watch::channel(7);
        let mut stream = Box::pin(revisions(rx));
        assert_eq!(stream.next().await, Some(7));
        for revision in 8..=20 {
            tx.send_replace(revision);
        }
        assert_eq!(stream.next().await, Some(20));
        drop(tx);
        assert_eq!(stream.next().await, None);
    }
}
