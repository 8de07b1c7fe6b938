//! Whoever controls the registries of a folder: a lab, or registries that are served alone. Both are told in the same words.

use std::{net::SocketAddr, time::Duration};

use pulldrill_lab::{
    request::FaultRequest,
    view::{FaultView, PullView},
};
use pulldrill_registry::{AdminClient, AdminClientOptions, Control, Entry, Fault, HostFault, admin::Pulls};
use tokio_util::sync::CancellationToken;

use super::Ground;
use crate::{
    args::RegistryLog,
    client::{Client, segment},
    exit::Failure,
    folder::Owner,
};

/// How long an answer to "anything new?" may be waited for, in seconds.
const WAIT: u64 = 20;

/// Who controls the registries.
pub(super) enum Reach {
    /// A lab; with the instructor's token where that is needed.
    Lab(Box<Client>),
    /// Nobody else.
    Alone(AdminClient),
}

impl Reach {
    /// Whoever it is in this folder. Of a lab, the instructor where `instructor` says so.
    pub(super) async fn of(ground: &Ground<'_>, instructor: bool) -> Result<Self, Failure> {
        let folder = &ground.folder;
        let Some(admin) = folder.admin()? else {
            let lab = if instructor { ground.instructors_lab() } else { ground.lab() };
            return Ok(Self::Lab(Box::new(lab?)));
        };
        if folder.owner() == Owner::Nobody {
            let message = format!("the registries in {} are no longer served", folder.path().display());
            return Err(Failure::infrastructure(message).help("`pulldrill registry serve` serves them again"));
        }
        let options = AdminClientOptions {
            address: address(&admin)?,
            token: folder.token()?,
            patience: Duration::ZERO,
            stop: CancellationToken::new(),
        };
        Ok(Self::Alone(AdminClient::for_a_while(options).await?))
    }

    /// The faults of a registry, or of all.
    pub(super) async fn faults(&self, host: Option<&str>) -> Result<Vec<FaultView>, Failure> {
        match self {
            Self::Lab(lab) => lab.get(&with_host("faults", host)).await,
            Self::Alone(admin) => {
                let control: &dyn Control = admin;
                Ok(views(control.faults_of(&named(admin, host).await?).await?))
            }
        }
    }

    /// Switches a fault on; what was added.
    pub(super) async fn add_fault(&self, request: &FaultRequest) -> Result<Vec<FaultView>, Failure> {
        match self {
            Self::Lab(lab) => lab.post("faults", request).await,
            Self::Alone(admin) => {
                let control: &dyn Control = admin;
                let hosts = named(admin, request.host.as_deref()).await?;
                Ok(views(control.add_fault_to(&hosts, &request.rule).await?))
            }
        }
    }

    /// Ends one fault, or all of a registry, or all; what was ended.
    pub(super) async fn clear_faults(
        &self,
        host: Option<&str>,
        id: Option<u64>,
    ) -> Result<Vec<FaultView>, Failure> {
        let admin = match (self, id) {
            (Self::Lab(lab), Some(id)) => return lab.delete(&format!("faults/{id}")).await,
            (Self::Lab(lab), None) => return lab.delete(&with_host("faults", host)).await,
            (Self::Alone(admin), _) => admin,
        };
        let control: &dyn Control = admin;
        let ended = control.end_faults_of(&named(admin, host).await?, id).await?;
        match (id, ended.is_empty()) {
            (Some(id), true) => Err(Failure::usage(format!("no registry has a fault {id}"))
                .help("`pulldrill registry fault list` shows the faults and their numbers")),
            _ => Ok(views(ended)),
        }
    }

    /// What the registries saw after the request with that number, of what is wanted, and from where to go on;
    /// waiting for a while where `wait` says so and there is nothing yet.
    pub(super) async fn pulls(
        &self,
        wanted: &RegistryLog,
        since: u64,
        wait: bool,
    ) -> Result<(Vec<PullView>, u64), Failure> {
        let wait = if wait { WAIT } else { 0 };
        match self {
            Self::Lab(lab) => {
                let views: Vec<PullView> = lab.get(&query(wanted, since, wait)).await?;
                let last = views.last().map_or(since, |view| view.seq);
                Ok((views, last))
            }
            Self::Alone(admin) => {
                if wanted.drill.is_some() {
                    return Err(Failure::usage("these registries belong to no drill"));
                }
                let mut views = Vec::new();
                let mut from = since;
                loop {
                    let Pulls { last, entries } =
                        admin.pulls(from, if from == since { wait } else { 0 }).await?;
                    let Some(newest) = entries.last().map(|entry| entry.seq) else { break };
                    from = newest;
                    views.extend(entries.into_iter().map(shown).filter(|view| fits(wanted, view)));
                    if newest >= last {
                        break;
                    }
                }
                Ok((views, from))
            }
        }
    }
}

/// The address in the URL of an admin API.
fn address(url: &str) -> Result<SocketAddr, Failure> {
    let bare = url.trim_start_matches("http://").trim_end_matches('/');
    bare.parse()
        .map_err(|error| Failure::infrastructure(format!("the admin API in lab.json, {url:?}: {error}")))
}

fn with_host(path: &str, host: Option<&str>) -> String {
    host.map_or_else(|| path.to_owned(), |host| format!("{path}?host={}", segment(host)))
}

async fn named(admin: &AdminClient, host: Option<&str>) -> Result<Vec<String>, Failure> {
    let all = admin.host_names().await?;
    match host {
        None => Ok(all),
        Some(name) if all.iter().any(|known| known == name) => Ok(vec![name.to_owned()]),
        Some(name) => {
            Err(Failure::usage(format!("no registry {name:?} here; there are: {}", all.join(", "))))
        }
    }
}

fn views(faults: Vec<HostFault>) -> Vec<FaultView> {
    let view =
        |(host, Fault { id, rule, struck, until }): HostFault| FaultView { id, host, rule, struck, until };
    faults.into_iter().map(view).collect()
}

fn query(wanted: &RegistryLog, since: u64, wait: u64) -> String {
    let RegistryLog { drill, host, repository, node, .. } = wanted;
    let said = [("drill", drill), ("host", host), ("repository", repository), ("node", node)];
    let said =
        said.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", segment(value.as_ref()?))));
    format!("pull-log?since={since}&wait={wait}{}", said.collect::<String>())
}

fn fits(wanted: &RegistryLog, view: &PullView) -> bool {
    let is = |wanted: &Option<String>, given: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| Some(wanted) == given)
    };
    is(&wanted.host, Some(&view.host))
        && is(&wanted.repository, view.repository.as_deref())
        && is(&wanted.node, view.node.as_deref())
}

/// An entry as a lab would show it; these registries are on real time.
fn shown(entry: Entry) -> PullView {
    PullView {
        seq: entry.seq,
        at: entry.at,
        host: entry.host,
        node: entry.client.node,
        address: entry.client.address,
        identity: entry.identity,
        method: entry.method,
        path: entry.path,
        repository: entry.repository,
        reference: entry.reference,
        digest: entry.digest,
        status: entry.status,
        bytes: entry.bytes,
        user_agent: entry.user_agent,
    }
}
