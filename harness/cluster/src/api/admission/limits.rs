//! LimitRanges: what containers ask for when they don't say, and how little or much they may.
//!
//! The words are those of the LimitRanger plugin.

use serde_json::{Value, json};

use crate::{
    api::{
        Api, Status, defaults,
        json::{default, items, items_mut, text},
        quantity::{Amounts, Quantity, amounts, of_pod},
    },
    resources::Resource,
};

const RESOURCE: &str = "limitranges";
/// Where a pod notes what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// The two lists of containers that limits are about, and what the note calls them.
const CONTAINERS: [(&str, &str); 2] = [("containers", "container"), ("initContainers", "init container")];

/// Fills in what a new pod's containers leave open.
pub(super) fn complete_pod(api: &Api, pod: &mut Value) {
    let ranges = api.list(RESOURCE, Some(text(&pod["metadata"]["namespace"])));
    if !ranges.is_empty() {
        ranges.iter().for_each(|range| fill_in(pod, range.value()));
        defaults::qos_class(pod);
    }
}

/// Refuses objects beyond the limits.
pub(in crate::api) fn admit(api: &Api, resource: &Resource, object: &Value) -> Result<(), Status> {
    let kind = match resource.store.as_str() {
        "pods" => "Pod",
        "persistentvolumeclaims" => "PersistentVolumeClaim",
        _ => return Ok(()),
    };
    let ranges = api.list(RESOURCE, Some(text(&object["metadata"]["namespace"])));
    let limits = ranges.iter().flat_map(|range| items(&range.value()["spec"]["limits"]));
    let errors: Vec<String> = limits.flat_map(|limit| check(object, kind, limit)).collect();
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Status::forbidden(resource, text(&object["metadata"]["name"]), one)),
        many => {
            let all = format!("[{}]", many.join(", "));
            Err(Status::forbidden(resource, text(&object["metadata"]["name"]), &all))
        }
    }
}

/// Gives the containers of a pod the defaults of one LimitRange, and notes it.
fn fill_in(pod: &mut Value, range: &Value) {
    let mut defaults = json!({"limits": {}, "requests": {}});
    let of_containers = items(&range["spec"]["limits"]).iter().filter(|limit| limit["type"] == "Container");
    for limit in of_containers {
        for (into, from) in [("limits", "default"), ("requests", "defaultRequest")] {
            for (name, quantity) in limit[from].as_object().into_iter().flatten() {
                defaults[into][name.as_str()] = quantity.clone();
            }
        }
    }
    let mut notes = Vec::new();
    for (list, called) in CONTAINERS {
        for container in items_mut(&mut pod["spec"], list) {
            let name = text(&container["name"]).to_owned();
            for (what, singular) in [("requests", "request"), ("limits", "limit")] {
                let missing = complete(container, what, &defaults[what]);
                if !missing.is_empty() {
                    notes.push(format!("{} {singular} for {called} {name}", missing.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        default(&mut pod["metadata"], "annotations", json!({}));
        pod["metadata"]["annotations"][ANNOTATION] =
            format!("LimitRanger plugin set: {}", notes.join("; ")).into();
    }
}

/// Sets the resources that a container does not name. Returns their names, sorted.
fn complete(container: &mut Value, what: &str, defaults: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    default(container, "resources", json!({}));
    for (name, quantity) in defaults.as_object().into_iter().flatten() {
        if container["resources"][what].get(name).is_none() {
            default(&mut container["resources"], what, json!({}));
            container["resources"][what][name.as_str()] = quantity.clone();
            missing.push(name.clone());
        }
    }
    missing.sort();
    missing
}

/// What is wrong with an object by one row of a LimitRange.
fn check(object: &Value, kind: &str, limit: &Value) -> Vec<String> {
    let row = text(&limit["type"]);
    let subjects: Vec<(Amounts, Amounts)> = match (row, kind) {
        ("Container", "Pod") => CONTAINERS
            .iter()
            .flat_map(|(list, _)| items(&object["spec"][*list]))
            .map(|c| (amounts(&c["resources"]["requests"]), amounts(&c["resources"]["limits"])))
            .collect(),
        ("Pod", "Pod") => vec![(of_pod(object, "requests"), of_pod(object, "limits"))],
        ("PersistentVolumeClaim", "PersistentVolumeClaim") => {
            vec![(amounts(&object["spec"]["resources"]["requests"]), Amounts::new())]
        }
        _ => return Vec::new(),
    };
    let mut errors = Vec::new();
    for (requests, limits) in &subjects {
        let each = |list: &str, test: &dyn Fn(&str, Quantity) -> Option<String>| -> Vec<String> {
            amounts(&limit[list]).into_iter().filter_map(|(name, bound)| test(&name, bound)).collect()
        };
        errors.extend(each("min", &|name, bound| too_little(name, row, bound, requests, limits)));
        errors.extend(each("max", &|name, bound| too_much(name, row, bound, requests, limits)));
        errors
            .extend(each("maxLimitRequestRatio", &|name, bound| uneven(name, row, bound, requests, limits)));
    }
    errors
}

fn too_little(
    name: &str,
    row: &str,
    bound: Quantity,
    requests: &Amounts,
    limits: &Amounts,
) -> Option<String> {
    let rule = format!("minimum {name} usage per {row} is {bound}");
    match (requests.get(name), limits.get(name)) {
        (None, _) => Some(format!("{rule}.  No request is specified")),
        (Some(request), _) if *request < bound => Some(format!("{rule}, but request is {request}")),
        (_, Some(limit)) if *limit < bound => Some(format!("{rule}, but limit is {limit}")),
        _ => None,
    }
}

fn too_much(name: &str, row: &str, bound: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let rule = format!("maximum {name} usage per {row} is {bound}");
    // A claim has no limit: what it requests is what it gets.
    let unlimited = row != "PersistentVolumeClaim";
    match (requests.get(name), limits.get(name)) {
        (_, None) if unlimited => Some(format!("{rule}.  No limit is specified")),
        (None, None) => Some(format!("{rule}.  No request is specified")),
        (_, Some(limit)) if *limit > bound => Some(format!("{rule}, but limit is {limit}")),
        (Some(request), _) if *request > bound => Some(format!("{rule}, but request is {request}")),
        _ => None,
    }
}

fn uneven(name: &str, row: &str, bound: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let rule = format!("{name} max limit to request ratio per {row} is {bound}");
    let known = |amounts: &Amounts| amounts.get(name).copied().filter(|amount| !amount.is_zero());
    match (known(requests), known(limits)) {
        (None, _) => Some(format!("{rule}, but no request is specified or request is 0")),
        (_, None) => Some(format!("{rule}, but no limit is specified or limit is 0")),
        (Some(request), Some(limit)) => {
            let ratio = limit.as_f64() / request.as_f64();
            (ratio > bound.as_f64()).then(|| format!("{rule}, but provided ratio is {ratio:.6}"))
        }
    }
}
