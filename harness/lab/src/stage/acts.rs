//! What can be done with the registries while a drill runs.

use pulldrill_clock::Timestamp;
use pulldrill_scenarios::{Personality, Variant};

use super::{Host, Stage, failed};
use crate::{LabError, reference::Reference, request::CopyRequest, view::CopyView};

impl Stage {
    /// A fresh token of an ECR-like registry: user name and password.
    pub(crate) fn issue_token(&self, host: &Host) -> Result<(String, String), LabError> {
        let token = self.registry.issue_token(&host.endpoint).map_err(failed(&host.name))?;
        Ok((token.username, token.password))
    }

    /// Ends every token that the drill's registries have issued: as old as the story says, they would be
    /// over by now.
    pub(crate) fn end_tokens(&self, variant: &Variant) -> Result<(), LabError> {
        for spec in variant.registries.iter().filter(|spec| spec.personality == Personality::Ecr) {
            self.registry.end_tokens(spec.endpoint()).map_err(failed(&spec.host))?;
        }
        Ok(())
    }

    /// Uses up the quota of the nodes' address, for good.
    pub(crate) fn exhaust(&self, host: &Host) -> Result<(), LabError> {
        self.registry.exhaust(&host.endpoint, self.nat_address()).map_err(failed(&host.name))
    }

    /// Copies an image from registry to registry, as the trainee would with their own account.
    pub(crate) fn copy(&self, request: &CopyRequest) -> Result<CopyView, LabError> {
        let (source, from) = self.resolve(&request.source)?;
        let (destination, to) = self.resolve(&request.destination)?;
        if to.digest.is_some() {
            return Err(LabError::Invalid(format!("{} must name a tag, not a digest", request.destination)));
        }
        let user = self.user_for(&destination, request)?;
        let image = self
            .registry
            .copy(
                (&source.endpoint, &from.repository, from.target()),
                (&destination.endpoint, &to.repository, to.target()),
                user.as_deref(),
            )
            .map_err(|error| LabError::Invalid(format!("the image could not be copied: {error}")))?;
        Ok(CopyView {
            source: request.source.clone(),
            destination: request.destination.clone(),
            digest: image.manifest_digest,
        })
    }

    fn resolve(&self, text: &str) -> Result<(Host, Reference), LabError> {
        let reference = Reference::parse(text).ok_or_else(|| {
            LabError::Invalid(format!("{text:?} is not an image reference: host/repository:tag"))
        })?;
        let found = self.find_host(&reference.host);
        let (_, host) = found.ok_or_else(|| {
            let known: Vec<String> = self.hosts().into_iter().map(|(_, host)| host.name).collect();
            LabError::Invalid(format!(
                "no registry {:?} here; there are: {}",
                reference.host,
                known.join(", ")
            ))
        })?;
        Ok((host, reference))
    }

    /// As whom a copy is pushed: who is named, with the right password, or else the trainee.
    fn user_for(&self, host: &Host, request: &CopyRequest) -> Result<Option<String>, LabError> {
        let Some(username) = &request.username else {
            return Ok(host.trainee.as_ref().map(|account| account.username.clone()));
        };
        let password = request.password.as_deref().unwrap_or_default();
        let accepted: Option<Option<Timestamp>> =
            self.registry.credentials(&host.endpoint, username, password);
        match accepted {
            Some(_) => Ok(Some(username.clone())),
            None => Err(LabError::Invalid(format!("{} refuses {username} with that password", host.name))),
        }
    }
}
