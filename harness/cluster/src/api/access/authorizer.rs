//! Who may what. Masters may everything. Trainees may everything that can't forge a score. All others may
//! what roles grant them, but, where evidence is guarded, never more than a trainee.

use serde_json::{Value, json};

use super::{
    Attributes, AuthorizationMode, MASTERS, TRAINEES, evidence,
    rbac::{self, Opinion, Rights, Rule},
};
use crate::api::{Api, Status, User};

/// Decides about what somebody wants to do.
pub(in crate::api) fn opinion(api: &Api, user: &User, wanted: &Attributes<'_>) -> Opinion {
    let plain = |allowed| Opinion { allowed, reason: String::new() };
    if user.is_in(MASTERS) {
        return plain(true);
    }
    if api.options().guarded && evidence::forges(wanted) {
        return plain(false);
    }
    if user.is_in(TRAINEES) && wanted.verb != "impersonate" {
        return plain(true);
    }
    let opinion = api.policy().opinion(api.store(), user, wanted);
    match api.options().authorization {
        AuthorizationMode::AlwaysAllow if !opinion.allowed => plain(true),
        _ => opinion,
    }
}

/// [`opinion`], as a refusal.
///
/// # Errors
/// 403.
pub(in crate::api) fn authorize(api: &Api, user: &User, wanted: &Attributes<'_>) -> Result<(), Status> {
    let opinion = opinion(api, user, wanted);
    if opinion.allowed { Ok(()) } else { Err(wanted.forbidden(user, &opinion.reason)) }
}

/// Everything that somebody may do in a namespace.
pub(super) fn rights(api: &Api, user: &User, namespace: &str) -> Rights {
    let mut rights = api.policy().rights(api.store(), user, namespace);
    if user.is_in(TRAINEES) {
        rights.rules.extend(of_trainees());
    }
    if api.options().authorization == AuthorizationMode::AlwaysAllow {
        rights.rules.extend(everything());
    }
    rights
}

/// What who may everything may, as rules.
fn everything() -> [Rule; 2] {
    let paths = Rule { verbs: vec!["*".into()], non_resource_urls: vec!["*".into()], ..Rule::default() };
    [rule(&["*"], &["*"]), paths]
}

/// What trainees may, as rules: they can't say what is left out.
fn of_trainees() -> [Rule; 3] {
    let evidence = evidence::EVIDENCE.map(|(_, resource)| resource);
    let [resources, paths] = everything();
    [resources, rule(&evidence::READS, &evidence), paths]
}

/// A rule about resources, whatever their group.
fn rule(verbs: &[&str], resources: &[&str]) -> Rule {
    let list = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    Rule { verbs: list(verbs), api_groups: list(&["*"]), resources: list(resources), ..Rule::default() }
}

/// The status of a `SelfSubjectRulesReview`.
pub(in crate::api) fn review_rules(api: &Api, user: &User, namespace: &str) -> Value {
    let Rights { rules, errors } = rights(api, user, namespace);
    let (paths, resources): (Vec<&Rule>, Vec<&Rule>) =
        rules.iter().partition(|rule| !rule.non_resource_urls.is_empty());
    let shown = |rules: Vec<&Rule>| rules.into_iter().map(Rule::to_value).collect::<Vec<Value>>();
    let mut status = json!({"resourceRules": shown(resources), "nonResourceRules": shown(paths),
        "incomplete": !errors.is_empty()});
    if !errors.is_empty() {
        status["evaluationError"] = rbac::aggregate(errors.into_iter().collect()).into();
    }
    status
}
