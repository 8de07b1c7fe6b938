//! The resource table is sound, and can grow.

use super::*;

#[test]
fn rows_are_found_by_path_kind_and_store_name() {
    let table = Resources::default();
    let deployments = table.at("apps", "v1", "deployments").unwrap();
    assert_eq!(deployments.store, "deployments.apps");
    assert_eq!(deployments.qualified_kind(), "Deployment.apps");
    assert_eq!(table.of_kind("batch/v1beta1", "CronJob").unwrap().versions, ["v1", "v1beta1"]);
    assert!(table.at("batch", "v1beta1", "jobs").is_none());
    assert_eq!(table.at("events.k8s.io", "v1", "events").unwrap().store, "events");
    assert_eq!(table.stored("events").unwrap().group, "");
    assert!(table.stored("nothing").is_none());
}

#[test]
fn the_table_grows_and_shrinks() {
    let table = Resources::default();
    let mut row = (*table.at("", "v1", "configmaps").unwrap()).clone();
    row.group = "example.org".into();
    row.store = "configmaps.example.org".into();
    table.add(row.clone());
    table.add(row);
    assert_eq!(table.infos().iter().filter(|i| i.group == "example.org").count(), 1);
    table.remove("example.org", "configmaps");
    assert!(table.at("example.org", "v1", "configmaps").is_none());
}

#[test]
fn releases_serve_what_there_was() {
    let (old, new) = (Resources::of(Release::minor(20)), Resources::of(Release::minor(36)));
    for (group, plural, then, now) in [
        ("batch", "cronjobs", &["v1beta1"][..], &["v1", "v1beta1"][..]),
        ("batch", "jobs", &["v1"], &["v1"]),
        ("policy", "podsecuritypolicies", &["v1beta1"], &[]),
        ("networking.k8s.io", "ingresses", &["v1", "v1beta1"], &["v1"]),
        ("resource.k8s.io", "resourceclaims", &[], &["v1"]),
    ] {
        let versions = |table: &Resources| {
            let rows = table.all();
            let row = rows.iter().find(|row| row.group == group && row.plural == plural);
            row.map(|row| row.versions.clone()).unwrap_or_default()
        };
        assert_eq!(
            (versions(&old), versions(&new)),
            (then.iter().map(|v| (*v).to_owned()).collect(), now.iter().map(|v| (*v).to_owned()).collect()),
            "{group} {plural}"
        );
    }
    let pods = |table: &Resources| table.stored("pods").unwrap();
    assert!(pods(&old).subresource("ephemeralcontainers").is_none());
    assert!(pods(&new).subresource("ephemeralcontainers").is_some());
    let eviction = |table: &Resources| pods(table).subresource("eviction").unwrap().version.clone();
    assert_eq!((eviction(&old), eviction(&new)), ("v1beta1".into(), "v1".into()));
    // Stored in the same form, whatever is served.
    for table in [&old, &new] {
        assert_eq!(table.stored("horizontalpodautoscalers.autoscaling").unwrap().stored_in, "autoscaling/v2");
        assert_eq!(table.at("events.k8s.io", "v1", "events").unwrap().stored_in, "v1");
    }
}
