//! The rendered file, and programs in the place of `kind`.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::backend::kind::{folder::Record, process::end_left_over};

fn spec(nodes: usize, image: Option<&str>) -> ClusterSpec {
    ClusterSpec { nodes, image: image.map(str::to_owned) }
}

#[test]
fn the_file_has_one_control_plane_and_the_other_nodes_are_workers() {
    let text = spec(3, Some("here/node:v1")).render("lab-1").unwrap();
    let file: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(file["name"], "lab-1");
    let roles: Vec<_> =
        file["nodes"].as_array().unwrap().iter().map(|n| n["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["control-plane", "worker", "worker"]);
    assert!(file["nodes"].as_array().unwrap().iter().all(|node| node["image"] == "here/node:v1"));
    let kubelet = file["kubeadmConfigPatches"][0].as_str().unwrap();
    let kubelet: serde_json::Value = serde_saphyr::from_str(kubelet).unwrap();
    assert_eq!(kubelet["serializeImagePulls"], false);
    assert_eq!(kubelet["registryPullQPS"], 0);
    assert!(!text.contains("{{"), "{text}");
    let plain: serde_json::Value = serde_saphyr::from_str(&spec(1, None).render("a").unwrap()).unwrap();
    assert!(plain["nodes"][0].get("image").is_none());
}

#[test]
fn names_that_would_break_the_file_are_refused() {
    for name in ["", "-a", "a-", "A", "a b", "a\nkind: x", &"a".repeat(41)] {
        assert!(spec(1, None).render(name).is_err(), "{name:?}");
    }
    assert!(spec(1, Some("a\"\n- role: worker")).render("a").is_err());
    assert!(spec(0, None).render("a").unwrap_err().to_string().contains("--nodes"));
}

#[test]
fn a_program_that_is_named_has_to_be_there() {
    assert!(find_program(Some(Path::new("/no/kind"))).unwrap_err().to_string().contains("/no/kind"));
    assert_eq!(find_program(Some(Path::new("/bin/sh"))).unwrap(), Path::new("/bin/sh"));
}

/// A folder, and a script in the place of `kind`.
fn stand_in(script: &str) -> (tempfile::TempDir, KindFolder, Command) {
    let lab = tempfile::tempdir().unwrap();
    let folder = KindFolder::make(lab.path()).unwrap();
    let owner = Owner { id: "1".into(), name: "a".into() };
    folder.write_record(&Record { owner, network: None }).unwrap();
    let file = lab.path().join("kind.sh");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg(&file).arg(CONFIG).arg(folder.cluster());
    (lab, folder, command)
}

#[tokio::test]
async fn the_program_sees_our_engine_and_network_and_settings_without_proxies() {
    let (lab, folder, _) = stand_in("");
    let mine = lab.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("config.json"), r#"{"proxies":{"default":{"httpProxy":"http://bad"}}}"#)
        .unwrap();
    let mut command = Command::new("/bin/sh");
    let script =
        "echo $DOCKER_HOST $KIND_EXPERIMENTAL_DOCKER_NETWORK; cat $DOCKER_CONFIG/config.json; exit 1";
    command.args(["-c", script]).env("DOCKER_CONFIG", &mine);
    let owner = Owner { id: "1".into(), name: "a".into() };
    environment::set(&mut command, Some(&mine), "unix:///x", &owner, &folder).unwrap();
    let KindError::Kind { tail, .. } = run(command, &folder, &CancellationToken::new()).await.unwrap_err()
    else {
        panic!("it ended well");
    };
    assert_eq!(tail, "unix:///x pulldrill-a\n{}");
}

#[tokio::test]
async fn the_end_of_the_log_is_in_the_error() {
    let (_lab, folder, command) = stand_in("echo all is well; echo 'no such image' >&2; exit 7");
    let error = run(command, &folder, &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(error.contains("no such image") && error.contains('7') && error.contains("kind.log"), "{error}");
}

/// Whether a process of this number runs.
fn runs(id: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    !(state.is_empty() || state.contains(") Z "))
}

/// Waits for a file to have something in it.
async fn content(file: &Path) -> String {
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => pulldrill_clock::real::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test]
async fn stopping_ends_what_the_program_has_started_too() {
    let (lab, folder, command) = stand_in("sleep 600 & echo $! >\"${0%.sh}.child\"; wait");
    let stop = CancellationToken::new();
    let (folder2, stop2) = (folder.clone(), stop.clone());
    let running = tokio::spawn(async move { run(command, &folder2, &stop2).await });
    let child = content(&lab.path().join("kind.child")).await;
    assert!(runs(&child));
    stop.cancel();
    assert!(matches!(running.await.unwrap(), Err(KindError::Stopped)));
    while runs(&child) {
        pulldrill_clock::real::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_program_that_outlived_its_lab_is_told_from_any_other() {
    let (lab, folder, mut command) = stand_in("sleep 600 & echo $! >\"${0%.sh}.child\"; wait");
    lead_group(&mut command);
    let mut child = command.spawn().unwrap();
    let grandchild = content(&lab.path().join("kind.child")).await;
    assert!(!end_left_over(Path::new("/another/lab/cluster.yaml")));
    assert!(child.try_wait().unwrap().is_none(), "a process that is not ours was ended");
    // Nothing of it is written down anywhere.
    assert!(end_left_over(&folder.cluster()));
    assert!(!child.wait().await.unwrap().success());
    while runs(&grandchild) {
        pulldrill_clock::real::sleep(Duration::from_millis(10)).await;
    }
    assert!(!end_left_over(&folder.cluster()), "it is found after its end");
}
