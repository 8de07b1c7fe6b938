//! Remedies and cheats: shell scripts with a header that says what they are.

use crate::ScenarioError;

/// One way to repair a drill, or to pretend to. Run with `/bin/sh -eu` and `KUBECONFIG`, `PULLDRILL_DIR` set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file's name without its ending: `set-image`.
    pub name: String,
    /// What it does, in a few words (`# title: …`).
    pub title: String,
    /// Programs it needs besides kubectl, pulldrill, curl and sed (`# needs: aws`).
    pub needs: Vec<String>,
    /// The backends that it is for (`# backends: kind`); all when empty.
    pub backends: Vec<String>,
    /// The whole text, ready to be run.
    pub text: String,
}

impl Script {
    /// Reads the header of a script.
    pub(crate) fn parse(file: &str, path: &str, text: String) -> Result<Self, ScenarioError> {
        let field = |name: &str| {
            text.lines()
                .take_while(|line| line.starts_with('#'))
                .find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(": "))
        };
        let Some(title) = field("title") else {
            return Err(ScenarioError::at(
                file,
                &text,
                (1, 1),
                "the script has no title".to_owned(),
                "add a line `# title: what it does` at the top, before the first command",
            ));
        };
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".sh");
        let words = |name: &str| {
            let list = field(name).unwrap_or_default();
            list.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        Ok(Self {
            name: name.to_owned(),
            title: title.trim().to_owned(),
            needs: words("needs"),
            backends: words("backends"),
            text,
        })
    }
}
