//! What a host has in its repositories: how content comes in, changes and goes, the same for clients and for the owner.
//!
//! Content is there before a repository says that it has it, and a repository has said that it no longer has it before
//! it goes. All of this may block where content is on disk.

use std::{collections::HashSet, io, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use pulldrill_clock::Timestamp;

use crate::{
    desk::Edit,
    failure::{Failure, Kind},
    host::Host,
    repository::{Blobs, Held, Manifest, Place, Repository},
    store::draft::Draft,
};

/// How many tags that are gone a host remembers.
const MOST_EXPIRED: usize = 10_000;

impl Host {
    /// Changes what lasts of a repository. A change that is refused must not have begun.
    pub(crate) fn change<R: Send + 'static>(
        &self,
        name: &str,
        edit: impl FnOnce(&mut Repository, &Blobs) -> Result<R, Failure> + Send + 'static,
    ) -> Result<R, Failure> {
        if !self.store.may_block() {
            let mut repositories = self.repositories.write();
            let Place { repository, blobs, .. } =
                repositories.get_mut(name).ok_or(Kind::RepositoryUnknown)?;
            return edit(Arc::make_mut(repository), blobs);
        }
        let desk = self.repositories.read().get(name).ok_or(Kind::RepositoryUnknown)?.desk.clone();
        let told = Arc::new(Mutex::new(None));
        let tell = told.clone();
        let edit: Edit = Box::new(move |repository, blobs| {
            let outcome = edit(repository, blobs);
            let changed = outcome.is_ok();
            *tell.lock() = Some(outcome);
            changed
        });
        desk.change(edit, |edits| self.write(name, edits))?;
        let outcome = told.lock().take();
        outcome.unwrap_or_else(|| Err(Kind::RepositoryUnknown.into()))
    }

    /// Makes changes last and then lets them be seen.
    fn write(&self, name: &str, edits: Vec<Edit>) -> io::Result<()> {
        let (now, changed) = {
            let repositories = self.repositories.read();
            let Some(place) = repositories.get(name) else { return Ok(()) };
            let mut copy = (*place.repository).clone();
            let changed =
                edits.into_iter().fold(false, |so_far, edit| edit(&mut copy, &place.blobs) | so_far);
            (copy, changed)
        };
        if changed {
            self.store.record((&self.name, name), &now)?;
            if let Some(place) = self.repositories.write().get_mut(name) {
                place.repository = Arc::new(now);
                place.recorded = true;
            }
        }
        Ok(())
    }

    /// Makes a repository last before it gets its first content.
    pub(crate) fn record(&self, name: &str) -> Result<(), Failure> {
        let recorded = self.repositories.read().get(name).ok_or(Kind::RepositoryUnknown)?.recorded;
        if recorded || !self.store.may_block() { Ok(()) } else { self.change(name, |_, _| Ok(())) }
    }

    /// Takes an upload that has arrived into a repository.
    pub(crate) fn keep(&self, name: &str, draft: Draft, digest: &str, now: Timestamp) -> Result<(), Failure> {
        let length = draft.length();
        let _bringing = self.store.bringing();
        self.record(name)?;
        self.store.keep((&self.name, name), draft, digest)?;
        self.has(name, digest, length, now)
    }

    /// Puts a blob into a repository.
    pub(crate) fn put_blob(
        &self,
        name: &str,
        digest: &str,
        blob: Bytes,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let length = blob.len() as u64;
        let _bringing = self.store.bringing();
        self.record(name)?;
        self.store.put((&self.name, name), digest, blob)?;
        self.has(name, digest, length, now)
    }

    /// Takes a blob over that is in another repository, of whichever host. False when it has gone.
    pub(crate) fn link_blob(
        &self,
        name: &str,
        digest: &str,
        length: u64,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let _bringing = self.store.bringing();
        self.record(name)?;
        if !self.store.link((&self.name, name), digest)? {
            return Ok(false);
        }
        self.has(name, digest, length, now)?;
        Ok(true)
    }

    fn has(&self, name: &str, digest: &str, length: u64, now: Timestamp) -> Result<(), Failure> {
        let mut repositories = self.repositories.write();
        let place = repositories.get_mut(name).ok_or(Kind::RepositoryUnknown)?;
        let held = place.blobs.entry(digest.to_owned()).or_insert_with(|| Held::new(length, now));
        held.touch(now);
        Ok(())
    }

    /// Puts a manifest into a repository that has its parts, under a tag or only under its digest.
    pub(crate) fn put_manifest(
        &self,
        name: &str,
        tag: Option<String>,
        digest: String,
        manifest: Manifest,
        body: Bytes,
    ) -> Result<(), Failure> {
        let _bringing = self.store.bringing();
        {
            let repositories = self.repositories.read();
            let place = repositories.get(name).ok_or(Kind::RepositoryUnknown)?;
            whole(&place.repository, &place.blobs, &manifest)?;
        }
        self.record(name)?;
        self.store.put((&self.name, name), &digest, body)?;
        let rule = tag.as_ref().is_some_and(|tag| self.is_immutable(name, tag));
        self.change(name, move |repository, blobs| {
            whole(repository, blobs, &manifest)?;
            // Not even what it is already can be pushed there.
            if (repository.immutable || rule)
                && tag.as_ref().is_some_and(|tag| repository.tags.contains_key(tag))
            {
                return Err(Kind::TagImmutable.into());
            }
            repository.manifests.insert(digest.clone(), Arc::new(manifest));
            if let Some(tag) = tag {
                repository.tags.insert(tag, digest);
            }
            Ok(())
        })
    }

    /// Gives a manifest that is there one more tag. False when something has that tag.
    pub(crate) fn add_tag(&self, name: &str, tag: &str, digest: &str) -> Result<bool, Failure> {
        let (tag, digest) = (tag.to_owned(), digest.to_owned());
        self.change(name, move |repository, _| {
            if !repository.manifests.contains_key(&digest) {
                return Err(Kind::RevisionGone.into());
            }
            let free = !repository.tags.contains_key(&tag);
            if free {
                repository.tags.insert(tag, digest);
            }
            Ok(free)
        })
    }

    /// Takes a tag away. False when it was not there.
    pub(crate) fn remove_tag(&self, name: &str, tag: &str) -> Result<bool, Failure> {
        let (tag, gone) = (tag.to_owned(), tag.to_owned());
        let removed = self.change(name, move |repository, _| match repository.tags.remove(&tag) {
            Some(_) => Ok(()),
            None => Err(Kind::ManifestUnknown.into()),
        });
        match removed {
            Err(Failure { kind: Kind::ManifestUnknown | Kind::RepositoryUnknown, .. }) => Ok(false),
            other => other.map(|()| {
                self.expire(name, [gone]);
                true
            }),
        }
    }

    /// Takes a manifest and its tags away. False when it was not there.
    pub(crate) fn remove_manifest(&self, name: &str, digest: &str) -> Result<bool, Failure> {
        let _taking = self.store.taking();
        let wanted = digest.to_owned();
        let removed = self.change(name, move |repository, blobs| {
            if repository.manifests.remove(&wanted).is_none() {
                return Err(Kind::RevisionGone.into());
            }
            let tags = repository.tags.extract_if(.., |_, to| *to == wanted).map(|(tag, _)| tag);
            Ok((tags.collect::<Vec<String>>(), blobs.contains_key(&wanted)))
        });
        match removed {
            Ok((tags, true)) => {
                self.expire(name, tags);
                Ok(true)
            }
            Ok((tags, false)) => {
                self.expire(name, tags);
                self.store.let_go((&self.name, name), digest)?;
                Ok(true)
            }
            Err(Failure { kind: Kind::RevisionGone | Kind::RepositoryUnknown, .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Remembers tags that are gone, where that is told from never having been.
    fn expire(&self, name: &str, tags: impl IntoIterator<Item = String>) {
        if !self.personality.remembers_tags {
            return;
        }
        let mut expired = self.expired.lock();
        for tag in tags {
            if expired.len() < MOST_EXPIRED {
                expired.insert((name.to_owned(), tag));
            }
        }
    }

    /// Whether a tag was there once.
    pub(crate) fn has_expired(&self, name: &str, tag: &str) -> bool {
        self.personality.remembers_tags && self.expired.lock().contains(&(name.to_owned(), tag.to_owned()))
    }

    /// Takes a blob away. False when it was not there.
    pub(crate) fn remove_blob(&self, name: &str, digest: &str) -> Result<bool, Failure> {
        let _taking = self.store.taking();
        let manifest_too = {
            let mut repositories = self.repositories.write();
            let Some(place) = repositories.get_mut(name) else { return Ok(false) };
            if place.blobs.remove(digest).is_none() {
                return Ok(false);
            }
            place.repository.manifests.contains_key(digest)
        };
        if !manifest_too {
            self.store.let_go((&self.name, name), digest)?;
        }
        Ok(true)
    }

    /// Takes the blobs away that no manifest has had as a part for so many seconds, and adds what is left to the
    /// living. Only while nothing is brought.
    pub(crate) fn thin_out(
        &self,
        seconds: i64,
        now: Timestamp,
        living: &mut HashSet<String>,
    ) -> io::Result<()> {
        let mut gone = Vec::new();
        for (name, place) in self.repositories.write().iter_mut() {
            let Place { repository, blobs, .. } = place;
            let parts: HashSet<&String> = repository.manifests.values().flat_map(|m| &m.parts).collect();
            blobs.retain(|digest, held| {
                let stays = parts.contains(digest) || held.idle_seconds(now) < seconds;
                if !stays && !repository.manifests.contains_key(digest) {
                    gone.push((name.clone(), digest.clone()));
                }
                stays
            });
            living.extend(blobs.keys().chain(repository.manifests.keys()).cloned());
        }
        gone.iter().try_for_each(|(name, digest)| self.store.let_go((&self.name, name), digest))
    }
}

/// Refuses a manifest of which something is missing.
fn whole(repository: &Repository, blobs: &Blobs, manifest: &Manifest) -> Result<(), Failure> {
    let missing = repository.missing(blobs, manifest);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure { digests: missing, ..Kind::ManifestBlobUnknown.into() })
}
