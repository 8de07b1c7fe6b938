//! All scenarios: those built in, or those of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::causes::Causes;
use crate::rubric::Rubric;
use crate::source::Source;
use crate::{Scenario, ScenarioError};

/// The scenario folders beside this crate's source.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR"]
#[include = "causes.yaml"]
#[include = "rubric.yaml"]
#[include = "*/*.yaml"]
#[include = "*/*.md"]
#[include = "*/*/*.yaml"]
#[include = "*/*/*.sh"]
#[exclude = "src/*"]
#[exclude = "tests/*"]
struct Embedded;

const CAUSES: &str = "causes.yaml";
const RUBRIC: &str = "rubric.yaml";

/// Scenarios, in the order of difficulty and then of their ids.
#[derive(Debug, Clone)]
pub struct Catalogue {
    scenarios: Vec<Scenario>,
}

impl Catalogue {
    /// The scenarios that are part of the program.
    ///
    /// # Errors
    /// When one of them is broken, which the tests of this crate rule out.
    pub fn embedded() -> Result<Self, ScenarioError> {
        let files = Embedded::iter().filter_map(|path| {
            let file = Embedded::get(&path)?;
            Some((path.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
        });
        Self::from_files(files.collect())
    }

    /// The scenarios of a folder that has one folder per scenario.
    ///
    /// # Errors
    /// When the folder can't be read or one of the scenarios is broken.
    pub fn load_dir(path: &Path) -> Result<Self, ScenarioError> {
        let mut files = BTreeMap::new();
        read_below(path, "", 3, &mut files)?;
        Self::from_files(files)
    }

    /// The scenario with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.id() == id)
    }

    /// All scenarios, in a fixed order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scenario> {
        self.scenarios.iter()
    }

    fn from_files(mut files: BTreeMap<String, String>) -> Result<Self, ScenarioError> {
        let mut shared = |name: &str| match files.remove(name) {
            Some(text) => text,
            None => Embedded::get(name)
                .map(|file| String::from_utf8_lossy(&file.data).into_owned())
                .unwrap_or_default(),
        };
        let causes = Causes::parse(CAUSES, &shared(CAUSES))?;
        let rubric = Rubric::parse(RUBRIC, &shared(RUBRIC))?;
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        for (path, text) in files {
            let Some((folder, rest)) = path.split_once('/') else { continue };
            let source = sources
                .entry(folder.to_owned())
                .or_insert_with(|| Source { folder: folder.to_owned(), files: BTreeMap::new() });
            source.files.insert(rest.to_owned(), text);
        }
        let mut scenarios = sources
            .into_values()
            .map(|source| Scenario::load(source, &causes, &rubric))
            .collect::<Result<Vec<_>, _>>()?;
        scenarios.sort_by(|a, b| (a.document.difficulty, a.id()).cmp(&(b.document.difficulty, b.id())));
        Ok(Self { scenarios })
    }
}

impl<'a> IntoIterator for &'a Catalogue {
    type Item = &'a Scenario;
    type IntoIter = std::slice::Iter<'a, Scenario>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Reads the files of a folder that a scenario may consist of.
fn read_below(
    root: &Path,
    inside: &str,
    depth: u8,
    files: &mut BTreeMap<String, String>,
) -> Result<(), ScenarioError> {
    let here = if inside.is_empty() { root.to_path_buf() } else { root.join(inside) };
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ScenarioError::Unreadable { path, source }
    };
    for entry in fs::read_dir(&here).map_err(unreadable(&here))? {
        let path = entry.map_err(unreadable(&here))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let inner = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
        if name.starts_with('.') || (depth == 3 && matches!(name, "src" | "tests")) {
            continue;
        }
        if path.is_dir() {
            if depth > 1 {
                read_below(root, &inner, depth - 1, files)?;
            }
        } else if [".yaml", ".md", ".sh"].iter().any(|ending| name.ends_with(ending)) {
            files.insert(inner, fs::read_to_string(&path).map_err(unreadable(&path))?);
        }
    }
    Ok(())
}
