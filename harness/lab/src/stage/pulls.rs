//! Reading the pull log: for the checks, as it grows; for people, by what they look for.

use std::{collections::BTreeSet, sync::Arc};

use pulldrill_registry::Entry;

use super::{Host, Stage};
use crate::{checks::evidence::Served, request::PullQuery, view::PullView};

impl Stage {
    /// Takes in what the registries have seen since the last time; the drills that it concerns.
    pub(crate) fn take_pulls(&self) -> BTreeSet<String> {
        let mut read = self.read.lock();
        let mut touched = BTreeSet::new();
        let mut drills = self.drills.write();
        for entry in self.registry.pull_log().since(*read) {
            *read = entry.seq;
            for (drill, staged) in drills.iter_mut() {
                let Some(host) = staged.hosts.iter().find(|host| host.endpoint == entry.host) else {
                    continue;
                };
                touched.insert(drill.clone());
                if let Some(served) = served(&entry, host) {
                    remember(Arc::make_mut(&mut staged.served), served);
                }
            }
        }
        touched
    }

    /// The number of the latest entry.
    pub(crate) fn last_pull(&self) -> u64 {
        self.registry.pull_log().last()
    }

    /// Waits until there is a later one.
    pub(crate) async fn pulls_beyond(&self, seq: u64) {
        self.registry.pull_log().beyond(seq).await;
    }

    /// The entries that somebody asks for, the oldest first.
    pub(crate) fn pull_views(&self, query: &PullQuery) -> Vec<PullView> {
        let hosts = self.hosts();
        let name_of = |endpoint: &str| hosts.iter().find(|(_, host)| host.endpoint == endpoint);
        let mut views = Vec::new();
        for entry in self.registry.pull_log().since(query.since) {
            let known = name_of(&entry.host);
            let name = known.map_or(entry.host.as_str(), |(_, host)| host.name.as_str());
            let of_drill = |drill: &String| known.is_some_and(|(owner, _)| owner == drill);
            let wanted = query.host.as_ref().is_none_or(|host| *host == name || *host == entry.host)
                && query.repository.as_ref().is_none_or(|r| entry.repository.as_ref() == Some(r))
                && query.node.as_ref().is_none_or(|node| entry.client.node.as_ref() == Some(node))
                && query.drill.as_ref().is_none_or(of_drill);
            if wanted {
                views.push(self.pull_view(&entry));
            }
        }
        if let Some(limit) = query.limit {
            views.drain(..views.len().saturating_sub(limit));
        }
        views
    }

    fn pull_view(&self, entry: &Entry) -> PullView {
        PullView {
            seq: entry.seq,
            at: self.clock.shown(entry.at),
            host: entry.host.clone(),
            node: entry.client.node.clone(),
            address: entry.client.address,
            identity: entry.identity.clone(),
            method: entry.method.to_string(),
            path: entry.path.clone(),
            repository: entry.repository.clone(),
            reference: entry.reference.clone(),
            digest: entry.digest.as_ref().map(ToString::to_string),
            status: entry.status,
            bytes: entry.bytes,
            user_agent: entry.user_agent.clone(),
        }
    }
}

/// What an entry says about a manifest that a node got.
fn served(entry: &Entry, host: &Host) -> Option<Served> {
    let is_manifest = entry.path.contains("/manifests/");
    if !is_manifest || !(200..300).contains(&entry.status) || !matches!(&*entry.method, "GET" | "HEAD") {
        return None;
    }
    Some(Served {
        at: entry.at,
        host: host.name.clone(),
        repository: entry.repository.clone()?,
        reference: entry.reference.clone()?,
        digest: entry.digest.as_ref()?.to_string(),
        node: entry.client.node.clone()?,
        identity: entry.identity.clone(),
    })
}

/// Keeps of the same thing only the latest: whoever asks for "since" is served by that too.
fn remember(all: &mut Vec<Served>, new: Served) {
    let same = |old: &Served| Served { at: new.at, ..old.clone() } == new;
    match all.iter_mut().find(|old| same(old)) {
        Some(old) => old.at = new.at,
        None => all.push(new),
    }
}
