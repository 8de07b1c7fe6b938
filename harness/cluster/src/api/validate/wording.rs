//! What older releases said of the same mistake. Validation knows the newest words; here they are put back.
//! Recorded were 1.20 and 1.36; releases between them speak as one of the two.

use crate::{api::invalid::FieldError, release::Release};

/// The minor version of the first release that no longer says the older words, the newer ones, the older ones.
const OLDER: [(u32, &str, &str); 11] = [
    (
        24,
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
         (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
         was previously negative)",
        "`spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or \
         `spec.tolerations` (only additions to existing tolerations)",
    ),
    (
        24,
        "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
         'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        "'replicas', 'template', and 'updateStrategy' are forbidden",
    ),
    (24, "Too long: may not be more than", "Too long: must have at most"),
    (
        24,
        "may only be set for externally-accessible services",
        "ExternalTrafficPolicy can only be set on NodePort and LoadBalancer service",
    ),
    (24, "(127.0.0.0/8, ::1/128)", "(127.0.0.0/8)"),
    (24, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)", "not a valid CIDR"),
    (24, r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*", r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*"),
    (31, "resources.requests and volumeAttributesClassName for bound", "resources.requests for bound"),
    (32, "field can not be less than status.capacity", "field can not be less than previous value"),
    (28, "\"status.hostIP\", \"status.hostIPs\", ", "\"status.hostIP\", "),
    (
        32,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must \
         not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is \
         '[-._a-zA-Z][-._a-zA-Z0-9]*')",
    ),
];

/// What older releases did not go on to say: until which minor version, after which words.
const SHORTER: [(u32, &str); 1] = [(24, " limit of ")];

/// Puts complaints into the words of a release.
pub(in crate::api) fn put(errors: &mut [FieldError], release: Release) {
    for (_, newer, older) in OLDER.iter().filter(|(until, ..)| !release.since(*until)) {
        for error in errors.iter_mut().filter(|error| error.message.contains(newer)) {
            error.message = error.message.replace(newer, older);
        }
    }
    for (_, words) in SHORTER.iter().filter(|(until, _)| !release.since(*until)) {
        for error in errors.iter_mut() {
            if let Some(at) = error.message.find(words) {
                error.message.truncate(at + words.trim_end_matches("of ").trim_end().len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::{Errors, validate},
        resources::Resources,
    };

    /// The complaint about a change, in a release's words.
    fn complaint(store: &str, old: &serde_json::Value, new: &serde_json::Value, minor: u32) -> String {
        let resource = Resources::default().stored(store).unwrap();
        let mut errors = Errors::default();
        validate::changed_object(&resource, old, new, &mut errors);
        let mut errors = errors.into_vec();
        put(&mut errors, Release::minor(minor));
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_older_word_replaces_one_that_is_said() {
        let pod = |host: &str| json!({"metadata": {"name": "a"}, "spec": {"hostname": host, "containers": [{"name": "c", "image": "i"}]}});
        let set = |name: &str| {
            json!({"metadata": {"name": "a"}, "spec": {"serviceName": name, "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
        };
        let secret = |size: usize| json!({"metadata": {"name": "a"}, "type": "Opaque", "data": {"a": "QUFB".repeat(size)}});
        let of_pod = |more: &serde_json::Value| {
            let mut pod = json!({"containers": [{"name": "c", "image": "i"}]});
            pod.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}})
        };
        let deployment = |more: &serde_json::Value| {
            let mut container = json!({"name": "c", "image": "i"});
            container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            of_pod(&json!({"containers": [container]}))
        };
        let field =
            |path: &str| json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]});
        for (store, old, new, before, after) in [
            (
                "pods",
                pod("a"),
                pod("b"),
                "`spec.activeDeadlineSeconds` or",
                "`spec.terminationGracePeriodSeconds`",
            ),
            ("statefulsets.apps", set("a"), set("b"), "'template', and 'updateStrategy' are", "'ordinals'"),
            ("secrets", secret(1), secret(400_000), "must have at most", "may not be more than"),
            (
                "deployments.apps",
                deployment(&json!({})),
                deployment(&json!({"env": [{"name": "="}]})),
                "digits, '_', '-', or '.'",
                "printable ASCII",
            ),
            (
                "deployments.apps",
                deployment(&json!({})),
                deployment(&json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}})),
                "to cpu limit; spec",
                "to cpu limit of 1",
            ),
            (
                "deployments.apps",
                deployment(&json!({})),
                deployment(&field("status.phase")),
                "\"status.hostIP\", \"status.podIP\"",
                "\"status.hostIPs\"",
            ),
            (
                "deployments.apps",
                of_pod(&json!({})),
                of_pod(&json!({"securityContext": {"sysctls": [{"name": "a b"}]}})),
                r"?\.)*",
                r"?[\./])*",
            ),
        ] {
            let [older, newer] = [20, 36].map(|minor| complaint(store, &old, &new, minor));
            assert!(older.contains(before) && !older.contains(after), "{older}");
            assert!(newer.contains(after) && !newer.contains(before), "{newer}");
        }
    }
}
