//! Images as the owner sees them: made and put in, looked at, copied, taken away. All of it may block where content is on
//! disk.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    Client, Content, Entry, ImageRef, ImageSpec, Registry, RegistryError, RepositorySpec,
    digest::{digest, is_digest},
    failure::Failure,
    host::Host,
    image,
    name::{is_repository, is_tag},
    repository::{Manifest, Place},
    spec::Access,
};

impl Registry {
    /// Makes an image and puts it into a repository (which is made, closed to everybody, if it is not there),
    /// under a tag or only under its digest.
    ///
    /// # Errors
    /// An unknown host, a bad name, or content that cannot be made.
    pub fn push_image(
        &self,
        host: &str,
        repository: &str,
        tag: Option<&str>,
        spec: &ImageSpec,
    ) -> Result<ImageRef, RegistryError> {
        let target = self.host(host)?;
        check_names(repository, tag)?;
        let fail = |source| RegistryError::Build { build: spec.build.clone(), source };
        let built = image::build(spec, &self.0.site.platform).map_err(fail)?;
        let now = self.0.clock.now();
        let nobody = RepositorySpec {
            name: repository.to_owned(),
            pull: Access::Users(Vec::new()),
            push: Access::Users(Vec::new()),
        };
        let place = || Place::new(&nobody, now);
        target.repositories.write().entry(repository.to_owned()).or_insert_with(place);
        let not_kept = |failure: Failure| target.not_kept(&failure);
        for blob in built.blobs {
            target.put_blob(repository, &digest(&blob), blob, now).map_err(not_kept)?;
        }
        let last = built.image.manifest_digest.as_str();
        for (media, body) in built.manifests {
            let digest = digest(&body);
            let tag = tag.filter(|_| digest == last).map(str::to_owned);
            let json = serde_json::from_slice(&body).map_err(|error| fail(error.into()))?;
            let manifest = Manifest::read(media.to_owned(), &json, body.len(), now)
                .ok_or_else(|| fail(io::ErrorKind::InvalidData.into()))?;
            target.put_manifest(repository, tag, digest, manifest, body).map_err(not_kept)?;
        }
        Ok(built.image)
    }

    /// What any manifest that was ever stored contains.
    #[must_use]
    pub fn content_of(&self, manifest_digest: &str) -> Option<Content> {
        self.0.contents.of(&self.0.store, manifest_digest, &self.0.site.platform)
    }

    /// The manifest that a tag or digest stands for.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::NotFound`].
    pub fn resolve(&self, host: &str, repository: &str, reference: &str) -> Result<String, RegistryError> {
        let found = self.host(host)?;
        let repositories = found.repositories.read();
        let digest = repositories.get(repository).and_then(|place| place.resolve(reference));
        digest.map(str::to_owned).ok_or_else(|| missing(host, repository, reference))
    }

    /// Takes a tag away. True when it was there.
    ///
    /// # Errors
    /// [`RegistryError::NoHost`], [`RegistryError::Store`].
    pub fn remove_tag(&self, host: &str, repository: &str, tag: &str) -> Result<bool, RegistryError> {
        let host = self.host(host)?;
        host.remove_tag(repository, tag).map_err(|failure| host.not_kept(&failure))
    }

    /// Copies an image, manifests unchanged, from one repository to another (of any host) as a user who must
    /// be allowed to push there. It is in the pull log like a push.
    ///
    /// # Errors
    /// Unknown hosts, a source that is not there, a user who may not.
    pub fn copy(
        &self,
        from: (&str, &str, &str),
        to: (&str, &str, &str),
        as_user: &str,
    ) -> Result<ImageRef, RegistryError> {
        let (source, target) = (self.host(from.0)?, self.host(to.0)?);
        check_names(to.1, Some(to.2))?;
        let denied = || RegistryError::Denied {
            user: as_user.to_owned(),
            action: "push",
            host: to.0.to_owned(),
            repository: to.1.to_owned(),
        };
        let now = self.0.clock.now();
        if !target.may(Some(as_user), "push", to.1) || !target.ensure_repository(to.1, Some(as_user), now) {
            return Err(denied());
        }
        let digest = self.resolve(from.0, from.1, from.2)?;
        let content = self.content_of(&digest).ok_or_else(|| missing(from.0, from.1, from.2))?;
        let gone = || missing(from.0, from.1, from.2);
        let origin = source.repositories.read().get(from.1).map(|place| place.repository.clone());
        let origin = origin.ok_or_else(gone)?;
        let whole = origin.manifests.get(&digest).ok_or_else(gone)?;
        let listed = whole.parts.iter().filter(|_| whole.is_list());
        for part in listed.chain([&digest]) {
            // Of an index not everything has to be here, nor be a manifest.
            let Some(manifest) = origin.manifests.get(part) else { continue };
            let tag = (*part == digest).then(|| to.2.to_owned());
            self.copy_manifest((&source, from.1), (&target, to.1), tag, part, manifest)?;
        }
        let size = whole.size;
        self.0.log.append(Entry {
            seq: 0,
            at: now,
            host: to.0.to_owned(),
            client: Client { node: None, address: IpAddr::V4(Ipv4Addr::LOCALHOST) },
            identity: Some(as_user.to_owned()),
            method: "PUT".to_owned(),
            path: format!("/v2/{}/manifests/{}", to.1, to.2),
            repository: Some(to.1.to_owned()),
            reference: Some(to.2.to_owned()),
            digest: Some(digest.clone()),
            status: 201,
            bytes: 0,
            user_agent: Some("image-copy".to_owned()),
        });
        let Content { config_digest, diff_ids } = content;
        Ok(ImageRef { manifest_digest: digest, config_digest, diff_ids, size })
    }

    /// Copies one manifest, and the blobs that are part of it.
    fn copy_manifest(
        &self,
        (source, from): (&Host, &str),
        (target, to): (&Host, &str),
        tag: Option<String>,
        digest: &str,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let now = self.0.clock.now();
        let not_kept = |failure: Failure| target.not_kept(&failure);
        for part in &manifest.parts {
            let held = source.repositories.read().get(from).and_then(|p| Some(p.blobs.get(part)?.length));
            if let Some(length) = held {
                target.link_blob(to, part, length, now).map_err(not_kept)?;
            }
        }
        let fail = |source: io::Error| RegistryError::Store { what: "read", host: from.to_owned(), source };
        let body =
            self.0.store.read(digest).map_err(fail)?.ok_or_else(|| missing(&source.name, from, digest))?;
        let manifest = Manifest { pushed_at: now, ..manifest.clone() };
        target.put_manifest(to, tag, digest.to_owned(), manifest, body).map_err(not_kept)
    }
}

fn missing(host: &str, repository: &str, reference: &str) -> RegistryError {
    RegistryError::NotFound {
        host: host.to_owned(),
        repository: repository.to_owned(),
        reference: reference.to_owned(),
    }
}

pub(crate) fn check_names(repository: &str, tag: Option<&str>) -> Result<(), RegistryError> {
    if !is_repository(repository) {
        return Err(RegistryError::BadName(repository.to_owned()));
    }
    match tag {
        Some(tag) if !is_tag(tag) || is_digest(tag) => Err(RegistryError::BadName(tag.to_owned())),
        _ => Ok(()),
    }
}
