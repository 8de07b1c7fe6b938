//! What can be said of a scenario's registries beside what the drills here say: every fault there is, personal access tokens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use common::changed;
use pulldrill_faults::FaultKind;
use pulldrill_scenarios::{Action, TokenScope};

/// Everything that can be said of a fault, with the values that it has when nothing is said.
fn said(kind: &FaultKind) -> String {
    let values = kind.parameters.iter().filter(|parameter| !parameter.default.is_empty());
    let values: Vec<String> =
        values.map(|parameter| format!("{}: {:?}", parameter.name, parameter.default)).collect();
    format!("{{ fault: {}, with: {{ {} }} }}", kind.name, values.join(", "))
}

#[test]
fn every_fault_of_the_table_can_be_there_from_the_beginning_or_come_later() {
    assert!(FaultKind::all().len() > 20);
    for kind in FaultKind::all() {
        let rule = said(kind);
        let faults = format!("    faults: [{rule}]\n    repositories:");
        let variant = changed("wrong-tag", "scenario.yaml", "    repositories:", &faults);
        let variant = variant.unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(variant.registries[0].faults[0].fault, kind.name);
        let step = "  - { at: 0s, do: { add-fault: { registry: main, rule: RULE } } }\n\nsymptom:";
        let step = step.replace("RULE", &rule);
        let variant = changed("wrong-tag", "scenario.yaml", "\nsymptom:", &step);
        let variant = variant.unwrap_or_else(|error| panic!("{rule}: {error}"));
        let last = &variant.history.last().unwrap().action;
        assert!(matches!(last, Action::AddFault { rule, .. } if rule.fault == kind.name), "{last:?}");
    }
}

#[test]
fn personal_access_tokens_have_a_scope_and_an_end() {
    let with = |tokens: &str| {
        let tokens = format!("    personalTokens:\n{tokens}    repositories:");
        changed("hub-rate-limit", "scenario.yaml", "    repositories:", &tokens)
    };
    let two = "      - { username: \"{{ hubuser }}\", token: dckr_pat_1, scope: \"repo:read\", expires: -2h }\n      \
               - { username: \"{{ hubuser }}\", token: dckr_pat_2 }\n";
    let hub = with(two).unwrap().registries.remove(0);
    let [old, good] = &hub.personal_tokens[..] else { panic!("{:?}", hub.personal_tokens) };
    assert_eq!(old.username, hub.accounts[0].username);
    assert_eq!((old.scope, old.expires.unwrap().as_hours()), (TokenScope::Read, -2));
    assert_eq!((good.scope, good.expires), (TokenScope::Admin, None));
    for (token, message) in [
        ("{ username: nobody, token: x }", "there is no account \"nobody\""),
        ("{ username: x, token: x, scope: everything }", "unknown variant `everything`"),
        ("{ username: x, token: x, expires: soon }", "duration"),
        ("{ username: x }", "token"),
    ] {
        let error = with(&format!("      - {token}\n")).expect_err(token).to_string();
        assert!(error.contains(message), "{token}: {error}");
    }
}
