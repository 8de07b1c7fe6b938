//! What the API adds to or refuses about an object because of *other* objects: namespaces and their end,
//! the service account of a pod, priorities, default tolerations.

mod limits;
mod runtime_class;
mod services;
mod storage;

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::{
    Api, Status, User,
    json::{default, default_text, items, items_mut, push, text},
    names, quota,
};
use crate::{
    resources::Resource,
    store::{Key, Stored},
};

const CLASSES: &str = "priorityclasses.scheduling.k8s.io";

/// Where the credentials of a pod's service account are mounted.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Refuses to create in a namespace that is not there, or that is going.
pub(super) fn namespace_open(
    api: &Api,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let found = api.get("namespaces", &Key::new("", namespace))?;
    if found.value()["metadata"]["deletionTimestamp"].is_null() || resource.store == "events" {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = Status::forbidden(resource, name, &why);
    let message = format!("namespace {namespace} is being terminated");
    status.details["causes"] =
        json!([{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]);
    Err(status)
}

/// What the volumes with a service account's credentials are called, before a few letters of chance.
const TOKEN_VOLUME: &str = "kube-api-access-";

/// Changes and checks a new object, after defaulting.
pub(super) fn admit(api: &Api, who: &User, resource: &Resource, object: &mut Value) -> Result<(), Status> {
    let _ = who;
    services::allocate(api, resource, None, object)?;
    storage::protect(resource, object);
    storage::choose_class(api, resource, object);
    only_default(api, resource, object)?;
    if resource.store != "pods" || !object["spec"].is_object() {
        return Ok(());
    }
    if let Some(most) = api.options().most_pods {
        room(api, most, resource, object)?;
    }
    if api.options().admission {
        limits::complete_pod(api, object);
    }
    priority(api, resource, object)?;
    runtime_class::take_on(api, resource, object)?;
    tolerations(&mut object["spec"]);
    if api.options().service_accounts {
        service_account(api, resource, object)?;
    }
    Ok(())
}

/// Changes a new version of an object, after defaulting. Who replaces a pod need not know what it was given when it was
/// made: it keeps its priority, and gets the same tolerations (`Priority` and `DefaultTolerationSeconds` of Kubernetes).
pub(super) fn admit_change(
    api: &Api,
    resource: &Resource,
    old: &Value,
    object: &mut Value,
) -> Result<(), Status> {
    services::allocate(api, resource, Some(old), object)?;
    if resource.store == "pods" && object["spec"].is_object() {
        for field in ["priority", "preemptionPolicy"] {
            if let Some(kept) = old["spec"].get(field) {
                default(&mut object["spec"], field, kept.clone());
            }
        }
        tolerations(&mut object["spec"]);
    }
    Ok(())
}

/// Refuses a valid object that is beyond what its namespace may have. Two must not ask at the same time.
pub(super) fn judge(api: &Api, resource: &Resource, object: &Value) -> Result<(), Status> {
    limits::admit(api, resource, object)?;
    quota::admit(api, resource, None, object)
}

/// Refuses a change that takes an object beyond what its namespace may have. Two must not ask at the same time.
pub(super) fn judge_change(
    api: &Api,
    resource: &Resource,
    old: &Value,
    object: &Value,
) -> Result<(), Status> {
    storage::may_grow(api, resource, old, object)?;
    quota::admit(api, resource, Some(old), object)
}

/// Refuses a pod beyond what one machine should carry: a slip of the finger at `--replicas` must not end the lab.
fn room(api: &Api, most: usize, resource: &Resource, pod: &Value) -> Result<(), Status> {
    let pods = api.store().count("pods");
    if pods < most {
        return Ok(());
    }
    let why = format!("exceeded quota: pods, requested: pods=1, used: pods={pods}, limited: pods={most}");
    Err(Status::forbidden(resource, text(&pod["metadata"]["name"]), &why))
}

/// A pod has the priority of its class, or of the default one, and can't have any other.
fn priority(api: &Api, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let refused = |why: &str| Err(Status::forbidden(resource, text(&pod["metadata"]["name"]), why));
    let name = text(&pod["spec"]["priorityClassName"]);
    let class = match name {
        "" => default_class(api),
        name => match api.store().get(CLASSES, &Key::new("", name)) {
            Some(class) => Some(class),
            None => return refused(&format!("no PriorityClass with name {name} was found")),
        },
    };
    let of_class = |field: &str| class.as_ref().map(|class| class.value()[field].clone());
    let value = of_class("value").unwrap_or_else(|| json!(0));
    let given = &pod["spec"]["priority"];
    if !given.is_null() && *given != value {
        return refused(&format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name"
        ));
    }
    let policy = of_class("preemptionPolicy").unwrap_or_default();
    let policy = if policy.is_string() { policy } else { json!("PreemptLowerPriority") };
    let given = &pod["spec"]["preemptionPolicy"];
    if !given.is_null() && *given != policy {
        return refused(&format!(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller \
             computed {} from the given PriorityClass name",
            text(given),
            text(&policy)
        ));
    }
    if let Some(class) = class {
        pod["spec"]["priorityClassName"] = class.meta("name").into();
    }
    pod["spec"]["priority"] = value;
    pod["spec"]["preemptionPolicy"] = policy;
    Ok(())
}

/// The class of pods that name none: of those that want to be it, the least.
fn default_class(api: &Api) -> Option<Arc<Stored>> {
    let classes = api.list(CLASSES, None).into_iter();
    let defaults = classes.filter(|class| class.value()["globalDefault"] == true);
    defaults.min_by_key(|class| class.value()["value"].as_i64())
}

/// There is one class at the most for pods that name none.
fn only_default(api: &Api, resource: &Resource, class: &Value) -> Result<(), Status> {
    if resource.store != CLASSES || class["globalDefault"] != true {
        return Ok(());
    }
    let Some(other) = default_class(api) else { return Ok(()) };
    let why = format!(
        "PriorityClass {} is already marked as default. Only one default can exist",
        other.meta("name")
    );
    Err(Status::forbidden(resource, text(&class["metadata"]["name"]), &why))
}

/// What a pod that says nothing else puts up with: the loss of its node, for five minutes.
static TOLERATIONS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(|key| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}))
});

/// A pod survives the loss of its node for a while, unless it says otherwise.
fn tolerations(spec: &mut Value) {
    for toleration in &*TOLERATIONS {
        let tolerated = items(&spec["tolerations"]).iter().any(|t| {
            let any = text(&t["key"]).is_empty() && t["operator"] == "Exists";
            (any || t["key"] == toleration["key"]) && matches!(text(&t["effect"]), "" | "NoExecute")
        });
        if !tolerated {
            push(spec, "tolerations", toleration.clone());
        }
    }
}

fn service_account(api: &Api, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let (namespace, pod_name) =
        (text(&pod["metadata"]["namespace"]).to_owned(), text(&pod["metadata"]["name"]).to_owned());
    default_text(&mut pod["spec"], "serviceAccountName", "default");
    pod["spec"]["serviceAccount"] = pod["spec"]["serviceAccountName"].clone();
    let name = text(&pod["spec"]["serviceAccountName"]).to_owned();
    let Some(account) = api.store().get("serviceaccounts", &Key::new(namespace.as_str(), name.as_str()))
    else {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        );
        // A name that the server made up is not told: the object never came to be.
        let shown = if pod["metadata"]["generateName"].is_string() { "" } else { pod_name.as_str() };
        let generated = text(&pod["metadata"]["generateName"]);
        let shown = if shown.is_empty() { generated } else { shown };
        return Err(Status::forbidden(resource, shown, &why));
    };
    let account = account.value();
    if items(&pod["spec"]["imagePullSecrets"]).is_empty() && !items(&account["imagePullSecrets"]).is_empty() {
        pod["spec"]["imagePullSecrets"] = account["imagePullSecrets"].clone();
    }
    let wanted = [&pod["spec"]["automountServiceAccountToken"], &account["automountServiceAccountToken"]];
    if wanted.into_iter().find_map(Value::as_bool).unwrap_or(true) {
        mount_token(api, account, &mut pod["spec"]);
    }
    Ok(())
}

/// The volume with the account's credentials; none while they have not been made.
fn token_volume(api: &Api, account: &Value) -> Option<Value> {
    if api.options().legacy() {
        let name = text(&items(&account["secrets"]).first()?["name"]);
        return Some(json!({"name": name, "secret": {"secretName": name, "defaultMode": 420}}));
    }
    let sources = json!([
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]);
    let name = format!("{TOKEN_VOLUME}{}", api.draw(|rng| names::suffix(rng, 5)));
    Some(json!({"name": name, "projected": {"defaultMode": 420, "sources": sources}}))
}

/// Gives every container that has nothing there the account's credentials.
fn mount_token(api: &Api, account: &Value, spec: &mut Value) {
    let Some(volume) = token_volume(api, account) else { return };
    // A pod that was made from another one has the volume already.
    let same = |other: &&Value| match &volume["secret"]["secretName"] {
        Value::Null => text(&other["name"]).starts_with(TOKEN_VOLUME),
        secret => other["secret"]["secretName"] == *secret,
    };
    let present = items(&spec["volumes"]).iter().find(same).map(|volume| volume["name"].clone());
    let name = present.as_ref().unwrap_or(&volume["name"]).clone();
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in items_mut(spec, list) {
            if items(&container["volumeMounts"]).iter().any(|m| m["mountPath"] == MOUNT) {
                continue;
            }
            mounted = true;
            push(container, "volumeMounts", json!({"name": name, "readOnly": true, "mountPath": MOUNT}));
        }
    }
    if mounted && present.is_none() {
        default(spec, "volumes", json!([]));
        push(spec, "volumes", volume);
    }
}
