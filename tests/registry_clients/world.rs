//! The registries of the matrix, on an interface of a network of the test's own, with the addresses and ports that
//! their clients expect.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use pulldrill_clock::Clock;
use pulldrill_registry::{
    Access, Account, Direct, Dns, HostSpec, ImageSpec, Interface, Names, Registry, RegistryOptions,
    RepositorySpec, Site,
};
use pulldrill_tls::Authority;
use tokio_util::sync::CancellationToken;

use crate::{
    apart::RESOLVER,
    matrix::{Matrix, Personality},
};

/// What everybody logs in with, but where the host issues passwords.
const PASSWORD: &str = "c0rrect-horse";

/// Images that everybody may pull.
pub(crate) const OPEN: &str = "open.lab.test/team/app:1";
/// The same at hosts of a stranger: one that nobody is told of, and one that some have to be told of beforehand.
pub(crate) const UNKNOWN: &str = "unknown.lab.test/team/app:1";
pub(crate) const INSECURE: &str = "insecure.lab.test/team/app:1";
/// The same without TLS.
pub(crate) const PLAIN: &str = "plain.lab.test:5000/team/app:1";

/// Hosts and names that are all there is.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) matrix: Matrix,
    pub(crate) authority: Arc<Authority>,
    _stranger: Registry,
    _ended: tokio_util::sync::DropGuard,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let (matrix, stop) = (Matrix::load()?, CancellationToken::new());
        let (interface, names) = (Arc::new(Interface::named("lo").await?), Names::default());
        let registry = |authority: &Arc<Authority>| {
            let interface = Some(interface.clone());
            let platform = format!("linux/{}", pulldrill_registry::site::architecture());
            let site = Site { interface, names: names.clone(), platform, ..Site::default() };
            let (authority, stop) = (authority.clone(), stop.clone());
            let (clock, clients) = (Clock::live(), Arc::new(Direct));
            Registry::on(site, RegistryOptions { clock, seed: 1, authority, clients, stop })
        };
        let [authority, other] =
            [Arc::new(Authority::new("the lab")?), Arc::new(Authority::new("a stranger")?)];
        let (ours, stranger) = (registry(&authority), registry(&other));
        for (number, personality) in (1u8..).zip(&matrix.personalities) {
            let repository = |name: String| RepositorySpec {
                name,
                pull: Access::Authenticated,
                push: Access::Authenticated,
            };
            let clients = matrix.clients.iter().map(|client| personality.repository(&client.name));
            // There a client makes its own.
            let made_by_clients = personality.name == "ecr";
            let spec = HostSpec {
                accounts: vec![Account { username: personality.user.clone(), password: PASSWORD.into() }],
                repositories: clients.filter(|_| !made_by_clients).map(repository).collect(),
                ..at(number, personality.served(), &personality.name)?
            };
            ours.add_host(spec).await?;
        }
        for (number, image, registry) in
            [(101, OPEN, &ours), (102, PLAIN, &ours), (103, UNKNOWN, &stranger), (104, INSECURE, &stranger)]
        {
            let (place, _) = image.rsplit_once(':').context("a tag")?;
            let (host, repository) = place.split_once('/').context("a host")?;
            let name = host.split(':').next().unwrap_or(host);
            let plain_port = host.rsplit_once(':').map(|(_, port)| port.parse()).transpose()?;
            registry.add_host(HostSpec { plain_port, ..at(number, name, "distribution")? }).await?;
            let repository =
                RepositorySpec { name: repository.into(), pull: Access::Anonymous, push: Access::Anonymous };
            registry.set_repository(name, &repository)?;
            registry.push_image(name, &repository.name, Some("1"), &ImageSpec::default())?;
        }
        let dns = Dns::bind(format!("{RESOLVER}:53").parse()?).await?;
        tokio::spawn(dns.serve(names, stop.clone()));
        let ended = stop.drop_guard();
        Ok(Self { registry: ours, matrix, authority, _stranger: stranger, _ended: ended })
    }

    /// The names of the hosts with TLS whose authority clients know.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        let served = self.matrix.personalities.iter().map(Personality::served);
        served.chain(OPEN.split('/').next())
    }

    /// The password of a user, which ECR issues to those who ask its API.
    pub(crate) fn password(&self, personality: &Personality, issued: Option<String>) -> String {
        match personality.name.as_str() {
            "ecr" => issued.unwrap_or_default(),
            _ => PASSWORD.to_owned(),
        }
    }

    /// How far the log is.
    pub(crate) fn seen(&self) -> u64 {
        self.registry.pull_log().since(0).last().map_or(0, |entry| entry.seq)
    }

    /// The digest of what a user has pushed since then.
    pub(crate) fn pushed(&self, since: u64, personality: &Personality, client: &str) -> Result<String> {
        let repository = personality.repository(client);
        let log = self.registry.pull_log().since(since);
        let put = log.iter().rfind(|entry| {
            entry.method == "PUT" && entry.repository.as_ref() == Some(&repository) && entry.status == 201
        });
        let put = put.with_context(|| format!("nobody has pushed to {repository}: {log:#?}"))?;
        ensure!(put.identity.as_ref() == Some(&personality.user), "pushed by {:?}", put.identity);
        put.digest.clone().context("no digest")
    }

    /// Whether a user has pulled all of that since then.
    pub(crate) fn pulled(
        &self,
        since: u64,
        personality: &Personality,
        client: &str,
        digest: &str,
    ) -> Result<()> {
        let repository = personality.repository(client);
        let log = self.registry.pull_log().since(since);
        let got = |what: &'static str, methods: &'static [&'static str]| {
            log.iter().filter(move |entry| {
                let asked =
                    methods.contains(&entry.method.as_str()) && entry.path.contains(&format!("/{what}/"));
                asked && entry.status < 300
            })
        };
        let mine = |entry: &&pulldrill_registry::Entry| {
            entry.repository.as_ref() == Some(&repository)
                && entry.identity.as_ref() == Some(&personality.user)
        };
        // An engine may still have the manifest of an image that it has removed; then it asks which one the tag is, and
        // gets the content.
        let manifest = got("manifests", &["GET", "HEAD"])
            .filter(mine)
            .any(|entry| entry.digest.as_deref() == Some(digest));
        ensure!(manifest, "nobody has pulled {digest} of {repository}: {log:#?}");
        let blobs = got("blobs", &["GET"]).filter(mine).count();
        ensure!(blobs >= 2, "a configuration and a layer, not {blobs} blobs: {log:#?}");
        Ok(())
    }
}

/// A host with an address of its own, and one for its tokens.
fn at(number: u8, name: &str, personality: &str) -> Result<HostSpec> {
    let spec = HostSpec { name: name.into(), personality: personality.into(), ..HostSpec::default() };
    let tokens = spec.has_token_host()?.then(|| IpAddr::from(Ipv4Addr::new(172, 31, 254, number)));
    let address = Some(Ipv4Addr::new(172, 31, 255, number).into());
    Ok(HostSpec { address, auth_address: tokens, ..spec })
}

/// Where a client finds the authority.
pub(crate) fn authority(folder: &Path) -> std::path::PathBuf {
    folder.join("ca.pem")
}
