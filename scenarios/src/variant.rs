//! A scenario made concrete by a seed: nothing in it is a template any more.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use crate::causes::Cause;
use crate::model::{
    Backend, Build, Check, CheckKind, Difficulty, Hint, Need, Registry, Step, Symptom, Workload,
};
use crate::placement::Placement;
use crate::render::Renderer;
use crate::rubric::Rubric;
use crate::script::Script;
use crate::{Scenario, ScenarioError, generate};

/// A concrete drill to be: everything the lab needs to stage, open and judge it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The scenario's id. Instructor knowledge.
    pub scenario: String,
    /// The seed it was made with.
    pub seed: u64,
    /// The values of the parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The drill's id as the trainee sees it.
    pub drill: String,
    /// The namespace; the lab creates it before the first step.
    pub namespace: String,
    /// The title the trainee reads.
    pub title: String,
    /// The story the trainee reads, Markdown.
    pub story: String,
    /// The family. Instructor knowledge.
    pub family: String,
    /// The cause. Instructor knowledge.
    pub cause: String,
    /// How hard it is.
    pub difficulty: Difficulty,
    /// What one can do after having solved it. For the debriefing.
    pub objectives: Vec<String>,
    /// Words that none of the scenario's own texts shows a trainee before the drill is closed.
    pub giveaways: Vec<String>,
    /// The address that the drill's registries see the nodes come from, when it matters.
    pub nat: Option<String>,
    /// Contents of images.
    pub builds: Vec<Build>,
    /// Ids of the builds that count as right.
    pub accepted: Vec<String>,
    /// The registries.
    pub registries: Vec<Registry>,
    /// The workload that doesn't come up.
    pub workload: Workload,
    /// Healthy workloads beside it.
    pub others: Vec<Workload>,
    /// What happened before, oldest first.
    pub history: Vec<Step>,
    /// The manifests by path (`manifests/base.yaml`): YAML, one or more documents. The `apply` steps name them.
    pub manifests: BTreeMap<String, String>,
    /// What must be seen before the drill opens.
    pub symptom: Symptom,
    /// What the trainee can answer and what is right.
    pub diagnosis: Diagnosis,
    /// The checks; the points add up to 100.
    pub checks: Vec<Check>,
    /// The hints, in order.
    pub hints: Vec<Hint>,
    /// How long the required checks must pass.
    pub hold: SignedDuration,
    /// How long a trainee is expected to need at most.
    pub budget: SignedDuration,
    /// Whether it must run alone.
    pub exclusive: bool,
    /// Where it can run.
    pub backends: Vec<Backend>,
    /// What it needs from a backend.
    pub needs: Vec<Need>,
    /// Where to read on.
    pub references: Vec<String>,
    /// What is told when the drill is closed, Markdown.
    pub debrief: String,
    /// Accepted repairs.
    pub remedies: Vec<Script>,
    /// Known wrong repairs.
    pub cheats: Vec<Script>,
}

/// A drill's question: what is the cause?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The answers to choose from: the catalogue's whole list.
    pub choices: Vec<Cause>,
    /// The ids of the right ones.
    pub accepted: Vec<String>,
}

impl Variant {
    /// The registry with this handle.
    #[must_use]
    pub fn registry(&self, handle: &str) -> Option<&Registry> {
        self.registries.iter().find(|registry| registry.handle == handle)
    }

    /// The build with this id.
    #[must_use]
    pub fn build(&self, id: &str) -> Option<&Build> {
        self.builds.iter().find(|build| build.id == id)
    }

    pub(crate) fn render(
        scenario: &Scenario,
        seed: u64,
        placement: &Placement,
    ) -> Result<Self, ScenarioError> {
        let source = &scenario.source;
        let template_error =
            |path: &str, message: String| ScenarioError::Template { file: source.display(path), message };
        let given = placement
            .values(&scenario.document)
            .map_err(|message| template_error("scenario.yaml", message))?;
        let values = generate::values(scenario.id(), &scenario.document.parameters, seed, &given)
            .map_err(|message| template_error("scenario.yaml", message))?;

        let mut renderer = Renderer::new(&values);
        let named = |renderer: &Renderer, template: &str| {
            renderer.text(template).map_err(|message| template_error("scenario.yaml", message))
        };
        let drill = named(&renderer, &scenario.document.drill)?;
        renderer.define("drill", &Value::String(drill));
        let namespace = placement.namespace(named(&renderer, &scenario.document.namespace)?);
        for name in ["namespace", "ns"] {
            renderer.define(name, &Value::String(namespace.clone()));
        }
        // Parameters are not rendered again: their templates have been, one by one.
        let mut plain = scenario.document.clone();
        plain.parameters.clear();
        let document =
            renderer.document(&plain).map_err(|message| template_error("scenario.yaml", message))?;
        let file = |path: &str| -> Result<String, ScenarioError> {
            let text = source.file(path, "every scenario has one")?;
            renderer.text(text).map_err(|message| template_error(path, message))
        };
        let below = |folder: &str, ending: &str| -> Result<Vec<(String, String)>, ScenarioError> {
            source.below(folder, ending).map(|(path, _)| Ok((path.to_owned(), file(path)?))).collect()
        };
        let scripts = |folder: &str| -> Result<Vec<Script>, ScenarioError> {
            below(folder, ".sh")?
                .into_iter()
                .map(|(path, text)| Script::parse(&source.display(&path), &path, text))
                .collect()
        };

        Ok(Self {
            seed,
            story: file("story.md")?,
            debrief: file("debrief.md")?,
            manifests: below("manifests", ".yaml")?.into_iter().collect(),
            remedies: scripts("remedies")?,
            cheats: scripts("cheats")?,
            diagnosis: Diagnosis {
                choices: scenario.causes.causes.clone(),
                accepted: document.diagnosis.accepted,
            },
            parameters: values,
            scenario: document.id,
            drill: document.drill,
            namespace,
            title: document.title,
            family: document.family,
            cause: document.cause,
            difficulty: document.difficulty,
            objectives: document.objectives,
            giveaways: document.giveaways,
            nat: document.nat,
            builds: document.builds,
            accepted: document.accepted,
            registries: document.registries,
            workload: document.workload,
            others: document.others,
            history: document.history,
            symptom: document.symptom,
            checks: score(&scenario.rubric, &document.checks),
            hints: document.hints,
            hold: document.hold,
            budget: document.budget,
            exclusive: document.exclusive,
            backends: document.backends,
            needs: document.needs,
            references: document.references,
        })
    }
}

/// The lines of the score sheet with what each means here, in the sheet's order.
fn score(rubric: &Rubric, tests: &BTreeMap<String, CheckKind>) -> Vec<Check> {
    rubric
        .checks
        .iter()
        .filter_map(|line| {
            Some(Check {
                id: line.id.clone(),
                title: line.title.clone(),
                points: line.points,
                category: line.category,
                required: line.required,
                test: tests.get(&line.id)?.clone(),
                message: line.message.clone(),
            })
        })
        .collect()
}
