//! The files of a scenario, wherever they come from.

use std::collections::BTreeMap;

use crate::ScenarioError;

/// All files of one scenario by their path inside its folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The folder's name.
    pub(crate) folder: String,
    /// Path to text.
    pub(crate) files: BTreeMap<String, String>,
}

impl Source {
    /// How a file is called in messages.
    pub(crate) fn display(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    /// A file that must be there.
    pub(crate) fn file(&self, path: &str, help: &str) -> Result<&str, ScenarioError> {
        self.files
            .get(path)
            .map(String::as_str)
            .ok_or_else(|| ScenarioError::Missing { file: self.display(path), help: help.to_owned() })
    }

    /// The files below a folder that end so, in order.
    pub(crate) fn below<'a>(
        &'a self,
        folder: &'a str,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| {
                path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')) && path.ends_with(ending)
            })
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}
