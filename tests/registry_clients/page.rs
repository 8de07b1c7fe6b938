//! `docs/registry-clients.md`: the matrix as people read it. The other test holds it against the truth.

use std::path::Path;

use anyhow::{Context, Result};

use crate::matrix::{Matrix, TLS};

fn render() -> Result<String> {
    let Matrix { personalities, clients } = Matrix::load()?;
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = |columns: usize| format!("|{}\n", " --- |".repeat(columns));
    let mut page = String::from(
        "# Clients of the registry\n\n\
         Real programs against `pulldrill`'s registries, which have the names that their users know, on a network of the test's\n\
         own. In each cell a client logs in with a wrong password, which is refused; then with the right one, pushes an image and\n\
         pulls it again from nothing. Both are seen in the registry's log, under its name and with the same digest. A number is\n\
         something that the client can't do, and why. The page is made by that test.\n\n",
    );
    let heads = personalities.iter().map(|personality| personality.name.clone());
    page += &row(["client".to_owned()].into_iter().chain(heads).collect());
    page += &rule(personalities.len() + 1);
    let mut reasons: Vec<&str> = Vec::new();
    for client in &clients {
        let mut cell = String::new();
        for (what, done) in [("login", client.login.is_some()), ("push", true), ("pull", true)] {
            let separator = if cell.is_empty() { "" } else { ", " };
            cell += separator;
            match client.cannot.get(what) {
                None => {
                    anyhow::ensure!(done, "{}: {what} is neither said nor explained", client.name);
                    cell += what;
                }
                Some(why) => {
                    let known = reasons.iter().position(|reason| reason == why);
                    let at = known.unwrap_or(reasons.len());
                    if known.is_none() {
                        reasons.push(why);
                    }
                    cell += &format!("[{}]", at + 1);
                }
            }
        }
        let cells = personalities.iter().map(|_| cell.clone());
        page += &row([client.name.clone()].into_iter().chain(cells).collect());
    }
    page.push('\n');
    for (why, number) in reasons.iter().zip(1..) {
        page += &format!("{number}. {why}\n");
    }
    page += "\nA login is\n\n";
    for personality in &personalities {
        page += &format!("- `{}`: {}\n", personality.name, personality.login);
    }
    page += "\n## Certificates\n\nWhat comes of a pull from a registry with\n\n";
    page += &row(["client".to_owned()].into_iter().chain(TLS.map(|(_, what, _)| what.to_owned())).collect());
    page += &rule(TLS.len() + 1);
    for client in &clients {
        let cells = TLS.map(|(key, _, words)| {
            let runs = client.tls.contains_key(key);
            let words = client.refusal(key, words);
            words.map_or(if runs { "an image" } else { "" }.to_owned(), |words| format!("`{words}`"))
        });
        page += &row([client.name.clone()].into_iter().chain(cells).collect());
    }
    page += "\n## How\n\n";
    for client in &clients {
        page += &format!("- {}:", client.name);
        for command in client.login.iter().chain(&client.push).chain(&client.pull) {
            page += &format!(" `{command}`;");
        }
        page.pop();
        page.push('\n');
    }
    Ok(page)
}

#[test]
fn the_page_of_registry_clients_is_that_of_the_matrix() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/registry-clients.md");
    let page = render()?;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let written = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    assert_eq!(written, page, "run UPDATE_DOCS=1 cargo test --workspace --test registry-clients");
    Ok(())
}
