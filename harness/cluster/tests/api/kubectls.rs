//! Unmodified kubectls, old and new, with streams into containers. What they read and forward is in `kubectl_reads`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use pulldrill_clock::Clock;
use pulldrill_cluster::Principal;

use crate::{programs::every_kubectl, streams::with_pod, world::World};

pub(crate) struct Kubectl<'a> {
    pub(crate) program: &'a Path,
    pub(crate) kubeconfig: &'a Path,
}

impl Kubectl<'_> {
    /// Code, output, errors.
    pub(crate) fn run(&self, arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
        let mut child = self.spawn(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// One that goes on while others run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Going {
        let mut child = self.spawn(arguments);
        let output = BufReader::new(child.stdout.take().unwrap());
        Going { child, output }
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        Command::new(self.program)
            .arg("--kubeconfig")
            .arg(self.kubeconfig)
            .arg("--cache-dir")
            .arg(self.kubeconfig.with_file_name("cache"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// A kubectl that has not ended. It is ended with its owner.
pub(crate) struct Going {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Going {
    /// The next line of its output, without the end of the line; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// Waits for its end: code, the rest of the output, errors.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), rest, errors)
    }

    /// Ends it, and says what it had complained about.
    pub(crate) fn stop(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// Every kubectl, against a world of its own, whose clock it may move.
pub(crate) async fn each(test: impl Fn(&str, &Kubectl<'_>, &Clock) + Send + Sync + Copy + 'static) {
    for (version, program) in every_kubectl() {
        let world: World = with_pod().await;
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = dir.path().join("config");
        std::fs::write(&kubeconfig, world.cluster.kubeconfig(Principal::Admin)).unwrap();
        let clock = world.clock.clone();
        let run = move || {
            let kubectl = Kubectl { program: &program, kubeconfig: &kubeconfig };
            test(&version, &kubectl, &clock);
            drop(dir);
        };
        tokio::task::spawn_blocking(run).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_runs_commands() {
    each(|version, kubectl, _| {
        let exec = |more: &[&str], input: &[u8]| {
            let mut arguments = vec!["exec", "box", "-c", "box"];
            arguments.extend(more);
            kubectl.run(&arguments, input)
        };
        assert_eq!(exec(&["--", "echo", "hi"], b""), (Some(0), b"hi\n".to_vec(), String::new()), "{version}");
        let (code, out, err) = exec(&["--", "sh", "-c", "echo out; echo err >&2; exit 3"], b"");
        assert_eq!((code, out.as_slice()), (Some(3), &b"out\n"[..]), "{version}: {err}");
        assert!(
            err.contains("err\n") && err.contains("command terminated with exit code 3"),
            "{version}: {err}"
        );
        let blob: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (code, out, err) = exec(&["-i", "--", "cat"], &blob);
        assert!(code == Some(0) && out == blob, "{version}: {} bytes came back: {err}", out.len());
        let (code, _, err) = exec(&["--", "nope"], b"");
        assert_eq!(code, Some(1), "{version}");
        assert!(
            err.contains("exec: \"nope\": executable file not found in $PATH: unknown"),
            "{version}: {err}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cp_copies_both_ways() {
    each(|version, kubectl, _| {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let blob: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::create_dir_all(path("in/sub")).unwrap();
        std::fs::write(path("in/blob"), &blob).unwrap();
        std::fs::write(path("in/sub/text"), "text").unwrap();
        for (from, to) in
            [(path("in"), "box:/tmp/there".to_owned()), ("box:/tmp/there".to_owned(), path("out"))]
        {
            let (code, _, err) = kubectl.run(&["cp", "-c", "box", &from, &to], b"");
            assert_eq!(code, Some(0), "{version}: {from} to {to}: {err}");
        }
        assert!(std::fs::read(path("out/blob")).unwrap() == blob, "{version}");
        assert_eq!(std::fs::read(path("out/sub/text")).unwrap(), b"text", "{version}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_with_a_terminal_or_input_runs_and_goes() {
    each(|version, kubectl, _| {
        let run = ["run", "once", "--image=busybox:1", "--restart=Never", "--rm", "-i", "--"];
        let script = ["sh", "-c", "read x; echo got $x; exit 6"];
        let (code, out, err) = kubectl.run(&[&run[..], &script].concat(), b"line\n");
        let out = String::from_utf8(out).unwrap();
        assert!(code == Some(6) && out.contains("got line\n"), "{version}: {code:?} {out} {err}");
        assert!(out.contains("pod \"once\" deleted"), "{version}: {out}");
        let (_, out, err) = kubectl.run(&["logs", "box", "-c", "box", "--tail=1"], b"");
        assert_eq!((out.as_slice(), err.as_str()), (&b"second\n"[..], ""), "{version}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_added_for_a_look() {
    each(|version, kubectl, _| {
        if version == "1.20" {
            // It sends an object that later servers don't know.
            return;
        }
        let debug = ["debug", "box", "--image=busybox:1", "--target=web", "-c", "look", "-i", "--"];
        let (code, out, err) =
            kubectl.run(&[&debug[..], &["sh", "-c", "read x; echo saw $x"]].concat(), b"it\n");
        let out = String::from_utf8(out).unwrap();
        assert!(code == Some(0) && out.contains("saw it\n"), "{version}: {out} {err}");
        let again = ["debug", "box", "--image=busybox:1", "--target=none", "-c", "other"];
        let (code, _, err) = kubectl.run(&again, b"");
        assert_eq!(code, Some(1));
        assert!(err.contains("targetContainerName: Not found: \"none\""), "{version}: {err}");
    })
    .await;
}
