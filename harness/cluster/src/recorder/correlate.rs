//! Deciding what becomes of an event: a new object, a higher count of an old one, or nothing.
//!
//! Three stages, in this order: many different messages about the same thing become one "combined" event;
//! an event seen before only counts up; and a token bucket per object drops what is too much. The count
//! goes up before the bucket is asked, so a count may jump when the next event gets through.

use pulldrill_clock::{SignedDuration, Timestamp};

use super::lru::Lru;
use crate::{
    bucket::{Bucket, Limit},
    dialect::SpamFilter,
};

/// How many keys each stage remembers.
const REMEMBERED: usize = 4096;
/// With this many different messages, events are combined.
const COMBINE_AT: usize = 10;
/// The messages must come within this time of each other.
const COMBINE_WITHIN: SignedDuration = SignedDuration::from_secs(600);
/// How many events of an object may be written: 25 at once, and one more every five minutes.
const LIMIT: Limit = Limit { per_second: 1.0 / 300.0, burst: 25.0 };

/// What identifies an event: what it is about, and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence<'a> {
    /// Kind, namespace, name, uid of the object, already joined.
    pub object: &'a str,
    /// The part of the object.
    pub field_path: &'a str,
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    pub reason: &'a str,
    pub message: &'a str,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The key under which [`Correlator::written`] is told the name.
    pub key: String,
    /// The message, perhaps a combined one.
    pub message: String,
    /// How often it has happened.
    pub count: u64,
    /// When it happened first.
    pub first: Timestamp,
    /// The object that has counted so far.
    pub name: Option<String>,
}

#[derive(Debug)]
struct Group {
    messages: Vec<String>,
    last: Timestamp,
}

#[derive(Debug)]
struct Log {
    count: u64,
    first: Timestamp,
    name: Option<String>,
}

/// The memory of one source of events.
#[derive(Debug)]
pub(super) struct Correlator {
    spam_filter: SpamFilter,
    groups: Lru<String, Group>,
    logs: Lru<String, Log>,
    buckets: Lru<String, Bucket>,
}

impl Correlator {
    pub(super) fn new(spam_filter: SpamFilter) -> Self {
        Self {
            spam_filter,
            groups: Lru::new(REMEMBERED),
            logs: Lru::new(REMEMBERED),
            buckets: Lru::new(REMEMBERED),
        }
    }

    /// What becomes of an event; `None` when it is dropped.
    pub(super) fn decide(&mut self, event: Occurrence<'_>, now: Timestamp) -> Option<Decision> {
        let Occurrence { object, field_path, kind, reason, message } = event;
        let group = format!("{object}\0{kind}\0{reason}");
        let combined = self.combines(&group, message, now);
        let (key, message) = if combined {
            (group, format!("(combined from similar events): {message}"))
        } else {
            (format!("{object}\0{field_path}\0{kind}\0{reason}\0{message}"), message.to_owned())
        };
        let log = self.logs.entry(&key, || Log { count: 0, first: now, name: None });
        log.count += 1;
        let (count, first, name) = (log.count, log.first, log.name.clone());
        let allowed = self.allows(object, kind, now);
        allowed.then_some(Decision { key, message, count, first, name })
    }

    /// Remembers under which name the events of a key are written.
    pub(super) fn written(&mut self, key: &str, name: &str) {
        let log =
            self.logs.entry(&key.to_owned(), || Log { count: 0, first: Timestamp::UNIX_EPOCH, name: None });
        if log.name.as_deref() != Some(name) {
            log.name = Some(name.to_owned());
        }
    }

    /// Whether there have been too many different messages lately.
    fn combines(&mut self, group: &str, message: &str, now: Timestamp) -> bool {
        let group = self.groups.entry(&group.to_owned(), || Group { messages: Vec::new(), last: now });
        if now.duration_since(group.last) > COMBINE_WITHIN {
            group.messages.clear();
        }
        group.last = now;
        if !group.messages.iter().any(|m| m == message) {
            group.messages.push(message.to_owned());
        }
        if group.messages.len() < COMBINE_AT {
            return false;
        }
        group.messages.swap_remove(0);
        true
    }

    fn allows(&mut self, object: &str, kind: &str, now: Timestamp) -> bool {
        let key = match self.spam_filter {
            SpamFilter::Shared => object.to_owned(),
            SpamFilter::PerType => format!("{object}\0{kind}"),
        };
        self.buckets.entry(&key, || Bucket::new(LIMIT)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'a>(kind: &'static str, reason: &'a str, message: &'a str) -> Occurrence<'a> {
        Occurrence { object: "Pod/ns/app/1", field_path: "spec.containers{app}", kind, reason, message }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_same_event_counts_up_and_an_edited_one_starts_anew() {
        let mut correlator = Correlator::new(SpamFilter::PerType);
        for n in 1..=3 {
            let decision = correlator.decide(event("Normal", "Pulling", "a"), at(0)).unwrap();
            assert_eq!(decision.count, n);
            assert_eq!(decision.name.is_some(), n > 1);
            correlator.written(&decision.key, "app.1");
        }
        assert_eq!(correlator.decide(event("Normal", "Pulling", "b"), at(0)).unwrap().count, 1);
    }

    #[test]
    fn the_bucket_is_shared_or_one_per_type_and_refills_slowly_while_counts_go_on() {
        for (filter, expected) in [(SpamFilter::Shared, 25), (SpamFilter::PerType, 50)] {
            let mut correlator = Correlator::new(filter);
            let mut written = 0;
            for n in 0..60 {
                let kind = if n % 2 == 0 { "Normal" } else { "Warning" };
                written += usize::from(correlator.decide(event(kind, "r", "m"), at(0)).is_some());
            }
            assert_eq!(written, expected);
            assert!(correlator.decide(event("Normal", "r", "m"), at(299)).is_none());
            assert_eq!(correlator.decide(event("Normal", "r", "m"), at(300)).unwrap().count, 32);
        }
    }

    #[test]
    fn the_tenth_different_message_is_combined() {
        let mut correlator = Correlator::new(SpamFilter::PerType);
        for n in 0..9 {
            let text = format!("dial {n}");
            assert_eq!(correlator.decide(event("Warning", "Failed", &text), at(n)).unwrap().message, text);
        }
        for (n, count) in [(9, 1), (10, 2)] {
            let text = format!("dial {n}");
            let decision = correlator.decide(event("Warning", "Failed", &text), at(n)).unwrap();
            assert_eq!(decision.message, format!("(combined from similar events): dial {n}"));
            assert_eq!(decision.count, count);
        }
        assert_eq!(correlator.decide(event("Warning", "Failed", "later"), at(700)).unwrap().message, "later");
    }
}
