//! Who owns the fields of the objects that the API writes: which manager a write names, what its subresource can't
//! touch, and how objects look in the versions that managers speak. The rules themselves are [`crate::managed`]'s.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use serde_json::{Value, json};

use super::{Api, User, WriteOptions, convert, json::text, kinds};
use crate::{
    fields::FieldSet,
    managed::{self, Claim, ManagedFields, Operation, Owner, Versions, Write},
    resources::{Resource, Resources},
    schema::Schema,
    store::Stored,
};

/// Since this minor version entries say through which subresource their manager wrote.
const SUBRESOURCES: u32 = 22;

/// Writes that nobody's fields come from: the API does them itself.
const UNRECORDED: [&str; 1] = ["binding"];

/// What a write through a subresource can't change, and so does not own.
static IGNORED: LazyLock<[(&str, FieldSet); 3]> = LazyLock::new(|| {
    let status = || FieldSet::of_names(&[&["status"]]);
    [("", status()), ("ephemeralcontainers", status()), ("status", FieldSet::of_names(&[&["spec"]]))]
});

/// Takes out of an object what a client says about its managers.
pub(super) fn claim(object: &mut Value) -> Claim {
    managed::taken_from(object).unwrap_or_default()
}

/// The versions of one resource.
pub(super) struct Views<'a> {
    resources: &'a Resources,
    schema: &'a Schema,
    resource: &'a Resource,
}

impl Views<'_> {
    fn find(&self, api_version: &str) -> Option<(Cow<'_, Resource>, String)> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let stored = self.resource.stored_in == api_version;
        if stored || group == self.resource.group && self.resource.versions.iter().any(|v| v == version) {
            return Some((Cow::Borrowed(self.resource), version.to_owned()));
        }
        let other = self.resources.at(group, version, &self.resource.plural)?;
        Some((Cow::Owned(Arc::unwrap_or_clone(other)), version.to_owned()))
    }
}

impl Versions for Views<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn kind(&self) -> &str {
        &self.resource.kind
    }

    fn at<'v>(&self, api_version: &str, object: &'v Value) -> Option<Cow<'v, Value>> {
        let own = text(&object["apiVersion"]);
        if own == api_version {
            return Some(Cow::Borrowed(object));
        }
        let (from, spoken) = self.find(own)?;
        let (to, wanted) = self.find(api_version)?;
        let stored = convert::incoming(&from, &spoken, object.clone());
        Some(Cow::Owned(convert::outgoing(&to, &wanted, &stored).into_owned()))
    }
}

impl User {
    /// Under which name a part of the cluster manages fields: that of its program.
    fn program(&self) -> &'static str {
        let name = self.name.rsplit(':').next().unwrap_or_default();
        match name {
            _ if self.name.starts_with("system:node:") => "kubelet",
            "apiserver" => "kube-apiserver",
            "default-scheduler" | "kube-scheduler" => "kube-scheduler",
            _ => "kube-controller-manager",
        }
    }
}

impl Api {
    pub(super) fn views<'a>(&'a self, resource: &'a Resource) -> Views<'a> {
        Views { resources: self.resources(), schema: self.schema(), resource }
    }

    /// What a write is to the owners of fields.
    pub(super) fn writer(
        &self,
        who: &User,
        resource: &Resource,
        subresource: Option<&str>,
        options: &WriteOptions,
    ) -> Write {
        let subresource = subresource.unwrap_or_default();
        let by_subresource = self.options().release.since(SUBRESOURCES);
        // Before, who made an object owned the status that it came with, where that was kept.
        let has_status = resource.subresource("status").is_some()
            && (by_subresource || !kinds::keeps_status_when_new(&resource.store));
        let ignored = IGNORED.iter().find(|(name, _)| *name == subresource && has_status);
        let manager = options.field_manager.clone().unwrap_or_else(|| who.program().to_owned());
        Write {
            owner: Owner {
                manager: if manager.is_empty() { "unknown".into() } else { manager },
                operation: Operation::Update,
                api_version: options.api_version.clone().unwrap_or_else(|| resource.stored_in.clone()),
                subresource: if by_subresource { subresource.to_owned() } else { String::new() },
            },
            now: self.clock().shown_now(),
            ignored: ignored.map(|(_, fields)| fields.clone()).unwrap_or_default(),
        }
    }

    /// The owners of a new object.
    pub(super) fn created(
        &self,
        resource: &Resource,
        object: &Value,
        claim: Claim,
        write: &Write,
    ) -> ManagedFields {
        let managed = match claim {
            Claim::Entries(entries) => entries,
            Claim::None | Claim::Reset => ManagedFields::default(),
        };
        let views = self.views(resource);
        let update = |managed| managed::update(&views, &nothing(object), object, managed, write);
        if managed.is_empty() {
            self.known.owners(&views, object, write, || update(managed))
        } else {
            update(managed)
        }
    }

    /// The owners after a change that is no apply.
    pub(super) fn updated(
        &self,
        resource: &Resource,
        subresource: Option<&str>,
        current: &Stored,
        object: &Value,
        claim: Claim,
        write: &Write,
    ) -> ManagedFields {
        let managed = match claim {
            Claim::Entries(entries) if subresource.is_none() => entries,
            Claim::Reset if subresource.is_none() => return ManagedFields::default(),
            _ => current.managed().clone(),
        };
        let recorded = !subresource.is_some_and(|name| UNRECORDED.contains(&name));
        if managed.is_empty() || !recorded {
            return managed;
        }
        managed::update(&self.views(resource), current.value(), object, managed, write)
    }
}

/// An object of the same kind that has nothing.
pub(super) fn nothing(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {}})
}
