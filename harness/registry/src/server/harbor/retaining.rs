//! Running retention policies: because somebody says so, or because their schedule does, on the clock that people are shown.
//! What is kept is for `crate::harbor::retention` to say.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Weak},
};

use jiff::tz::TimeZone;
use pulldrill_clock::{Busy, Timestamp};

use super::{
    artifacts::{remove, resource, top},
    refusal::Refusal,
    repositories::Pulls,
};
use crate::{
    Client, Entry,
    harbor::{
        Harbor,
        audit::JOBS,
        retention::{Candidate, Execution, Policy, Task, schedule},
    },
    host::Host,
    registry::Shared,
};

/// One run.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Shared,
    pub(super) host: &'a Host,
    /// It only tells what it would delete.
    pub(super) dry_run: bool,
    pub(super) scheduled: bool,
    /// Where it was ordered.
    pub(super) address: IpAddr,
    pub(super) at: Timestamp,
}

impl Run<'_> {
    fn harbor(&self) -> Result<&Harbor, Refusal> {
        self.host.harbor.as_ref().ok_or_else(Refusal::broken)
    }

    /// Runs a policy to its end; gives the number of the run. May block.
    pub(super) fn through(&self, policy: &Policy) -> Result<i64, Refusal> {
        let (project, repositories, id) = {
            let mut data = self.harbor()?.data.write();
            let project = data.projects.get(&policy.project).ok_or_else(Refusal::broken)?.name.clone();
            let prefix = format!("{project}/");
            let repositories: Vec<String> =
                data.repositories.iter().filter(|name| name.starts_with(&prefix)).cloned().collect();
            (project, repositories, data.next("execution"))
        };
        let pulls = self.shared.log.pulls(&self.host.name);
        let mut tasks = Vec::new();
        for repository in repositories {
            let name = repository.strip_prefix(&format!("{project}/")).unwrap_or(&repository);
            let candidates = self.candidates(&repository, &pulls);
            let Some(kept) = policy.kept(name, &candidates, self.at) else { continue };
            let (mut retained, mut log) = (0, String::new());
            for candidate in &candidates {
                let stays = kept.contains(&candidate.digest);
                let fixed = candidate.tags.iter().any(|tag| self.host.is_immutable(&repository, tag));
                let mark = if stays {
                    "RETAIN"
                } else if fixed {
                    "IMMUTABLE"
                } else {
                    "DEL"
                };
                if stays || fixed {
                    retained += 1;
                } else if !self.dry_run {
                    self.delete(&repository, candidate)?;
                }
                let pushed = self.shared.clock.shown(candidate.pushed_at);
                let pushed = pushed.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
                let (digest, tags) = (&candidate.digest, candidate.tags.join(","));
                log += &format!("{digest} | {tags} | pushed {pushed} | {mark}\n");
            }
            let total = candidates.len();
            let head = format!(
                "Run retention process.\n Repository: {repository}\n Rule Algorithm: or\n Dry Run: {}\n\
                 Load {total} candidates from repository {repository}\n",
                self.dry_run
            );
            let task = self.harbor()?.data.write().next("task");
            tasks.push(Task { id: task, repository: name.to_owned(), total, retained, log: head + &log });
        }
        let (policy, dry_run, scheduled, at) = (policy.id, self.dry_run, self.scheduled, self.at);
        let execution = Execution { id, policy, dry_run, scheduled, at, tasks };
        self.harbor()?.data.write().add_execution(execution);
        Ok(id)
    }

    fn candidates(&self, repository: &str, pulls: &Pulls) -> Vec<Candidate> {
        let repositories = self.host.repositories.read();
        let Some(place) = repositories.get(repository) else { return Vec::new() };
        let candidates = top(place).map(|(digest, manifest)| Candidate {
            digest: digest.clone(),
            tags: place.tags_of(digest).into_iter().map(str::to_owned).collect(),
            pushed_at: manifest.pushed_at,
            pulled_at: pulls.get(&(repository.to_owned(), digest.clone())).map(|(_, at)| *at),
        });
        candidates.collect()
    }

    /// Deletes as Harbor's jobs do, so that both logs tell.
    fn delete(&self, repository: &str, candidate: &Candidate) -> Result<(), Refusal> {
        if !remove(self.host, repository, &candidate.digest)? {
            return Ok(());
        }
        let resource = resource(repository, &candidate.digest, &candidate.tags);
        self.harbor()?.data.write().audit.note(self.at, JOBS, "delete", "artifact", resource);
        self.shared.log.append(Entry {
            seq: 0,
            at: self.at,
            host: self.host.name.clone(),
            client: Client { node: None, address: self.address },
            identity: Some(JOBS.to_owned()),
            method: "DELETE".to_owned(),
            path: format!("/v2/{repository}/manifests/{}", candidate.digest),
            repository: Some(repository.to_owned()),
            reference: Some(candidate.tags.first().unwrap_or(&candidate.digest).clone()),
            digest: Some(candidate.digest.clone()),
            status: 202,
            bytes: 0,
            user_agent: Some(JOBS.to_owned()),
        });
        Ok(())
    }
}

/// Has every policy of a host run when its schedule says so.
pub(crate) fn arm_all(shared: &Arc<Shared>, host: &Arc<Host>) {
    let Some(harbor) = &host.harbor else { return };
    let policies: Vec<i64> = harbor.data.read().retentions.keys().copied().collect();
    for policy in policies {
        arm(shared, host, policy);
    }
}

/// Has a policy run when its schedule says so next; no longer when an older one did, nor when it is gone.
pub(super) fn arm(shared: &Arc<Shared>, host: &Arc<Host>, policy: i64) {
    let Some(harbor) = &host.harbor else { return };
    let next = {
        let data = harbor.data.read();
        let schedule = data.retentions.get(&policy).and_then(|policy| schedule(&policy.trigger).ok()?);
        let (now, shown) = (shared.clock.now(), shared.clock.shown_now());
        // Whoever has made the world older sees another time than it has come to since.
        let next = schedule.and_then(|schedule| schedule.next(shown, &TimeZone::UTC));
        next.map(|next| now + next.duration_since(shown))
    };
    let mut timers = harbor.timers.lock();
    if let Some(old) = timers.remove(&policy) {
        shared.clock.cancel(old);
    }
    if let Some(next) = next {
        let of = (Arc::downgrade(shared), Arc::downgrade(host));
        let timer = shared.clock.schedule(next, move |busy| fire(&of, policy, busy));
        timers.insert(policy, timer);
    }
}

/// Runs a policy whose time has come, and sees to it that it runs again.
fn fire((shared, host): &(Weak<Shared>, Weak<Host>), policy: i64, busy: Busy) {
    let (Some(shared), Some(host)) = (shared.upgrade(), host.upgrade()) else { return };
    if host.stop.is_cancelled() {
        return;
    }
    shared.clone().tasks.spawn(async move {
        let (of, to) = (shared.clone(), host.clone());
        let done = shared.store.offload(move || {
            let Some(harbor) = &to.harbor else { return Ok(()) };
            let at = of.clock.now();
            harbor.settle(&to, at);
            let policy = harbor.data.read().retentions.get(&policy).cloned();
            let Some(policy) = policy else { return Ok(()) };
            let address = Ipv4Addr::LOCALHOST.into();
            let run = Run { shared: &of, host: &to, dry_run: false, scheduled: true, address, at };
            if run.through(&policy).is_err() {
                tracing::warn!(
                    host = to.name,
                    policy = policy.id,
                    "a retention policy did not run to its end"
                );
            }
            harbor.save(&of.store, &to.name)
        });
        if let Err(error) = done.await {
            tracing::warn!(%error, host = host.name, "what a retention policy did could not be kept");
        }
        arm(&shared, &host, policy);
        drop(busy);
    });
}
