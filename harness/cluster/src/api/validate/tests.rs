//! Refusals, word for word.

use serde_json::json;

use super::*;
use crate::resources::Resources;

/// What is wrong with an object, after defaulting, as the texts that clients see.
fn complaints(store: &str, mut object: Value) -> Vec<String> {
    let resource = Resources::default().stored(store).unwrap();
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = "x".into();
    }
    crate::api::defaults::apply(&resource, &mut object);
    let mut errors = Errors::default();
    new_object(&resource, &object, &mut errors);
    errors.into_vec().iter().map(ToString::to_string).collect()
}

fn pod(container: &Value) -> Value {
    json!({"spec": {"containers": [container]}})
}

#[test]
fn pods() {
    let fine = pod(&json!({"name": "a", "image": "NGINX::latest"}));
    assert!(complaints("pods", fine).is_empty());
    let missing = pod(&json!({"name": "a"}));
    assert_eq!(complaints("pods", missing), ["spec.containers[0].image: Required value"]);
    let policy = pod(&json!({"name": "a", "image": "x", "imagePullPolicy": "Sometimes"}));
    assert_eq!(
        complaints("pods", policy),
        [
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
          \"IfNotPresent\", \"Never\""
        ]
    );
    let twice = json!({"spec": {"containers": [{"name": "c", "image": "x"}, {"name": "c", "image": "x"}]}});
    assert_eq!(complaints("pods", twice), ["spec.containers[1].name: Duplicate value: \"c\""]);
    let mount = pod(&json!({"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
    assert_eq!(complaints("pods", mount), ["spec.containers[0].volumeMounts[0].name: Not found: \"v\""]);
    let greedy = pod(&json!({"name": "a", "image": "x",
        "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}));
    assert_eq!(
        complaints("pods", greedy),
        [
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
        ]
    );
}

#[test]
fn what_is_wrong_with_a_pod_is_told_in_the_order_of_the_server() {
    let container = json!({"name": "B_", "image": " i", "terminationMessagePolicy": "Odd", "ports": [{"containerPort": 0}],
        "env": [{"name": ""}], "envFrom": [{}], "volumeMounts": [{"name": "v", "mountPath": ""}], "imagePullPolicy": "Odd",
        "resources": {"limits": {"cpu": "-1"}}, "securityContext": {"runAsUser": -1}});
    let first = json!({"name": "a", "image": "i", "restartPolicy": "Odd"});
    let pod = json!({"spec": {"nodeName": "n", "schedulingGates": [{"name": "g"}], "os": {"name": "odd"}, "dnsPolicy": "Odd",
        "ephemeralContainers": [{"name": "e", "image": "i"}], "containers": [container, container],
        "initContainers": [first], "volumes": [{"name": "w", "configMap": {"name": "m"}, "emptyDir": {}}]}});
    let resource = Resources::default().stored("pods").unwrap();
    let mut errors = Errors::default();
    let mut object = pod;
    object["metadata"]["name"] = "x".into();
    crate::api::defaults::apply(&resource, &mut object);
    new_object(&resource, &object, &mut errors);
    let fields: Vec<String> = errors.into_vec().into_iter().map(|error| error.field).collect();
    let of = |index: usize| {
        [
            "name",
            "terminationMessagePolicy",
            "ports[0].containerPort",
            "env[0].name",
            "envFrom",
            "volumeMounts[0].name",
            "volumeMounts[0].mountPath",
            "imagePullPolicy",
            "resources.limits[cpu]",
            "resources.requests[cpu]",
            "securityContext.runAsUser",
        ]
        .map(|field| format!("spec.containers[{index}].{field}"))
    };
    let rest = [
        "spec.containers[1].name",
        "spec.initContainers[0].restartPolicy",
        "spec.dnsPolicy",
        "spec.os",
        "spec.containers[0].image",
        "spec.containers[1].image",
        "spec.ephemeralContainers",
        "spec.nodeName",
    ];
    let expected: Vec<String> = ["spec.volumes[0].configMap".to_owned()]
        .into_iter()
        .chain(of(0))
        .chain(of(1))
        .chain(rest.map(str::to_owned))
        .collect();
    assert_eq!(fields, expected);
}

#[test]
fn policies_had_other_words() {
    let pod = json!({"metadata": {"name": "x"}, "spec": {"restartPolicy": "Always", "dnsPolicy": "Default", "containers": [
        {"name": "c", "image": "i", "imagePullPolicy": "Always", "terminationMessagePolicy": "Odd"}],
        "initContainers": [{"name": "d", "image": "i", "imagePullPolicy": "Always", "restartPolicy": "Never"}]}});
    let resource = Resources::default().stored("pods").unwrap();
    let field = "spec.containers[0].terminationMessagePolicy";
    let init =
        "spec.initContainers[0].restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"";
    for (minor, words) in [
        (
            20,
            vec![
                format!("{field}: Invalid value: \"Odd\": must be 'File' or 'FallbackToLogsOnError'"),
                init.to_owned(),
            ],
        ),
        (
            36,
            vec![format!(
                "{field}: Unsupported value: \"Odd\": supported values: \"File\", \"FallbackToLogsOnError\""
            )],
        ),
    ] {
        let mut errors = Errors::of(crate::release::Release::minor(minor));
        new_object(&resource, &pod, &mut errors);
        assert_eq!(errors.into_vec().iter().map(ToString::to_string).collect::<Vec<_>>(), words, "{minor}");
    }
}

#[test]
fn names_are_generated_from_names() {
    for (base, good) in [("web-", true), ("web", true), ("-", false), ("A-", false), ("a_b", false)] {
        let told = complaints("configmaps", json!({"metadata": {"name": "x", "generateName": base}}));
        assert_eq!(told.is_empty(), good, "{told:?}");
        let start = format!("metadata.generateName: Invalid value: {base:?}: a lowercase RFC 1123 subdomain");
        assert!(told.iter().all(|told| told.starts_with(&start)), "{told:?}");
    }
}

#[test]
fn docker_secrets() {
    let kind = "kubernetes.io/dockerconfigjson";
    let with = |value: &str| {
        complaints("secrets", json!({"type": kind, "stringData": {".dockerconfigjson": value}}))
    };
    assert_eq!(complaints("secrets", json!({"type": kind})), ["data[.dockerconfigjson]: Required value"]);
    let start = "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": ";
    assert_eq!(with("not"), [format!("{start}invalid character 'o' in literal null (expecting 'u')")]);
    assert_eq!(
        with("5"),
        [format!("{start}json: cannot unmarshal number into Go value of type map[string]interface {{}}")]
    );
    assert!(with("{\"anything\": 1}").is_empty());
    assert_eq!(
        complaints("secrets", json!({"type": "kubernetes.io/tls"})),
        ["data[tls.crt]: Required value", "data[tls.key]: Required value"]
    );
}

#[test]
fn deployments() {
    let deployment = |spec: Value| {
        let mut object = json!({"spec": {"selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
        for (field, value) in spec.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        complaints("deployments.apps", object)
    };
    assert!(deployment(json!({})).is_empty());
    assert_eq!(
        deployment(json!({"selector": {"matchLabels": {"app": "b"}}})),
        [
            "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"
        ]
    );
    assert_eq!(
        deployment(json!({"replicas": -1})),
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]
    );
    assert_eq!(
        deployment(json!({"strategy": {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}})),
        ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"]
    );
}

fn cron(schedule: &str, zone: Option<&str>) -> Value {
    let mut cron = json!({"metadata": {"name": "x"}, "spec": {"schedule": schedule, "concurrencyPolicy": "Allow",
        "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}});
    if let Some(zone) = zone {
        cron["spec"]["timeZone"] = zone.into();
    }
    cron
}

#[test]
fn cron_jobs() {
    let both = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
    for (schedule, zone, words) in [
        (
            "* * * *",
            None,
            &["spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]"][..],
        ),
        (
            "61 * * * *",
            None,
            &["spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61"],
        ),
        ("@every 1h", None, &[]),
        ("@hourly", Some("Europe/Paris"), &[]),
        ("", None, &["spec.schedule: Required value"]),
        (
            "@hourly",
            Some("Europe/Pariss"),
            &["spec.timeZone: Invalid value: \"Europe/Pariss\": unknown time zone Europe/Pariss"],
        ),
        ("@hourly", Some("/etc"), &["spec.timeZone: Invalid value: \"/etc\": unknown time zone /etc"]),
        (
            "@hourly",
            Some(""),
            &["spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"],
        ),
        (
            "@hourly",
            Some("Local"),
            &[
                "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in \
               https://www.iana.org/time-zones",
            ],
        ),
        (
            "CRON_TZ=UTC @hourly",
            None,
            &[&format!("spec.schedule: Invalid value: \"CRON_TZ=UTC @hourly\": {both}")],
        ),
        (
            "TZ=Mars 1 1 1 1 1",
            None,
            &[
                "spec.schedule: Invalid value: \"TZ=Mars 1 1 1 1 1\": provided bad location Mars: unknown time zone Mars",
                &format!("spec.schedule: Invalid value: \"TZ=Mars 1 1 1 1 1\": {both}"),
            ],
        ),
    ] {
        assert_eq!(complaints("cronjobs.batch", cron(schedule, zone)), words, "{schedule} {zone:?}");
    }
}

#[test]
fn a_schedule_with_a_zone_may_stay_if_it_has_one_zone_only() {
    let resource = Resources::default().stored("cronjobs.batch").unwrap();
    let complaints = |old: &Value, new: &Value| {
        let mut errors = Errors::default();
        changed_object(&resource, old, new, &mut errors);
        let words = errors.into_vec().into_iter().map(|error| error.to_string());
        words.filter(|error| !error.starts_with("spec.jobTemplate")).collect::<Vec<_>>()
    };
    let old = cron("TZ=UTC @daily", None);
    assert!(complaints(&old, &cron("TZ=UTC @hourly", None)).is_empty());
    assert_eq!(
        complaints(&old, &cron("TZ=UTC @daily", Some("UTC"))),
        [
            "spec.schedule: Invalid value: \"TZ=UTC @daily\": cannot use both timeZone field and TZ or CRON_TZ in schedule"
        ]
    );
    assert_eq!(complaints(&cron("@daily", None), &old).len(), 1);
    // A zone that has got lost in the meantime is not asked about again.
    assert!(complaints(&cron("@daily", Some("Mars")), &cron("@hourly", Some("Mars"))).is_empty());
}

#[test]
fn an_old_release_complains_about_a_schedule_once_and_in_its_own_words() {
    let resource = Resources::default().stored("cronjobs.batch").unwrap();
    let object = cron("TZ=Mars 1 1 1 1 1", None);
    let mut errors = Errors::default();
    new_object(&resource, &object, &mut errors);
    let mut errors = errors.into_vec();
    cron_job::put(&mut errors, &object, crate::release::Release::minor(20));
    let words = errors.iter().filter(|error| error.field == "spec.schedule");
    let words: Vec<String> = words.map(ToString::to_string).collect();
    let value = "\"TZ=Mars 1 1 1 1 1\"";
    assert_eq!(
        words,
        [format!(
            "spec.schedule: Invalid value: {value}: Expected exactly 5 fields, found 6: TZ=Mars 1 1 1 1 1"
        )]
    );
}
