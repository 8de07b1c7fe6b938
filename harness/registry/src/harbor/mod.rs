//! What a Harbor knows beside its images: projects, robot accounts, rules about tags, and who did what.
//!
//! - [`project`]: names and publicity. [`robot`]: accounts for machines. [`rights`]: who may do what.
//! - [`selector`]: which repositories and tags are meant. [`immutable`], [`retention`]: rules about them. [`audit`]: the log.
//! - [`data`]: all of it, as it is kept.
//!
//! Nothing here speaks HTTP: that is `crate::server::harbor`'s. Nor is content kept here: a host has its repositories with or
//! without this, and who may use one that its owner has set up is what the owner said. A project that nobody has made by the API
//! is there because of its repositories, and a robot because an account has its name.

pub(crate) mod audit;
pub(crate) mod data;
pub(crate) mod immutable;
pub(crate) mod project;
pub(crate) mod retention;
pub(crate) mod rights;
pub(crate) mod robot;
pub(crate) mod selector;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use parking_lot::{Mutex, RwLock};
use pulldrill_clock::{SignedDuration, Timestamp, clock::TimerId};

use self::data::Data;
use crate::{
    host::Host,
    repository::Place,
    spec::{Access, RepositorySpec},
    store::Store,
};

/// The system administrator, whom every Harbor has.
const ADMIN: &str = "admin";
/// More days than any calendar has.
const ALL_DAYS: i64 = 366 * 20_000;

/// So many days; what is beyond all calendars is their end.
fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days.clamp(-ALL_DAYS, ALL_DAYS))
}

/// A Harbor's own state. Whoever also needs the repositories takes this first.
pub(crate) struct Harbor {
    pub(crate) data: RwLock<Data>,
    /// When policies run next that do so by themselves.
    pub(crate) timers: Mutex<BTreeMap<i64, TimerId>>,
    administrators: BTreeSet<String>,
    saving: Mutex<()>,
}

impl Harbor {
    /// As it was left, or new.
    pub(crate) fn open(
        store: &Store,
        host: &str,
        administrators: &[String],
        now: Timestamp,
    ) -> io::Result<Self> {
        let kept = store.aside(host)?.map(|kept| serde_json::from_slice(&kept)).transpose()?;
        let data = kept.unwrap_or_else(|| Data::new(now));
        let administrators = administrators.iter().cloned().chain([ADMIN.to_owned()]).collect();
        Ok(Self {
            data: RwLock::new(data),
            timers: Mutex::default(),
            administrators,
            saving: Mutex::default(),
        })
    }

    /// Makes the state last. May block.
    pub(crate) fn save(&self, store: &Store, host: &str) -> io::Result<()> {
        if !store.may_block() {
            return Ok(());
        }
        let _in_turn = self.saving.lock();
        let text = serde_json::to_vec(&*self.data.read())?;
        store.keep_aside(host, &text)
    }

    /// Whether somebody may do everything.
    pub(crate) fn is_administrator(&self, user: &str) -> bool {
        self.administrators.contains(user)
    }

    /// Takes notice of what the host has got otherwise: a project for each repository, a robot for each account that has
    /// the name of one.
    pub(crate) fn settle(&self, host: &Host, now: Timestamp) {
        let (mut projects, mut filled) = (BTreeSet::new(), Vec::new());
        let mut data = self.data.write();
        for (name, place) in host.repositories.read().iter() {
            let Some((project, _)) = name.split_once('/') else { continue };
            if place.manifests.is_empty() && data.gone.contains(project) {
                continue;
            }
            projects.insert(project.to_owned());
            if !place.manifests.is_empty() && !data.repositories.contains(name) {
                filled.push(name.clone());
            }
        }
        data.repositories.extend(filled);
        for name in projects {
            data.find_project(&name).is_none().then(|| data.add_project(&name, ADMIN, None, now));
        }
        let accounts = host.accounts.read();
        let robots = accounts.iter().filter(|account| robot::is_robot(&account.username));
        let names: BTreeSet<String> = robots.map(|account| account.username.clone()).collect();
        data.adopt_robots(&names, now);
    }

    /// Whether there is a project for a repository.
    pub(crate) fn has_project_of(&self, host: &Host, repository: &str) -> bool {
        let Some((name, _)) = repository.split_once('/') else { return false };
        if self.data.read().find_project(name).is_some() {
            return true;
        }
        let repositories = host.repositories.read();
        repositories.keys().any(|known| known.split_once('/').is_some_and(|(project, _)| project == name))
    }

    /// Who may use a repository that a user begins by pushing to it: whoever may use the others of its project, as far as
    /// that user is one of them.
    pub(crate) fn beginning(&self, host: &Host, name: &str, user: Option<&str>) -> RepositorySpec {
        let project = name.split_once('/').map_or(name, |(project, _)| project);
        let repositories = host.repositories.read();
        let siblings = repositories.iter().filter(|(name, _)| name.split('/').next() == Some(project));
        let pushes = |place: &Place| place.push.allows(user);
        let like = siblings.map(|(_, place)| place).find(|place| pushes(place));
        let own = || Access::Users(user.map(str::to_owned).into_iter().collect());
        let (pull, push) =
            like.map_or_else(|| (own(), own()), |place| (place.pull.clone(), place.push.clone()));
        RepositorySpec { name: name.to_owned(), pull, push }
    }
}
