//! What can go wrong when the registry is programmed from inside the process. What clients are told is
//! `crate::failure`'s.

use thiserror::Error;

/// Why something failed that was asked of several hosts: which one, and what it said.
#[derive(Debug, Error)]
#[error("{host}: {source}")]
pub struct HostError {
    /// The host.
    pub host: String,
    /// What went wrong there.
    pub source: RegistryError,
}

/// Why the registry could not do what its owner asked.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No host of that name.
    #[error("there is no registry host {0:?}")]
    NoHost(String),
    /// The name is taken.
    #[error("there is already a registry host {0:?}")]
    HostExists(String),
    /// Not in the table of personalities.
    #[error("there is no registry personality {name:?}; there are: {known}")]
    NoPersonality {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Not in the data file of limits.
    #[error("there is no profile of limits {name:?}; there are: {known}")]
    NoLimits {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Not an acceptable repository name or tag.
    #[error("{0:?} is not a repository name or tag")]
    BadName(String),
    /// Nothing that DNS could be asked for.
    #[error("{0:?} is not a host name")]
    BadHostName(String),
    /// There is nothing under that reference.
    #[error("{host}/{repository} has no {reference:?}")]
    NotFound {
        /// The host.
        host: String,
        /// The repository.
        repository: String,
        /// The tag or digest.
        reference: String,
    },
    /// The user may not do that there.
    #[error("{user} may not {action} {host}/{repository}")]
    Denied {
        /// Who.
        user: String,
        /// `pull` or `push`.
        action: &'static str,
        /// The host.
        host: String,
        /// The repository.
        repository: String,
    },
    /// A host that issues no tokens of this kind.
    #[error("{0:?} does not issue registry tokens; only hosts with the ecr personality do")]
    NoTokens(String),
    /// No place to listen.
    #[error("cannot listen for {host}: {source}")]
    Listen {
        /// For which host.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No certificate.
    #[error(transparent)]
    Tls(#[from] pulldrill_tls::TlsError),
    /// The content could not be made.
    #[error("cannot build the image {build:?}: {source}")]
    Build {
        /// From what.
        build: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The folder that content is kept in cannot be used.
    #[error("cannot use {path} for the registry's data: {source}", path = .path.display())]
    Data {
        /// The folder.
        path: std::path::PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The content that is kept cannot be read or written.
    #[error("cannot {what} the content of {host}: {source}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Of which host.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// An address of a kind that the registry does not give to hosts.
    #[error("{host} cannot have the address {address}: hosts have IPv4 addresses only")]
    NotIpv4 {
        /// The host.
        host: String,
        /// The address.
        address: std::net::IpAddr,
    },
    /// The network does not do what the registry wants.
    #[error("cannot {what} on the interface {name}: {message}")]
    Interface {
        /// The interface.
        name: String,
        /// What was tried.
        what: String,
        /// What the system said.
        message: String,
    },
    /// Nothing that a route could lead to.
    #[error("{0:?} is not a network like 10.244.0.0/24")]
    BadNetwork(String),
    /// A rule that is none.
    #[error(transparent)]
    Fault(#[from] pulldrill_faults::RuleError),
    /// A host cannot stand in front of that registry.
    #[error("{host} cannot stand in front of its upstream registry: {message}")]
    Upstream {
        /// The host.
        host: String,
        /// Why.
        message: String,
    },
    /// Only Docker Hub has them.
    #[error("{0} takes no personal access tokens; only a docker-hub does, give its users passwords")]
    NoPersonalTokens(String),
    /// Tags of that repository stay what they are.
    #[error("{0}: the tag is there already, and the repository's tags are immutable")]
    Immutable(String),
    /// No such fault.
    #[error("{host} has no fault {id}; list the faults to see their numbers")]
    NoFault {
        /// The host.
        host: String,
        /// The fault's number.
        id: u64,
    },
    /// The registry has no addresses of its own to give, or to be reached by.
    #[error(
        "the registry owns no network interface, so that it cannot set routes; start it with --interface"
    )]
    NoInterface,
    /// The registry runs elsewhere and does not answer as it should.
    #[error("the registry at {address} does not answer: {message}")]
    Unreachable {
        /// Where its admin API should be.
        address: String,
        /// What was seen instead.
        message: String,
    },
    /// What a registry that runs elsewhere said.
    #[error("{0}")]
    Remote(String),
    /// What a registry that runs elsewhere said of something that it does not have.
    #[error("{0}")]
    RemoteNotFound(String),
}
