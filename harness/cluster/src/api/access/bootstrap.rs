//! The roles and bindings that a cluster has from the start: `bootstrap.yaml`, as objects.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::rbac::{Rule, aggregated};
use crate::release::{Release, Span};

static DATA: &str = include_str!("bootstrap.yaml");
static CONTROLLERS: &str = include_str!("controllers.yaml");

/// What the names of the controllers' roles begin with.
const CONTROLLER: &str = "system:controller:";

const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    /// Words for several verbs.
    verbs: BTreeMap<String, String>,
    roles: Vec<RoleData>,
    bindings: Vec<BindingData>,
    /// Those of single namespaces.
    local: Vec<LocalData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Controllers {
    roles: Vec<RoleData>,
}

/// A Role and the RoleBinding to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalData {
    namespace: String,
    /// The role's name.
    name: String,
    /// The binding's, where that is another one.
    #[serde(default)]
    binding: Option<String>,
    rules: Vec<RuleData>,
    #[serde(default)]
    users: String,
    #[serde(default)]
    accounts: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RoleData {
    name: String,
    /// The role gathers the rules of the roles with this label.
    #[serde(default)]
    aggregates: Option<String>,
    #[serde(default)]
    aggregate_to: Option<String>,
    #[serde(default)]
    rules: Vec<RuleData>,
    #[serde(default)]
    since: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleData {
    #[serde(default)]
    verbs: String,
    /// The right to write events, and nothing else.
    #[serde(default)]
    events: bool,
    #[serde(default)]
    groups: String,
    #[serde(default)]
    resources: String,
    #[serde(default)]
    names: String,
    #[serde(default)]
    urls: String,
    #[serde(default)]
    since: Option<u32>,
    #[serde(default)]
    until: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingData {
    /// The binding's name, and that of its role.
    name: String,
    #[serde(default)]
    users: String,
    #[serde(default)]
    groups: String,
    /// Namespace and name, with a slash.
    #[serde(default)]
    accounts: String,
}

/// The first roles and bindings of a release, with the resource that each belongs to.
pub(crate) fn first_objects(release: Release) -> Vec<(&'static str, Value)> {
    let data = data();
    let mut roles: Vec<Value> = data.roles.iter().map(|role| role.object(&data.verbs, release)).collect();
    // Gathered here once, so that a role is never seen without its rules. Some gather from one another.
    for _ in &["view", "edit", "admin"] {
        let gathered: Vec<Option<Vec<Value>>> = roles.iter().map(|role| aggregated(role, &roles)).collect();
        for (role, rules) in roles.iter_mut().zip(gathered) {
            if let Some(rules) = rules {
                role["rules"] = rules.into();
            }
        }
    }
    let mut bindings: Vec<Value> = data.bindings.iter().map(BindingData::object).collect();
    for controller in controllers().roles.iter().filter(|role| Span::new(role.since, None).has(release)) {
        let mut role = controller.object(&data.verbs, release);
        let name = format!("{CONTROLLER}{}", controller.name);
        role["metadata"]["name"] = name.as_str().into();
        roles.push(role);
        let accounts = format!("kube-system/{}", controller.name);
        bindings.push(BindingData { name, users: String::new(), groups: String::new(), accounts }.object());
    }
    let roles = roles.into_iter().map(|role| ("clusterroles.rbac.authorization.k8s.io", role));
    let bindings = bindings.into_iter().map(|o| ("clusterrolebindings.rbac.authorization.k8s.io", o));
    let local = data.local.iter().flat_map(|local| local.objects(&data.verbs));
    roles.chain(bindings).chain(local).collect()
}

fn controllers() -> &'static Controllers {
    static PARSED: OnceLock<Controllers> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the data is part of the program, and a test reads it")]
    PARSED
        .get_or_init(|| serde_saphyr::from_str(CONTROLLERS).expect("the controllers' roles are well-formed"))
}

fn data() -> &'static Data {
    static PARSED: OnceLock<Data> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "the data is part of the program, and a test reads it")]
    PARSED.get_or_init(|| serde_saphyr::from_str(DATA).expect("the bootstrap roles are well-formed"))
}

/// The words of a list, sorted, as the API server's own rules have them.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    words.sort();
    words
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}})
}

fn aggregation_label(to: &str) -> Value {
    Map::from_iter([(format!("{GROUP}/aggregate-to-{to}"), Value::from("true"))]).into()
}

impl RoleData {
    fn object(&self, verbs: &BTreeMap<String, String>, release: Release) -> Value {
        let rules = self.rules.iter().filter(|rule| Span::new(rule.since, rule.until).has(release));
        let rules: Vec<Value> = rules.map(|rule| rule.rule(verbs).to_value()).collect();
        let mut role = json!({"apiVersion": API_VERSION, "kind": "ClusterRole",
            "metadata": metadata(&self.name), "rules": rules});
        if let Some(to) = &self.aggregate_to {
            let label = aggregation_label(to);
            if let (Some(labels), Value::Object(label)) = (role["metadata"]["labels"].as_object_mut(), label)
            {
                labels.extend(label);
            }
        }
        if let Some(from) = &self.aggregates {
            role["aggregationRule"] =
                json!({"clusterRoleSelectors": [{"matchLabels": aggregation_label(from)}]});
        }
        role
    }
}

impl LocalData {
    fn objects(&self, verbs: &BTreeMap<String, String>) -> [(&'static str, Value); 2] {
        let binding = BindingData {
            name: self.binding.as_ref().unwrap_or(&self.name).clone(),
            users: self.users.clone(),
            groups: String::new(),
            accounts: self.accounts.clone(),
        };
        let rules: Vec<Value> = self.rules.iter().map(|rule| rule.rule(verbs).to_value()).collect();
        let mut role = json!({"apiVersion": API_VERSION, "kind": "Role", "metadata": metadata(&self.name),
            "rules": rules});
        let mut binding = binding.object();
        binding["kind"] = "RoleBinding".into();
        binding["roleRef"] = json!({"apiGroup": GROUP, "kind": "Role", "name": self.name});
        for object in [&mut role, &mut binding] {
            object["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        [("roles.rbac.authorization.k8s.io", role), ("rolebindings.rbac.authorization.k8s.io", binding)]
    }
}

impl RuleData {
    fn rule(&self, verbs: &BTreeMap<String, String>) -> Rule {
        if self.events {
            return Rule {
                verbs: words("create patch update"),
                api_groups: vec![String::new(), "events.k8s.io".to_owned()],
                resources: words("events"),
                ..Rule::default()
            };
        }
        let groups = words(&self.groups).into_iter();
        let mut rule = Rule {
            verbs: words(verbs.get(&self.verbs).unwrap_or(&self.verbs)),
            api_groups: groups.map(|g| if g == "core" { String::new() } else { g }).collect(),
            resources: words(&self.resources),
            resource_names: words(&self.names),
            non_resource_urls: words(&self.urls),
        };
        rule.api_groups.sort();
        rule
    }
}

impl BindingData {
    fn object(&self) -> Value {
        let of_kind = |kind: &'static str, names: &str| {
            words(names).into_iter().map(move |name| json!({"apiGroup": GROUP, "kind": kind, "name": name}))
        };
        let account = |account: String| {
            let (namespace, name) = account.split_once('/').unwrap_or_default();
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        };
        let subjects = of_kind("Group", &self.groups).chain(of_kind("User", &self.users));
        let subjects: Vec<Value> = subjects.chain(words(&self.accounts).into_iter().map(account)).collect();
        let mut binding = json!({"apiVersion": API_VERSION, "kind": "ClusterRoleBinding",
            "metadata": metadata(&self.name),
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": self.name}});
        if !subjects.is_empty() {
            binding["subjects"] = subjects.into();
        }
        binding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::json::text;

    fn role(minor: u32, name: &str) -> Value {
        let named = |(_, object): &(&str, Value)| {
            object["kind"] == "ClusterRole" && text(&object["metadata"]["name"]) == name
        };
        first_objects(Release::minor(minor)).into_iter().find(named).unwrap().1
    }

    #[test]
    fn roles_gather_from_one_another_and_differ_by_release() {
        let grants = |minor: u32, name: &str, verb: &str, resource: &str| {
            let rules = Rule::read_all(&role(minor, name));
            let has = |list: &[String], text: &str| list.iter().any(|l| l == text);
            rules.iter().any(|rule| has(&rule.verbs, verb) && has(&rule.resources, resource))
        };
        for (name, verb, resource, old, new) in [
            ("view", "list", "pods", true, true),
            ("view", "get", "secrets", false, false),
            ("edit", "get", "secrets", true, true),
            ("edit", "list", "pods", true, true),
            ("edit", "create", "roles", false, false),
            ("admin", "create", "roles", true, true),
            ("admin", "watch", "pods/log", true, true),
            ("edit", "update", "endpoints", true, false),
            ("edit", "create", "serviceaccounts/token", false, true),
        ] {
            assert_eq!(grants(20, name, verb, resource), old, "1.20: {name} {verb} {resource}");
            assert_eq!(grants(36, name, verb, resource), new, "1.36: {name} {verb} {resource}");
        }
    }

    /// Of `kubectl get clusterroles,roles,rolebindings -A -o json` of 1.20.2, what is about controllers and namespaces.
    const RECORDED: &str = include_str!("bootstrap-1.20.jsonl");

    #[test]
    fn those_of_controllers_and_namespaces_are_the_recorded_ones() {
        let all = first_objects(Release::minor(20));
        let mut seen = 0;
        for line in RECORDED.lines() {
            let recorded: Value = serde_json::from_str(line).unwrap();
            let same = |o: &Value| {
                o["kind"] == recorded["kind"]
                    && ["name", "namespace"].iter().all(|f| o["metadata"][f] == recorded["metadata"][f])
            };
            let (_, made) = all.iter().find(|(_, o)| same(o)).unwrap_or_else(|| panic!("no {recorded}"));
            assert_eq!(made, &recorded);
            seen += 1;
        }
        assert_eq!(seen, 29 + 29 + 7 + 7);
        let controllers = |minor: u32| {
            let all = first_objects(Release::minor(minor));
            let names = all.iter().filter(|(_, o)| o["kind"] == "ClusterRole");
            names.filter(|(_, o)| text(&o["metadata"]["name"]).starts_with(CONTROLLER)).count()
        };
        assert_eq!((controllers(20), controllers(36)), (29, 38));
    }

    #[test]
    fn every_binding_has_its_role() {
        let objects = first_objects(Release::minor(36));
        for (_, binding) in objects.iter().filter(|(_, o)| o["kind"] == "ClusterRoleBinding") {
            assert!(!role(36, text(&binding["roleRef"]["name"]))["rules"].is_null());
        }
        let labels = &role(36, "edit")["metadata"]["labels"];
        assert_eq!(
            labels,
            &json!({"kubernetes.io/bootstrapping": "rbac-defaults",
            "rbac.authorization.k8s.io/aggregate-to-admin": "true"})
        );
    }
}
