//! Checks of a document that need no seed: everything named exists, the points add up, the time line runs forward.

use std::collections::BTreeSet;

use super::faults;
use super::report::{at, wrong};
use crate::model::{Action, CheckKind, Condition, Generator, LIMITS, Personality};
use crate::{Scenario, ScenarioError};

type Outcome = Result<(), ScenarioError>;

/// Names that templates get besides the parameters.
const RESERVED: [&str; 3] = ["drill", "namespace", "ns"];

/// Checks a scenario's document and the presence of its files.
pub(crate) fn document(scenario: &Scenario) -> Outcome {
    identity(scenario)?;
    parameters(scenario)?;
    content(scenario)?;
    history(scenario)?;
    faults::of_templates(scenario)?;
    checks(scenario)?;
    hints(scenario)?;
    files(scenario)
}

fn identity(scenario: &Scenario) -> Outcome {
    let document = &scenario.document;
    if document.id != scenario.source.folder {
        return Err(wrong(
            scenario,
            at!["id"],
            format!("the id is {:?}, the folder {:?}", document.id, scenario.source.folder),
            "give both the same name",
        ));
    }
    let Some(cause) = scenario.causes.get(&document.cause) else {
        return Err(wrong(
            scenario,
            at!["cause"],
            format!("there is no cause {:?}", document.cause),
            "take one of causes.yaml, or add it there",
        ));
    };
    if cause.family() != document.family {
        let message = format!("the cause {:?} is not of the family {:?}", document.cause, document.family);
        return Err(wrong(
            scenario,
            at!["family"],
            message,
            "the family is what stands before the slash in the cause",
        ));
    }
    for (n, id) in document.diagnosis.accepted.iter().enumerate() {
        if scenario.causes.get(id).is_none() {
            return Err(wrong(
                scenario,
                at!["diagnosis", "accepted", n],
                format!("there is no cause {id:?}"),
                "take one of causes.yaml, or add it there",
            ));
        }
    }
    if !document.diagnosis.accepted.contains(&document.cause) {
        let message = format!("the scenario's own cause {:?} would not be accepted", document.cause);
        return Err(wrong(scenario, at!["diagnosis", "accepted"], message, "add it to the list"));
    }
    if document.giveaways.is_empty() {
        return Err(wrong(
            scenario,
            at!["giveaways"],
            "the list is empty".to_owned(),
            "name the words that a trainee must not read before the end",
        ));
    }
    Ok(())
}

fn parameters(scenario: &Scenario) -> Outcome {
    let mut seen = BTreeSet::new();
    for (n, parameter) in scenario.document.parameters.iter().enumerate() {
        let name = parameter.name.as_str();
        if RESERVED.contains(&name) {
            return Err(wrong(
                scenario,
                at!["parameters", n, "name"],
                format!("{name:?} is defined by the fields `drill` and `namespace`"),
                "take another name",
            ));
        }
        if !seen.insert(name) {
            return Err(duplicate(scenario, at!["parameters", n, "name"], name));
        }
        let possible = match &parameter.value {
            Generator::Choice(options) => !options.is_empty(),
            Generator::Integer { from, to } => from <= to,
            Generator::Digits(count) | Generator::Hex(count) | Generator::Letters(count) => *count > 0,
            Generator::Template(_) => true,
        };
        if !possible {
            return Err(wrong(
                scenario,
                at!["parameters", n, "value"],
                format!("there is no value to draw for {name:?}"),
                "give at least one option, or `from` not above `to`",
            ));
        }
    }
    Ok(())
}

fn content(scenario: &Scenario) -> Outcome {
    let document = &scenario.document;
    let mut builds = BTreeSet::new();
    for (n, build) in document.builds.iter().enumerate() {
        if !builds.insert(build.id.as_str()) {
            return Err(duplicate(scenario, at!["builds", n, "id"], &build.id));
        }
    }
    if document.accepted.is_empty() {
        return Err(wrong(
            scenario,
            at!["accepted"],
            "no build counts as right".to_owned(),
            "name at least one build",
        ));
    }
    for (n, id) in document.accepted.iter().enumerate() {
        known_build(scenario, id, at!["accepted", n])?;
    }
    let mut handles = BTreeSet::new();
    for (n, registry) in document.registries.iter().enumerate() {
        if !handles.insert(registry.handle.as_str()) {
            return Err(duplicate(scenario, at!["registries", n, "handle"], &registry.handle));
        }
        let missing = match registry.personality {
            Personality::DockerHub if registry.token_host.is_none() => Some("tokenHost"),
            Personality::Ecr if registry.region.is_none() => Some("region"),
            Personality::Ecr if registry.account_id.is_none() => Some("accountId"),
            _ => None,
        };
        if let Some(field) = missing {
            let message =
                format!("a registry with the personality {:?} needs `{field}`", registry.personality.name());
            return Err(wrong(scenario, at!["registries", n, "personality"], message, "add the field"));
        }
        if let Some(limits) = registry.limits.as_deref().filter(|name| !LIMITS.contains(name)) {
            let message = format!("there is no profile of limits {limits:?}");
            let help = format!("take one of {}", LIMITS.join(", "));
            return Err(wrong(scenario, at!["registries", n, "limits"], message, &help));
        }
        for (t, token) in registry.personal_tokens.iter().enumerate() {
            if registry.personality != Personality::DockerHub {
                let message = format!("a {:?} has no personal access tokens", registry.personality.name());
                let help = "elsewhere they are the passwords of accounts; write one of those";
                return Err(wrong(scenario, at!["registries", n, "personalTokens"], message, help));
            }
            if !registry.accounts.iter().any(|account| account.username == token.username) {
                let message = format!("there is no account {:?}", token.username);
                let path = at!["registries", n, "personalTokens", t, "username"];
                return Err(wrong(scenario, path, message, "name one of the registry's accounts"));
            }
        }
        for (r, repository) in registry.repositories.iter().enumerate() {
            for (i, image) in repository.images.iter().enumerate() {
                known_build(
                    scenario,
                    &image.build,
                    at!["registries", n, "repositories", r, "images", i, "build"],
                )?;
            }
        }
    }
    Ok(())
}

fn history(scenario: &Scenario) -> Outcome {
    let document = &scenario.document;
    let mut last = None;
    for (n, step) in document.history.iter().enumerate() {
        if step.at.is_positive() || last.is_some_and(|last| step.at < last) {
            return Err(wrong(
                scenario,
                at!["history", n, "at"],
                "the time line runs backwards, or into the future".to_owned(),
                "order the steps, oldest first; none is after 0s",
            ));
        }
        last = Some(step.at);
        match &step.action {
            Action::Apply(file) => {
                if !scenario.source.files.contains_key(file) {
                    return Err(wrong(
                        scenario,
                        at!["history", n, "do", "apply"],
                        format!("there is no file {file:?} in the scenario"),
                        "write the path from the scenario's folder: manifests/base.yaml",
                    ));
                }
            }
            Action::IssueToken { registry, .. } => {
                known_registry(scenario, registry, at!["history", n, "do", "issue-token", "registry"])?;
            }
            Action::Push { registry, build, .. } => {
                known_registry(scenario, registry, at!["history", n, "do", "push", "registry"])?;
                known_build(scenario, build, at!["history", n, "do", "push", "build"])?;
            }
            Action::ExhaustQuota { registry } => {
                known_registry(scenario, registry, at!["history", n, "do", "exhaust-quota", "registry"])?;
                if document.nat.is_none() {
                    return Err(wrong(
                        scenario,
                        at!["history", n, "do"],
                        "a quota is that of an address, and the scenario has no `nat`".to_owned(),
                        "add `nat: 203.0.113.7`",
                    ));
                }
            }
            Action::AddFault { registry, .. } => {
                known_registry(scenario, registry, at!["history", n, "do", "add-fault", "registry"])?;
            }
            Action::ClearFaults { registry } => {
                known_registry(scenario, registry, at!["history", n, "do", "clear-faults", "registry"])?;
            }
            Action::SetImage { .. }
            | Action::Scale { .. }
            | Action::Patch { .. }
            | Action::BlockEgress { .. } => {}
        }
    }
    if document.history.is_empty() {
        return Err(wrong(
            scenario,
            at!["history"],
            "nothing ever happens".to_owned(),
            "apply at least one manifest",
        ));
    }
    Ok(())
}

fn checks(scenario: &Scenario) -> Outcome {
    let checks = &scenario.document.checks;
    let lines = &scenario.rubric.checks;
    for (id, test) in checks {
        if !lines.iter().any(|line| line.id == *id) {
            let help = "the keys are the ids of rubric.yaml; a check of another kind needs a line there";
            return Err(wrong(
                scenario,
                at!["checks", id.as_str()],
                format!("the score sheet has no line {id:?}"),
                help,
            ));
        }
        let registries: &[String] = match test {
            CheckKind::ServedByRegistry { registries } => registries,
            CheckKind::PulledWith { registry, .. }
            | CheckKind::ServiceAccountHasSecret { registry }
            | CheckKind::SecretFresh { registry, .. } => std::slice::from_ref(registry),
            _ => &[],
        };
        for handle in registries {
            known_registry(scenario, handle, at!["checks", id.as_str()])?;
        }
    }
    match lines.iter().find(|line| !checks.contains_key(&line.id)) {
        Some(line) => {
            let message = format!("the line {:?} of the score sheet is missing", line.id);
            Err(wrong(
                scenario,
                at!["checks"],
                message,
                "say what it means for this drill; a drill has all of them, so that none stands out",
            ))
        }
        None => Ok(()),
    }
}

fn hints(scenario: &Scenario) -> Outcome {
    let document = &scenario.document;
    let price: u32 = document.hints.iter().map(|hint| hint.price).sum();
    if price > 100 {
        return Err(wrong(
            scenario,
            at!["hints"],
            format!("all hints together cost {price} points"),
            "make them cost 100 at most",
        ));
    }
    for (n, hint) in document.hints.iter().enumerate() {
        for (a, alternative) in hint.alternatives.iter().enumerate() {
            if let Condition::CheckPassed(id) | Condition::CheckFailed(id) = &alternative.when
                && !document.checks.contains_key(id)
            {
                return Err(wrong(
                    scenario,
                    at!["hints", n, "alternatives", a, "when"],
                    format!("there is no check {id:?}"),
                    "name one of the scenario's checks by its id",
                ));
            }
        }
    }
    Ok(())
}

fn files(scenario: &Scenario) -> Outcome {
    for path in ["story.md", "debrief.md"] {
        scenario.source.file(
            path,
            "write it: a story is what the trainee reads first, a debrief what everybody reads last",
        )?;
    }
    for folder in ["remedies", "cheats"] {
        if scenario.source.below(folder, ".sh").next().is_none() {
            return Err(ScenarioError::Missing {
                file: scenario.source.display(&format!("{folder}/*.sh")),
                help: "every scenario proves with scripts which repairs count and which don't; write at least one of each".to_owned(),
            });
        }
    }
    Ok(())
}

fn known_build(scenario: &Scenario, id: &str, at: &[crate::tree::Key]) -> Outcome {
    if scenario.document.builds.iter().any(|build| build.id == id) {
        return Ok(());
    }
    Err(wrong(
        scenario,
        at,
        format!("there is no build {id:?}"),
        "name one of `builds` by its id, or add it there",
    ))
}

fn known_registry(scenario: &Scenario, handle: &str, at: &[crate::tree::Key]) -> Outcome {
    if scenario.document.registries.iter().any(|registry| registry.handle == handle) {
        return Ok(());
    }
    Err(wrong(
        scenario,
        at,
        format!("there is no registry {handle:?}"),
        "name one of `registries` by its handle, or add it there",
    ))
}

fn duplicate(scenario: &Scenario, at: &[crate::tree::Key], id: &str) -> ScenarioError {
    wrong(scenario, at, format!("{id:?} is there twice"), "give each its own name")
}
