//! The five drills, from boot to symptom, and one from symptom to solution.

mod common;

use common::{api, is_solved, names, opened, options, the_drill, trainee, until};
use kube::api::{DeleteParams, Patch, PatchParams};
use pulldrill_clock::SignedDuration;
use pulldrill_lab::{
    ClockMode, Lab, LabError, LabOptions,
    request::PullQuery,
    view::{Audience, DrillState},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn all_five_symptoms_are_there_when_the_lab_opens() {
    let lab = opened(options(&[])).await;
    let status = lab.status(Audience::Instructor);
    assert_eq!(status.drills.len(), 5);
    for drill in &status.drills {
        let what = format!("{:?}: {:#?} {:?}", drill.scenario, drill.pods, drill.error);
        assert_eq!(drill.state, DrillState::Open, "{what}");
        let stuck = |status: &str| matches!(status, "ErrImagePull" | "ImagePullBackOff");
        assert!(drill.pods.iter().any(|pod| stuck(&pod.status)), "{what}");
        assert!(drill.pods.iter().any(|pod| pod.next_retry_seconds.is_some()), "{what}");
        assert!(drill.events.iter().any(|event| event.reason == "Failed"), "{what}");
        assert!(drill.checks.iter().any(|check| check.required && !check.passed), "{what}");
        assert_eq!(drill.score, 0, "{what}");
    }
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trainee_is_shown_does_not_give_the_cause_away() {
    let lab = opened(options(&[])).await;
    let scenarios = lab.scenarios();
    let mut shown = serde_json::to_value(lab.status(Audience::Trainee)).unwrap();
    for drill in shown["drills"].as_array_mut().unwrap() {
        // The list of possible answers is the same for every drill.
        drill["choices"] = Value::Null;
    }
    let info = serde_json::to_string(&lab.info()).unwrap();
    for scenario in &scenarios {
        for secret in [&scenario.id, &scenario.cause] {
            assert!(!shown.to_string().contains(secret) && !info.contains(secret), "{secret}");
        }
    }
    for drill in shown["drills"].as_array_mut().unwrap() {
        // What the cluster itself says is for the trainee to find; a registry may well use such a word.
        (drill["pods"], drill["events"]) = (Value::Null, Value::Null);
    }
    for scenario in &scenarios {
        assert!(!shown.to_string().contains(&scenario.family), "{}", scenario.family);
    }
    for drill in lab.status(Audience::Trainee).drills {
        assert!(matches!(lab.debrief(&drill.id, Audience::Trainee), Err(LabError::WrongState { .. })));
    }
    assert_eq!(lab.audience_of(Some("guessed")), Audience::Trainee);
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_tag_turns_failing_into_held_and_held_into_solved() {
    let lab = opened(options(&["wrong-tag"])).await;
    let drill = the_drill(&lab);
    let client = trainee(&lab).await;
    let deployments = api(&client, &drill.namespace, "apps", "deployments");
    let failing = drill.pods.iter().find(|pod| pod.ready == "0/1").unwrap();
    // A patch release of the version that was never pushed.
    let image = format!("{}1", failing.image.strip_suffix('0').unwrap());
    let name = failing.name.rsplitn(3, '-').last().unwrap();
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "api", "image": image}]}}}});
    let patched = deployments.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
    patched.unwrap();
    let opened_at = lab.clock().now();
    let held =
        until(&lab, SignedDuration::from_mins(5), |lab| the_drill(lab).state == DrillState::Held).await;
    assert!(held, "{:#?}", the_drill(&lab));
    let held_at = lab.clock().now();
    assert!(until(&lab, SignedDuration::from_mins(5), is_solved).await, "{:#?}", the_drill(&lab));
    assert_eq!(lab.clock().now().duration_since(held_at), SignedDuration::from_secs(30));
    assert!(held_at.duration_since(opened_at) < SignedDuration::from_mins(1));
    let solved = lab.drill(&drill.id, Audience::Trainee).unwrap();
    assert_eq!(solved.cause.as_deref(), Some("image-reference/tag-not-pushed"));
    assert_eq!((solved.score_detail.repair, solved.score_detail.diagnose), (65, 0));
    assert!(matches!(lab.hint(&drill.id).await, Err(LabError::WrongState { .. })));
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_is_explained_and_solves_nothing() {
    let lab = opened(options(&["wrong-tag"])).await;
    let drill = the_drill(&lab);
    let pods = api(&trainee(&lab).await, &drill.namespace, "", "pods");
    let failing = drill.pods.iter().find(|pod| pod.ready == "0/1").unwrap();
    pods.delete(&failing.name, &DeleteParams::default()).await.unwrap();
    assert!(!until(&lab, SignedDuration::from_mins(5), is_solved).await);
    let after = the_drill(&lab);
    assert!(after.feed.iter().any(|told| told.kind == "notice" && told.message.contains(&failing.name)));
    assert!(!names(&pods).await.contains(&failing.name));
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_cost_only_in_the_end_and_a_diagnosis_is_told_in_the_end() {
    let lab = opened(options(&["missing-pull-secret"])).await;
    let id = the_drill(&lab).id;
    let hint = lab.hint(&id).await.unwrap();
    assert!(hint.n == 1 && hint.text.is_some());
    assert!(matches!(lab.diagnose(&id, "nonsense").await, Err(LabError::UnknownChoice { .. })));
    lab.diagnose(&id, "credentials-missing/no-pull-secret").await.unwrap();
    lab.clock().idle().await;
    let trainee = lab.drill(&id, Audience::Trainee).unwrap();
    assert_eq!((trainee.score_detail.diagnose, trainee.score_detail.hints), (0, 0));
    assert_eq!(lab.drill(&id, Audience::Instructor).unwrap().score_detail.diagnose, 20);
    let debrief = lab.give_up(&id).await.unwrap();
    assert_eq!(debrief.cause, "credentials-missing/no-pull-secret");
    let closed = lab.drill(&id, Audience::Trainee).unwrap();
    assert_eq!(closed.diagnosis.unwrap().correct, Some(true));
    assert_eq!(closed.state, DrillState::GivenUp);
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_alone_makes_the_same_requests_as_among_others() {
    let all = opened(options(&[])).await;
    let of = |lab: &Lab, drill: &str| {
        let query = PullQuery { drill: Some(drill.to_owned()), ..PullQuery::default() };
        let mut seen: Vec<String> = lab
            .pull_log(&query)
            .unwrap()
            .into_iter()
            .map(|pull| {
                format!("{} {:?} {} {} {}", pull.host, pull.identity, pull.method, pull.path, pull.status)
            })
            .collect();
        seen.sort();
        seen.dedup();
        seen
    };
    for drill in all.status(Audience::Instructor).drills {
        let scenario = drill.scenario.unwrap();
        let alone = opened(options(&[&scenario])).await;
        let id = the_drill(&alone).id;
        assert_eq!(id, drill.id, "{scenario}");
        assert_eq!(of(&alone, &id), of(&all, &drill.id), "{scenario}");
        alone.shutdown().await;
    }
    all.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_can_be_reset_and_another_started_while_the_lab_runs() {
    let lab = opened(options(&["blocked-registry"])).await;
    let id = the_drill(&lab).id;
    let rules = lab.egress(None).await.unwrap();
    for rule in &rules {
        lab.delete_egress(&rule.node, &rule.id).await.unwrap();
    }
    assert!(until(&lab, SignedDuration::from_mins(15), is_solved).await, "{:#?}", the_drill(&lab));
    lab.reset(&id).await.unwrap();
    assert_eq!(the_drill(&lab).state, DrillState::Open);
    assert_eq!(lab.egress(None).await.unwrap(), rules);
    let second = lab.start_drill("expired-token").await.unwrap();
    assert_eq!(lab.drill(&second, Audience::Trainee).unwrap().state, DrillState::Open);
    assert!(matches!(lab.start_drill("expired-token").await, Err(LabError::Invalid(_))));
    assert_eq!(lab.info().drills, [id, second]);
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_lab_writes_its_folder_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("lab");
    let mut options = options(&["wrong-tag"]);
    options.clock = ClockMode::Live;
    options.dir = Some(dir.clone());
    options.web = Some("http://127.0.0.1:1".into());
    let lab = opened(options.clone()).await;
    let info: Value = serde_json::from_slice(&std::fs::read(dir.join("lab.json")).unwrap()).unwrap();
    assert_eq!(info["schemaVersion"], 1);
    assert_eq!(info["pid"], std::process::id());
    for name in ["kubeconfig", "env.sh", "ca.pem", "instructor-token"] {
        assert!(dir.join(name).is_file(), "{name}");
    }
    let token = std::fs::read_to_string(dir.join("instructor-token")).unwrap();
    assert_eq!(lab.audience_of(Some(token.trim())), Audience::Instructor);
    let refused = Lab::start(options.clone()).await;
    assert!(matches!(refused, Err(LabError::AlreadyRunning { .. })));
    let before = lab.drill(info["drills"][0].as_str().unwrap(), Audience::Trainee).unwrap();
    lab.advance(SignedDuration::from_hours(1)).await.unwrap();
    let after = lab.drill(&before.id, Audience::Trainee).unwrap();
    assert!(after.elapsed_seconds >= before.elapsed_seconds.map(|seconds| seconds + 3600));
    lab.shutdown().await;
    assert!(!dir.join("lab.json").exists());
    let again = Lab::start(options).await.unwrap();
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_history_the_symptoms_come_when_a_kubelet_brings_them() {
    let lab = Lab::start(LabOptions { history: false, ..options(&[]) }).await.unwrap();
    let ClockMode::Held(began) = options(&[]).clock else { unreachable!() };
    lab.open().await.unwrap();
    for drill in lab.status(Audience::Instructor).drills {
        let took = drill.opened_at.unwrap().duration_since(began).as_millis();
        // One pull and one look at it; or, where nothing answers, two dials of half a minute.
        let limit =
            if drill.scenario.as_deref() == Some("blocked-registry") { 30_000..80_000 } else { 1..20_000 };
        assert!(limit.contains(&took), "{:?} took {took} ms", drill.scenario);
        let new = drill.pods.iter().filter(|pod| pod.ready == "0/1");
        assert!(new.clone().count() > 0 && new.clone().all(|pod| pod.age_seconds <= 80));
    }
    lab.shutdown().await;
}
