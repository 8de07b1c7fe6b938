//! Admission webhooks: who is asked about a write, in which order, and what becomes of the answers.
//!
//! They are called while the write waits, whoever writes: controllers are asked about as people are. Conditions
//! (`matchConditions`, which are CEL) are not looked at, nobody is called again after others (`reinvocationPolicy`),
//! and versions that a kind has beside the stored one are not converted to.

mod review;
mod rules;
mod send;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Api, Status, User, WriteOptions, json::items};
use crate::{patch, resources::Resource, store::Stored};

const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// A write that is about to happen.
pub(super) struct Call<'a> {
    /// Who writes.
    pub(super) who: &'a User,
    /// What it is about.
    pub(super) resource: &'a Resource,
    /// The part of it that is written.
    pub(super) subresource: Option<&'a str>,
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub(super) operation: &'static str,
    /// What was there before.
    pub(super) old: Option<&'a Value>,
    /// Whether nothing will be stored.
    pub(super) dry_run: bool,
    /// Who manages the fields.
    pub(super) manager: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A write of something that was not there.
    pub(super) fn new(
        who: &'a User,
        resource: &'a Resource,
        operation: &'static str,
        options: &'a WriteOptions,
    ) -> Self {
        let (dry_run, manager) = (options.dry_run, options.field_manager.as_deref());
        Self { who, resource, subresource: None, operation, old: None, dry_run, manager }
    }
}

/// Asks the mutating webhooks, and changes the object as they want. True when there were changes.
///
/// # Errors
/// What the one says that refuses, or what became of the call.
pub(super) fn mutate(api: &Api, call: &Call<'_>, object: &mut Value) -> Result<bool, Status> {
    let mut changed = false;
    for webhook in concerned(api, MUTATING, call, object) {
        let Some(answer) = ask(api, call, object, &webhook)? else { continue };
        if let (Some(changes), false) = (answer, object.is_null()) {
            apply(object, &changes)?;
            api.schema().canonicalize(&call.resource.stored_in, &call.resource.kind, object);
            api.default_fields(call.resource, object);
            changed = true;
        }
    }
    Ok(changed)
}

/// Asks the validating webhooks.
///
/// # Errors
/// What the first one says that refuses, or what became of the call.
pub(super) fn validate(api: &Api, call: &Call<'_>, object: &Value) -> Result<(), Status> {
    concerned(api, VALIDATING, call, object)
        .iter()
        .try_for_each(|webhook| ask(api, call, object, webhook).map(drop))
}

/// The webhooks that want to be asked, by the names of their configurations.
fn concerned(api: &Api, resource: &str, call: &Call<'_>, object: &Value) -> Vec<Value> {
    // Webhooks can't be kept from being repaired. What is written as an object of another kind is not asked about.
    let spared = [MUTATING, VALIDATING].contains(&call.resource.store.as_str())
        || matches!(call.subresource, Some("scale" | "binding"));
    if !api.options().webhooks || spared || api.store().count(resource) == 0 {
        return Vec::new();
    }
    let configurations: Vec<Arc<Stored>> = api.list(resource, None);
    let all = configurations.iter().flat_map(|one| items(&one.value()["webhooks"]));
    all.filter(|webhook| rules::concern(api, webhook, call, object)).cloned().collect()
}

/// Asks one webhook. `None` when it could not be asked and that does not matter, else the changes that it wants.
fn ask(api: &Api, call: &Call<'_>, object: &Value, webhook: &Value) -> Result<Option<Option<Value>>, Status> {
    let name = webhook["name"].as_str().unwrap_or_default();
    if call.dry_run && !matches!(webhook["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")) {
        return Err(Status::bad_request(format!("admission webhook {name:?} does not support dry run")));
    }
    let request = review::Request::new(call, object, webhook);
    let answered =
        send::post(api, webhook, &request.body).and_then(|answer| request.verdict(&answer, api.release()));
    match answered {
        Ok(review::Verdict::Allowed(changes)) => Ok(Some(changes)),
        Ok(review::Verdict::Denied(status)) => Err(status),
        Err(why) if webhook["failurePolicy"] == "Ignore" => {
            tracing::debug!(webhook = name, why, "could not be asked, which is ignored");
            Ok(None)
        }
        Err(why) => Err(failed(&format!("failed calling webhook {name:?}: {why}"))),
    }
}

/// Applies what a webhook wants, change by change.
fn apply(object: &mut Value, changes: &Value) -> Result<(), Status> {
    for change in items(changes) {
        *object = patch::json(object, &json!([change])).map_err(|_| {
            let of = |field: &str| change[field].as_str().unwrap_or_default();
            failed(&format!(
                "{} operation does not apply: doc is missing path: {}: missing value",
                of("op"),
                of("path")
            ))
        })?;
    }
    Ok(())
}

fn failed(why: &str) -> Status {
    let mut status = Status::internal(format!("Internal error occurred: {why}"));
    status.details = json!({"causes": [{"message": why}]});
    status
}
