//! How long the next pod of a Job has to wait after failures.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::per_index::Record;
use crate::controllers::meta::uid;

const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// When the pods of a Job failed, in lab time.
#[derive(Debug, Default)]
pub(super) struct Failures {
    seen: HashMap<String, Timestamp>,
    /// When the latest was seen.
    last: Option<Timestamp>,
}

impl Failures {
    pub(super) fn take(&mut self, pod: &Value, now: Timestamp) {
        if pod["status"]["phase"] == "Failed" && !self.seen.contains_key(uid(pod)) {
            self.seen.insert(uid(pod).to_owned(), now);
            self.last = Some(now);
        }
    }

    /// How long the next pod has to wait yet.
    pub(super) fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        left(self.last?, self.seen.len(), now)
    }

    /// How long the next pod of a number has to wait yet.
    pub(super) fn left_for(&self, record: &Record, now: Timestamp) -> Option<SignedDuration> {
        let failures = usize::try_from(record.total()).unwrap_or(usize::MAX);
        left(*self.seen.get(&record.uid)?, failures, now)
    }
}

fn left(last: Timestamp, failures: usize, now: Timestamp) -> Option<SignedDuration> {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    let delay = (FIRST_DELAY * 2_i32.pow(doublings)).min(LONGEST_DELAY);
    Some((last + delay).duration_since(now)).filter(SignedDuration::is_positive)
}
