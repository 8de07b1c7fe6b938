//! Liveness: one small message per change, on which a page asks for what it shows.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;

use crate::site::Site;

/// Comments in between keep proxies from closing a quiet stream, and tell the server when a page has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a page waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn events(State(site): State<Site>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // The present number comes at once, so a page that reconnects learns what it missed.
    let revisions = WatchStream::new(site.lab.updates());
    let stream = revisions
        .take_until(site.stop.cancelled_owned())
        .map(|revision| Ok(Event::default().event("revision").retry(RETRY).data(revision.to_string())));
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
