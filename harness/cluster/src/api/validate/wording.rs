//! What older releases said of the same mistake. Validation knows the newest words; here they are put back.
//! Recorded were 1.20 and 1.36; releases between them speak as one of the two.

use crate::{api::invalid::FieldError, release::Release};

/// The minor version of the first release that no longer says the older words, the newer ones, the older ones.
const OLDER: [(u32, &str, &str); 3] = [
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
    (24, "Too long: may not be more than 1048576 bytes", "Too long: must have at most 1048576 bytes"),
];

/// Puts complaints into the words of a release.
pub(in crate::api) fn put(errors: &mut [FieldError], release: Release) {
    for (_, newer, older) in OLDER.iter().filter(|(until, ..)| !release.since(*until)) {
        for error in errors.iter_mut().filter(|error| error.message.contains(newer)) {
            error.message = error.message.replace(newer, older);
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
        ] {
            let [older, newer] = [20, 36].map(|minor| complaint(store, &old, &new, minor));
            assert!(older.contains(before) && !older.contains(after), "{older}");
            assert!(newer.contains(after) && !newer.contains(before), "{newer}");
        }
    }
}
