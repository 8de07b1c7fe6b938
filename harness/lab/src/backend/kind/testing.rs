//! What the tests of these parts share: an engine, or a loud skip, and labs that clean up after themselves.

use std::{io::Write, path::Path, time::Duration};

use super::{
    engine::{ContainerSpec, Engine, Inside, Network},
    error::Asked,
    folder::{KindFolder, Record},
    owner::Owner,
    sweep::{Removed, Sweep},
};

/// How long a command in a test's container may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A command that runs until it is killed, for an image made of bash.
pub(super) const FOREVER: &str = "echo started; while :; do read -rt 600 <> <(:); done";

/// Says that a test does not run, and why; fails in CI.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
    let _nobody_listens = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The machine's Docker engine.
pub(super) async fn engine() -> Option<Engine> {
    Engine::connect().await.inspect_err(|error| skip(&error.to_string())).ok()
}

/// Whether an image is there.
pub(super) async fn has_image(engine: &Engine, image: &str) -> bool {
    let found = engine.docker().inspect_image(image).await;
    found.asked_if_there(|| "look".into()).unwrap().is_some()
}

/// A lab's belongings, in a folder of its own.
pub(super) struct Made {
    pub(super) engine: Engine,
    pub(super) owner: Owner,
    pub(super) folder: tempfile::TempDir,
}

impl Made {
    /// Nothing yet, but written down.
    pub(super) fn new(engine: Engine) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let owner = Owner { name: format!("docker-test-{}", &id[..8]), id };
        let folder = tempfile::tempdir().unwrap();
        let record = Record { owner: owner.clone(), network: None };
        KindFolder::make(folder.path()).unwrap().write_record(&record).unwrap();
        Self { engine, owner, folder }
    }

    /// Its image, made of bash.
    pub(super) async fn image(&self) -> String {
        super::image::build(&self.engine, &self.owner, Some(Path::new("/bin/bash"))).await.unwrap()
    }

    /// Its network.
    pub(super) async fn network(&self) -> Network {
        self.engine.create_network(&self.owner).await.unwrap()
    }

    /// A running container of its image, on its network.
    pub(super) async fn container(&self, name: &str, image: &str, network: &Network) -> (String, Inside) {
        let spec = ContainerSpec {
            name: format!("{}-{name}", self.owner.name),
            image: image.to_owned(),
            command: ["-c", FOREVER].map(str::to_owned).into(),
            network: network.name.clone(),
            capabilities: vec!["NET_ADMIN".into()],
            sysctls: vec![("net.ipv4.ip_forward".into(), "0".into())],
            publish: vec![8080],
            ..ContainerSpec::default()
        };
        let id = self.engine.create_container(&self.owner, spec).await.unwrap();
        self.engine.start_container(&id).await.unwrap();
        let inside = self.engine.inside(&id, LIMIT);
        (id, inside)
    }

    /// Takes everything away again, knowing only the folder.
    pub(super) async fn sweep(&self) -> Removed {
        let sweep = Sweep::from_folder(self.folder.path()).unwrap().unwrap();
        let removed = sweep.run(&self.engine).await.unwrap();
        assert_eq!(
            sweep.run(&self.engine).await.unwrap(),
            Removed::default(),
            "a second sweep finds something"
        );
        removed
    }
}

/// A test that fails half-way leaves nothing behind either.
impl Drop for Made {
    fn drop(&mut self) {
        let Ok(Some(sweep)) = Sweep::from_folder(self.folder.path()) else { return };
        let sweeping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { sweep.run(&Engine::connect().await.unwrap()).await.unwrap() });
        });
        drop(sweeping.join());
    }
}
