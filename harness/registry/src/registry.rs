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
    Account, Clients, FaultRule, HostInfo, HostSpec, ImageSpec, PullLog, RegistryError, RepositorySpec,
    TokenInfo,
    admin::Route,
    content::Contents,
    fault::{Fault, Faults, Numbers},
    host::{self, Host},
    images::check_names,
    names::{Names, is_registry_host},
    server::{self, Role, shared_port::Doors},
    site::Site,
    spec::Access,
    store::Store,
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
pub struct Registry(pub(crate) Arc<Shared>);

/// What all hosts share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) store: Store,
    pub(crate) contents: Contents,
    pub(crate) log: PullLog,
    seed: u64,
    fault_numbers: Numbers,
    pub(crate) site: Site,
    authority: Arc<Authority>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// The way in to each of them, for the port that they share.
    pub(crate) doors: Doors,
    pub(crate) hosts: RwLock<BTreeMap<String, Arc<Host>>>,
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
            store: site.kept.0.clone(),
            contents: Contents::default(),
            log: PullLog::default(),
            seed,
            fault_numbers: Numbers::default(),
            site,
            authority,
            stop,
            tasks: TaskTracker::new(),
            doors: Doors::default(),
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
        let mut listener = server::Listener::bind(&shared.authority, names, spec.listen).await?;
        let mut token_listener = match &token_name {
            Some(name) => {
                let names = [name.as_str()].into_iter();
                Some(server::Listener::bind(&shared.authority, names, spec.auth_listen).await?)
            }
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
        let (clock, store) = (shared.clock.clone(), shared.store.clone());
        let faults = Faults::new(shared.seed, &name, clock.clone(), shared.fault_numbers.clone());
        faults.set(spec.faults.clone())?;
        let made = self.apart(move || Host::new(spec, addresses, faults, &clock, store, stop));
        let host = Arc::new(made.await?);
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
        server::harbor::retaining::arm_all(shared, &host);
        if let Some(repository) = personality.always_has {
            let spec = ImageSpec { build: format!("{repository} latest"), ..ImageSpec::default() };
            let open = RepositorySpec {
                name: repository.to_owned(),
                pull: Access::Anonymous,
                push: Access::Users(Vec::new()),
            };
            let (this, name) = (self.clone(), name.clone());
            self.apart(move || {
                host.set_repository(&open, this.0.clock.now())?;
                this.push_image(&name, repository, Some("latest"), &spec)
            })
            .await?;
        }
        self.host_info(&name)
    }

    /// Serves all hosts at one address, those that come later as well: whose a connection is, the name says that the
    /// client asks for (SNI, or else `Host`). Each keeps its own port beside. Where that is.
    ///
    /// # Errors
    /// [`RegistryError::Listen`].
    pub async fn serve_all_at(&self, address: SocketAddr) -> Result<SocketAddr, RegistryError> {
        server::shared_port::serve(&self.0, address).await
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
            self.0.doors.remove(&host);
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

    /// Does what may block where content is on disk.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let lost = |source| RegistryError::Store { what: "use", host: "a host".to_owned(), source };
        self.0.store.offload(move || Ok(work())).await.map_err(lost)?
    }

    pub(crate) fn host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        self.0.hosts.read().get(name).cloned().ok_or_else(|| RegistryError::NoHost(name.to_owned()))
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
        self.host(host)?.set_repository(repository, self.0.clock.now())
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
    /// [`RegistryError::NoHost`], [`RegistryError::Fault`] (then nothing is changed).
    pub fn set_faults(&self, host: &str, rules: Vec<FaultRule>) -> Result<(), RegistryError> {
        Ok(self.host(host)?.faults.set(rules)?)
    }

    /// Adds a fault to those that a host has.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::Fault`].
    pub fn add_fault(&self, host: &str, rule: FaultRule) -> Result<Fault, RegistryError> {
        Ok(self.host(host)?.faults.add(rule)?)
    }

    /// Takes a fault from a host.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::NoFault`].
    pub fn remove_fault(&self, host: &str, id: u64) -> Result<(), RegistryError> {
        let removed = self.host(host)?.faults.remove(id);
        if removed { Ok(()) } else { Err(RegistryError::NoFault { host: host.to_owned(), id }) }
    }

    /// A host's faults, in the order in which they were switched on.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`].
    pub fn faults(&self, host: &str) -> Result<Vec<Fault>, RegistryError> {
        Ok(self.host(host)?.faults.list())
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
