//! The pull log: what every host has seen, in order. It is evidence, so nothing a client sends can change
//! an entry later, and it never holds a secret. Bounded: the oldest entries go first.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use pulldrill_clock::{Timestamp, mailbox::Sender};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Client;

/// How many entries are kept.
const CAPACITY: usize = 100_000;
/// How much of what a client says about itself or asks for is kept.
const LONGEST: usize = 512;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Rises by one with each entry, from 1.
    pub seq: u64,
    /// Lab time.
    pub at: Timestamp,
    /// The registry host.
    pub host: String,
    /// Who asked.
    pub client: Client,
    /// As whom, when the credentials were good.
    pub identity: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The repository in the path.
    pub repository: Option<String>,
    /// The tag or digest in the path.
    pub reference: Option<String>,
    /// What was served or stored.
    pub digest: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The size of the answer's body.
    pub bytes: u64,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// A manifest that a node got or looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// The manifest.
    pub digest: String,
    /// As whom.
    pub identity: Option<String>,
    /// When, in lab time.
    pub at: Timestamp,
    /// False when only its existence was asked for (HEAD).
    pub transferred: bool,
}

/// The log of all hosts of one registry.
#[derive(Debug, Default)]
pub struct PullLog {
    inner: Mutex<Inner>,
    /// The number of the newest entry, for those who wait.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    entries: VecDeque<Entry>,
    subscribers: Vec<Sender<()>>,
}

impl PullLog {
    /// The entries after the one numbered `seq`, oldest first.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<Entry> {
        let inner = self.inner.lock();
        let known = inner.entries.partition_point(|entry| entry.seq <= seq);
        inner.entries.range(known..).cloned().collect()
    }

    /// The number of the newest entry, 0 when there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.inner.lock().last
    }

    /// Waits until there is an entry with a higher number.
    pub async fn beyond(&self, seq: u64) {
        let mut newest = self.newest.subscribe();
        // It cannot be closed while the log is here.
        let _closed = newest.wait_for(|last| *last > seq).await;
    }

    /// Sends a message after each new entry.
    pub fn subscribe(&self, sender: Sender<()>) {
        self.inner.lock().subscribers.push(sender);
    }

    /// The manifests of a repository that a node was served since then, oldest first.
    #[must_use]
    pub fn served(&self, node: &str, host: &str, repository: &str, since: Timestamp) -> Vec<Served> {
        let inner = self.inner.lock();
        let entries = inner.entries.iter().rev().take_while(|entry| entry.at >= since);
        let of_node = entries.filter(|entry| {
            entry.client.node.as_deref() == Some(node)
                && entry.host == host
                && entry.repository.as_deref() == Some(repository)
                && entry.status == 200
                && entry.path.starts_with("/v2/")
                && entry.path.contains("/manifests/")
        });
        let mut served: Vec<Served> = of_node
            .filter_map(|entry| {
                let digest = entry.digest.clone()?;
                let transferred = entry.method == "GET";
                Some(Served { digest, identity: entry.identity.clone(), at: entry.at, transferred })
            })
            .collect();
        served.reverse();
        served
    }

    /// How often each manifest of a host was got, and when last, by repository and digest.
    pub(crate) fn pulls(&self, host: &str) -> HashMap<(String, String), (u64, Timestamp)> {
        let inner = self.inner.lock();
        let got = inner.entries.iter().filter(|entry| {
            entry.host == host
                && entry.method == "GET"
                && entry.status == 200
                && entry.path.starts_with("/v2/")
        });
        let mut pulls: HashMap<(String, String), (u64, Timestamp)> = HashMap::new();
        for entry in got.filter(|entry| entry.path.contains("/manifests/")) {
            let (Some(repository), Some(digest)) = (&entry.repository, &entry.digest) else { continue };
            let pull = pulls.entry((repository.clone(), digest.clone())).or_insert((0, entry.at));
            *pull = (pull.0 + 1, entry.at);
        }
        pulls
    }

    /// Appends; the number is given here.
    pub(crate) fn append(&self, mut entry: Entry) {
        for text in [Some(&mut entry.path), entry.user_agent.as_mut(), entry.reference.as_mut()] {
            text.into_iter().for_each(shorten);
        }
        let mut inner = self.inner.lock();
        entry.seq = inner.last + 1;
        self.push(&mut inner, entry);
    }

    /// Appends entries of the log that this one is a copy of, under the numbers that they have there; those that are
    /// here already are passed over.
    pub(crate) fn mirror(&self, entries: Vec<Entry>) {
        let mut inner = self.inner.lock();
        for entry in entries {
            if entry.seq > inner.last {
                self.push(&mut inner, entry);
            }
        }
    }

    fn push(&self, inner: &mut Inner, entry: Entry) {
        inner.last = entry.seq;
        if inner.entries.len() == CAPACITY {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
        self.newest.send_replace(inner.last);
        inner.subscribers.retain(|subscriber| !subscriber.is_closed());
        for subscriber in &inner.subscribers {
            subscriber.send(());
        }
    }
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: u16, method: &str) -> Entry {
        Entry {
            seq: 0,
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            host: "h".into(),
            client: Client { node: Some("node-1".into()), address: [127, 0, 0, 1].into() },
            identity: Some("dev".into()),
            method: method.into(),
            path: "/v2/a/manifests/1".into(),
            repository: Some("a".into()),
            reference: Some("1".into()),
            digest: Some("sha256:0".into()),
            status,
            bytes: 1,
            user_agent: Some("é".repeat(LONGEST)),
        }
    }

    #[test]
    fn entries_are_numbered_bounded_and_found_again() {
        let log = PullLog::default();
        for _ in 0..CAPACITY + 10 {
            log.append(entry(404, "GET"));
        }
        log.append(entry(200, "GET"));
        let last = log.last();
        assert_eq!(last, CAPACITY as u64 + 11);
        assert_eq!(log.since(0).len(), CAPACITY);
        assert_eq!(log.since(last - 2).iter().map(|e| e.seq).collect::<Vec<_>>(), [last - 1, last]);
        assert!(log.since(last).is_empty() && log.since(last + 5).is_empty());
        assert!(log.since(last - 1)[0].user_agent.as_ref().unwrap().len() <= LONGEST);
        let served = log.served("node-1", "h", "a", Timestamp::UNIX_EPOCH);
        assert_eq!(served.len(), 1);
        assert!(served[0].transferred);
        assert!(log.served("node-2", "h", "a", Timestamp::UNIX_EPOCH).is_empty());
    }

    #[tokio::test]
    async fn a_copy_keeps_the_numbers_even_where_some_are_missing() {
        let numbered = |seq| Entry { seq, ..entry(200, "GET") };
        let copy = PullLog::default();
        copy.mirror(vec![numbered(5), numbered(6)]);
        copy.mirror(vec![numbered(6), numbered(9)]);
        let numbers = |since| copy.since(since).iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!((numbers(0), numbers(5), numbers(7)), (vec![5, 6, 9], vec![6, 9], vec![9]));
        copy.beyond(8).await;
        let (waited, ()) = tokio::join!(copy.beyond(9), async { copy.mirror(vec![numbered(10)]) });
        assert_eq!((waited, copy.last()), ((), 10));
    }
}
