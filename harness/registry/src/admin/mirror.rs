//! The owner's copy of a pull log that is kept elsewhere. It follows by asking for what is new and waiting for the
//! answer; what goes wrong on the way only delays it.

use std::{sync::Arc, time::Duration};

use pulldrill_clock::real;
use tokio_util::sync::CancellationToken;

use super::{client::Http, wire::Pulls};
use crate::PullLog;

/// How long one answer is waited for, in seconds.
const WAIT: u64 = 20;
/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Follows the log until it is told to stop.
pub(super) async fn follow(http: Http, log: Arc<PullLog>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = for_ever(&http, &log) => {}
    }
}

async fn for_ever(http: &Http, log: &PullLog) {
    let mut pause = PAUSES.0;
    loop {
        let since = log.last();
        match http.pulls(since, WAIT).await {
            Ok(Pulls { last, entries }) => {
                pause = PAUSES.0;
                if last < since {
                    tracing::warn!(last, since, "the registry has begun a new pull log: it was started anew");
                    real::sleep(PAUSES.1).await;
                }
                log.mirror(entries);
            }
            Err(error) => {
                if pause == PAUSES.0 {
                    tracing::warn!(%error, "the pull log is not followed for now");
                }
                real::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}
