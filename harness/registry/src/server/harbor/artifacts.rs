//! Artifacts: what has been pushed, with its tags, and deleted with all that is only part of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    call::{Answered, Call, Reply},
    listing::{self, Wanted},
    path::Parts,
    refusal::Refusal,
    repositories::{self, Pulls},
    tags,
};
use crate::{
    digest::is_digest,
    failure::Failure,
    harbor::{data::Data, project::Project},
    host::Host,
    repository::{Manifest, Repository},
};

/// Configurations of images.
const IMAGES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const CHART: &str = "application/vnd.cncf.helm.config.v1+json";

/// The artifacts of a repository that are not just a part of another one, nor about one.
pub(super) fn top(place: &Repository) -> impl Iterator<Item = (&String, &Manifest)> {
    let lists = place.manifests.values().filter(|manifest| manifest.is_list());
    let parts: BTreeSet<&String> = lists.flat_map(|manifest| &manifest.parts).collect();
    let tagged: BTreeSet<&String> = place.tags.values().collect();
    place.manifests.iter().map(|(digest, manifest)| (digest, &**manifest)).filter(
        move |(digest, manifest)| {
            tagged.contains(digest) || !(parts.contains(digest) || manifest.subject.is_some())
        },
    )
}

/// What is refused of an artifact that is not there.
pub(super) fn missing(repository: &str, reference: &str) -> Refusal {
    let mark = if is_digest(reference) { '@' } else { ':' };
    Refusal::not_found(format!("artifact {repository}{mark}{reference} not found"))
}

/// What is refused of a tag that has to stay.
pub(super) fn kept(tag: &str) -> Refusal {
    Refusal::precondition(format!("the tag {tag} configured as immutable, cannot be deleted"))
}

/// The digest of an artifact that is there.
pub(super) fn resolve(
    call: &Call,
    data: &Data,
    repository: &str,
    reference: &str,
) -> Result<String, Refusal> {
    let found =
        repositories::found(call, data, repository, |place| place.resolve(reference).map(str::to_owned))?;
    found.ok_or_else(|| missing(repository, reference))
}

/// What it takes to show artifacts.
struct Show<'a> {
    call: &'a Call,
    project: &'a Project,
    repository: &'a str,
    pulls: Pulls,
    with_tags: bool,
    with_immutable: bool,
}

impl<'a> Show<'a> {
    fn new(call: &'a Call, project: &'a Project, repository: &'a str) -> Result<Self, Refusal> {
        Ok(Self {
            call,
            project,
            repository,
            pulls: call.shared.log.pulls(&call.host.name),
            with_tags: call.flag("with_tag", true)?,
            with_immutable: call.flag("with_immutable_status", false)?,
        })
    }

    /// One as lists are searched by.
    fn brief(&self, data: &mut Data, place: &Repository, digest: &str, manifest: &Manifest) -> Value {
        let (call, repository) = (self.call, self.repository);
        let pulled = self.pulls.get(&(repository.to_owned(), digest.to_owned())).map(|(_, at)| *at);
        let config = manifest.artifact_type.as_deref().unwrap_or_default();
        let image = manifest.is_list() || IMAGES.contains(&config);
        let kind = if image {
            "IMAGE"
        } else if config == CHART {
            "CHART"
        } else {
            "UNKNOWN"
        };
        let names = place.tags_of(digest);
        let tags: Vec<Value> = names
            .iter()
            .map(|tag| tags::shown(call, data, (repository, digest), tag, manifest, self.with_immutable))
            .map(|mut tag| {
                tag["pull_time"] = call.time_or_never(pulled).into();
                tag
            })
            .collect();
        let tags = if tags.is_empty() || !self.with_tags { Value::Null } else { tags.into() };
        json!({
            "id": data.number("artifact", format!("{repository}@{digest}")), "digest": digest, "type": kind,
            "media_type": if manifest.is_list() { &manifest.media } else { config },
            "manifest_media_type": manifest.media, "artifact_type": config, "size": manifest.size,
            "project_id": self.project.id, "repository_name": repository,
            "repository_id": data.number("repository", repository.to_owned()),
            "push_time": call.time(manifest.pushed_at), "pull_time": call.time_or_never(pulled),
            "tags": tags, "labels": null, "accessories": null, "references": null,
        })
    }

    /// What else is shown of one, which has to be read.
    fn whole(&self, data: &mut Data, mut brief: Value) -> Value {
        let digest = brief["digest"].as_str().unwrap_or_default().to_owned();
        let read = |digest: &str| -> Option<Value> {
            serde_json::from_slice(&self.call.shared.store.read(digest).ok()??).ok()
        };
        let manifest = read(&digest).unwrap_or_default();
        if let Some(annotations) = manifest.get("annotations").filter(|all| all.is_object()) {
            brief["annotations"] = annotations.clone();
        }
        if let Some(listed) = manifest["manifests"].as_array() {
            let parent = brief["id"].clone();
            let references = listed.iter().map(|entry| {
                let child = entry["digest"].as_str().unwrap_or_default();
                let id = data.number("artifact", format!("{}@{child}", self.repository));
                json!({
                    "child_digest": child, "child_id": id, "parent_id": parent, "platform": entry["platform"],
                    "urls": null,
                })
            });
            brief["references"] = references.collect();
        } else if let Some(config) = manifest["config"]["digest"].as_str().and_then(read) {
            let fields = ["architecture", "author", "created", "os", "config"];
            let attributes = fields.iter().filter_map(|field| Some((*field, config.get(field)?.clone())));
            brief["extra_attrs"] = attributes.map(|(name, value)| (name.to_owned(), value)).collect();
        }
        let (_, name) = self.repository.split_once('/').unwrap_or_default();
        let href = format!(
            "/api/v2.0/projects/{}/repositories/{}/artifacts/{digest}/additions/build_history",
            self.project.name,
            name.replace('/', "%252F")
        );
        brief["addition_links"] = json!({ "build_history": { "absolute": false, "href": href } });
        brief
    }
}

pub(super) fn list(call: &Call, parts: &Parts) -> Answered {
    let mut query = listing::query(call)?;
    let wanted = query.take(&["tags", "Tags"]);
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("artifact", "list"))?;
    let repository = parts.repository(&project.name);
    let show = Show::new(call, &project, &repository)?;
    let place = call.host.repositories.read().get(&repository).map(|place| place.repository.clone());
    let place = place.filter(|_| data.repositories.contains(&repository));
    let mut items = Vec::new();
    if let Some(place) = &place {
        let wanted = |digest: &str| wanted.as_ref().is_none_or(|tags| tagged(&place.tags_of(digest), tags));
        for (digest, manifest) in top(place).filter(|(digest, _)| wanted(digest)) {
            items.push(show.brief(&mut data, place, digest, manifest));
        }
    }
    listing::told_with(call, &query, items, "-push_time", |brief| show.whole(&mut data, brief))
}

/// Whether something has the tags that are wanted; `nil` is none, `*` any.
fn tagged(tags: &[&str], wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Exactly(one) if one == "nil" => tags.is_empty(),
        Wanted::Exactly(one) if one == "*" => !tags.is_empty(),
        Wanted::AllOf(all) => all.iter().all(|one| tags.contains(&one.as_str())),
        wanted => tags.iter().any(|tag| wanted.fits(&(*tag).into())),
    }
}

pub(super) fn get(call: &Call, parts: &Parts) -> Answered {
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("artifact", "read"))?;
    let repository = parts.repository(&project.name);
    let digest = resolve(call, &data, &repository, parts.get("reference"))?;
    let place = call.host.repositories.read().get(&repository).map(|place| place.repository.clone());
    let place = place.ok_or_else(|| repositories::missing(&repository))?;
    let manifest = place.manifests.get(&digest).ok_or_else(|| missing(&repository, &digest))?;
    let show = Show::new(call, &project, &repository)?;
    let brief = show.brief(&mut data, &place, &digest, manifest);
    Ok(Reply::json(&show.whole(&mut data, brief)))
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let (repository, digest) = {
        let data = call.harbor()?.data.read();
        let project = call.project(&data, parts.get("project"), ("artifact", "delete"))?;
        let repository = parts.repository(&project.name);
        let digest = resolve(call, &data, &repository, parts.get("reference"))?;
        (repository, digest)
    };
    let tags = tags_of(&call.host, &repository, &digest);
    if let Some(tag) = tags.iter().find(|tag| call.host.is_immutable(&repository, tag)) {
        return Err(kept(tag));
    }
    if !remove(&call.host, &repository, &digest)? {
        return Err(missing(&repository, &digest));
    }
    let reference = parts.get("reference");
    let mut data = call.harbor()?.data.write();
    let resource = resource(&repository, &digest, &tags);
    data.audit.note(call.now, call.authenticated()?, "delete", "artifact", resource);
    Ok(Reply::done().about(&repository, Some(reference), Some(&digest)))
}

/// An artifact as the log of who did what names it: by its tags, if it has any.
pub(super) fn resource(repository: &str, digest: &str, tags: &[String]) -> String {
    if tags.is_empty() {
        format!("{repository}@{digest}")
    } else {
        format!("{repository}:{}", tags.join(","))
    }
}

/// The tags of an artifact.
pub(super) fn tags_of(host: &Host, repository: &str, digest: &str) -> Vec<String> {
    let repositories = host.repositories.read();
    let place = repositories.get(repository);
    place.map(|place| place.tags_of(digest).into_iter().map(str::to_owned).collect()).unwrap_or_default()
}

/// Takes an artifact away, with its tags, and with what is there only because of it: the parts of an index that have no tag and
/// are no other's, and what is about it. False when it was not there.
pub(super) fn remove(host: &Host, repository: &str, digest: &str) -> Result<bool, Failure> {
    let mut going: Vec<String> = vec![digest.to_owned()];
    let mut gone = false;
    while let Some(digest) = going.pop() {
        let place = host.repositories.read().get(repository).map(|place| place.repository.clone());
        let Some(place) = place else { break };
        let Some(manifest) = place.manifests.get(&digest) else { continue };
        gone |= host.remove_manifest(repository, &digest)?;
        let others =
            place.manifests.iter().filter(|(other, manifest)| manifest.is_list() && **other != digest);
        let others: BTreeSet<&String> = others.flat_map(|(_, manifest)| &manifest.parts).collect();
        let parts = manifest
            .parts
            .iter()
            .filter(|part| manifest.is_list() && !others.contains(part) && place.tags_of(part).is_empty());
        let about = place.manifests.iter().filter(|(_, other)| other.subject.as_ref() == Some(&digest));
        going.extend(parts.chain(about.map(|(about, _)| about)).cloned());
    }
    Ok(gone)
}
