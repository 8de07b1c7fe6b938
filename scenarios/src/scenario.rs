//! One scenario: loaded, validated, ready to be made concrete.

use crate::causes::Causes;
use crate::model::Document;
use crate::placement::Placement;
use crate::rubric::Rubric;
use crate::source::Source;
use crate::variant::Variant;
use crate::{ScenarioError, tree, validate};

/// A scenario of the catalogue.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) document: Document,
    pub(crate) source: Source,
    pub(crate) causes: Causes,
    pub(crate) rubric: Rubric,
}

impl Scenario {
    /// Loads a scenario from its files, and checks what can be checked without a seed.
    pub(crate) fn load(source: Source, causes: &Causes, rubric: &Rubric) -> Result<Self, ScenarioError> {
        let text =
            source.file("scenario.yaml", "every scenario folder has one; copy that of a similar scenario")?;
        let document: Document = tree::parse(&source.display("scenario.yaml"), text)?;
        let scenario = Self { document, source, causes: causes.clone(), rubric: rubric.clone() };
        validate::document(&scenario)?;
        Ok(scenario)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.document.id
    }

    /// What its `scenario.yaml` says, strings still templates.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The scenario made concrete. The same seed gives the same variant, byte for byte.
    ///
    /// # Errors
    /// When a template can't be rendered, or the values drawn make something impossible.
    pub fn variant(&self, seed: u64) -> Result<Variant, ScenarioError> {
        self.variant_at(seed, &Placement::default())
    }

    /// The scenario made concrete for a place where some of its names are others'.
    ///
    /// # Errors
    /// As [`Scenario::variant`]; and when a registry that is to have another host can't, see [`Placement`].
    pub fn variant_at(&self, seed: u64, placement: &Placement) -> Result<Variant, ScenarioError> {
        let variant = Variant::render(self, seed, placement)?;
        validate::variant(self, &variant, placement)?;
        Ok(variant)
    }
}
