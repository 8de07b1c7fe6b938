//! Real clients against the registry as each kind of registry: what `matrix.yaml` says that they do, they do.
//!
//! - [`matrix`]: what there is; [`page`]: the same for people. [`world`]: the registries. [`engine`]: what clients need to
//!   run. [`person`]: using them.
//!
//! Takes root, for a network of its own where the registries have the names and ports of those that they play.

#[path = "../support/apart.rs"]
mod apart;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "not every test program needs all of it")]
mod command;
#[path = "../support/containerd/mod.rs"]
#[allow(dead_code, reason = "not every test program needs all of it")]
mod containerd;
mod engine;
mod matrix;
mod page;
mod person;
#[path = "../support/programs.rs"]
mod programs;
mod world;

use std::sync::Arc;

use anyhow::Result;
use matrix::Matrix;
use person::Person;
use programs::{on_path, skip};
use world::World;

/// What programs on Debian write to outside of what they are told.
const SETUP: &str = "
for folder in /var/lib/containers /etc/docker; do
  if [ -d $folder ]; then mount -t tmpfs tmpfs $folder; fi
done
";

#[test]
fn clients_do_what_the_matrix_says() -> Result<()> {
    let all = Matrix::load()?.clients;
    let found = all.into_iter().filter_map(|client| engine::programs(&client).map(|it| (client, it)));
    let found: Vec<_> = found.collect();
    if on_path("aws").is_none() {
        skip("no aws on PATH");
        return Ok(());
    }
    if found.is_empty() || !apart::inside("clients_do_what_the_matrix_says", SETUP)? {
        return Ok(());
    }
    pulldrill_tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let world = Arc::new(World::start().await?);
        let mut wrong = Vec::new();
        for (client, programs) in found {
            let person = Person::new(&world, &client, &programs[0])?;
            let engine = engine::Running::start(&world, &person, &programs).await?;
            let world = world.clone();
            let used = tokio::task::spawn_blocking(move || {
                let mut wrong = Vec::new();
                let mut note = |what: &str, done: Result<()>| {
                    wrong
                        .extend(done.err().map(|error| format!("{}, {what}: {error:#}", person.client.name)));
                };
                for personality in &world.matrix.personalities {
                    note(&personality.name, person.use_registry(&world, personality));
                }
                note("certificates", person.meet_certificates());
                wrong
            });
            wrong.extend(used.await?);
            drop(engine);
        }
        assert!(wrong.is_empty(), "{} cells\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
}
