//! What can be done with the registries while a drill runs.

use pulldrill_clock::Timestamp;
use pulldrill_registry::{ImagePlace, Inspection, Login, TokenInfo};
use pulldrill_scenarios::Personality;

use super::{Host, Stage, failed};
use crate::{LabError, reference::Reference, request::CopyRequest, view::CopyView};

impl Stage {
    /// A token of an ECR-like registry, as it would be had it been issued at this lab time.
    pub(crate) async fn issue_token(&self, host: &Host, at: Timestamp) -> Result<TokenInfo, LabError> {
        self.registry.issue_token(&host.endpoint, at).await.map_err(failed(&host.name))
    }

    /// Uses up the quota of the nodes' address, for good.
    pub(crate) async fn exhaust(&self, host: &Host) -> Result<(), LabError> {
        self.registry.exhaust(&host.endpoint, self.nodes.outside()).await.map_err(failed(&host.name))
    }

    /// Copies an image from registry to registry, as the trainee would with their own account.
    pub(crate) async fn copy(&self, request: &CopyRequest) -> Result<CopyView, LabError> {
        let (source, from) = self.resolve(&request.source)?;
        let (destination, to) = self.resolve(&request.destination)?;
        if to.digest.is_some() {
            return Err(LabError::Invalid(format!("{} must name a tag, not a digest", request.destination)));
        }
        let user = self.user_for(&destination, request).await?;
        let place = |host: Host, reference: &Reference| ImagePlace {
            host: host.endpoint,
            repository: reference.repository.clone(),
            reference: reference.target().to_owned(),
        };
        let (from, to) = (place(source, &from), place(destination, &to));
        let image = self
            .registry
            .copy(&from, &to, &user)
            .await
            .map_err(|error| LabError::Invalid(format!("the image could not be copied: {error}")))?;
        Ok(CopyView {
            source: request.source.clone(),
            destination: request.destination.clone(),
            digest: image.manifest_digest,
        })
    }

    async fn accepts(&self, login: Login) -> Result<bool, LabError> {
        let host = login.host.clone();
        let wanted = Inspection { logins: [login].into(), ..Inspection::default() };
        let found = self.registry.inspect(&wanted).await.map_err(failed(&host))?;
        Ok(!found.accepted.is_empty())
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
    async fn user_for(&self, host: &Host, request: &CopyRequest) -> Result<String, LabError> {
        let refused = |who: &str| LabError::Invalid(format!("{} refuses {who}", host.name));
        match (&request.username, &host.trainee) {
            (Some(username), _) => {
                let password = request.password.as_deref().unwrap_or_default();
                let login = Login {
                    host: host.endpoint.clone(),
                    username: username.clone(),
                    password: password.to_owned(),
                };
                let accepted = self.accepts(login).await?;
                if accepted { Ok(username.clone()) } else { Err(refused(username)) }
            }
            (None, Some(trainee)) => Ok(trainee.username.clone()),
            // Anybody who works on the lab can have a token of such a registry.
            (None, None) if host.personality == Personality::Ecr => Ok("AWS".to_owned()),
            (None, None) => Err(refused("a push without a user; name one with its password")),
        }
    }
}
