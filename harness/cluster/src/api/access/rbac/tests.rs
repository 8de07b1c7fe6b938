//! The authorizer against a table of cases, against a naive evaluator, and while roles come and go.

use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::api::json::{items, text};

#[derive(Deserialize)]
struct Table {
    objects: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    verb: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    path: String,
    allowed: bool,
    #[serde(default)]
    why: String,
}

fn resource(object: &Value) -> String {
    format!("{}s.rbac.authorization.k8s.io", text(&object["kind"]).to_lowercase())
}

fn put(store: &Store, object: &Value) {
    let key = Key::of(object);
    let resource = resource(object);
    if store.get(&resource, &key).is_some() {
        store.update(&resource, &key, None, object.clone()).unwrap();
    } else {
        store.create(&resource, key, object.clone()).unwrap();
    }
}

fn user(name: &str, groups: &[String]) -> User {
    User { name: name.to_owned(), groups: groups.to_vec(), ..User::default() }
}

#[test]
fn the_table_of_cases_holds() {
    let Table { objects, cases } = serde_saphyr::from_str(include_str!("cases.yaml")).unwrap();
    let store = Store::new(100);
    let policy = Policy::default();
    objects.iter().for_each(|object| put(&store, object));
    for case in &cases {
        let wanted = Attributes {
            verb: &case.verb,
            group: &case.group,
            resource: &case.resource,
            subresource: &case.subresource,
            namespace: &case.namespace,
            name: &case.name,
            path: &case.path,
        };
        let opinion = policy.opinion(&store, &user(&case.user, &case.groups), &wanted);
        let right = Opinion { allowed: case.allowed, reason: case.why.clone() };
        assert_eq!(opinion, right, "{} {:?}: {wanted}", case.user, case.groups);
    }
}

/// The same question, asked of all objects one by one, as the documentation tells it.
fn naive(store: &Store, user: &User, wanted: &Attributes<'_>) -> bool {
    let grants = |rule: &Value| {
        let any =
            |field: &str, fits: &dyn Fn(&str) -> bool| items(&rule[field]).iter().any(|v| fits(text(v)));
        let full = if wanted.subresource.is_empty() {
            wanted.resource.to_owned()
        } else {
            format!("{}/{}", wanted.resource, wanted.subresource)
        };
        let names = items(&rule["resourceNames"]);
        any("verbs", &|v| v == "*" || v == wanted.verb)
            && any("apiGroups", &|g| g == "*" || g == wanted.group)
            && any("resources", &|r| {
                r == "*"
                    || r == full
                    || !wanted.subresource.is_empty() && r == format!("*/{}", wanted.subresource)
            })
            && (names.is_empty() || names.iter().any(|n| text(n) == wanted.name))
    };
    let is_me = |binding: &Value| {
        items(&binding["subjects"]).iter().any(|s| match text(&s["kind"]) {
            "User" => text(&s["name"]) == user.name,
            "Group" => user.groups.iter().any(|g| g == text(&s["name"])),
            _ => user.name == format!("system:serviceaccount:{}:{}", text(&s["namespace"]), text(&s["name"])),
        })
    };
    let bindings = store.list(CLUSTER_ROLE_BINDINGS, None).0.into_iter();
    let bindings = bindings.chain(store.list(ROLE_BINDINGS, Some(wanted.namespace)).0);
    bindings.filter(|b| is_me(b.value())).any(|binding| {
        let role = &binding.value()["roleRef"];
        let own = binding.key().namespace.clone();
        let (resource, namespace) =
            if role["kind"] == "ClusterRole" { (CLUSTER_ROLES, String::new()) } else { (ROLES, own) };
        let found = store.get(resource, &Key::new(namespace, text(&role["name"])));
        found.is_some_and(|role| items(&role.value()["rules"]).iter().any(grants))
    })
}

/// One step in the life of the roles: an object written or deleted.
fn step() -> impl Strategy<Value = (bool, Value)> {
    let word = |words: &'static [&'static str]| proptest::sample::select(words);
    let words = move |words: &'static [&'static str]| proptest::collection::vec(word(words), 0..3);
    let rule = (
        words(&["get", "list", "*"]),
        words(&["", "apps", "*"]),
        words(&["pods", "pods/log", "*/log", "*", "log", "*/*"]),
        proptest::collection::vec(word(&["a", "b"]), 0..2),
    );
    let rule = rule.prop_map(|(verbs, groups, resources, names)| {
        json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names})
    });
    let subject = (word(&["User", "Group", "ServiceAccount"]), word(&["n", "m"]))
        .prop_map(|(kind, name)| json!({"kind": kind, "name": name, "namespace": "x"}));
    let kind = word(&["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]);
    let role = (word(&["Role", "ClusterRole"]), word(&["r", "s"]));
    let content = (proptest::collection::vec(rule, 0..3), proptest::collection::vec(subject, 0..3), role);
    (any::<bool>(), kind, word(&["r", "s"]), word(&["x", "y"]), content).prop_map(
        |(deleted, kind, name, namespace, (rules, subjects, role))| {
            let namespace = if kind.starts_with("Cluster") { "" } else { namespace };
            let mut object = json!({"kind": kind, "metadata": {"name": name, "namespace": namespace}});
            if kind.ends_with("Binding") {
                object["subjects"] = subjects.into();
                object["roleRef"] = json!({"kind": role.0, "name": role.1});
            } else {
                object["rules"] = rules.into();
            }
            (deleted, object)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_agrees_with_a_naive_evaluator(steps in proptest::collection::vec(step(), 1..24)) {
        // A window so small that it is sometimes missed.
        let (store, policy) = (Store::new(4), Policy::default());
        let users = [user("n", &[]), user("m", &["n".into()]), user("system:serviceaccount:x:n", &["m".into(), "n".into()])];
        for (at, (deleted, object)) in steps.iter().enumerate() {
            let (resource, key) = (resource(object), Key::of(object));
            if *deleted {
                let _may_not_be_there = store.delete(&resource, &key, None);
            } else {
                put(&store, object);
            }
            if at % 3 == 1 {
                continue;
            }
            for user in &users {
                for (verb, resource, subresource) in [("get", "pods", ""), ("list", "pods", "log"), ("get", "log", ""), ("watch", "pods", "")] {
                    for (group, namespace, name) in [("", "x", "a"), ("apps", "y", ""), ("", "", "b")] {
                        let wanted = Attributes { verb, group, resource, subresource, namespace, name, path: "" };
                        let allowed = policy.opinion(&store, user, &wanted).allowed;
                        prop_assert_eq!(allowed, naive(&store, user, &wanted), "{} {}", &user.name, wanted);
                    }
                }
            }
        }
    }

    #[test]
    fn what_covers_leaves_nothing_missing(rules in proptest::collection::vec(step(), 1..8)) {
        let rules: Vec<Rule> = rules.iter().flat_map(|(_, object)| Rule::read_all(object)).collect();
        prop_assert!(missing(&rules, &rules).is_empty());
        let all = vec!["*".to_owned()];
        let everything = Rule { verbs: all.clone(), api_groups: all.clone(), resources: all, ..Rule::default() };
        prop_assert!(missing(&[everything], &rules).is_empty());
        // A rule without verbs, groups or resources grants nothing, so nothing is missing.
        let empty = |r: &Rule| r.verbs.is_empty() || r.api_groups.is_empty() || r.resources.is_empty();
        prop_assert_eq!(missing(&[], &rules).is_empty(), rules.iter().all(empty));
    }
}

#[test]
fn what_is_missing_is_told_in_few_words() {
    let rule = |rule: Value| Rule::read(&rule);
    let owned = [
        rule(json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/scale"]})),
        rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]})),
        rule(json!({"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]})),
    ];
    for (wanted, lines) in [
        (json!({"verbs": ["list", "get"], "apiGroups": [""], "resources": ["pods", "x/scale"]}), vec![]),
        (
            json!({"verbs": ["get", "watch", "delete"], "apiGroups": [""], "resources": ["pods"]}),
            vec![r#"{APIGroups:[""], Resources:["pods"], Verbs:["watch" "delete"]}"#],
        ),
        (
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}),
            vec![r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}"#],
        ),
        (
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}),
            vec![r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}"#],
        ),
        (json!({"verbs": ["get"], "nonResourceURLs": ["/metrics/slis", "/metrics/*"]}), vec![]),
        (
            json!({"verbs": ["get", "post"], "nonResourceURLs": ["/metrics"]}),
            vec![
                r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#,
                r#"{NonResourceURLs:["/metrics"], Verbs:["post"]}"#,
            ],
        ),
        (
            json!({"verbs": ["get"], "apiGroups": ["b", "a"], "resources": ["r"]}),
            vec![
                r#"{APIGroups:["a"], Resources:["r"], Verbs:["get"]}"#,
                r#"{APIGroups:["b"], Resources:["r"], Verbs:["get"]}"#,
            ],
        ),
    ] {
        let missing: Vec<String> = missing(&owned, &[rule(wanted)]).into_iter().collect();
        assert_eq!(missing, lines);
    }
    // Too many to be taken apart: refused as one, and quickly.
    let many: Vec<String> = (0..20_000).map(|i| i.to_string()).collect();
    let huge = Rule { verbs: many.clone(), api_groups: many.clone(), resources: many, ..Rule::default() };
    assert_eq!(missing(&owned, &[huge]).len(), 1);
}

#[test]
fn a_right_ends_with_its_role_however_many_ask() {
    let store = Arc::new(Store::new(50));
    let policy = Arc::new(Policy::default());
    let role = json!({"kind": "ClusterRole", "metadata": {"name": "r"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    put(
        &store,
        &json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}),
    );
    let me = user("u", &[]);
    let wanted = Attributes { verb: "get", resource: "pods", ..Attributes::default() };
    std::thread::scope(|scope| {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        for _ in 0..3 {
            let (store, policy, me, stop) = (store.clone(), policy.clone(), me.clone(), stop.clone());
            scope.spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let opinion = policy.opinion(&store, &me, &wanted);
                    let why = if opinion.allowed { "RBAC: allowed by" } else { "RBAC: clusterrole." };
                    assert!(opinion.reason.starts_with(why), "{opinion:?}");
                }
            });
        }
        for round in 0..300 {
            put(&store, &role);
            assert!(policy.opinion(&store, &me, &wanted).allowed, "round {round}: made");
            // More writes than the window holds, so that the index starts afresh.
            for i in 0..if round % 10 == 0 { 60 } else { 1 } {
                let name = format!("other-{round}-{i}");
                put(&store, &json!({"kind": "Role", "metadata": {"name": name, "namespace": "x"}}));
            }
            store.delete(CLUSTER_ROLES, &Key::new("", "r"), None).unwrap();
            assert!(!policy.opinion(&store, &me, &wanted).allowed, "round {round}: deleted");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_question_costs_what_the_askers_bindings_cost() {
    let store = Store::new(100);
    let policy = Policy::default();
    for i in 0..5000 {
        put(
            &store,
            &json!({"kind": "RoleBinding", "metadata": {"name": format!("b{i}"), "namespace": "x"},
            "roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": format!("u{i}")}]}),
        );
    }
    put(
        &store,
        &json!({"kind": "ClusterRole", "metadata": {"name": "r"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
    );
    let wanted = Attributes { verb: "get", resource: "pods", namespace: "x", ..Attributes::default() };
    let me = user("u4321", &(0..200).map(|i| format!("g{i}")).collect::<Vec<_>>());
    assert!(policy.opinion(&store, &me, &wanted).allowed);
    // What is visited, not how long it takes: one binding of five thousand.
    assert_eq!(policy.current(&store).index.held(&me, "x").len(), 1);
    let start = pulldrill_clock::real::now();
    let rounds = 10_000;
    for _ in 0..rounds {
        assert!(policy.opinion(&store, &me, &wanted).allowed);
    }
    let each = pulldrill_clock::real::now().duration_since(start).as_secs_f64() / f64::from(rounds);
    // Unoptimised and with two hundred groups it is some ten microseconds; a millisecond would be a fault.
    assert!(each < 0.001, "{each} s");
}
