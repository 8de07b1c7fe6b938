//! The clients that are scripts: each runs the same scenario and says a word after each of its parts.

use anyhow::Result;

use super::host::Host;
use crate::{
    plan::{SERVERS, Server},
    programs,
};

/// What each script says in the end, beside what only it does.
const PARTS: [&str; 8] =
    ["created and listed", "watched", "events", "patched", "executed", "logs", "forwarded", "deleted"];

async fn python(server: &Server) -> Result<()> {
    let Some(python) = programs::client("PULLDRILL_TEST_PYTHON", "the Python client") else { return Ok(()) };
    let host = Host::start(server.dialect).await?;
    host.copy("python.py")?;
    let said = host.run(&python, &["-u", "python.py"]).await?;
    assert_eq!(said.lines().collect::<Vec<_>>(), [&PARTS[..], &["dynamic"]].concat());
    Ok(())
}

async fn node(server: &Server) -> Result<()> {
    let Some(node) = programs::client("PULLDRILL_TEST_NODE", "Node") else { return Ok(()) };
    let Some(modules) = programs::client("PULLDRILL_TEST_NODE_MODULES", "the Node client") else {
        return Ok(());
    };
    let host = Host::start(server.dialect).await?;
    host.copy("node.mjs")?;
    std::os::unix::fs::symlink(modules, host.dir.path().join("node_modules"))?;
    let said = host.run(&node, &["node.mjs"]).await?;
    assert_eq!(said.lines().collect::<Vec<_>>(), [&PARTS[..], &["generic"]].concat());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_sees_a_cluster() -> Result<()> {
    python(&SERVERS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_sees_an_old_cluster() -> Result<()> {
    python(&SERVERS[1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_client_sees_a_cluster() -> Result<()> {
    node(&SERVERS[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_client_sees_an_old_cluster() -> Result<()> {
    node(&SERVERS[1]).await
}
