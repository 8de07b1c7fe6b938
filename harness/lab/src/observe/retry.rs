//! When a waiting image may be pulled again, worked out from what can be seen: the failures, and the
//! well-known series of delays after them. The pull follows within some seconds of it.

use std::collections::HashMap;

use pulldrill_clock::{SignedDuration, Timestamp};
use pulldrill_cluster::store::{Change, Event};
use serde_json::Value;

use super::{pods::waiting_reason, snapshot::uid};

/// The first delay; each further one is twice as long.
const FIRST: SignedDuration = SignedDuration::from_secs(10);
/// The longest delay.
const LONGEST: SignedDuration = SignedDuration::from_secs(300);

/// The failed pulls of pods, as observed.
#[derive(Debug, Default)]
pub(crate) struct Retries(HashMap<String, Failures>);

#[derive(Debug)]
struct Failures {
    image: String,
    delay: SignedDuration,
    last: Timestamp,
    /// The latest failure was told by an event; its status is still to come.
    status_due: bool,
}

impl Retries {
    /// Takes in a change of the cluster's objects.
    pub(crate) fn saw(&mut self, event: &Event, now: Timestamp) {
        let object = event.object.value();
        match (&*event.resource, event.change) {
            ("pods", Change::Deleted) => {
                self.0.remove(uid(object));
            }
            ("pods", Change::Modified) => {
                self.saw_pod(event.previous.as_ref().map(|p| p.value()), object, now);
            }
            ("events", Change::Added | Change::Modified) => self.saw_event(object, now),
            _ => {}
        }
    }

    /// Events are dropped when there are many; the status of a pod shows each failure, a little later.
    fn saw_pod(&mut self, before: Option<&Value>, pod: &Value, now: Timestamp) {
        let failed = |pod: &Value| waiting_reason(pod) == "ErrImagePull";
        if !failed(pod) || before.is_some_and(failed) {
            return;
        }
        match self.0.get_mut(uid(pod)) {
            Some(failures) if failures.status_due => failures.status_due = false,
            Some(failures) => failures.again(now),
            None => {}
        }
    }

    fn saw_event(&mut self, event: &Value, now: Timestamp) {
        let message = event["message"].as_str().unwrap_or_default();
        let Some(rest) = message.strip_prefix("Failed to pull image \"") else { return };
        let image = rest.split('"').next().unwrap_or_default();
        let pod = event["involvedObject"]["uid"].as_str().unwrap_or_default();
        match self.0.get_mut(pod) {
            Some(failures) if failures.image == image => failures.again(now),
            _ => {
                let first = Failures { image: image.to_owned(), delay: FIRST, last: now, status_due: false };
                self.0.insert(pod.to_owned(), first);
            }
        }
        if let Some(failures) = self.0.get_mut(pod) {
            failures.status_due = true;
        }
    }

    /// From when on the pod's image may be pulled again.
    pub(crate) fn next(&self, pod: &Value) -> Option<Timestamp> {
        self.0.get(uid(pod)).map(|failures| failures.last + failures.delay)
    }
}

impl Failures {
    fn again(&mut self, now: Timestamp) {
        self.delay = (self.delay * 2).min(LONGEST);
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_cluster::store::{Key, Store};
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn feed(retries: &mut Retries, store: &Store, seen: &mut u64, now: Timestamp) {
        for event in store.events_since(*seen).unwrap() {
            *seen = event.revision;
            retries.saw(&event, now);
        }
    }

    fn pod(reason: &str) -> Value {
        json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "status": {"containerStatuses": [
            {"state": {"waiting": {"reason": reason}}}]}})
    }

    #[test]
    fn the_delay_doubles_with_each_failure_even_when_events_stop() {
        let (store, mut retries, mut seen) = (Store::new(100), Retries::default(), 1);
        let key = Key::new("n", "p");
        store.create("pods", key.clone(), pod("ContainerCreating")).unwrap();
        let event = |count: i64| {
            json!({"metadata": {"namespace": "n", "name": "e"}, "reason": "Failed", "count": count,
            "involvedObject": {"uid": "u"}, "message": "Failed to pull image \"a/b:1\": not found"})
        };
        store.create("events", Key::new("n", "e"), event(1)).unwrap();
        feed(&mut retries, &store, &mut seen, at(0));
        assert_eq!(retries.next(&pod("")), Some(at(10)));
        store.update("pods", &key, None, pod("ErrImagePull")).unwrap();
        feed(&mut retries, &store, &mut seen, at(1));
        assert_eq!(retries.next(&pod("")), Some(at(10)), "the status is of the same failure");
        store.update("pods", &key, None, pod("ImagePullBackOff")).unwrap();
        store.update("events", &Key::new("n", "e"), None, event(2)).unwrap();
        feed(&mut retries, &store, &mut seen, at(12));
        assert_eq!(retries.next(&pod("")), Some(at(32)));
        store.update("pods", &key, None, pod("ErrImagePull")).unwrap();
        store.update("pods", &key, None, pod("ImagePullBackOff")).unwrap();
        feed(&mut retries, &store, &mut seen, at(13));
        store.update("pods", &key, None, pod("ErrImagePull")).unwrap();
        feed(&mut retries, &store, &mut seen, at(40));
        assert_eq!(retries.next(&pod("")), Some(at(80)), "no event told of the third failure");
        store.delete("pods", &key, None).unwrap();
        feed(&mut retries, &store, &mut seen, at(41));
        assert_eq!(retries.next(&pod("")), None);
    }
}
