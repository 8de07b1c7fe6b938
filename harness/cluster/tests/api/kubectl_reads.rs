//! Unmodified kubectls, old and new: what containers print, now, later and before, and ports of pods.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use jiff::SignedDuration;
use pulldrill_clock::Clock;
use serde_json::{Value, json};

use crate::kubectls::{Going, Kubectl, each};

/// Makes objects as `kubectl create -f -` does.
fn create(kubectl: &Kubectl<'_>, object: &Value) {
    let (code, _, err) = kubectl.run(&["create", "-f", "-"], object.to_string().as_bytes());
    assert_eq!(code, Some(0), "{err}");
}

fn pod(name: &str, restart: &str, container: Value) -> Value {
    let mut container = container;
    container["name"] = "main".into();
    container["image"] = "busybox:1".into();
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "labels": {"app": "talks"}}, "spec": {
        "restartPolicy": restart, "terminationGracePeriodSeconds": 0, "containers": [container]}})
}

fn shell(script: &str) -> Value {
    json!({"command": ["sh", "-c", script]})
}

/// Says one thing, and another when a file is there; then it ends.
fn told(code: u8) -> Value {
    shell(&format!("echo before; until test -f /go; do sleep 0.1; done; echo after; exit {code}"))
}

fn tell(kubectl: &Kubectl<'_>, pod: &str) {
    let (code, _, err) = kubectl.run(&["exec", pod, "--", "touch", "/go"], b"");
    assert_eq!(code, Some(0), "{err}");
}

fn wait(kubectl: &Kubectl<'_>, pod: &str) {
    let (code, _, err) = kubectl.run(&["wait", "--for=condition=Ready", "--timeout=60s", pod], b"");
    assert_eq!(code, Some(0), "{err}");
}

fn output(kubectl: &Kubectl<'_>, arguments: &[&str]) -> String {
    let (code, out, err) = kubectl.run(arguments, b"");
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    String::from_utf8(out).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_followed_to_the_end() {
    each(|version, kubectl, _| {
        create(kubectl, &pod("talks", "Never", told(0)));
        wait(kubectl, "pod/talks");
        let mut follow = kubectl.start(&["logs", "-f", "talks"]);
        assert_eq!(follow.line(), "before", "{version}");
        tell(kubectl, "talks");
        assert_eq!(follow.end(), (Some(0), "after\n".into(), String::new()), "{version}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_before_the_restart_has_its_log() {
    each(|version, kubectl, _| {
        create(kubectl, &pod("talks", "Always", told(1)));
        wait(kubectl, "pod/talks");
        let (code, _, err) = kubectl.run(&["logs", "--previous", "talks"], b"");
        let none = "previous terminated container \"main\" in pod \"talks\" not found";
        assert!(code == Some(1) && err.contains(none), "{version}: {err}");
        // A follower is done when the container is; the next run is another's.
        let mut follow = kubectl.start(&["logs", "-f", "talks"]);
        assert_eq!(follow.line(), "before", "{version}");
        tell(kubectl, "talks");
        assert_eq!(follow.end(), (Some(0), "after\n".into(), String::new()), "{version}");
        let count = ["get", "pod", "talks", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"];
        while output(kubectl, &count) != "1" {}
        wait(kubectl, "pod/talks");
        assert_eq!(output(kubectl, &["logs", "-p", "talks"]), "before\nafter\n", "{version}");
        assert_eq!(output(kubectl, &["logs", "talks", "-c", "main"]), "before\n", "{version}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_many_pods_and_of_a_time() {
    each(|version, kubectl, clock: &Clock| {
        let template = json!({"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "busybox:1", "command": ["sh", "-c", "echo hello; sleep infinity"]}]}});
        create(
            kubectl,
            &json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}}),
        );
        assert!(output(kubectl, &["rollout", "status", "deployment/web", "--timeout=60s"]).ends_with("rolled out\n"));
        let both = output(kubectl, &["logs", "-l", "app=web", "--prefix"]);
        let lines: Vec<&str> = both.lines().collect();
        assert_eq!(lines.len(), 2, "{version}: {both}");
        assert!(
            lines.iter().all(|line| line.starts_with("[pod/web-") && line.ends_with("/main] hello"))
                && lines[0] != lines[1],
            "{version}: {both}"
        );
        let (code, out, err) = kubectl.run(&["logs", "deploy/web"], b"");
        assert_eq!((code, out.as_slice()), (Some(0), &b"hello\n"[..]), "{version}: {err}");
        assert!(err.starts_with("Found 2 pods, using pod/web-"), "{version}: {err}");
        tokio::runtime::Handle::current().block_on(clock.advance(SignedDuration::from_hours(1)));
        let since = |since: &str| output(kubectl, &["logs", "box", "-c", "box", since]);
        assert_eq!(since("--since=10m"), "", "{version}");
        assert_eq!(since("--since=2h"), "first\nsecond\n", "{version}");
        assert_eq!(since("--tail=1"), "second\n", "{version}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attached_to_the_first_process() {
    each(|version, kubectl, _| {
        let mut reads = shell("while read x; do echo got $x; done; echo done");
        reads["stdin"] = true.into();
        reads["stdinOnce"] = true.into();
        create(kubectl, &pod("reads", "Never", reads));
        wait(kubectl, "pod/reads");
        let (code, out, err) = kubectl.run(&["attach", "reads", "-c", "main", "-i"], b"one\ntwo\n");
        assert_eq!((code, out.as_slice()), (Some(0), &b"got one\ngot two\ndone\n"[..]), "{version}: {err}");
        create(kubectl, &pod("ticks", "Never", shell("while true; do echo tick; sleep 0.2; done")));
        wait(kubectl, "pod/ticks");
        let mut attached: Going = kubectl.start(&["attach", "ticks"]);
        assert_eq!([attached.line(), attached.line()], ["tick", "tick"], "{version}");
        output(kubectl, &["delete", "pod", "ticks"]);
        let (code, rest, err) = attached.end();
        assert!(code == Some(0) && rest.replace("tick\n", "").is_empty(), "{version}: {rest} {err}");
    })
    .await;
}

/// Many requests at once on one connection: how many answers came.
fn ask(port: u16) -> usize {
    const TIMES: usize = 1000;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut sending = stream.try_clone().unwrap();
    let long = "x".repeat(1000);
    let sender = std::thread::spawn(move || {
        for n in 1..=TIMES {
            let last = if n == TIMES { "Connection: close\r\n" } else { "" };
            let request = format!("GET /{n} HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n{last}\r\n");
            sending.write_all(request.as_bytes()).unwrap();
        }
        sending.shutdown(Shutdown::Write).unwrap();
    });
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    sender.join().unwrap();
    assert_eq!(answers.matches("\r\n\r\nweb\n").count(), TIMES, "{} bytes", answers.len());
    answers.matches("HTTP/1.1 200 OK\r\n").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_carry_bytes_both_ways() {
    each(|version, kubectl, _| {
        let mut served = pod("served", "Always", json!({}));
        served["spec"]["containers"][0]["image"] = "web:1".into();
        create(kubectl, &served);
        wait(kubectl, "pod/served");
        let mut forward =
            kubectl.start(&["port-forward", "--address=127.0.0.1", "pod/served", ":8080", ":81"]);
        let mut port = |to: &str| -> u16 {
            let line = forward.line();
            let port = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|l| l.strip_suffix(to));
            port.unwrap_or_else(|| panic!("{version}: {line:?} {}", forward.stop())).parse().unwrap()
        };
        let [open, closed] = [port(" -> 8080"), port(" -> 81")];
        let asking: Vec<_> = (0..3).map(|_| std::thread::spawn(move || ask(open))).collect();
        for asked in asking {
            assert_eq!(asked.join().unwrap(), 1000, "{version}");
        }
        let mut refused = TcpStream::connect(("127.0.0.1", closed)).unwrap();
        let mut nothing = Vec::new();
        let _cut_off = refused.read_to_end(&mut nothing);
        assert!(nothing.is_empty(), "{version}");
        let errors = forward.stop();
        assert!(errors.contains("error forwarding port 81 to pod"), "{version}: {errors}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_described_with_what_is_behind_them() {
    each(|version, kubectl, _| {
        let port = json!([{"port": 80, "targetPort": 8080}]);
        let service = |name: &str| {
            json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": port}})
        };
        create(kubectl, &service("talks"));
        create(kubectl, &service("none"));
        create(kubectl, &pod("talks", "Never", shell("sleep infinity")));
        wait(kubectl, "pod/talks");
        let address = output(kubectl, &["get", "pod", "talks", "-o", "jsonpath={.status.podIP}"]);
        let behind = |name: &str| {
            let described = output(kubectl, &["describe", "service", name]);
            let told = described.lines().find_map(|line| line.strip_prefix("Endpoints:"));
            told.unwrap_or_else(|| panic!("{version}: {described}")).trim().to_owned()
        };
        assert_eq!(behind("talks"), format!("{address}:8080"), "{version}");
        assert!(["", "<none>"].contains(&&*behind("none")), "{version}");
    })
    .await;
}
