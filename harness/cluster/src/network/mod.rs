//! The network as the lab's nodes see it: names, addresses, routes and firewalls.
//!
//! Names and addresses are the lab's own; behind each reachable address stands a socket on loopback, so a
//! connection is real but never leaves the machine. What is not routed is silence, as on a real network.
//! Waiting for an answer that never comes costs lab time only.

mod cidr;
mod dial;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use parking_lot::RwLock;
use pulldrill_clock::{Busy, Clock, SignedDuration};
use tokio::net::{TcpSocket, TcpStream};

pub use cidr::{Cidr, CidrError};
pub use dial::DialError;
pub use rules::{Action, EgressRule};

/// How long a dial waits for an answer.
const DIAL_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// Where lookups are sent unless [`Network::set_resolver`] says otherwise.
const DEFAULT_RESOLVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10)), 53);

/// Told of a connection before its first byte: its local address, and the node behind it.
type ConnectHook = Arc<dyn Fn(SocketAddr, &str) + Send + Sync>;

/// The network of one lab; cheap to clone, all clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<RwLock<State>>);

struct State {
    resolver: SocketAddr,
    hosts: BTreeMap<String, IpAddr>,
    routes: HashMap<(IpAddr, u16), SocketAddr>,
    egress: BTreeMap<String, Vec<EgressRule>>,
    untrusted: BTreeSet<String>,
    unsigned: BTreeSet<String>,
    paces: BTreeMap<String, u64>,
    hooks: Vec<ConnectHook>,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.read();
        write!(f, "Network({} hosts, {} routes)", state.hosts.len(), state.routes.len())
    }
}

impl Network {
    /// A network on which nothing can be reached.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(State {
            resolver: DEFAULT_RESOLVER,
            hosts: BTreeMap::new(),
            routes: HashMap::new(),
            egress: BTreeMap::new(),
            untrusted: BTreeSet::new(),
            unsigned: BTreeSet::new(),
            paces: BTreeMap::new(),
            hooks: Vec::new(),
        })))
    }

    /// Which resolver the nodes ask; only its address is ever seen, in messages.
    pub fn set_resolver(&self, resolver: SocketAddr) {
        self.0.write().resolver = resolver;
    }

    /// The resolver that the nodes ask.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        self.0.read().resolver
    }

    /// Makes a name known, or moves it to another address.
    pub fn add_host(&self, name: &str, address: IpAddr) {
        self.0.write().hosts.insert(name.to_ascii_lowercase(), address);
    }

    /// Makes a name unknown, and forgets how far it was trusted, and how slow. False when it was unknown.
    pub fn remove_host(&self, name: &str) -> bool {
        let (mut state, name) = (self.0.write(), name.to_ascii_lowercase());
        state.untrusted.remove(&name);
        state.unsigned.remove(&name);
        state.paces.remove(&name);
        state.hosts.remove(&name).is_some()
    }

    /// Lets no node trust whoever has signed the certificate of this host.
    pub fn distrust(&self, name: &str) {
        self.0.write().untrusted.insert(name.to_ascii_lowercase());
    }

    /// Whether nodes trust the lab's authorities where this host is concerned.
    #[must_use]
    pub fn trusts(&self, name: &str) -> bool {
        !self.0.read().untrusted.contains(&name.to_ascii_lowercase())
    }

    /// Lets nodes take only signed images from this host, where their runtime looks at signatures. The lab signs
    /// nothing, so that they take none.
    pub fn demand_signatures(&self, name: &str) {
        self.0.write().unsigned.insert(name.to_ascii_lowercase());
    }

    /// Lets nodes take images from this host without a signature again.
    pub fn take_unsigned(&self, name: &str) {
        self.0.write().unsigned.remove(&name.to_ascii_lowercase());
    }

    /// Whether nodes take images from this host without a signature.
    #[must_use]
    pub fn takes_unsigned(&self, name: &str) -> bool {
        !self.0.read().unsigned.contains(&name.to_ascii_lowercase())
    }

    /// Lets no more bytes a second of images come from this host, in lab time: what is slow for nodes alone, where a
    /// registry's own slowness takes real time.
    pub fn set_pace(&self, name: &str, bytes_per_second: u64) {
        self.0.write().paces.insert(name.to_ascii_lowercase(), bytes_per_second);
    }

    /// How many bytes of images a second come from this host, where that is limited.
    #[must_use]
    pub fn pace(&self, name: &str) -> Option<u64> {
        self.0.read().paces.get(&name.to_ascii_lowercase()).copied()
    }

    /// The names and their addresses, in the order of names.
    #[must_use]
    pub fn hosts(&self) -> Vec<(String, IpAddr)> {
        self.0.read().hosts.iter().map(|(name, address)| (name.clone(), *address)).collect()
    }

    /// The address of a name (or of an address written out).
    #[must_use]
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        dial::literal(host).or_else(|| self.0.read().hosts.get(&host.to_ascii_lowercase()).copied())
    }

    /// Puts a socket on loopback behind an address of the lab.
    pub fn add_route(&self, address: IpAddr, port: u16, to: SocketAddr) {
        self.0.write().routes.insert((address, port), to);
    }

    /// Takes a route away. False when there was none.
    pub fn remove_route(&self, address: IpAddr, port: u16) -> bool {
        self.0.write().routes.remove(&(address, port)).is_some()
    }

    /// The egress rules of a node, in the order in which they are tried.
    #[must_use]
    pub fn egress(&self, node: &str) -> Vec<EgressRule> {
        self.0.read().egress.get(node).cloned().unwrap_or_default()
    }

    /// Adds a rule after the others; one with the same id is replaced where it stands.
    pub fn add_egress(&self, node: &str, rule: EgressRule) {
        let mut state = self.0.write();
        let rules = state.egress.entry(node.to_owned()).or_default();
        match rules.iter_mut().find(|r| r.id == rule.id) {
            Some(existing) => *existing = rule,
            None => rules.push(rule),
        }
    }

    /// Replaces all rules of a node at once.
    pub fn set_egress(&self, node: &str, rules: Vec<EgressRule>) {
        self.0.write().egress.insert(node.to_owned(), rules);
    }

    /// Removes a rule. False when there was none of that id.
    pub fn remove_egress(&self, node: &str, id: &str) -> bool {
        let mut state = self.0.write();
        let Some(rules) = state.egress.get_mut(node) else { return false };
        let before = rules.len();
        rules.retain(|rule| rule.id != id);
        rules.len() < before
    }

    /// Has `hook` told of every connection before it is made, so that whoever accepts it can know which
    /// node is behind it.
    pub fn on_connect(&self, hook: impl Fn(SocketAddr, &str) + Send + Sync + 'static) {
        self.0.write().hooks.push(Arc::new(hook));
    }

    /// Connects from a node. The token is given up while the dial waits for an answer in lab time.
    pub async fn connect(
        &self,
        node: &str,
        host: &str,
        port: u16,
        clock: &Clock,
        busy: Busy,
    ) -> (Result<TcpStream, DialError>, Busy) {
        let Some(address) = self.resolve(host) else {
            let error = DialError::NoSuchHost { host: host.to_owned(), resolver: self.resolver() };
            return (Err(error), busy);
        };
        let shown = SocketAddr::new(address, port);
        let (action, route) = {
            let state = self.0.read();
            let rules = state.egress.get(node).map_or(&[][..], Vec::as_slice);
            (rules::decide(rules, address, port), state.routes.get(&(address, port)).copied())
        };
        match (action, route) {
            (Action::Reject, _) => (Err(DialError::Refused(shown)), busy),
            (Action::Allow, Some(to)) => {
                let stream = self.open(node, to).await;
                (stream.map_err(|_| DialError::Refused(shown)), busy)
            }
            (Action::Drop, _) | (Action::Allow, None) => {
                let busy = clock.sleep_until(busy, clock.now() + DIAL_TIMEOUT).await;
                (Err(DialError::Timeout(shown)), busy)
            }
        }
    }

    /// Opens the real connection, announcing it before the other side can see it.
    async fn open(&self, node: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
        let (socket, any): (_, IpAddr) = match to {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, Ipv6Addr::LOCALHOST.into()),
        };
        socket.bind(SocketAddr::new(any, 0))?;
        let local = socket.local_addr()?;
        let hooks = self.0.read().hooks.clone();
        for hook in hooks {
            hook(local, node);
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
