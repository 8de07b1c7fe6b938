//! `registry serve`: registries alone. In a container beside a real cluster there are none at first: they come through
//! the admin API, and it needs nothing there but itself. A person names those that they want ([`super::alone`]).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use pulldrill_clock::{Clock, SignedDuration, real, secret};
use pulldrill_registry::{
    AddressBook, Dns, HostError, Interface, Registry, RegistryError, RegistryOptions, Site,
    admin::{AdminServer, serve},
    site,
};
use pulldrill_tls::Authority;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Ground, alone::Alone, up::stop_on_signals};
use crate::{
    args::RegistryServe,
    exit::{Exit, Failure, Outcome},
};

/// Where the admin API's token is.
const TOKEN: &str = "PULLDRILL_ADMIN_TOKEN";
/// The shortest token that is no joke.
const SHORTEST: usize = 16;
/// How long connections may take to end.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// Where the admin API listens unless told otherwise.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How often garbage is taken away.
const CLEANING: Duration = Duration::from_secs(600);
/// How long a blob may lie about before its manifest comes.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Where it can be reached.
#[derive(Serialize)]
struct Served {
    admin: SocketAddr,
    dns: Option<SocketAddr>,
    interface: Option<String>,
}

impl Served {
    fn line(&self) -> String {
        let dns = self.dns.map(|dns| format!(", names at {dns}")).unwrap_or_default();
        let interface = self.interface.as_ref().map(|name| format!(", addresses on {name}"));
        format!("registry: admin API at {}{dns}{}", self.admin, interface.unwrap_or_default())
    }
}

pub(super) async fn registry(ground: &Ground<'_>, args: &RegistryServe) -> Outcome {
    let given = std::env::var(TOKEN).ok();
    let token = if args.personality.is_empty() || given.is_some() { token(given)? } else { secret::token() };
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    // First of all: the folder belongs to one process, and so does what is kept in it.
    let mut site = Site { platform: format!("linux/{}", site::architecture()), ..Site::default() };
    if let Some(data) = &args.data {
        site = site.keep_in(data)?;
    }
    let alone = match args.personality.is_empty() {
        true => None,
        false => Some(Alone::prepare(ground, args)?),
    };
    let authority = match &alone {
        Some(alone) => alone.authority.clone(),
        None => Arc::new(Authority::new("pulldrill registry").map_err(RegistryError::from)?),
    };
    if let Some(name) = &args.interface {
        site.interface = Some(Arc::new(Interface::named(name).await?));
    }
    let book = Arc::new(AddressBook::default());
    let registry = Registry::on(
        site,
        RegistryOptions {
            clock: Clock::live(),
            seed: args.seed,
            authority,
            clients: book.clone(),
            stop: stop.clone(),
        },
    );
    let dns = match args.dns {
        Some(address) => Some(Dns::bind(address).await?),
        None => None,
    };
    let admin = args.admin.unwrap_or(ANY_PORT);
    let unbound = |error| Failure::infrastructure(format!("cannot listen at {admin}: {error}"));
    // The last one: whoever gets an answer here finds everything else ready.
    let listener = TcpListener::bind(admin).await.map_err(unbound)?;
    let admin = listener.local_addr().map_err(unbound)?;
    let served = Served { admin, dns: dns.as_ref().map(Dns::address), interface: args.interface.clone() };
    let names = dns.map(|dns| tokio::spawn(dns.serve(registry.names().clone(), stop.clone())));
    match &alone {
        None => ground.out.data(&served, Served::line),
        Some(alone) => {
            let served = alone.open(&registry, admin, &token).await?;
            ground.out.data(&served, |served| served.lines(alone.path()));
        }
    }
    let cleaner = tokio::spawn(clean(registry.clone(), stop.clone()));
    let server = AdminServer { registry: registry.clone(), book, token, stop };
    serve(listener, server).await;
    let _late_answers_are_cut_off = real::timeout(LAST_ANSWERS, registry.stopped()).await;
    for ended_by_the_same_token in names.into_iter().chain([cleaner]) {
        let _nothing_to_tell = ended_by_the_same_token.await;
    }
    if let Some(alone) = alone {
        alone.close(ground)?;
    }
    Ok(Exit::Yes)
}

/// Takes garbage away now and then.
async fn clean(registry: Registry, stop: CancellationToken) {
    while stop.run_until_cancelled(real::sleep(CLEANING)).await.is_some() {
        match registry.collect_garbage(GRACE).await {
            Ok(garbage) => tracing::debug!(?garbage, "garbage was taken away"),
            Err(error) => tracing::warn!(%error, "garbage is not taken away for now"),
        }
    }
}

/// The token, if it is one.
fn token(given: Option<String>) -> Result<String, Failure> {
    given.filter(|token| token.len() >= SHORTEST).ok_or_else(|| {
        Failure::usage(format!("the admin API needs a token of at least {SHORTEST} characters"))
            .help(format!("set {TOKEN}; whoever controls the registry has to show it"))
    })
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::infrastructure(error.to_string())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::infrastructure(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_no_token() {
        assert!(token(None).is_err() && token(Some(String::new())).is_err());
        assert_eq!(token(Some("0123456789abcdef".into())).unwrap().len(), SHORTEST);
        assert_eq!(token(Some("short".into())).unwrap_err().exit, Exit::Usage);
    }
}
