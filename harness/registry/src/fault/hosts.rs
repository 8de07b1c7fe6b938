//! The faults of several hosts at once, whoever controls them. Those of one: [`Control`].

use pulldrill_faults::FaultRule;

use super::Fault;
use crate::{Control, HostError, RegistryError};

/// A fault, and the host that has it.
pub type HostFault = (String, Fault);

impl dyn Control + '_ {
    /// The faults of these hosts, by their numbers.
    ///
    /// # Errors
    /// As [`Control::faults`], with the host that failed.
    pub async fn faults_of(&self, hosts: &[String]) -> Result<Vec<HostFault>, HostError> {
        let mut all = Vec::new();
        for host in hosts {
            let faults = self.faults(host).await.map_err(of(host))?;
            all.extend(faults.into_iter().map(|fault| (host.clone(), fault)));
        }
        all.sort_by_key(|(_, fault)| fault.id);
        Ok(all)
    }

    /// Adds a fault to each of these hosts; what was added.
    ///
    /// # Errors
    /// As [`Control::add_fault`]; the hosts before the one that failed have it.
    pub async fn add_fault_to(
        &self,
        hosts: &[String],
        rule: &FaultRule,
    ) -> Result<Vec<HostFault>, HostError> {
        let mut added = Vec::new();
        for host in hosts {
            added.push((host.clone(), self.add_fault(host, rule.clone()).await.map_err(of(host))?));
        }
        Ok(added)
    }

    /// Ends the fault with this number, or all of these hosts'; what was ended, nothing where none has the number.
    ///
    /// # Errors
    /// As [`Control::remove_fault`].
    pub async fn end_faults_of(
        &self,
        hosts: &[String],
        id: Option<u64>,
    ) -> Result<Vec<HostFault>, HostError> {
        let mut ended = self.faults_of(hosts).await?;
        ended.retain(|(_, fault)| id.is_none_or(|id| fault.id == id));
        for (host, fault) in &ended {
            match self.remove_fault(host, fault.id).await {
                // Somebody was quicker.
                Ok(()) | Err(RegistryError::NoFault { .. } | RegistryError::RemoteNotFound(_)) => {}
                Err(error) => return Err(of(host)(error)),
            }
        }
        Ok(ended)
    }
}

fn of(host: &str) -> impl Fn(RegistryError) -> HostError {
    move |source| HostError { host: host.to_owned(), source }
}
