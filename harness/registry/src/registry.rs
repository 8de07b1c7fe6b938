//! The registry as its owner sees it: hosts are added, programmed and taken away; content is put in and
//! looked at. All of it in process; `crate::admin` does the same over HTTP.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use parking_lot::RwLock;
use pulldrill_clock::{Clock, Timestamp};
use pulldrill_tls::Authority;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Account, Client, Clients, Content, Entry, FaultRule, HostInfo, HostSpec, ImageRef, ImageSpec, PullLog,
    RegistryError, RepositorySpec, TokenInfo,
    admin::Route,
    content::{Blobs, Manifest},
    host::{self, Host},
    image,
    name::{is_digest, is_repository, is_tag},
    names::{Names, is_registry_host},
    server::{self, Role},
    site::Site,
    spec::Access,
};

/// Where clients expect a registry.
const HTTPS: u16 = 443;

/// What a registry is made of.
pub struct RegistryOptions {
    /// Where time comes from.
    pub clock: Clock,
    /// For the chance in faults.
    pub seed: u64,
    /// Signs the certificates of its hosts.
    pub authority: Arc<Authority>,
    /// Knows who is behind a connection.
    pub clients: Arc<dyn Clients>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Any number of registry hosts in one process, each with a TLS listener of its own. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

/// What all hosts share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) blobs: Blobs,
    pub(crate) log: PullLog,
    seed: u64,
    site: Site,
    authority: Arc<Authority>,
    stop: CancellationToken,
    tasks: TaskTracker,
    hosts: RwLock<BTreeMap<String, Arc<Host>>>,
}

impl Registry {
    /// A registry without hosts.
    #[must_use]
    pub fn new(options: RegistryOptions) -> Self {
        Self::on(Site::default(), options)
    }

    /// The same with more than sockets of its own.
    #[must_use]
    pub fn on(site: Site, options: RegistryOptions) -> Self {
        let RegistryOptions { clock, seed, authority, clients, stop } = options;
        Self(Arc::new(Shared {
            clock,
            clients,
            blobs: Blobs::default(),
            log: PullLog::default(),
            seed,
            site,
            authority,
            stop,
            tasks: TaskTracker::new(),
            hosts: RwLock::default(),
        }))
    }

    /// Serves one more host on a free port of 127.0.0.1 (and a second one for its token host, if it has one).
    ///
    /// # Errors
    /// A name that is taken, an unknown personality or profile, no certificate or no port.
    pub async fn add_host(&self, spec: HostSpec) -> Result<HostInfo, RegistryError> {
        let shared = &self.0;
        let name = spec.name.clone();
        if let Some(bad) =
            [Some(&name), spec.auth_host.as_ref()].into_iter().flatten().find(|n| !is_registry_host(n))
        {
            return Err(RegistryError::BadHostName(bad.clone()));
        }
        if shared.hosts.read().contains_key(&name) {
            return Err(RegistryError::HostExists(name));
        }
        let personality = host::personality(&spec)?;
        let token_name = host::token_name(&spec)?;
        let names = std::iter::once(name.as_str()).chain(personality.also.iter().copied());
        let mut listener = server::Listener::bind(&shared.authority, names).await?;
        let mut token_listener = match &token_name {
            Some(name) => Some(server::Listener::bind(&shared.authority, [name.as_str()].into_iter()).await?),
            None => None,
        };
        if let Some(port) = spec.plain_port {
            listener.also_plain(&name, port).await?;
        }
        if let Some(port) = spec.tls_port {
            listener.also_at(&name, Ipv4Addr::UNSPECIFIED, port).await?;
        }
        let addresses = (listener.address, token_listener.as_ref().map(|listener| listener.address));
        let stop = shared.stop.child_token();
        let host = Arc::new(Host::new(spec, addresses, shared.seed, &shared.clock, stop)?);
        {
            let mut hosts = shared.hosts.write();
            if hosts.contains_key(&name) {
                return Err(RegistryError::HostExists(name));
            }
            hosts.insert(name.clone(), host.clone());
        }
        if let Err(error) = self.settle(&host, &mut listener, token_listener.as_mut()).await {
            self.remove_host(&name).await;
            return Err(error);
        }
        listener.serve(shared, &host, Role::Registry, &shared.tasks);
        if let Some(listener) = token_listener {
            listener.serve(shared, &host, Role::Tokens, &shared.tasks);
        }
        if let Some(repository) = personality.always_has {
            let spec = ImageSpec { build: format!("{repository} latest"), ..ImageSpec::default() };
            host.set_repository(
                &RepositorySpec {
                    name: repository.to_owned(),
                    pull: Access::Anonymous,
                    push: Access::Users(Vec::new()),
                },
                shared.clock.now(),
            );
            self.push_image(&name, repository, Some("latest"), &spec)?;
        }
        self.host_info(&name)
    }

    /// Gives a host its own addresses, where there are any to give.
    async fn settle(
        &self,
        host: &Host,
        listener: &mut server::Listener,
        mut token_listener: Option<&mut server::Listener>,
    ) -> Result<(), RegistryError> {
        for (name, address) in &host.own {
            self.0.site.names.add_host(name, *address);
            let Some(interface) = &self.0.site.interface else { continue };
            interface.add(*address, &host.name).await?;
            let of_tokens = host.token_name.as_ref() == Some(name);
            let listener = token_listener.as_deref_mut().filter(|_| of_tokens).unwrap_or(&mut *listener);
            listener.also_at(name, *address, HTTPS).await?;
        }
        Ok(())
    }

    /// Where a host is on this machine.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn host_info(&self, name: &str) -> Result<HostInfo, RegistryError> {
        let host = self.host(name)?;
        let (address, token_address) = *host.local.read();
        let token_host = host.token_name.clone().zip(token_address);
        Ok(HostInfo { url: format!("https://{address}"), name: name.to_owned(), address, token_host })
    }

    /// The names of all hosts.
    #[must_use]
    pub fn host_names(&self) -> Vec<String> {
        self.0.hosts.read().keys().cloned().collect()
    }

    /// Says where the owner reaches a host, when that is not where it listens.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn set_local(
        &self,
        name: &str,
        address: SocketAddr,
        token_address: Option<SocketAddr>,
    ) -> Result<(), RegistryError> {
        let host = self.host(name)?;
        *host.local.write() = (address, host.token_address.and(token_address));
        Ok(())
    }

    /// Where the listener of a host, or of its token host, is in this process's network. A token host can be named
    /// itself as well.
    pub(crate) fn listener_of(&self, name: &str, of_its_tokens: bool) -> Option<SocketAddr> {
        let hosts = self.0.hosts.read();
        if of_its_tokens {
            return hosts.get(name)?.token_address;
        }
        let of_tokens =
            || hosts.values().find(|host| host.token_name.as_deref() == Some(name))?.token_address;
        hosts.get(name).map(|host| host.address).or_else(of_tokens)
    }

    /// What names resolve to.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.0.site.names
    }

    /// What images are made for when nothing is said.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.0.site.platform
    }

    /// Sets the ways to networks behind other machines, in place of those that were set before.
    ///
    /// # Errors
    /// [`RegistryError::NoInterface`], [`RegistryError::BadNetwork`], [`RegistryError::Interface`].
    pub async fn set_routes(&self, routes: &[Route]) -> Result<(), RegistryError> {
        match &self.0.site.interface {
            Some(interface) => interface.set_routes(routes).await,
            None if routes.is_empty() => Ok(()),
            None => Err(RegistryError::NoInterface),
        }
    }

    /// Stops serving a host and forgets what was in it. Its entries in the pull log stay.
    pub async fn remove_host(&self, name: &str) {
        let host = self.0.hosts.write().remove(name);
        if let Some(host) = host {
            host.stop.cancel();
            host.listening.close();
            host.listening.wait().await;
            for (name, address) in &host.own {
                self.0.site.names.remove_host(name, *address);
                if let Some(interface) = &self.0.site.interface {
                    interface.remove(*address, &host.name).await;
                }
            }
        }
    }

    /// Waits until every connection has ended, once the stop token has been cancelled, and leaves the interface as
    /// it was.
    pub async fn stopped(&self) {
        self.0.stop.cancelled().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Some(interface) = &self.0.site.interface {
            interface.restore().await;
        }
    }

    fn host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        self.0.hosts.read().get(name).cloned().ok_or_else(|| RegistryError::NoHost(name.to_owned()))
    }

    /// Makes an image and puts it into a repository (which is made, closed to everybody, if it is not there),
    /// under a tag or only under its digest.
    ///
    /// # Errors
    /// An unknown host, a bad name, or content that cannot be made.
    pub fn push_image(
        &self,
        host: &str,
        repository: &str,
        tag: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<ImageRef, RegistryError> {
        let target = self.host(host)?;
        check_names(repository, tag)?;
        let fail = |source| RegistryError::Build { build: spec.build.clone(), source };
        let built = image::build(spec, &self.0.site.platform).map_err(fail)?;
        let no_room = || fail(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let now = self.0.clock.now();
        let mut repositories = target.repositories.write();
        let nobody = || RepositorySpec {
            name: repository.to_owned(),
            pull: Access::Users(Vec::new()),
            push: Access::Users(Vec::new()),
        };
        let place = repositories
            .entry(repository.to_owned())
            .or_insert_with(|| crate::content::Repository::new(&nobody(), now));
        for blob in built.blobs {
            place.blobs.insert(self.0.blobs.put(blob).map_err(|_| no_room())?);
        }
        for (media, body) in built.manifests {
            let json = serde_json::from_slice(&body).unwrap_or_default();
            let manifest = Manifest::read(media.to_owned(), &json, body.len(), now);
            let digest = self.0.blobs.put(body).map_err(|_| no_room())?;
            place.manifests.insert(digest, manifest);
        }
        if let Some(tag) = tag {
            place.tags.insert(tag.to_owned(), built.image.manifest_digest.clone());
        }
        Ok(built.image)
    }

    /// What any manifest that was ever stored contains.
    #[must_use]
    pub fn content_of(&self, manifest_digest: &str) -> Option<Content> {
        self.0.blobs.content_of(manifest_digest, &self.0.site.platform)
    }

    /// The manifest that a tag or digest stands for.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::NotFound`].
    pub fn resolve(&self, host: &str, repository: &str, reference: &str) -> Result<String, RegistryError> {
        let found = self.host(host)?;
        let repositories = found.repositories.read();
        let digest = repositories.get(repository).and_then(|place| place.resolve(reference));
        digest.map(str::to_owned).ok_or_else(|| missing(host, repository, reference))
    }

    /// Takes a tag away. True when it was there.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn remove_tag(&self, host: &str, repository: &str, tag: &str) -> Result<bool, RegistryError> {
        let host = self.host(host)?;
        let mut repositories = host.repositories.write();
        Ok(repositories.get_mut(repository).is_some_and(|place| place.tags.remove(tag).is_some()))
    }

    /// Copies an image, manifests unchanged, from one repository to another (of any host) as a user who must
    /// be allowed to push there. It is in the pull log like a push.
    ///
    /// # Errors
    /// Unknown hosts, a source that is not there, a user who may not.
    pub fn copy(
        &self,
        from: (&str, &str, &str),
        to: (&str, &str, &str),
        as_user: &str,
    ) -> Result<ImageRef, RegistryError> {
        let (source, target) = (self.host(from.0)?, self.host(to.0)?);
        check_names(to.1, Some(to.2))?;
        let denied = || RegistryError::Denied {
            user: as_user.to_owned(),
            action: "push",
            host: to.0.to_owned(),
            repository: to.1.to_owned(),
        };
        let now = self.0.clock.now();
        if !target.may(Some(as_user), "push", to.1) || !target.ensure_repository(to.1, Some(as_user), now) {
            return Err(denied());
        }
        let digest = self.resolve(from.0, from.1, from.2)?;
        let content = self.content_of(&digest).ok_or_else(|| missing(from.0, from.1, from.2))?;
        let origin = source.repositories.read().get(from.1).cloned();
        let origin = origin.ok_or_else(|| missing(from.0, from.1, from.2))?;
        let parts = self.manifests_of(&digest);
        let size = origin.manifests.get(&digest).map_or(0, |manifest| manifest.size);
        {
            let mut repositories = target.repositories.write();
            let place = repositories.get_mut(to.1).ok_or_else(denied)?;
            for part in parts {
                if let Some(manifest) = origin.manifests.get(&part) {
                    place.blobs.extend(self.blobs_of(&part));
                    place.manifests.insert(part, Manifest { pushed_at: now, ..manifest.clone() });
                }
            }
            place.tags.insert(to.2.to_owned(), digest.clone());
        }
        self.0.log.append(Entry {
            seq: 0,
            at: now,
            host: to.0.to_owned(),
            client: Client { node: None, address: IpAddr::V4(Ipv4Addr::LOCALHOST) },
            identity: Some(as_user.to_owned()),
            method: "PUT".to_owned(),
            path: format!("/v2/{}/manifests/{}", to.1, to.2),
            repository: Some(to.1.to_owned()),
            reference: Some(to.2.to_owned()),
            digest: Some(digest.clone()),
            status: 201,
            bytes: 0,
            user_agent: Some("image-copy".to_owned()),
        });
        let Content { config_digest, diff_ids } = content;
        Ok(ImageRef { manifest_digest: digest, config_digest, diff_ids, size })
    }

    /// The manifest itself, and those that it lists.
    fn manifests_of(&self, digest: &str) -> Vec<String> {
        let mut all = server::manifests::references(&self.0.blobs, digest, "manifests");
        all.push(digest.to_owned());
        all
    }

    /// The blobs that a manifest refers to.
    fn blobs_of(&self, digest: &str) -> Vec<String> {
        server::manifests::references(&self.0.blobs, digest, "layers")
    }

    /// Issues a token of an ECR-like host.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::NoTokens`].
    pub fn issue_token(&self, host: &str) -> Result<TokenInfo, RegistryError> {
        self.issue_token_at(host, self.0.clock.now())
    }

    /// A token of an ECR-like host as it would be had it been issued at this lab time.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::NoTokens`].
    pub fn issue_token_at(&self, host: &str, at: Timestamp) -> Result<TokenInfo, RegistryError> {
        self.host(host)?.issue(at)
    }

    /// Whether a host takes these credentials now, and until when: `None` when it refuses them,
    /// `Some(None)` when they have no end.
    #[must_use]
    pub fn credentials(&self, host: &str, username: &str, password: &str) -> Option<Option<Timestamp>> {
        self.host(host).ok()?.credentials(username, password, self.0.clock.now())
    }

    /// Replaces who can log in at a host.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn set_accounts(&self, host: &str, accounts: Vec<Account>) -> Result<(), RegistryError> {
        *self.host(host)?.accounts.write() = accounts;
        Ok(())
    }

    /// Makes a repository, or changes who may use it.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::BadName`].
    pub fn set_repository(&self, host: &str, repository: &RepositorySpec) -> Result<(), RegistryError> {
        check_names(&repository.name, None)?;
        self.host(host)?.set_repository(repository, self.0.clock.now());
        Ok(())
    }

    /// Declares the anonymous quota of a client address used up by others; it stays so.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn exhaust(&self, host: &str, client_address: IpAddr) -> Result<(), RegistryError> {
        let host = self.host(host)?;
        let payer = host.payer(None, client_address);
        host.usage.lock().exhaust(payer);
        Ok(())
    }

    /// Replaces a host's faults.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn set_faults(&self, host: &str, rules: Vec<FaultRule>) -> Result<(), RegistryError> {
        self.host(host)?.faults.set(rules);
        Ok(())
    }

    /// Where a host is on this machine.
    #[must_use]
    pub fn address(&self, host: &str) -> Option<SocketAddr> {
        self.host(host).ok().map(|host| host.address)
    }

    /// The certificate of the authority that signs the hosts' certificates, PEM.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.0.authority.pem()
    }

    /// What all hosts have seen.
    #[must_use]
    pub fn pull_log(&self) -> &PullLog {
        &self.0.log
    }
}

fn missing(host: &str, repository: &str, reference: &str) -> RegistryError {
    RegistryError::NotFound {
        host: host.to_owned(),
        repository: repository.to_owned(),
        reference: reference.to_owned(),
    }
}

fn check_names(repository: &str, tag: Option<&str>) -> Result<(), RegistryError> {
    if !is_repository(repository) {
        return Err(RegistryError::BadName(repository.to_owned()));
    }
    match tag {
        Some(tag) if !is_tag(tag) || is_digest(tag) => Err(RegistryError::BadName(tag.to_owned())),
        _ => Ok(()),
    }
}
