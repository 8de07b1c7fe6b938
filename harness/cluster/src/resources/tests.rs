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
