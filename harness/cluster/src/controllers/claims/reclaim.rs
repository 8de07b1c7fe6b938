//! What becomes of a volume when its claim is gone: the words and deeds of the plug-ins that are built into the
//! controller manager. Those of others would be their provisioners', of which there are none.

use serde_json::Value;

use crate::controllers::{json::text, meta::name};

/// The annotation by which a volume names who made it.
const MADE_BY: &str = "pv.kubernetes.io/provisioned-by";

/// How a released volume ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is left as it is: for people, or for a provisioner.
    Stays,
    /// It is deleted, content and all.
    Goes,
    /// It should be deleted, but nobody can.
    Fails(String),
}

/// How a volume ends.
pub(super) fn end(volume: &Value) -> End {
    let spec = &volume["spec"];
    if spec["persistentVolumeReclaimPolicy"] != "Delete"
        || !text(&volume["metadata"]["annotations"][MADE_BY]).is_empty()
    {
        return End::Stays;
    }
    match spec["hostPath"]["path"].as_str() {
        Some(path) if path.strip_prefix("/tmp/").is_some_and(|rest| !rest.is_empty()) => End::Goes,
        Some(path) => {
            End::Fails(format!("host_path deleter only supports /tmp/.+ but received provided {path}"))
        }
        None => End::Fails(format!(
            "error getting deleter volume plugin for volume {:?}: no deletable volume plugin matched",
            name(volume)
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_somebody_can_delete_goes() {
        let of = |policy: &str, source: &Value| {
            let mut volume =
                json!({"metadata": {"name": "v"}, "spec": {"persistentVolumeReclaimPolicy": policy}});
            volume["spec"].as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
            volume
        };
        let path = |path: &str| json!({"hostPath": {"path": path}});
        assert_eq!(end(&of("Retain", &path("/tmp/x"))), End::Stays);
        assert_eq!(end(&of("Delete", &path("/tmp/x"))), End::Goes);
        for outside in ["/tmp/", "/data"] {
            let told = format!("host_path deleter only supports /tmp/.+ but received provided {outside}");
            assert_eq!(end(&of("Delete", &path(outside))), End::Fails(told));
        }
        let mut other = of("Delete", &json!({"csi": {"driver": "d"}}));
        let told = "error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched";
        assert_eq!(end(&other), End::Fails(told.into()));
        other["metadata"]["annotations"] = json!({MADE_BY: "d"});
        assert_eq!(end(&other), End::Stays);
    }
}
