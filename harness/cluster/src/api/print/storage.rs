//! The cells of volumes, claims, and the classes and drivers that they come from.

use serde_json::{Value, json};

use crate::api::json::{items, text};

/// How access modes are written short, in the order in which they are shown.
const MODES: [(&str, &str); 4] = [
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];

/// The class of a volume or claim, and which class is the default, were annotations once, and may still be.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The cell that a name stands for, if it is one of these.
pub(super) fn cell(name: &str, object: &Value) -> Option<Value> {
    let (meta, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let flag = |value: &Value, absent: bool| json!(value.as_bool().unwrap_or(absent));
    let bound = !text(&spec["volumeName"]).is_empty();
    Some(match name {
        "volume-modes" => modes(&spec["accessModes"]).into(),
        "volume-phase" if meta["deletionTimestamp"].is_string() => "Terminating".into(),
        "volume-phase" => text(&status["phase"]).into(),
        "volume-claim" => match &spec["claimRef"] {
            Value::Null => "".into(),
            claim => format!("{}/{}", text(&claim["namespace"]), text(&claim["name"])).into(),
        },
        "claim-modes" if !bound => "".into(),
        "claim-modes" => modes(&status["accessModes"]).into(),
        "claim-capacity" if !bound => "".into(),
        "claim-capacity" => status["capacity"]["storage"].as_str().unwrap_or("0").into(),
        "storage-class" => match text(&meta["annotations"][CLASS]) {
            "" => text(&spec["storageClassName"]).into(),
            class => class.into(),
        },
        "class-name" => {
            let default = DEFAULT.iter().any(|annotation| meta["annotations"][annotation] == "true");
            format!("{}{}", text(&meta["name"]), if default { " (default)" } else { "" }).into()
        }
        // A word, although it is a truth value: the column is declared so.
        "class-expands" => (object["allowVolumeExpansion"] == true).to_string().into(),
        "attached" => flag(&status["attached"], false),
        "node-drivers" => items(&spec["drivers"]).len().into(),
        "driver-attaches" => flag(&spec["attachRequired"], true),
        "driver-tells-pods" => flag(&spec["podInfoOnMount"], false),
        "driver-counts" => flag(&spec["storageCapacity"], false),
        "driver-repeats" => flag(&spec["requiresRepublish"], false),
        "driver-audiences" => {
            let all: Vec<&str> =
                items(&spec["tokenRequests"]).iter().map(|request| text(&request["audience"])).collect();
            if all.is_empty() { "<unset>".into() } else { all.join(",").into() }
        }
        "driver-modes" => {
            let all: Vec<&str> = items(&spec["volumeLifecycleModes"]).iter().map(text).collect();
            if all.is_empty() { "<none>".into() } else { all.join(",").into() }
        }
        _ => return None,
    })
}

fn modes(modes: &Value) -> String {
    let has = |mode: &str| items(modes).iter().any(|found| found == mode);
    let shown: Vec<&str> = MODES.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect();
    shown.join(",")
}
