//! `registry serve`: the registry alone, controlled through its admin API. It is what runs in a container beside a
//! real cluster, and needs nothing there but itself.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pulldrill_clock::{Clock, real};
use pulldrill_registry::{
    AddressBook, Dns, Interface, Registry, RegistryError, RegistryOptions, Site,
    admin::{AdminServer, serve},
    site,
};
use pulldrill_tls::Authority;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Ground, up::stop_on_signals};
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
    let token = token(std::env::var(TOKEN).ok())?;
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let authority = Authority::new("pulldrill registry").map_err(RegistryError::from)?;
    let interface = match &args.interface {
        Some(name) => Some(Arc::new(Interface::named(name).await?)),
        None => None,
    };
    let platform = format!("linux/{}", site::architecture());
    let book = Arc::new(AddressBook::default());
    let registry = Registry::on(
        Site { interface, platform, ..Site::default() },
        RegistryOptions {
            clock: Clock::live(),
            seed: args.seed,
            authority: Arc::new(authority),
            clients: book.clone(),
            stop: stop.clone(),
        },
    );
    let dns = match args.dns {
        Some(address) => Some(Dns::bind(address).await?),
        None => None,
    };
    let unbound = |error| Failure::infrastructure(format!("cannot listen at {}: {error}", args.admin));
    // The last one: whoever gets an answer here finds everything else ready.
    let listener = TcpListener::bind(args.admin).await.map_err(unbound)?;
    let admin = listener.local_addr().map_err(unbound)?;
    let served = Served { admin, dns: dns.as_ref().map(Dns::address), interface: args.interface.clone() };
    let names = dns.map(|dns| tokio::spawn(dns.serve(registry.names().clone(), stop.clone())));
    ground.out.data(&served, Served::line);
    let server = AdminServer { registry: registry.clone(), book, token, stop };
    serve(listener, server).await;
    let _late_answers_are_cut_off = real::timeout(LAST_ANSWERS, registry.stopped()).await;
    if let Some(names) = names {
        let _ended_by_the_same_token = names.await;
    }
    Ok(Exit::Yes)
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
