//! Faults of the registries while the lab runs: the scenarios' steps and the instructor switch them on and off.

use pulldrill_registry::{Fault, FaultRule, HostError, HostFault, RegistryError};

use super::{Host, Stage, failed};
use crate::{LabError, request::FaultRequest, view::FaultView};

impl Stage {
    /// Adds a fault to a registry.
    pub(crate) async fn add_fault(&self, host: &Host, rule: FaultRule) -> Result<Fault, LabError> {
        self.registry.add_fault(&host.endpoint, rule).await.map_err(refused(&host.name))
    }

    /// Ends all faults of a registry.
    pub(crate) async fn clear_faults(&self, host: &Host) -> Result<(), LabError> {
        self.registry.set_faults(&host.endpoint, Vec::new()).await.map_err(failed(&host.name))
    }

    /// The faults of the registry that is named, or of all.
    pub(crate) async fn fault_views(&self, host: Option<&str>) -> Result<Vec<FaultView>, LabError> {
        let faults = self.registry.faults_of(&self.endpoints(host)?).await.map_err(named(failed))?;
        Ok(self.views(faults))
    }

    /// Adds a fault to the registry that is named, or to all.
    pub(crate) async fn switch_on(&self, request: &FaultRequest) -> Result<Vec<FaultView>, LabError> {
        request.rule.kind().map_err(|error| LabError::Invalid(error.to_string()))?;
        let hosts = self.endpoints(request.host.as_deref())?;
        Ok(self.views(self.registry.add_fault_to(&hosts, &request.rule).await.map_err(named(refused))?))
    }

    /// Ends the fault with this number, or all of the registry that is named, or all; those that were ended.
    pub(crate) async fn switch_off(
        &self,
        host: Option<&str>,
        id: Option<u64>,
    ) -> Result<Vec<FaultView>, LabError> {
        let hosts = self.endpoints(host)?;
        let ended = self.registry.end_faults_of(&hosts, id).await.map_err(named(failed))?;
        match (id, ended.is_empty()) {
            (Some(id), true) => Err(LabError::UnknownFault { id }),
            _ => Ok(self.views(ended)),
        }
    }

    /// The registry that is named, or all, by the names that the registry has for them.
    fn endpoints(&self, host: Option<&str>) -> Result<Vec<String>, LabError> {
        let all = || self.hosts().into_iter().map(|(_, host)| host);
        let Some(name) = host else { return Ok(all().map(|host| host.endpoint).collect()) };
        self.find_host(name).map(|(_, host)| vec![host.endpoint]).ok_or_else(|| {
            let known: Vec<String> = all().map(|host| host.name).collect();
            LabError::Invalid(format!("no registry {name:?} here; there are: {}", known.join(", ")))
        })
    }

    fn views(&self, faults: Vec<HostFault>) -> Vec<FaultView> {
        let view = |(host, fault): HostFault| {
            let until = fault.until.map(|until| self.clock.shown(until));
            FaultView { id: fault.id, host, rule: fault.rule, struck: fault.struck, until }
        };
        faults.into_iter().map(view).collect()
    }
}

/// What a registry does not want is the asker's to mend, in the words of the table, wherever the registry runs.
fn refused(host: &str) -> impl Fn(RegistryError) -> LabError + use<> {
    let failed = failed(host);
    move |error| match error {
        RegistryError::Fault(_) | RegistryError::Remote(_) | RegistryError::RemoteNotFound(_) => {
            LabError::Invalid(error.to_string())
        }
        other => failed(other),
    }
}

/// What is said of one registry's error, with the host that it came from.
fn named<F: Fn(RegistryError) -> LabError>(say: impl Fn(&str) -> F) -> impl Fn(HostError) -> LabError {
    move |HostError { host, source }| say(&host)(source)
}
