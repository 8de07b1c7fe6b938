//! Keeps `duties.yaml` honest: every duty of a registry names tests that are there, and every test shows a duty.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A duty that the specification puts on somebody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    section: String,
    level: Level,
    #[serde(default)]
    whose: Whose,
    says: String,
    #[serde(default)]
    shown: Vec<String>,
    /// Why nothing shows it.
    #[serde(default)]
    why: Option<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Level {
    Must,
    Should,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Whose {
    #[default]
    Registry,
    Client,
}

const MODULES: [(&str, &str); 6] = [
    ("deleting", include_str!("deleting.rs")),
    ("errors", include_str!("errors.rs")),
    ("manifests", include_str!("manifests.rs")),
    ("pull", include_str!("pull.rs")),
    ("push", include_str!("push.rs")),
    ("referrers", include_str!("referrers.rs")),
];
const TAGS: (&str, &str) = ("tags", include_str!("tags.rs"));

/// The tests that run, `module::name`: those that a module gives to `on_each_store`.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (module, source) in MODULES.into_iter().chain([TAGS]) {
        let listed = source.split_once("on_each_store!(").unwrap().1.split_once(");").unwrap().0;
        for name in listed.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            assert!(source.contains(&format!("async fn {name}(")), "{module} has no {name}");
            tests.insert(format!("{module}::{name}"));
        }
    }
    tests
}

#[test]
fn every_duty_of_a_registry_is_shown_by_a_test_that_is_there() {
    let duties: Vec<Duty> = serde_saphyr::from_str(include_str!("duties.yaml")).unwrap();
    let tests = tests();
    let mut used = BTreeSet::new();
    for duty in &duties {
        let what = format!("{}: {}", duty.section, duty.says);
        for shown in &duty.shown {
            assert!(tests.contains(shown), "{what}\nis said to be shown by {shown}, which is no test");
            used.insert(shown.clone());
        }
        let explained = duty.why.as_ref().is_some_and(|why| why.len() > 10);
        let excused = duty.whose == Whose::Client || (duty.level == Level::Should && explained);
        assert!(!duty.shown.is_empty() || excused, "{what}\nis shown by nothing");
    }
    let unused: Vec<_> = tests.difference(&used).collect();
    assert!(unused.is_empty(), "these show no duty: {unused:?}");
    let of = |level: Level| duties.iter().filter(|d| d.level == level && d.whose == Whose::Registry).count();
    // What the specification has; somebody who takes one out has to say so here.
    assert_eq!((of(Level::Must), of(Level::Should)), MUSTS_AND_SHOULDS);
    let once: BTreeSet<_> = duties.iter().map(|duty| (&duty.section, &duty.says)).collect();
    assert_eq!(once.len(), duties.len(), "one stands there twice");
}

/// The duties of registries.
const MUSTS_AND_SHOULDS: (usize, usize) = (72, 21);
