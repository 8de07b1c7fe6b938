//! What can be wrong with a scenario, said so that its author knows where and what to do.

use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// Why a scenario can't be used. Print it with `miette` to see the place in the file.
#[derive(Debug, Error, Diagnostic)]
pub enum ScenarioError {
    /// A file says something that can't be.
    #[error("{file}:{line}:{column}: {message}")]
    Invalid {
        /// The file, as `scenario/file`.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// The file's text.
        #[source_code]
        source_code: Arc<NamedSource<String>>,
        /// The place.
        #[label("here")]
        at: SourceSpan,
        /// What to do.
        #[help]
        help: String,
    },
    /// A file that must be there isn't.
    #[error("{file} is missing")]
    #[diagnostic(help("{help}"))]
    Missing {
        /// The file, as `scenario/file`.
        file: String,
        /// What to do.
        help: String,
    },
    /// A folder or file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    #[diagnostic(help("a catalogue is a folder with one folder per scenario, each with a scenario.yaml"))]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A template can't be rendered.
    #[error("{file}: {message}")]
    #[diagnostic(help("a template may use the scenario's parameters, and `ns`, `drill`, `namespace`"))]
    Template {
        /// The file, as `scenario/file`.
        file: String,
        /// What the template engine says, with the place.
        message: String,
    },
    /// A rendered text isn't what it must be.
    #[error("{file}, with seed {seed}: {message}")]
    #[diagnostic(help("look at the parameters: the file is fine as a template, not with these values"))]
    Rendered {
        /// The file, as `scenario/file`.
        file: String,
        /// The seed.
        seed: u64,
        /// What is wrong.
        message: String,
    },
}

impl ScenarioError {
    /// An error at a place of a text; line and column count from 1.
    pub(crate) fn at(file: &str, text: &str, place: (usize, usize), message: String, help: &str) -> Self {
        let (line, column) = (place.0.max(1), place.1.max(1));
        let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = text.get(start..).unwrap_or_default();
        let line_text = rest.lines().next().unwrap_or_default();
        let before: usize = line_text.chars().take(column - 1).map(char::len_utf8).sum();
        let word = line_text.get(before..).unwrap_or_default();
        // A parser may point at the gap before the word it means.
        let gap = word.len() - word.trim_start_matches([' ', ',']).len();
        let (skip, word) = (before + gap, &word[gap..]);
        let length = word.find([' ', ',', '}', ']']).unwrap_or(word.len()).max(1);
        Self::Invalid {
            file: file.to_owned(),
            line,
            column,
            message,
            source_code: Arc::new(NamedSource::new(file, text.to_owned())),
            at: SourceSpan::from((start + skip, length)),
            help: help.to_owned(),
        }
    }
}
