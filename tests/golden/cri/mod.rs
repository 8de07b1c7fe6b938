//! Container runtimes by themselves, asked to pull as kubelets ask them: what `tests/recordings/cri` says that containerd
//! answered, code and message, has to be the answer
//!
//! - of that containerd, a real one, to registries of ours ([`real`]),
//! - and of the embedded cluster's puller ([`embedded`]).
//!
//! `cases.yaml` has what a case is beside its image; what our registries make a runtime say instead stands there with
//! its reason. What a kubelet makes of the answers is not looked at here.

mod embedded;
mod grpc;
mod real;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use futures::future::try_join;
use pulldrill_clock::{Clock, SignedDuration, real as real_time};
use pulldrill_registry::{Client, Clients, FaultRule};
use pulldrill_tls::Authority;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{
    comparison::Normaliser,
    ground::Ground,
    registries::{self, Registries},
};

/// User and password.
pub(crate) type Login = (String, String);

/// What a runtime answers.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    code: String,
    #[serde(default)]
    message: String,
}

impl Answer {
    /// As kubelets show it, for the comparison.
    fn shown(&self, rules: &Normaliser) -> String {
        match &*self.code {
            "OK" => "OK".to_owned(),
            code => rules.text(&format!("rpc error: code = {code} desc = {}", self.message)),
        }
    }
}

/// A case as it was recorded.
#[derive(Clone, Debug, Deserialize)]
struct Recorded {
    image: String,
    user: Option<String>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
struct Recording {
    cases: BTreeMap<String, Recorded>,
}

impl Recording {
    fn load(version: &str) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings/cri");
        let path = root.join(format!("containerd-{version}.json"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// What a case is beside its image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    /// `USER:PASSWORD`; `{expired}` and `{fresh}` are tokens of ECR.
    login: Option<String>,
    /// By registry host.
    faults: BTreeMap<String, Vec<FaultRule>>,
    instead: Option<Instead>,
}

/// What is said in place of something that was recorded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instead {
    #[expect(dead_code, reason = "read by people")]
    why: String,
    of: String,
    says: String,
}

fn cases() -> Result<BTreeMap<String, Case>> {
    Ok(serde_saphyr::from_str(include_str!("cases.yaml"))?)
}

/// Everybody comes from behind the same address.
struct Everybody;

impl Clients for Everybody {
    fn client(&self, _: SocketAddr) -> Client {
        Client { node: None, address: IpAddr::from(registries::NAT) }
    }
}

/// The registries, and tokens for one of them.
struct World {
    clock: Clock,
    registries: Registries,
    authority: Arc<Authority>,
    tokens: HashMap<&'static str, String>,
    stop: CancellationToken,
}

impl World {
    async fn start(ground: &Ground<'_>) -> Result<Self> {
        let now = real_time::now();
        let clock = Clock::held_at(now - SignedDuration::from_hours(14));
        let authority = Arc::new(Authority::new("recordings")?);
        let stop = CancellationToken::new();
        let registries =
            registries::start(&clock, ground, authority.clone(), Arc::new(Everybody), stop.clone()).await?;
        let expired = registries.ecr_token_until(&clock, now - SignedDuration::from_hours(1)).await?;
        clock.advance_to(now).await;
        let tokens = [("{expired}", expired.password), ("{fresh}", registries.ecr_token()?.password)];
        Ok(Self { clock, registries, authority, tokens: tokens.into(), stop })
    }

    fn login(&self, case: &Case) -> Option<Login> {
        let (user, password) = case.login.as_ref()?.split_once(':')?;
        let token = self.tokens.get(password).map(String::as_str);
        Some((user.to_owned(), token.unwrap_or(password).to_owned()))
    }

    /// Plays every case of a recording, one after the other but for those in which nothing happens for half a minute,
    /// and compares.
    async fn hold_against(
        &self,
        version: &str,
        pull: impl AsyncFn(&str, Option<&Login>) -> Result<Answer>,
    ) -> Result<()> {
        let (rules, scripts) = (Normaliser::new()?, cases()?);
        let (slow, quick): (Vec<_>, Vec<_>) = Recording::load(version)?
            .cases
            .into_iter()
            .partition(|(_, recorded)| recorded.answer.message.ends_with("i/o timeout"));
        ensure!(!quick.is_empty(), "nothing was recorded");
        let play = async |cases: Vec<(String, Recorded)>| {
            let mut differences = Vec::new();
            for (name, recorded) in cases {
                let case = scripts.get(&format!("{version}/{name}")).or_else(|| scripts.get(&name));
                let case = case.cloned().unwrap_or_default();
                let login = self.login(&case);
                let user = login.as_ref().map(|(user, _)| user.clone());
                ensure!(user == recorded.user, "{name}: {user:?} logs in, but {:?} did", recorded.user);
                self.registries.spoil(&case.faults)?;
                let ours = pull(&recorded.image, login.as_ref()).await.with_context(|| name.clone())?;
                self.registries.mend(case.faults.keys())?;
                let expected = expected(&name, recorded.answer, &case)?.shown(&rules);
                let ours = ours.shown(&rules);
                if ours != expected {
                    differences.push(format!("{name}:\n  recorded {expected}\n  ours     {ours}"));
                }
            }
            Ok(differences)
        };
        let (slow, quick) = try_join(play(slow), play(quick)).await?;
        let differences = [slow, quick].concat();
        assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
        Ok(())
    }
}

/// What is to be said in a case.
fn expected(name: &str, mut recorded: Answer, case: &Case) -> Result<Answer> {
    if let Some(Instead { of, says, .. }) = &case.instead {
        ensure!(recorded.message.contains(of), "{name}: nobody said {of}");
        recorded.message = recorded.message.replace(of, says);
    }
    Ok(recorded)
}

#[test]
fn every_case_of_the_table_is_recorded_and_the_releases_have_the_same_cases() -> Result<()> {
    let [old, young] = [Recording::load("1.7")?, Recording::load("2.1")?];
    assert!(old.cases.keys().eq(young.cases.keys()));
    for case in cases()?.keys() {
        let name = case.split_once('/').map_or(case.as_str(), |(_, name)| name);
        assert!(old.cases.contains_key(name), "{case} is not recorded");
    }
    Ok(())
}
