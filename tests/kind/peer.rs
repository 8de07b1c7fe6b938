//! The personality `distribution` held against the program it is modelled on: the same requests to both, and
//! every difference in what they answer is either reviewed or a failure.
//!
//! The program is Debian's `docker-registry`, in a container from an image that is made here of that one file
//! and what it is linked with. It takes a Docker engine, and `PULLDRILL_TEST_REGISTRY` or a `docker-registry`
//! on PATH.

mod answers;
mod container;
mod requests;
mod reviewed;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context, Result, ensure};
use pulldrill_clock::Clock;
use pulldrill_registry::{
    Access, Account, Direct, HostSpec, ImageSpec, Registry, RegistryOptions, RepositorySpec,
};
use pulldrill_tls::Authority;
use tokio_util::sync::CancellationToken;

use self::{
    answers::{Answer, Peer},
    container::{Container, Image},
    requests::{Pushed, Request},
};
use crate::{support, turn};

/// The one user of registries that have users.
const USER: &str = "dev";
const PASSWORD: &str = "s3cret";
/// The same as htpasswd has it.
const HTPASSWD: &str = "dev:$2b$04$zBNI.pCWVWRZn.fZBkqq0ODSmID//9FH5ULFlu5eKd7lJerYpD/8i\n";

/// What is not the same: request, part of the answer, ours, theirs.
type Difference = (&'static str, String, String, String);

#[tokio::test(flavor = "multi_thread")]
async fn the_plain_personality_answers_as_the_program_does() -> Result<()> {
    let Some(program) = support::registry() else { return Ok(()) };
    let _turn = turn::turn()?;
    let image = Image::of(&program, HTPASSWD)?;
    let ours = Ours::new()?;
    let docker = ours.pushed("docker", true).await?;
    let oci = ours.pushed("oci", false).await?;

    let mut seen = Vec::new();
    let open = Container::run(&image, false).await?;
    compare(
        &ours.host("open.example", false).await?,
        &open.peer()?,
        requests::open(&docker, &oci),
        &mut seen,
    )
    .await?;
    open.end().await?;
    let closed = Container::run(&image, true).await?;
    compare(&ours.host("closed.example", true).await?, &closed.peer()?, requests::closed(&docker), &mut seen)
        .await?;
    closed.end().await?;
    ours.stop.cancel();
    image.remove()?;
    judge(&seen)
}

/// Sends the same to both, in order, and adds what differs.
async fn compare(
    ours: &Peer,
    theirs: &Peer,
    requests: Vec<Request>,
    seen: &mut Vec<Difference>,
) -> Result<()> {
    let mut names = BTreeSet::new();
    for request in &requests {
        ensure!(names.insert(request.what), "two requests are called {:?}", request.what);
        let (mine, its) = (ours.send(request).await?, theirs.send(request).await?);
        let parts: BTreeSet<&String> = mine.0.keys().chain(its.0.keys()).collect();
        let part = |answer: &Answer, part: &String| answer.0.get(part).cloned().unwrap_or_default();
        let differing = parts.into_iter().filter(|name| part(&mine, name) != part(&its, name));
        seen.extend(differing.map(|name| (request.what, name.clone(), part(&mine, name), part(&its, name))));
    }
    ensure!(requests.len() >= 10, "hardly anything was compared");
    Ok(())
}

/// Fails for every difference that nobody has looked at, and for every reviewed one that is no more.
fn judge(seen: &[Difference]) -> Result<()> {
    let mut used = BTreeSet::new();
    let mut new = Vec::new();
    for (what, part, ours, theirs) in seen {
        match reviewed::REVIEWED.iter().position(|known| known.is(what, part, ours, theirs)) {
            Some(place) => drop(used.insert(place)),
            None => new.push(format!("{what}: {part}\n    ours:   {ours}\n    theirs: {theirs}")),
        }
    }
    let stale: Vec<_> = (0..reviewed::REVIEWED.len()).filter(|place| !used.contains(place)).collect();
    let stale: Vec<_> = stale.into_iter().filter_map(|place| reviewed::REVIEWED.get(place)).collect();
    ensure!(new.is_empty() && stale.is_empty(), "not reviewed:\n{}\nno more so: {stale:#?}", new.join("\n"));
    Ok(())
}

/// A registry of ours in this process.
struct Ours {
    registry: Registry,
    authority: Arc<Authority>,
    stop: CancellationToken,
}

impl Ours {
    fn new() -> Result<Self> {
        pulldrill_tls::install_provider();
        let (authority, stop) = (Arc::new(Authority::new("peer")?), CancellationToken::new());
        let registry = Registry::new(RegistryOptions {
            clock: Clock::live(),
            seed: 1,
            authority: authority.clone(),
            clients: Arc::new(Direct),
            stop: stop.clone(),
        });
        Ok(Self { registry, authority, stop })
    }

    /// One more host, empty: for everybody, or for its one user only.
    async fn host(&self, name: &str, closed: bool) -> Result<Peer> {
        let account = Account { username: USER.into(), password: PASSWORD.into() };
        let spec = HostSpec {
            name: name.into(),
            personality: "distribution".into(),
            accounts: if closed { vec![account] } else { Vec::new() },
            ..HostSpec::default()
        };
        let info = self.registry.add_host(spec).await?;
        Peer::new(&info.url, Some(self.authority.pem()))
    }

    /// An image, taken apart: what a push consists of.
    async fn pushed(&self, name: &str, docker: bool) -> Result<Pushed> {
        let host = format!("{name}.example");
        let peer = self.host(&host, false).await?;
        let spec = ImageSpec { build: format!("app {name}"), layers: 1, docker, ..ImageSpec::default() };
        let (name, everybody) = ("team/app".to_owned(), Access::Anonymous);
        let repository = RepositorySpec { name, pull: everybody.clone(), push: everybody };
        self.registry.set_repository(&host, &repository)?;
        let image = self.registry.push_image(&host, "team/app", Some("1"), &spec)?;
        let (media, manifest) =
            peer.fetch(&format!("/v2/team/app/manifests/{}", image.manifest_digest)).await?;
        let json: serde_json::Value = serde_json::from_slice(&manifest)?;
        let mut blobs = Vec::new();
        for digest in [&json["config"]["digest"], &json["layers"][0]["digest"]] {
            let digest = digest.as_str().context("a digest")?;
            blobs.push((digest.to_owned(), peer.fetch(&format!("/v2/team/app/blobs/{digest}")).await?.1));
        }
        Ok(Pushed { media, digest: image.manifest_digest, manifest, blobs })
    }
}
