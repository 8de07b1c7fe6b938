//! Containers that are asked to go: those that do, and those that have to be killed.

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::world::{NEW, OLD, World, key};
use crate::{
    api::{DeleteOptions, User},
    streams::{Containers, Ended, Wanted, session},
};

const TOOL: &str = "registry.lab.test/team/tool:1.0";

async fn world(dialect: &str) -> World {
    let world = World::new(dialect, 1).await;
    world.fake.image("team/tool", "1.0", &json!({"pulldrill.programs": "sh sleep echo true"}));
    world.fake.image("team/app", "1.0", &json!({}));
    world
}

fn shell(script: &str) -> Value {
    json!({"containers": [{"command": ["sh", "-c", script]}]})
}

/// How the container of a pod that has gone had ended, and after how many seconds the pod was gone.
fn end(world: &World, name: &str, from: f64) -> (Value, f64) {
    let last = world.statuses(name).pop().unwrap();
    let gone = world.tape(name).into_iter().find(|seen| seen.what == "gone").map_or(f64::NAN, |seen| seen.at);
    (last["containerStatuses"][0]["state"]["terminated"].clone(), gone - from)
}

#[tokio::test]
async fn a_first_process_that_does_not_listen_is_killed_when_the_grace_is_over() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        world.pod("loop", TOOL, shell("while true; do sleep 1; done"));
        let short =
            json!({"terminationGracePeriodSeconds": 5, "containers": [{"command": ["sleep", "1000"]}]});
        world.pod("short", TOOL, short);
        world.pod("deaf", TOOL, shell("trap '' TERM; while true; do sleep 1; done"));
        world.pod("listens", TOOL, shell("trap 'echo bye; exit 7' TERM; while true; do sleep 1; done"));
        let shared = json!({"shareProcessNamespace": true, "containers": [{"command": ["sleep", "1000"]}]});
        world.pod("shared", TOOL, shared);
        world.pod("serves", "registry.lab.test/team/app:1.0", json!({}));
        world.run(10).await;
        let all = ["loop", "short", "deaf", "listens", "shared", "serves"];
        all.iter().for_each(|name| world.delete(name));
        world.run(3).await;
        assert_eq!(world.get("loop").unwrap()["status"]["containerStatuses"][0]["ready"], true);
        world.run(40).await;
        for (name, code, seconds) in [
            ("loop", 137, 30.0..32.0),
            ("short", 137, 5.0..7.0),
            ("deaf", 137, 30.0..32.0),
            ("listens", 7, 0.0..3.0),
            ("shared", 143, 0.0..3.0),
            ("serves", 0, 0.0..3.0),
        ] {
            let (ended, took) = end(&world, name, 10.0);
            assert_eq!(ended["exitCode"], code, "{name}: {ended}");
            assert!(seconds.contains(&took), "{name} took {took} s");
        }
    }
}

#[tokio::test]
async fn who_does_not_want_to_wait_can_say_so_later() {
    let world = world(NEW).await;
    for name in ["hurried", "forced"] {
        world.pod(name, TOOL, shell("sleep 1000"));
    }
    world.run(10).await;
    let delete = |name: &str, seconds: i64| {
        let options = DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() };
        world.api.delete(&User::controller("test"), "pods", &key(name), &options).unwrap();
    };
    world.delete("hurried");
    world.delete("forced");
    world.run(5).await;
    delete("hurried", 4);
    delete("forced", 0);
    assert!(world.get("forced").is_none());
    world.run(20).await;
    let (ended, took) = end(&world, "hurried", 15.0);
    assert_eq!(ended["exitCode"], 137);
    assert!((4.0..6.0).contains(&took), "{took}");
    let forced = world.story("forced");
    assert_eq!(forced.iter().filter(|line| line.starts_with("Killing")).count(), 1, "{forced:#?}");
}

#[tokio::test]
async fn a_changed_image_waits_for_what_runs() {
    let world = world(NEW).await;
    world.fake.image("team/tool", "2.0", &json!({"pulldrill.programs": "sh sleep echo true"}));
    let mut more = shell("sleep 1000");
    more["terminationGracePeriodSeconds"] = json!(20);
    world.pod("app", TOOL, more);
    world.run(10).await;
    world.edit("app", |pod| pod["spec"]["containers"][0]["image"] = json!("registry.lab.test/team/tool:2.0"));
    world.run(15).await;
    let container = || world.get("app").unwrap()["status"]["containerStatuses"][0].clone();
    assert_eq!(container()["restartCount"], 0);
    world.run(15).await;
    assert_eq!((&container()["restartCount"], &container()["ready"]), (&json!(1), &json!(true)));
    assert_eq!(container()["lastState"]["terminated"]["exitCode"], 137);
    assert_eq!(container()["image"], "registry.lab.test/team/tool:2.0");
}

#[tokio::test]
async fn a_server_has_a_shell_beside_it_which_can_end_it() {
    let world = world(NEW).await;
    world.fake.image("team/nginx", "1.0", &json!({}));
    world.pod("web", "registry.lab.test/team/nginx:1.0", json!({}));
    world.pod("own", "registry.lab.test/team/nginx:1.0", shell("nginx -g 'daemon off;'"));
    world.run(10).await;
    let uid = world.get("web").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let run = async |script: &str| {
        let (near, far) = session(Wanted { stdin: false, stdout: true, stderr: false, tty: false });
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let running = world.runtime().exec(&uid, "app", words, near).unwrap();
        let (mut out, mut stdout) = (String::new(), far.stdout.unwrap());
        let (ended, read) = tokio::join!(running, stdout.read_to_string(&mut out));
        read.unwrap();
        (ended, out)
    };
    assert_eq!(
        run("echo hi; kill -9 1; kill -0 1; kill 7 2>/dev/null || echo none").await,
        (Ended::Exit(0), "hi\nnone\n".to_owned())
    );
    world.run(5).await;
    let container = |name: &str| world.get(name).unwrap()["status"]["containerStatuses"][0].clone();
    assert_eq!(container("web")["restartCount"], 0);
    run("kill 1").await;
    world.run(5).await;
    let web = container("web");
    assert_eq!((&web["restartCount"], &web["ready"]), (&json!(1), &json!(true)), "{web}");
    assert_eq!(web["lastState"]["terminated"]["exitCode"], 0);
    assert_eq!((&container("own")["restartCount"], &container("own")["ready"]), (&json!(0), &json!(true)));
    world.delete("web");
    world.run(4).await;
    assert!(world.get("web").is_none());
}
