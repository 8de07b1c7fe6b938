//! `docs/clients.md`: the matrix as people read it. It is made from the plan and the list of deviations, which the
//! other tests hold against the truth.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::plan::{Deviations, KUBECTLS, SERVERS, commands};

/// What the tests in `others` do.
const OTHERS: &str = "
## Other clients

Each runs a scenario of its own on both dialects and checks what it sees:

- **helm**: `install`, `upgrade --wait`, `rollback`, `history`, `list`, an upgrade to an image that is not there, `uninstall`
- **kube-rs**: watcher, reflector, controller, events recorder, exec, port-forward
- **Python** (`kubernetes`): objects of all kinds of bodies, patches, watch, logs, exec and port-forward by its stream part
- **Node** (`@kubernetes/client-node`): objects, patches, informer, logs, exec and port-forward
";

/// A difference that no command shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beyond {
    what: String,
    why: String,
}

fn beyond() -> Result<Vec<Beyond>> {
    Ok(serde_saphyr::from_str(include_str!("beyond.yaml"))?)
}

fn render() -> Result<String> {
    let deviations = Deviations::load()?;
    let mut page = String::from(
        "# Clients\n\n\
         Each of these commands was run with real kubectls on real Kubernetes servers and recorded. A test runs them\n\
         again on `pulldrill cluster serve` with the dialect of that server: *same* means that output and exit code\n\
         are equal, but for generated names, ages, addresses and the like. A number is a known deviation, explained\n\
         below the table; any other is a failing test. kubectl 1.30 and 1.37 were not recorded: they are\n\
         held against what their neighbours 1.32 and 1.36 printed. The page is made by that test.\n\n",
    );
    let columns: Vec<_> =
        SERVERS.iter().flat_map(|server| KUBECTLS.iter().map(move |kubectl| (server, kubectl))).collect();
    let head = columns.iter().map(|(server, kubectl)| format!("{} on {}", kubectl.version, server.version));
    let head = head.collect::<Vec<_>>().join(" | ");
    page.push_str(&format!("| kubectl, on server | {head} |\n| --- |{}\n", " --- |".repeat(columns.len())));
    let mut used = Vec::new();
    for command in commands()? {
        let cells = columns.iter().map(|(server, kubectl)| {
            let Some(index) = deviations.about(server, kubectl, &command.label) else {
                return "same".to_owned();
            };
            if !used.contains(&index) {
                used.push(index);
            }
            let number = used.iter().position(|one| *one == index).unwrap_or_default() + 1;
            format!("[{number}]")
        });
        let line = command.run.replace('|', "\\|");
        page.push_str(&format!("| `{line}` | {} |\n", cells.collect::<Vec<_>>().join(" | ")));
    }
    page.push_str("\n## Known deviations\n\n");
    for (index, number) in used.iter().zip(1..) {
        page.push_str(&format!("{number}. {}\n", deviations.entries[*index].why));
    }
    page.push_str("\n## Beyond these commands\n\n");
    for Beyond { what, why } in beyond()? {
        page.push_str(&format!("- {what} {why}\n"));
    }
    page.push_str(OTHERS);
    Ok(page)
}

#[test]
fn the_page_of_clients_is_that_of_the_matrix() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients.md");
    let page = render()?;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let written = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    assert_eq!(written, page, "run UPDATE_DOCS=1 cargo test --workspace --test clients");
    Ok(())
}
