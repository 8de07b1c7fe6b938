//! A network, a container and commands in it, on the machine's own engine.

use std::time::Duration;

use super::*;
use crate::backend::{kind::testing, node::shell::Shell};

#[tokio::test]
async fn no_engine_is_an_error_that_says_where_it_was_looked_for() {
    let nowhere = |name: &str| (name == "DOCKER_HOST").then(|| "unix:///nowhere/docker.sock".to_owned());
    let error = Engine::connect_as(&nowhere).await.unwrap_err().to_string();
    assert!(
        error.contains("/nowhere/docker.sock: no such socket") && error.contains("start Docker"),
        "{error}"
    );
}

#[tokio::test]
async fn a_container_of_our_own_program_runs_commands() {
    let Some(engine) = testing::engine().await else { return };
    let made = testing::Made::new(engine.clone());
    let (image, network) = (made.image().await, made.network().await);
    assert!(testing::has_image(&engine, &image).await);
    let (id, inside) = made.container("one", &image, &network).await;

    let command = ["/pulldrill", "-c", "echo out; echo err >&2; exit 3"];
    let output = inside.run(&command).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "out\n", "err\n"));
    let inside: &dyn Shell = &inside;
    let error = inside.ok(&command).await.unwrap_err().to_string();
    assert!(error.contains("ended with 3: err"), "{error}");

    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    tar.append_data(&mut header, "folder/file", &b"hello"[..]).unwrap();
    engine.upload(&id, "/", tar.into_inner().unwrap()).await.unwrap();
    assert_eq!(inside.ok(&["/pulldrill", "-c", "echo $(</folder/file)"]).await.unwrap(), "hello\n");

    let slow = engine.exec(&id, &["/pulldrill", "-c", testing::FOREVER], Duration::from_millis(300)).await;
    assert!(slow.unwrap_err().to_string().contains("did not end within"));

    assert_eq!(engine.logs(&id, 10).await.unwrap(), "started\n");
    let inspected = engine.inspect_container(&id).await.unwrap().unwrap();
    assert!(inspected.running() && inspected.exit_code().is_none());
    let subnet: pulldrill_cluster::network::Cidr = network.subnet.parse().unwrap();
    assert!(subnet.contains(inspected.address(&network.name).unwrap().into()), "{subnet:?}");
    assert!(subnet.contains(network.gateway.into()));
    assert_ne!(inspected.published(8080).unwrap().port(), 0);
    assert!(inspected.published(9).is_err());
    assert!(engine.inspect_container("no-such-container").await.unwrap().is_none());

    let again = engine.create_network(&made.owner).await.unwrap_err().to_string();
    assert!(again.contains("choose another name"), "{again}");
    made.sweep().await;
    assert!(!testing::has_image(&engine, &image).await);
    assert!(engine.inspect_container(&id).await.unwrap().is_none());
}
