//! What was recorded: the output and the exit code of every command, as `scripts/convert-api-recordings` writes them.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};

/// What a command printed, both streams as they came, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Said {
    /// As the recordings have it: an output that does not end with a line's end is marked.
    pub(crate) fn new(code: i32, mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str("\\\n");
        }
        Self { code, text }
    }
}

/// Everything that one kubectl printed on one server, by the commands' labels.
pub(crate) fn load(server: &str, kubectl: &str) -> Result<BTreeMap<String, Said>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings/api");
    let path = root.join(server).join(format!("kubectl-{kubectl}.txt"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<BTreeMap<String, Said>> {
    let mut found: BTreeMap<String, Said> = BTreeMap::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        if let Some(head) = line.strip_prefix("##### ") {
            let (label, code) = head.trim_end().split_once(' ').context("a label and an exit code")?;
            found.insert(label.into(), Said { code: code.parse()?, text: String::new() });
            current = Some(label.to_owned());
        } else {
            let label = current.as_ref().context("output before the first label")?;
            found.entry(label.clone()).and_modify(|said| said.text.push_str(line));
        }
    }
    Ok(found)
}

#[test]
fn blocks_are_told_apart_by_their_heads() {
    let found = parse("##### a 0\none\n\ntwo\\\n##### b 124\n").unwrap();
    assert_eq!(found["a"], Said::new(0, "one\n\ntwo".into()));
    assert_eq!(found["b"], Said::new(124, String::new()));
    assert!(parse("stray\n").is_err() && parse("##### a\n").is_err());
}
