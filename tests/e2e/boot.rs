//! Booting, being refused, ending, and coming back after a crash.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Lab, kubectls, pulldrill, until};

/// What each scenario's stuck pod says, on the default dialect.
const SYMPTOMS: &[(&str, &str)] = &[
    ("wrong-tag", ": not found"),
    ("missing-pull-secret", "no basic auth credentials"),
    ("expired-token", "403 Forbidden"),
    ("blocked-registry", "i/o timeout"),
    ("hub-rate-limit", "429 Too Many Requests"),
];

/// Namespace, waiting reason and waiting message of every container that can't be pulled.
fn stuck(pods: &str) -> Result<Vec<(String, String, String)>> {
    let pods: Value = serde_json::from_str(pods)?;
    let mut found = Vec::new();
    for pod in pods["items"].as_array().context("items")? {
        for container in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
            let waiting = &container["state"]["waiting"];
            let reason = waiting["reason"].as_str().unwrap_or_default();
            if matches!(reason, "ErrImagePull" | "ImagePullBackOff") {
                let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                found.push((
                    text(&pod["metadata"]["namespace"]),
                    reason.to_owned(),
                    text(&waiting["message"]),
                ));
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_symptoms_are_there_at_once_and_as_old_as_the_stories_say() -> Result<()> {
    for (_, kubectl) in kubectls() {
        let lab = Lab::up(&["--seed", "7"]).await?;
        let found = stuck(&lab.kubectl_ok(&kubectl, &["get", "pods", "-A", "-o", "json"])?)?;
        for (scenario, words) in SYMPTOMS {
            let (_, namespace) = lab.drill_of(scenario)?;
            let (_, _, message) = found.iter().find(|f| f.0 == namespace).context(*scenario)?;
            assert!(message.contains(words), "{scenario}: {message}");
        }
        let table = lab.kubectl_ok(&kubectl, &["get", "pods", "-A"])?;
        assert!(table.lines().filter(|l| l.contains("ImagePull")).count() >= 5, "{table}");
        assert!(table.contains("Running"), "old pods keep running:\n{table}");
        let mut nodes = lab.kubectl_ok(&kubectl, &["get", "nodes", "-o", "name"])?.lines().count();
        nodes -= 2;
        assert_eq!(nodes, 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_history_the_symptoms_come_at_the_times_of_a_real_kubelet() -> Result<()> {
    for (_, kubectl) in kubectls().into_iter().take(1) {
        let lab = Lab::up(&["--no-history"]).await?;
        let mut reasons = until(Duration::from_secs(60), "five symptoms", async || {
            let found = stuck(&lab.kubectl_ok(&kubectl, &["get", "pods", "-A", "-o", "json"])?)?;
            let namespaces: std::collections::BTreeSet<_> = found.iter().map(|f| f.0.clone()).collect();
            Ok((namespaces.len() == 5).then_some(found))
        })
        .await?;
        reasons.sort();
        let (_, namespace) = lab.drill_of("wrong-tag")?;
        let events = lab.kubectl_ok(&kubectl, &["get", "events", "-n", &namespace, "-o", "json"])?;
        let events: Value = serde_json::from_str(&events)?;
        let pulling = events["items"]
            .as_array()
            .context("items")?
            .iter()
            .find(|e| e["reason"] == "Pulling" && e["count"].as_u64().unwrap_or(0) >= 2);
        let pulling = pulling.context("a second pull within the time that a dial timeout needs")?;
        let second = |field: &str| -> Result<i64> {
            let time: jiff::Timestamp = pulling[field].as_str().context("time")?.parse()?;
            Ok(time.as_second())
        };
        let per_pull = (second("lastTimestamp")? - second("firstTimestamp")?)
            / (pulling["count"].as_i64().context("count")? - 1);
        assert!((9..=34).contains(&per_pull), "{pulling}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_up_is_refused_and_a_clean_end_leaves_room_for_the_next() -> Result<()> {
    let mut lab = Lab::up(&["--scenario", "wrong-tag"]).await?;
    let second = lab.pulldrill(&["up", "--scenario", "wrong-tag", "--listen", "127.0.0.1:0"])?;
    assert_ne!(second.status.code(), Some(0));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already") || said.contains("running"), "{said}");
    assert_eq!(lab.end(Signal::INT).await?, Some(0));
    assert!(!lab.dir().join("lab.json").exists(), "lab.json says that a lab runs here");
    let status = lab.pulldrill(&["status"])?;
    assert_ne!(status.status.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_was_killed_can_be_started_again() -> Result<()> {
    let mut lab = Lab::up(&["--scenario", "wrong-tag"]).await?;
    lab.end(Signal::KILL).await?;
    assert!(lab.dir().join("lab.json").exists());
    let status = lab.pulldrill(&["status"])?;
    assert_ne!(status.status.code(), Some(0), "a dead lab must not look alive");
    let again = pulldrill(lab.root())
        .args(["up", "--scenario", "wrong-tag", "--listen", "127.0.0.1:0", "--detach"])
        .output()?;
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(lab.pulldrill(&["status"])?.status.code(), Some(0));
    let down = lab.pulldrill(&["down"])?;
    assert_eq!(down.status.code(), Some(0), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(!lab.dir().join("lab.json").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_is_told_with_what_to_do() -> Result<()> {
    let root = tempfile::TempDir::new()?;
    let occupied = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = occupied.local_addr()?.to_string();
    let file = root.path().join("a-file");
    std::fs::write(&file, "in the way")?;
    let blocked = file.join("lab");
    let cases: &[(&[&str], &str)] = &[
        (&["up", "--listen", &address], &address),
        (&["up", "--dir", blocked.to_str().context("path")?], "a-file"),
        (&["up", "--scenario", "no-such-thing"], "no-such-thing"),
        (&["up", "--dialect", "k8s-0.1"], "k8s-0.1"),
        (&["up", "--dialect", "k8s-0.1"], "k8s-1.31-cri-o-1.31"),
        (&["up", "--listen", "nonsense"], "nonsense"),
        (&["status"], "up"),
        (&["frobnicate"], "frobnicate"),
    ];
    for (args, word) in cases {
        let output = pulldrill(root.path()).args(*args).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(2 | 3)), "{args:?}: {:?} {said}", output.status);
        assert!(said.contains(word) && !said.contains("panicked"), "{args:?}: {said}");
    }
    Ok(())
}
