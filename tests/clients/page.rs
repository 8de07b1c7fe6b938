//! `docs/clients.md`: the matrix as people read it. It is made from the plan and the list of deviations, which the
//! other tests hold against the truth.

use std::path::Path;

use anyhow::{Context, Result};

use crate::plan::{Deviations, KUBECTLS, commands};

fn render() -> Result<String> {
    let deviations = Deviations::load()?;
    let mut page = String::from(
        "# Clients\n\n\
         Each of these commands was run with real kubectls on a real Kubernetes 1.36 server and recorded. A test runs\n\
         them again on `pulldrill cluster serve`: *same* means that output and exit code are equal, but for generated\n\
         names, ages, addresses and the like. A number is a known deviation, explained below the table; any other is\n\
         a failing test. The page is made by that test.\n\n",
    );
    let head = KUBECTLS.map(|kubectl| format!("kubectl {kubectl}"));
    page.push_str(&format!(
        "| command | {} |\n| --- |{}\n",
        head.join(" | "),
        " --- |".repeat(KUBECTLS.len())
    ));
    let mut used = Vec::new();
    for command in commands()? {
        let cells = KUBECTLS.map(|kubectl| match deviations.about(&command.label, kubectl) {
            None => "same".to_owned(),
            Some(index) => {
                if !used.contains(&index) {
                    used.push(index);
                }
                let number = used.iter().position(|one| *one == index).unwrap_or_default() + 1;
                format!("[{number}]")
            }
        });
        let line = command.run.replace('|', "\\|");
        page.push_str(&format!("| `{line}` | {} |\n", cells.join(" | ")));
    }
    page.push_str("\n## Known deviations\n\n");
    for (index, number) in used.iter().zip(1..) {
        page.push_str(&format!("{number}. {}\n", deviations.entries[*index].why));
    }
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
    assert_eq!(written, page, "run UPDATE_DOCS=1 cargo test -p pulldrill-cli --test clients");
    Ok(())
}
