//! The built-in scenarios: all of them load, render for many seeds, differ by seed and give nothing away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pulldrill_scenarios::{Catalogue, Variant};

fn catalogue() -> Catalogue {
    Catalogue::embedded().unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
}

fn variants(seeds: std::ops::RangeInclusive<u64>) -> Vec<Variant> {
    let catalogue = catalogue();
    seeds
        .flat_map(|seed| {
            catalogue
                .iter()
                .map(|scenario| {
                    scenario.variant(seed).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_folder_and_the_embedded_catalogue_are_the_same() {
    let folder = Catalogue::load_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let embedded = catalogue();
    let ids =
        |catalogue: &Catalogue| catalogue.iter().map(|scenario| scenario.id().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&folder), ids(&embedded));
    for scenario in &embedded {
        assert_eq!(folder.get(scenario.id()).unwrap().variant(3).unwrap(), scenario.variant(3).unwrap());
    }
}

#[test]
fn the_same_seed_gives_the_same_variant_and_others_differ() {
    for scenario in &catalogue() {
        let text = |seed| format!("{:?}", scenario.variant(seed).unwrap());
        assert_eq!(text(11), text(11));
        let different: BTreeSet<String> = (1..=50).map(text).collect();
        assert!(different.len() >= 45, "{} has only {} variants in 50 seeds", scenario.id(), different.len());
    }
}

#[test]
fn nothing_is_left_of_a_template() {
    for variant in variants(1..=50) {
        let text = format!("{variant:?}");
        for mark in ["{{ ", " }}", "{% "] {
            assert!(!text.contains(mark), "{} seed {}: {mark:?} is left", variant.scenario, variant.seed);
        }
    }
}

#[test]
fn drills_of_one_lab_share_no_name_host_or_address() {
    for seed in 1..=50 {
        let mut owner: BTreeMap<String, String> = BTreeMap::new();
        for variant in variants(seed..=seed) {
            let mut names = vec![variant.drill.clone()];
            for registry in &variant.registries {
                names.extend([registry.endpoint().to_owned(), registry.address.clone()]);
                names.extend(
                    registry.token_host.iter().flat_map(|host| [host.name.clone(), host.address.clone()]),
                );
            }
            for name in names {
                if let Some(other) = owner.insert(name.clone(), variant.scenario.clone()) {
                    panic!("seed {seed}: {name} is used by {other} and {}, or twice", variant.scenario);
                }
            }
        }
    }
}

#[test]
fn checks_look_the_same_in_every_drill() {
    // What is asked for must not say which kind of fault it is.
    let all = variants(1..=1);
    let shape = |variant: &Variant| {
        variant
            .checks
            .iter()
            .map(|check| {
                (check.id.clone(), check.title.clone(), check.points, check.required, check.message.clone())
            })
            .collect::<Vec<_>>()
    };
    for variant in &all {
        assert_eq!(shape(variant), shape(&all[0]), "{}", variant.scenario);
    }
}

#[test]
fn texts_are_short_enough_to_be_read() {
    for variant in variants(1..=5) {
        let words = |text: &str| text.split_whitespace().count();
        assert!(
            words(&variant.story) <= 120,
            "{}: story of {} words",
            variant.scenario,
            words(&variant.story)
        );
        assert!(
            words(&variant.debrief) <= 250,
            "{}: debrief of {} words",
            variant.scenario,
            words(&variant.debrief)
        );
        assert_eq!(variant.hints.len(), 3, "{}", variant.scenario);
    }
}

#[test]
fn scripts_name_only_what_they_may_use() {
    let allowed = [
        "kubectl",
        "pulldrill",
        "aws",
        "curl",
        "sed",
        "grep",
        "set",
        "export",
        ".",
        "printf",
        "rm",
        "KUBE_EDITOR",
    ];
    for variant in variants(1..=3) {
        for script in variant.remedies.iter().chain(&variant.cheats) {
            let at = format!("{} {}", variant.scenario, script.name);
            assert!(script.text.starts_with("#!/bin/sh\n"), "{at}");
            assert!(script.text.contains("\nset -eu\n"), "{at}");
            assert!(!script.text.contains("kubectl wait") && !script.text.contains("sleep"), "{at} waits");
            assert!(
                script.text.contains("aws ") <= script.needs.contains(&"aws".to_owned()),
                "{at} uses aws without saying so"
            );
            let first = script
                .text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split([' ', '=']).next());
            assert!(
                first.clone().any(|word| allowed.contains(&word)),
                "{at}: {:?}",
                first.collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn every_scenario_ships_the_known_cheats() {
    let wanted = [
        "delete-pod",
        "delete-workload",
        "other-content",
        "other-image",
        "other-workload",
        "pull-policy-never",
        "scale-to-zero",
    ];
    for variant in variants(1..=1) {
        let cheats: BTreeSet<&str> = variant.cheats.iter().map(|cheat| cheat.name.as_str()).collect();
        for name in wanted {
            assert!(cheats.contains(name), "{} has no cheat {name}", variant.scenario);
        }
    }
}
