//! FlowSchemas and PriorityLevelConfigurations: `flow.yaml`, as objects.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::release::{Release, Span};

/// Since this minor version levels say how much of their share they lend.
const LENDS: u32 = 26;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    levels: Vec<Level>,
    schemas: Vec<Schema>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    name: String,
    since: Option<u32>,
    shares: Option<i64>,
    lendable: Option<i64>,
    queues: Option<i64>,
    hand: Option<i64>,
    length: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    name: String,
    since: Option<u32>,
    level: String,
    precedence: i64,
    by: Option<String>,
    #[serde(default)]
    groups: String,
    #[serde(default)]
    users: String,
    #[serde(default)]
    accounts: String,
    #[serde(default)]
    resources: Vec<Rule>,
    #[serde(default)]
    paths: Vec<Paths>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    verbs: String,
    groups: String,
    resources: String,
    namespaces: String,
    #[serde(default)]
    cluster: bool,
    until: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paths {
    verbs: String,
    urls: String,
}

fn data() -> &'static Data {
    static PARSED: OnceLock<Data> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the data is part of the program, and a test reads it")]
    PARSED
        .get_or_init(|| serde_saphyr::from_str(include_str!("flow.yaml")).expect("flow.yaml is well-formed"))
}

/// All objects of a release, with the resource that each belongs to.
pub(super) fn all(release: Release) -> Vec<(&'static str, Value)> {
    let has = |since: Option<u32>| Span::new(since, None).has(release);
    let levels = data().levels.iter().filter(|level| has(level.since));
    let schemas = data().schemas.iter().filter(|schema| has(schema.since));
    let levels = levels.map(|level| {
        ("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", level.object(release.since(LENDS)))
    });
    let schemas = schemas.map(|schema| ("flowschemas.flowcontrol.apiserver.k8s.io", schema.object(release)));
    levels.chain(schemas).collect()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().map(|word| if word == "core" { "" } else { word }).collect()
}

impl Level {
    fn object(&self, lends: bool) -> Value {
        let Some(shares) = self.shares else {
            let mut spec = json!({"type": "Exempt"});
            if lends {
                spec["exempt"] = json!({"nominalConcurrencyShares": 0, "lendablePercent": 0});
            }
            return json!({"metadata": metadata(&self.name), "spec": spec});
        };
        let response = match self.queues {
            None => json!({"type": "Reject"}),
            Some(queues) => json!({"type": "Queue",
                "queuing": {"queues": queues, "handSize": self.hand, "queueLengthLimit": self.length}}),
        };
        let mut limited = json!({"nominalConcurrencyShares": shares, "limitResponse": response});
        if lends {
            limited["lendablePercent"] = json!(self.lendable);
        }
        json!({"metadata": metadata(&self.name), "spec": {"type": "Limited", "limited": limited}})
    }
}

impl Schema {
    fn object(&self, release: Release) -> Value {
        let everything = self.resources.is_empty() && self.paths.is_empty();
        let rules = self.resources.iter().filter(|rule| Span::new(None, rule.until).has(release));
        let mut resources: Vec<Value> = rules.map(Rule::object).collect();
        let mut paths: Vec<Value> = self
            .paths
            .iter()
            .map(|paths| json!({"verbs": words(&paths.verbs), "nonResourceURLs": words(&paths.urls)}))
            .collect();
        if everything {
            resources
                .push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true,
                "namespaces": ["*"]}));
            paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
        }
        let mut rule = json!({"subjects": self.subjects()});
        for (field, list) in [("resourceRules", resources), ("nonResourceRules", paths)] {
            if !list.is_empty() {
                rule[field] = list.into();
            }
        }
        let mut spec = json!({"priorityLevelConfiguration": {"name": self.level},
            "matchingPrecedence": self.precedence, "rules": [rule]});
        if let Some(by) = &self.by {
            spec["distinguisherMethod"] = json!({"type": by});
        }
        json!({"metadata": metadata(&self.name), "spec": spec})
    }

    fn subjects(&self) -> Vec<Value> {
        let groups =
            words(&self.groups).into_iter().map(|name| json!({"kind": "Group", "group": {"name": name}}));
        let users =
            words(&self.users).into_iter().map(|name| json!({"kind": "User", "user": {"name": name}}));
        let accounts = words(&self.accounts).into_iter().map(|account| {
            let (namespace, name) = account.split_once('/').unwrap_or_default();
            json!({"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}})
        });
        groups.chain(users).chain(accounts).collect()
    }

    /// What the API server says of a schema whose level is there.
    fn status(level: &str, now: &Value) -> Value {
        let message = format!(
            "This FlowSchema references the PriorityLevelConfiguration object named {level:?} and it exists"
        );
        json!({"conditions": [{"type": "Dangling", "status": "False", "lastTransitionTime": now, "reason": "Found",
            "message": message}]})
    }
}

impl Rule {
    fn object(&self) -> Value {
        let mut rule = json!({"verbs": words(&self.verbs), "apiGroups": words(&self.groups),
            "resources": words(&self.resources), "namespaces": words(&self.namespaces)});
        if self.cluster {
            rule["clusterScope"] = true.into();
        }
        rule
    }
}

/// The status of a new schema; of other objects there is none.
pub(super) fn status(object: &Value, now: &Value) -> Option<Value> {
    let level = object["spec"]["priorityLevelConfiguration"]["name"].as_str()?;
    Some(Schema::status(level, now))
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_1_20_are_the_recorded_ones() {
        let recorded: Vec<Value> =
            include_str!("flow-1.20.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let made = all(Release::minor(20));
        assert_eq!(made.len(), recorded.len());
        for (_, object) in made {
            let name = &object["metadata"]["name"];
            let same = |o: &&Value| {
                o["name"] == *name && o["spec"]["type"].is_null() == object["spec"]["type"].is_null()
            };
            let wanted = recorded.iter().find(same).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(object["spec"], wanted["spec"], "{name}");
        }
    }

    #[test]
    fn every_schema_has_its_level() {
        for minor in 20..=36 {
            let all = all(Release::minor(minor));
            let levels: Vec<&str> = all
                .iter()
                .filter(|(_, o)| o["spec"]["type"].is_string())
                .filter_map(|(_, o)| o["metadata"]["name"].as_str())
                .collect();
            for (_, schema) in all.iter().filter(|(_, o)| o["spec"]["type"].is_null()) {
                let level = schema["spec"]["priorityLevelConfiguration"]["name"].as_str().unwrap();
                assert!(levels.contains(&level), "1.{minor}: {level}");
            }
        }
    }
}
