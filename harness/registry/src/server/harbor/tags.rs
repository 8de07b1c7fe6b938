//! Tags: listed, added to what is there, taken away.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    artifacts::{kept, resolve, tags_of},
    call::{Answered, Call, Reply},
    listing,
    path::Parts,
    refusal::Refusal,
};
use crate::{harbor::data::Data, name::is_tag, repository::Manifest};

/// A tag; whether it stays what it is only when that is asked for.
pub(super) fn shown(
    call: &Call,
    data: &mut Data,
    (repository, digest): (&str, &str),
    tag: &str,
    manifest: &Manifest,
    with_immutable: bool,
) -> Value {
    let immutable = with_immutable && data.is_immutable(repository, tag);
    json!({
        "id": data.number("tag", format!("{repository}:{tag}")), "name": tag,
        "artifact_id": data.number("artifact", format!("{repository}@{digest}")),
        "repository_id": data.number("repository", repository.to_owned()),
        "push_time": call.time(manifest.pushed_at), "pull_time": call.time_or_never(None),
        "immutable": immutable,
    })
}

pub(super) fn list(call: &Call, parts: &Parts) -> Answered {
    let query = listing::query(call)?;
    let mut data = call.harbor()?.data.write();
    let project = call.project(&data, parts.get("project"), ("tag", "list"))?;
    let repository = parts.repository(&project.name);
    let digest = resolve(call, &data, &repository, parts.get("reference"))?;
    let with_immutable = call.flag("with_immutable_status", false)?;
    let pulls = call.shared.log.pulls(&call.host.name);
    let pulled = pulls.get(&(repository.clone(), digest.clone())).map(|(_, at)| *at);
    let names = tags_of(&call.host, &repository, &digest);
    let manifest = {
        let repositories = call.host.repositories.read();
        repositories.get(&repository).and_then(|place| place.manifests.get(&digest).cloned())
    };
    let manifest = manifest.ok_or_else(|| super::artifacts::missing(&repository, &digest))?;
    let items = names.iter().map(|tag| {
        let mut item = shown(call, &mut data, (&repository, &digest), tag, &manifest, with_immutable);
        item["pull_time"] = call.time_or_never(pulled).into();
        item
    });
    let items = items.collect();
    listing::told(call, &query, items, "name")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    name: String,
}

pub(super) fn create(call: &Call, parts: &Parts) -> Answered {
    let (repository, digest) = find(call, parts, "create")?;
    let Wish { name } = call.sent("tag")?;
    if !is_tag(&name) {
        return Err(Refusal::bad_request(format!("invalid tag name: {name}")));
    }
    if !call.host.add_tag(&repository, &name, &digest)? {
        let mut data = call.harbor()?.data.write();
        let id = data.number("repository", repository);
        return Err(Refusal::conflict(format!("tag {name} already exists under the repository {id}")));
    }
    let mut data = call.harbor()?.data.write();
    let resource = format!("{repository}:{name}");
    data.audit.note(call.now, call.authenticated()?, "create", "tag", resource);
    let reply = Reply { status: 201, ..Reply::default() };
    Ok(reply.about(&repository, Some(&name), Some(&digest)))
}

pub(super) fn delete(call: &Call, parts: &Parts) -> Answered {
    let (repository, digest) = find(call, parts, "delete")?;
    let tag = parts.get("tag");
    let missing = || -> Result<Refusal, Refusal> {
        let id = call.harbor()?.data.write().number("artifact", format!("{repository}@{digest}"));
        Ok(Refusal::not_found(format!("tag {tag} attached to artifact {id} not found")))
    };
    if !tags_of(&call.host, &repository, &digest).iter().any(|one| one == tag) {
        return Err(missing()?);
    }
    if call.host.is_immutable(&repository, tag) {
        return Err(kept(tag));
    }
    if !call.host.remove_tag(&repository, tag)? {
        return Err(missing()?);
    }
    let mut data = call.harbor()?.data.write();
    data.audit.note(call.now, call.authenticated()?, "delete", "tag", format!("{repository}:{tag}"));
    Ok(Reply::done().about(&repository, Some(tag), Some(&digest)))
}

/// The repository and digest of an artifact whose tags somebody may change so.
fn find(call: &Call, parts: &Parts, action: &str) -> Result<(String, String), Refusal> {
    let data = call.harbor()?.data.read();
    let project = call.project(&data, parts.get("project"), ("tag", action))?;
    let repository = parts.repository(&project.name);
    let digest = resolve(call, &data, &repository, parts.get("reference"))?;
    Ok((repository, digest))
}
