//! `docs/messages.md`: what guides say, and what a pod of which version says. Made from the recordings, so that
//! it can't claim what nobody has seen. `UPDATE_DOCS=1 cargo test` writes it anew.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{comparison::Recording, recordings};

const TABLE: &str = include_str!("messages.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    cause: String,
    guides: String,
    spoken_by: String,
    case: String,
}

fn render() -> Result<String> {
    let rows: Vec<Row> = serde_saphyr::from_str(TABLE)?;
    let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
    for (dialect, case, dir) in recordings() {
        if let Some(text) = failure(&Recording::load(&dir)?) {
            seen.insert((case, dialect), text);
        }
    }
    let mut page = String::from(
        "# What guides say, and what a pod says\n\n\
         Guides quote messages of other programs and other times. This page is made from the recordings under\n\
         `tests/recordings`; the embedded cluster is held against the same recordings.\n",
    );
    for row in rows {
        anyhow::ensure!(seen.keys().any(|(case, _)| *case == row.case), "no failure recorded: {}", row.case);
        writeln!(page, "\n## {}\n\n- guides: `{}`", row.cause, row.guides)?;
        writeln!(page, "- spoken by: {}", row.spoken_by)?;
        for ((case, dialect), text) in &seen {
            if *case == row.case {
                writeln!(page, "- `{dialect}`:\n\n  ```text\n  {}\n  ```", text.replace('\n', "\n  "))?;
            }
        }
    }
    Ok(page)
}

/// The first `Failed to pull image` of a recording.
fn failure(recording: &Recording) -> Option<String> {
    let messages = recording.events.iter().filter_map(|e| e.object["message"].as_str());
    messages.map(str::to_owned).find(|message| message.starts_with("Failed to pull image"))
}

#[test]
fn the_page_of_messages_is_that_of_the_recordings() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/messages.md");
    let page = render()?;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let written = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    assert_eq!(written, page, "run UPDATE_DOCS=1 cargo test -p pulldrill-cli --test golden");
    Ok(())
}
