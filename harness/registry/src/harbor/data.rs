//! All that a Harbor keeps, by number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pulldrill_clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    audit::Audit,
    immutable::Rule,
    project::{LIBRARY, Project},
    retention::{Execution, Policy},
    robot::{PREFIX, Robot},
};

/// How many projects there may be, and robots, rules and policies: nobody fills the memory by making them.
pub(crate) const MOST: usize = 10_000;
/// How many runs of retention policies are remembered.
const MOST_RUNS: usize = 1_000;

/// The state.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    pub(crate) projects: BTreeMap<i64, Project>,
    pub(crate) robots: BTreeMap<i64, Robot>,
    pub(crate) immutable: BTreeMap<i64, Rule>,
    pub(crate) retentions: BTreeMap<i64, Policy>,
    pub(crate) executions: BTreeMap<i64, Execution>,
    /// Those that have had content and were not deleted.
    pub(crate) repositories: BTreeSet<String>,
    pub(crate) audit: Audit,
    /// Projects that were deleted: what the owner has set up for them does not bring them back.
    pub(crate) gone: BTreeSet<String>,
    /// The last number of each kind.
    last: BTreeMap<String, i64>,
    /// Numbers of repositories, artifacts and tags, which mean something only as long as this process runs.
    #[serde(skip)]
    numbers: HashMap<(&'static str, String), i64>,
    #[serde(skip)]
    numbered: HashMap<&'static str, i64>,
}

impl Data {
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut data = Self::default();
        data.add_project(LIBRARY, super::ADMIN, Some(true), now);
        data
    }

    /// The next number of a kind.
    pub(crate) fn next(&mut self, kind: &str) -> i64 {
        let last = self.last.entry(kind.to_owned()).or_default();
        *last += 1;
        *last
    }

    /// The number of something that has only a name.
    pub(crate) fn number(&mut self, kind: &'static str, name: String) -> i64 {
        let (numbered, numbers) = (&mut self.numbered, &mut self.numbers);
        *numbers.entry((kind, name)).or_insert_with(|| {
            let last = numbered.entry(kind).or_default();
            *last += 1;
            *last
        })
    }

    pub(crate) fn find_project(&self, name: &str) -> Option<&Project> {
        self.projects.values().find(|project| project.name == name)
    }

    pub(crate) fn add_project(
        &mut self,
        name: &str,
        owner: &str,
        public: Option<bool>,
        now: Timestamp,
    ) -> i64 {
        let id = self.next("project");
        self.gone.remove(name);
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let (created_at, updated_at) = (now, now);
        let project = Project { id, name, owner, public, created_at, updated_at, retention: None };
        self.projects.insert(id, project);
        id
    }

    /// Takes a project away, with all that is its own.
    pub(crate) fn remove_project(&mut self, id: i64) {
        let Some(project) = self.projects.remove(&id) else { return };
        self.gone.insert(project.name.clone());
        self.robots.retain(|_, robot| robot.project != id);
        self.immutable.retain(|_, rule| rule.project != id);
        self.retentions.retain(|_, policy| policy.project != id);
        for robot in self.robots.values_mut() {
            let permissions = robot.permissions.iter_mut();
            permissions.for_each(|all| all.retain(|permission| permission.namespace != project.name));
        }
    }

    pub(crate) fn find_robot(&self, name: &str) -> Option<&Robot> {
        self.robots.values().find(|robot| robot.name == name)
    }

    /// Robots whose secrets are the passwords of accounts come and go with these.
    pub(crate) fn adopt_robots(&mut self, names: &BTreeSet<String>, now: Timestamp) {
        self.robots.retain(|_, robot| robot.secret.is_some() || names.contains(&robot.name));
        for name in names {
            if self.find_robot(name).is_some() {
                continue;
            }
            let own = name.strip_prefix(PREFIX).and_then(|own| own.split_once('+'));
            let project = own.and_then(|(project, _)| self.find_project(project));
            let project = project.map_or(0, |project| project.id);
            let id = self.next("robot");
            let robot = Robot {
                id,
                name: name.clone(),
                description: String::new(),
                project,
                disabled: false,
                days: -1,
                created_at: now,
                updated_at: now,
                permissions: None,
                secret: None,
            };
            self.robots.insert(id, robot);
        }
    }

    /// Whether a tag stays what it is by a rule of its project.
    pub(crate) fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        let Some((project, name)) = repository.split_once('/') else { return false };
        let Some(project) = self.find_project(project) else { return false };
        self.immutable.values().any(|rule| rule.project == project.id && rule.holds(name, tag))
    }

    /// Remembers a run, and forgets the oldest where there are many.
    pub(crate) fn add_execution(&mut self, execution: Execution) {
        self.executions.insert(execution.id, execution);
        if self.executions.len() > MOST_RUNS {
            self.executions.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_are_not_given_twice() {
        let now = Timestamp::UNIX_EPOCH;
        let mut data = Data::new(now);
        let team = data.add_project("team", "admin", None, now);
        assert_eq!((team, data.number("tag", "a".into()), data.number("tag", "b".into())), (2, 1, 2));
        assert_eq!((data.number("tag", "a".into()), data.number("artifact", "a".into())), (1, 1));
        data.adopt_robots(&["robot$ci".to_owned(), "robot$team+ci".to_owned()].into(), now);
        let projects: Vec<i64> = data.robots.values().map(|robot| robot.project).collect();
        assert_eq!(projects, [0, team]);
        data.remove_project(team);
        assert_eq!((data.robots.len(), data.add_project("team", "admin", None, now)), (1, 3));
        data.adopt_robots(&BTreeSet::new(), now);
        assert!(data.robots.is_empty());
        let text = serde_json::to_string(&data).unwrap();
        let mut back: Data = serde_json::from_str(&text).unwrap();
        assert_eq!(back.add_project("other", "admin", None, now), 4);
    }
}
