//! Pods whose image cannot be pulled: order, texts, counts and times as recorded from real kubelets.

use pulldrill_clock::{Clock, SignedDuration, real};
use serde_json::json;

use super::world::{CRIO, NEW, OLD, World};

const IMAGE: &str = "registry.lab.test/team/app:9.9";
const ERROR: &str = "rpc error: code = NotFound desc = failed to pull and unpack image \
    \"registry.lab.test/team/app:9.9\": failed to resolve reference \"registry.lab.test/team/app:9.9\": \
    registry.lab.test/team/app:9.9: not found";

#[tokio::test]
async fn the_first_minute_of_a_bad_tag() {
    for dialect in [NEW, OLD] {
        let world = World::new(dialect, 1).await;
        world.pod("app", IMAGE, json!({}));
        world.run(20).await;
        let failed = format!("Failed to pull image \"{IMAGE}\": {ERROR}");
        let (pulling, backing) =
            (format!("Pulling image \"{IMAGE}\""), format!("Back-off pulling image \"{IMAGE}\""));
        let expected = [
            "state Pending".to_owned(),
            "state Pending app=waiting:ContainerCreating".into(),
            format!("Pulling x1 {pulling}"),
            format!("Failed x1 {failed}"),
            "Failed x1 Error: ErrImagePull".into(),
            "state Pending app=waiting:ErrImagePull".into(),
            format!("BackOff x1 {backing}"),
            "Failed x1 Error: ImagePullBackOff".into(),
            "state Pending app=waiting:ImagePullBackOff".into(),
            format!("Pulling x2 {pulling}"),
            format!("Failed x2 {failed}"),
            "Failed x2 Error: ErrImagePull".into(),
        ];
        assert_eq!(world.story("app"), expected, "{dialect}");
        let tape = world.tape("app");
        let between = |a: usize, b: usize| tape[b].at - tape[a].at;
        assert!(between(4, 5) <= 1.0, "the second sync follows the next look at the containers");
        assert!((10.0..=16.1).contains(&between(7, 8)));
    }
}

#[tokio::test]
async fn five_minutes_of_a_bad_tag_count_as_recorded() {
    // Recorded: x5 pulls, x15 and x20 in the new one; x4 pulls, then frozen, in the old one.
    for seed in 1..=3 {
        let world = World::new(NEW, seed).await;
        world.pod("app", IMAGE, json!({}));
        world.run(300).await;
        assert_eq!(world.count("app", "Pulling image"), 5);
        assert_eq!(world.count("app", "Failed to pull image"), 5);
        assert_eq!(world.count("app", "Error: ErrImagePull"), 5);
        assert_eq!(world.count("app", "Error: ImagePullBackOff"), 15);
        let backed_off = world.count("app", "Back-off");
        assert!((18..=21).contains(&backed_off), "{backed_off}");

        let world = World::new(OLD, seed).await;
        world.pod("app", IMAGE, json!({}));
        world.run(230).await;
        assert_eq!(world.count("app", "Pulling image"), 4);
        assert_eq!(world.count("app", "Failed to pull image"), 4);
        assert_eq!(world.count("app", "Error: ErrImagePull"), 4);
        let last = (world.count("app", "Back-off"), world.count("app", "Error: ImagePullBackOff"));
        assert!(matches!(last, (7, 6) | (6, 6)), "25 in all: {last:?}");
    }
}

#[tokio::test]
async fn pulls_are_made_when_the_back_off_ends() {
    let world = World::new(NEW, 7).await;
    world.pod("app", IMAGE, json!({}));
    world.run(1000).await;
    let times: Vec<f64> =
        world.tape("app").iter().filter(|s| s.what.contains("Error: ErrImagePull")).map(|s| s.at).collect();
    assert_eq!(world.fake.lines().len(), 8, "what is dropped from the events is pulled all the same");
    for (gap, wait) in times.windows(2).map(|w| w[1] - w[0]).zip([10.0, 20.0, 40.0, 80.0]) {
        assert!((wait..wait + 18.0).contains(&gap), "{gap} after {wait}");
    }
}

#[tokio::test]
async fn the_waiting_message_and_the_conditions_of_the_new_one() {
    let world = World::new(NEW, 1).await;
    world.pod("app", IMAGE, json!({}));
    world.run(16).await;
    let status = world.get("app").unwrap()["status"].clone();
    let container = &status["containerStatuses"][0];
    let waiting = json!({"reason": "ImagePullBackOff",
        "message": format!("Back-off pulling image \"{IMAGE}\": ErrImagePull: {ERROR}")});
    assert_eq!(container["state"]["waiting"], waiting);
    let expected = json!({"name": "app", "state": {"waiting": waiting}, "lastState": {}, "ready": false,
        "restartCount": 0, "image": IMAGE, "imageID": "", "started": false});
    assert_eq!(*container, expected);
    let conditions: Vec<_> = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            assert_eq!(c["observedGeneration"], 1);
            (
                c["type"].as_str().unwrap(),
                c["status"].as_str().unwrap(),
                c["reason"].as_str(),
                c["message"].as_str(),
            )
        })
        .collect();
    let unready = Some("containers with unready status: [app]");
    assert_eq!(
        conditions,
        [
            ("PodReadyToStartContainers", "True", None, None),
            ("Initialized", "True", None, None),
            ("Ready", "False", Some("ContainersNotReady"), unready),
            ("ContainersReady", "False", Some("ContainersNotReady"), unready),
            ("PodScheduled", "True", None, None),
        ]
    );
    assert_eq!(status["podIPs"], json!([{"ip": status["podIP"]}]));
    assert_eq!(status["hostIPs"], json!([{"ip": status["hostIP"]}]));
    assert_eq!((&status["qosClass"], &status["observedGeneration"]), (&json!("BestEffort"), &json!(1)));
}

#[tokio::test]
async fn the_old_one_says_less() {
    let world = World::new(OLD, 1).await;
    world.pod("app", IMAGE, json!({}));
    world.run(16).await;
    let status = world.get("app").unwrap()["status"].clone();
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"]["message"],
        format!("Back-off pulling image \"{IMAGE}\"")
    );
    let kinds: Vec<_> =
        status["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Initialized", "Ready", "ContainersReady", "PodScheduled"]);
    for absent in ["hostIPs", "observedGeneration", "resources"] {
        assert!(status[absent].is_null(), "{absent}");
    }
}

#[tokio::test]
async fn names_that_are_none_and_pulls_that_are_forbidden_have_no_back_off() {
    let cases = [
        (
            NEW,
            "registry.lab.test/Team/App:1.0",
            "InvalidImageName",
            "Failed to apply default image tag \"registry.lab.test/Team/App:1.0\": couldn't parse image name \"registry.lab.test/Team/App:1.0\": invalid reference format: repository name (Team/App) must be lowercase",
        ),
        (
            OLD,
            "registry.lab.test/Team/App:1.0",
            "InvalidImageName",
            "Failed to apply default image tag \"registry.lab.test/Team/App:1.0\": couldn't parse image reference \"registry.lab.test/Team/App:1.0\": invalid reference format: repository name must be lowercase",
        ),
        (
            NEW,
            "registry.lab.test/team/absent:1.0",
            "ErrImageNeverPull",
            "Container image \"registry.lab.test/team/absent:1.0\" is not present with pull policy of Never",
        ),
    ];
    for (dialect, image, reason, message) in cases {
        let world = World::new(dialect, 1).await;
        world.pod("app", image, json!({"containers": [{"imagePullPolicy": "Never"}]}));
        world.run(16).await;
        let event = if reason == "InvalidImageName" { "InspectFailed" } else { reason };
        let one = |n| [format!("{event} x{n} {message}"), format!("Failed x{n} Error: {reason}")];
        let state = format!("state Pending app=waiting:{reason}");
        let story = world.story("app");
        assert_eq!(story[2..4], one(1));
        assert_eq!(story[4..7], [state, one(2)[0].clone(), one(2)[1].clone()]);
        assert_eq!(story[7..], one(3));
        assert!(world.fake.lines().is_empty());
    }
}

#[tokio::test]
async fn a_pull_that_times_out_holds_up_the_others() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world.fake.network.add_host("timeout.lab.test", "172.31.255.15".parse().unwrap());
    world.pod("slow", "timeout.lab.test/team/app:1.0", json!({}));
    world.run(5).await;
    world.pod("good", "registry.lab.test/team/app:1.0", json!({}));
    world.run(60).await;
    let pulled = world.story("good").into_iter().find(|s| s.starts_with("Pulled")).unwrap();
    let waiting = pulled.split('(').nth(1).unwrap().split('s').next().unwrap().parse::<f64>().unwrap();
    assert!((24.0..29.0).contains(&waiting), "{pulled}");
    let timeout = "Failed x1 Failed to pull image \"timeout.lab.test/team/app:1.0\": rpc error: code = DeadlineExceeded";
    assert!(world.story("slow").iter().any(|s| s.starts_with(timeout)));
}

#[tokio::test]
async fn an_init_container_keeps_the_others_waiting() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/app", "1.0", &json!({}));
    world.pod(
        "app",
        "registry.lab.test/team/app:1.0",
        json!({
        "initContainers": [{"name": "setup", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}]}),
    );
    world.run(16).await;
    let states: Vec<_> = world.story("app").into_iter().filter(|s| s.starts_with("state")).collect();
    assert_eq!(
        states,
        [
            "state Pending",
            "state Pending setup=waiting:PodInitializing app=waiting:PodInitializing",
            "state Pending setup=waiting:ErrImagePull app=waiting:PodInitializing",
            "state Pending setup=waiting:ImagePullBackOff app=waiting:PodInitializing",
        ]
    );
    let conditions = world.get("app").unwrap()["status"]["conditions"].clone();
    assert_eq!(conditions[1]["reason"], "ContainersNotInitialized");
    assert_eq!(conditions[1]["message"], "containers with incomplete status: [setup]");
    world.fake.image("team/app", "9.9", &json!({}));
    world.run(60).await;
    let states: Vec<_> = world.story("app").into_iter().filter(|s| s.starts_with("state")).collect();
    assert_eq!(states.last().unwrap(), "state Running setup=terminated:Completed app=running");
}

#[tokio::test]
async fn a_new_image_is_tried_at_once() {
    let world = World::new(NEW, 1).await;
    world.fake.image("team/app", "2.0", &json!({}));
    world.pod("app", IMAGE, json!({}));
    world.run(100).await;
    let before = world.tape("app").len();
    let edited = world.clock.now().duration_since(world.began()).as_secs_f64();
    world.edit("app", |pod| pod["spec"]["containers"][0]["image"] = json!("registry.lab.test/team/app:2.0"));
    world.run(5).await;
    let after = &world.tape("app")[before..];
    assert!(
        after[1].what.starts_with("Pulling x1 Pulling image \"registry.lab.test/team/app:2.0\""),
        "{after:?}"
    );
    assert!((after[1].at - edited).abs() < 0.001);
    assert!(after.iter().any(|s| s.what == "state Running app=running"));
}

#[tokio::test]
async fn ten_minutes_of_a_live_clock_pass_in_an_instant() {
    let clock = Clock::live();
    let world = World::with_clock(NEW, 1, clock.clone()).await;
    let store = world.api.store().clone();
    clock.on_advance(move |by| store.shift_times(by));
    world.pod("app", IMAGE, json!({}));
    clock.advance(SignedDuration::from_mins(10)).await;
    assert_eq!(world.fake.lines().len(), 6);
    assert_eq!(world.count("app", "Pulling image"), 5);
    let status = world.get("app").unwrap()["status"].clone();
    let started: jiff::Timestamp = status["startTime"].as_str().unwrap().parse().unwrap();
    let age = real::now().duration_since(started).as_secs();
    assert!((590..700).contains(&age), "{age}");
}

#[tokio::test]
async fn a_container_that_starts_beside_the_failing_one_brings_a_second_back_off_at_once_or_does_not() {
    // Recorded beside a good container (1.20): back-offs 0.9 and 1.9 seconds after the first failure, as the node
    // noticed the sandbox during the first sync, and the good container after its end.
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=16 {
        let world = World::new(OLD, seed).await;
        world.fake.image("team/good", "1.0", &json!({}));
        let good = json!({"name": "good", "image": "registry.lab.test/team/good:1.0", "imagePullPolicy": "IfNotPresent"});
        let app = json!({"name": "app", "image": IMAGE, "imagePullPolicy": "IfNotPresent"});
        world.pod("both", "", json!({"containers": [good, app]}));
        world.run(10).await;
        let tape = world.tape("both");
        let backed_off: Vec<f64> =
            tape.iter().filter(|s| s.what.starts_with("BackOff")).map(|s| s.at).collect();
        let failed = tape.iter().find(|s| s.what.contains("ErrImagePull")).unwrap().at;
        assert!(backed_off[0] - failed <= 1.0, "{tape:?}");
        if let [first, second] = backed_off[..] {
            assert!((0.9..=1.1).contains(&(second - first)), "{backed_off:?}");
        }
        seen.insert(backed_off.len());
    }
    assert_eq!(seen, [1, 2].into());
}

#[tokio::test]
async fn what_crio_calls_an_unavailable_registry_or_a_bad_signature_is_the_reason() {
    let image = "refused.lab.test/team/app:1.0";
    let cause = "pinging container registry refused.lab.test: Get \"https://refused.lab.test/v2/\": dial tcp \
        172.31.255.14:443: connect: connection refused";
    let world = World::new(CRIO, 1).await;
    world.fake.refuse("refused.lab.test", "172.31.255.14");
    world.pod("app", image, json!({}));
    world.fake.image("team/app", "1.0", &json!({}));
    world.fake.network.demand_signatures("registry.lab.test");
    world.pod("unsigned", "registry.lab.test/team/app:1.0", json!({}));
    world.run(18).await;
    let expected = [
        "state Pending".to_owned(),
        "state Pending app=waiting:ContainerCreating".into(),
        format!("Pulling x1 Pulling image \"{image}\""),
        format!("Failed x1 Failed to pull image \"{image}\": RegistryUnavailable: {cause}"),
        "Failed x1 Error: RegistryUnavailable".into(),
        "state Pending app=waiting:RegistryUnavailable".into(),
        format!("BackOff x1 Back-off pulling image \"{image}\""),
        "Failed x1 Error: ImagePullBackOff".into(),
    ];
    assert_eq!(world.story("app")[..8], expected);
    let unsigned = world.story("unsigned");
    assert!(unsigned.contains(&"Failed x1 Error: SignatureValidationFailed".to_owned()), "{unsigned:?}");
    let messages: Vec<String> = world
        .messages("unsigned")
        .into_iter()
        .filter(|message| message.starts_with("image pull failed for"))
        .collect();
    assert_eq!(
        messages,
        [
            "image pull failed for registry.lab.test/team/app:1.0 because the signature validation failed: Source image \
          rejected: A signature was required, but no signature exists"
        ]
    );
    let waits = world.messages("app");
    assert!(
        waits
            .contains(&format!("image pull failed for {image} because the registry is unavailable: {cause}")),
        "{waits:?}"
    );
}

/// What a damaged image store says, and what kubelets make of it.
const DAMAGE: &str = "failed to get image from containerd: content digest sha256:0: not found";

#[tokio::test]
async fn a_runtime_that_answers_an_error_about_an_image() {
    const IMAGE: &str = "registry.lab.test/team/app:1.0";
    for (dialect, shown) in [(OLD, IMAGE), (CRIO, IMAGE), (NEW, "")] {
        let world = World::new(dialect, 1).await;
        let reference = crate::puller::Reference::parse(IMAGE).unwrap();
        let damage =
            |error: Option<&str>| world.pullers.lock()[0].damage(&reference, error.map(str::to_owned));
        damage(Some(DAMAGE));
        world.pod("app", IMAGE, json!({}));
        world.run(60).await;
        let error = format!("Failed to inspect image \"{shown}\": rpc error: code = Unknown desc = {DAMAGE}");
        let story = world.story("app");
        let expected = [
            "state Pending".to_owned(),
            "state Pending app=waiting:ContainerCreating".into(),
            format!("InspectFailed x1 {error}"),
            "Failed x1 Error: ImageInspectError".into(),
            "state Pending app=waiting:ImageInspectError".into(),
            format!("InspectFailed x2 {error}"),
            "Failed x2 Error: ImageInspectError".into(),
        ];
        assert_eq!(story[..7], expected, "{dialect}");
        assert_eq!(world.messages("app"), [error], "{dialect}");
        assert!(world.count("app", "Failed to inspect") >= 5, "there is no back-off: {dialect}");
        assert_eq!((world.count("app", "Pulling"), world.fake.lines().len()), (0, 0), "{dialect}");
        // With a pull in any case new kubelets don't ask, and old ones do.
        world.pod("always", IMAGE, json!({"containers": [{"imagePullPolicy": "Always"}]}));
        world.run(20).await;
        let pulls = world.count("always", "Pulling image");
        let inspects = world.count("always", "Failed to inspect");
        assert_eq!((pulls > 0, inspects > 0), (dialect == NEW, dialect != NEW), "{dialect}");
        damage(None);
        world.run(30).await;
        assert!(world.count("app", "Pulling image") > 0, "a store that is well again is asked again");
    }
}
