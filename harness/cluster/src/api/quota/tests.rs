//! Quotas over a bare store.

use std::sync::Arc;

use pulldrill_clock::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiOptions, Status, User, WriteOptions, quota},
    release::Release,
    store::{Key, Store},
};

fn api(minor: u32) -> Api {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let options = ApiOptions { admission: true, release: Release::minor(minor), ..ApiOptions::default() };
    let api = Api::with_options(Arc::new(Store::new(1000)), clock, options);
    create(&api, "namespaces", json!({"metadata": {"name": "shop"}})).unwrap();
    api
}

fn create(api: &Api, resource: &str, object: Value) -> Result<(), Status> {
    let namespace = if resource == "namespaces" { "" } else { "shop" };
    let user = User::named("admin", &["system:masters"]);
    api.create(&user, resource, namespace, object, &WriteOptions::default()).map(drop)
}

fn quota(api: &Api, name: &str, spec: &Value) {
    create(api, "resourcequotas", json!({"metadata": {"name": name}, "spec": spec})).unwrap();
}

fn pod(name: &str, resources: &Value) -> Value {
    json!({"metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": "nginx:1", "resources": resources}]}})
}

fn refusal(result: Result<(), Status>) -> String {
    let status = result.unwrap_err();
    assert_eq!((status.code, status.reason), (403, "Forbidden"));
    status.message
}

#[test]
fn a_full_quota_refuses_in_the_plugins_words() {
    let api = api(36);
    quota(&api, "q", &json!({"hard": {"pods": "3", "secrets": "1", "count/deployments.apps": "0"}}));
    for n in 0..3 {
        create(&api, "pods", pod(&format!("z{n}"), &json!({}))).unwrap();
    }
    assert_eq!(
        refusal(create(&api, "pods", pod("z3", &json!({})))),
        "pods \"z3\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3"
    );
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    assert_eq!(
        refusal(create(&api, "deployments.apps", deployment)),
        "deployments.apps \"d\" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: \
         count/deployments.apps=0, limited: count/deployments.apps=0"
    );
    create(&api, "secrets", json!({"metadata": {"name": "one"}})).unwrap();
    assert!(
        refusal(create(&api, "secrets", json!({"metadata": {"name": "two"}}))).contains("secrets=1, limited")
    );
    create(&api, "configmaps", json!({"metadata": {"name": "free"}})).unwrap();
    let user = User::named("admin", &["system:masters"]);
    api.modify(&user, "pods", &Key::new("shop", "z0"), Some("status"), |pod| {
        pod["status"]["phase"] = "Succeeded".into();
    })
    .unwrap();
    create(&api, "pods", pod("z3", &json!({}))).unwrap();
}

#[test]
fn resources_are_summed_and_have_to_be_named() {
    for (minor, silent) in [
        (36, "must specify limits.memory for: app; requests.cpu for: app"),
        (20, "must specify limits.memory,requests.cpu"),
    ] {
        let api = api(minor);
        quota(&api, "compute", &json!({"hard": {"requests.cpu": "1", "limits.memory": "1Gi"}}));
        let why = refusal(create(&api, "pods", pod("silent", &json!({}))));
        assert_eq!(why, format!("pods \"silent\" is forbidden: failed quota: compute: {silent}"));
    }
    let api = api(36);
    quota(&api, "compute", &json!({"hard": {"requests.cpu": "1", "limits.memory": "1Gi"}}));
    let resources = |cpu: &str, memory: &str| json!({"requests": {"cpu": cpu}, "limits": {"memory": memory}});
    create(&api, "pods", pod("a", &resources("600m", "256Mi"))).unwrap();
    assert_eq!(
        refusal(create(&api, "pods", pod("b", &resources("500m", "0.5Gi")))),
        "pods \"b\" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=600m, \
         limited: requests.cpu=1"
    );
    assert_eq!(
        refusal(create(&api, "pods", pod("c", &resources("2", "2Gi")))),
        "pods \"c\" is forbidden: exceeded quota: compute, requested: limits.memory=2Gi,requests.cpu=2, used: \
         limits.memory=256Mi,requests.cpu=600m, limited: limits.memory=1Gi,requests.cpu=1"
    );
    create(&api, "pods", pod("d", &resources("400m", "768Mi"))).unwrap();
    let found = api.list("resourcequotas", Some("shop"));
    let used = quota::written(&quota::used(api.store(), found[0].value()));
    assert_eq!(used, json!({"limits.memory": "1Gi", "requests.cpu": "1"}));
}

#[test]
fn a_scoped_quota_is_about_its_pods_only() {
    let api = api(36);
    quota(&api, "best", &json!({"hard": {"pods": "0"}, "scopes": ["BestEffort"]}));
    let critical =
        json!({"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]});
    quota(&api, "high", &json!({"hard": {"pods": "0"}, "scopeSelector": critical}));
    assert!(refusal(create(&api, "pods", pod("a", &json!({})))).contains("exceeded quota: best"));
    create(&api, "pods", pod("b", &json!({"requests": {"cpu": "1"}}))).unwrap();
    create(&api, "secrets", json!({"metadata": {"name": "one"}})).unwrap();
}

#[test]
fn limit_ranges_fill_in_and_refuse() {
    let api = api(36);
    let item = json!({"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "100m"},
        "default": {"memory": "256Mi"}, "maxLimitRequestRatio": {"cpu": "4"}});
    create(&api, "limitranges", json!({"metadata": {"name": "lr"}, "spec": {"limits": [item]}})).unwrap();
    create(&api, "pods", pod("plain", &json!({}))).unwrap();
    let stored = api.get("pods", &Key::new("shop", "plain")).unwrap();
    let container = &stored.value()["spec"]["containers"][0];
    let both = json!({"cpu": "1", "memory": "256Mi"});
    assert_eq!(container["resources"], json!({"limits": both, "requests": both}));
    assert_eq!(stored.value()["status"]["qosClass"], "Guaranteed");
    assert_eq!(
        stored.value()["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu, memory request for container app; cpu, memory limit for container app"
    );
    let cases = [
        (json!({"limits": {"cpu": "2"}}), "maximum cpu usage per Container is 1, but limit is 2"),
        (
            json!({"requests": {"cpu": "50m"}, "limits": {"cpu": "150m"}}),
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}),
            "cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000",
        ),
        (
            json!({"requests": {"cpu": "50m"}, "limits": {"cpu": "2"}}),
            "[minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per Container is 1, but \
             limit is 2, cpu max limit to request ratio per Container is 4, but provided ratio is 40.000000]",
        ),
    ];
    for (resources, why) in cases {
        let found = refusal(create(&api, "pods", pod("p", &resources)));
        assert_eq!(found, format!("pods \"p\" is forbidden: {why}"));
    }
}

#[test]
fn whole_pods_and_claims_have_limits_too() {
    let api = api(36);
    let limits = json!([{"type": "Pod", "max": {"memory": "1Gi"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}]);
    create(&api, "limitranges", json!({"metadata": {"name": "lr"}, "spec": {"limits": limits}})).unwrap();
    assert_eq!(
        refusal(create(&api, "pods", pod("p", &json!({})))),
        "pods \"p\" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is specified"
    );
    create(&api, "pods", pod("p", &json!({"limits": {"memory": "1Gi"}}))).unwrap();
    let claim = |name: &str, size: &str| {
        json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}}})
    };
    create(&api, "persistentvolumeclaims", claim("good", "2Gi")).unwrap();
    assert_eq!(
        refusal(create(&api, "persistentvolumeclaims", claim("big", "3Gi"))),
        "persistentvolumeclaims \"big\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but \
         request is 3Gi"
    );
}

#[test]
fn two_that_come_at_once_do_not_share_the_last_place() {
    let api = Arc::new(api(36));
    quota(&api, "q", &json!({"hard": {"configmaps": "5"}}));
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                let api = api.clone();
                scope.spawn(move || {
                    let one = |n: i32| json!({"metadata": {"name": format!("c-{t}-{n}")}});
                    (0..5).filter(|n| create(&api, "configmaps", one(*n)).is_ok()).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(made, 5);
}

#[test]
fn changes_count_for_what_they_use_more() {
    let api = api(36);
    quota(
        &api,
        "q",
        &json!({"hard": {"services.nodeports": "2", "services.loadbalancers": "0",
        "requests.storage": "3Gi"}}),
    );
    let service = json!({"metadata": {"name": "web"}, "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}});
    create(&api, "services", service).unwrap();
    let user = User::named("admin", &["system:masters"]);
    let edit = |resource: &str, name: &str, change: &dyn Fn(&mut Value)| {
        api.modify(&user, resource, &Key::new("shop", name), None, change)
            .map(|stored| stored.value().clone())
    };
    let refused = edit("services", "web", &|web| web["spec"]["type"] = "LoadBalancer".into());
    assert_eq!(
        refusal(refused.map(drop)),
        "services \"web\" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, used: \
         services.loadbalancers=0, limited: services.loadbalancers=0"
    );
    let opened = edit("services", "web", &|web| web["spec"]["type"] = "NodePort".into()).unwrap();
    assert_eq!(opened["spec"]["externalTrafficPolicy"], "Cluster");
    // What is used already is not asked for again.
    edit("services", "web", &|web| web["metadata"]["labels"] = json!({"a": "b"})).unwrap();
    edit("services", "web", &|web| web["spec"]["sessionAffinity"] = "ClientIP".into()).unwrap();
    let claim = |size: &str| {
        json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "elastic",
        "resources": {"requests": {"storage": size}}}})
    };
    create(&api, "persistentvolumeclaims", claim("1Gi")).unwrap();
    let data = Key::new("shop", "data");
    let bound =
        |claim: &mut Value| claim["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
    api.modify(&user, "persistentvolumeclaims", &data, Some("status"), bound).unwrap();
    let grow = |size: &str| {
        edit("persistentvolumeclaims", "data", &|data| {
            data["spec"]["resources"]["requests"]["storage"] = size.into();
        })
    };
    assert_eq!(
        refusal(grow("2Gi").map(drop)),
        "persistentvolumeclaims \"data\" is forbidden: only dynamically provisioned pvc can be resized and the \
         storageclass that provisions the pvc must support resize"
    );
    let class = json!({"metadata": {"name": "elastic"}, "provisioner": "x", "allowVolumeExpansion": true});
    api.create(&user, "storageclasses.storage.k8s.io", "", class, &WriteOptions::default()).unwrap();
    grow("2Gi").unwrap();
    assert_eq!(
        refusal(grow("4Gi").map(drop)),
        "persistentvolumeclaims \"data\" is forbidden: exceeded quota: q, requested: requests.storage=2Gi, used: \
         requests.storage=2Gi, limited: requests.storage=3Gi"
    );
}
