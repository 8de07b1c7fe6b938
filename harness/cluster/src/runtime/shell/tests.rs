//! Scripts and what they come to.

use std::sync::Arc;

use parking_lot::Mutex;
use pulldrill_clock::{Clock, SignedDuration, Timestamp};
use tokio::io::AsyncReadExt;

use crate::{
    puller::Image,
    runtime::container::{Container, Spec},
    streams::{Ended, Wanted, session},
};

fn container(clock: &Clock) -> Arc<Container> {
    let image = Image { reference: "docker.io/library/busybox:1".to_owned(), ..Image::default() };
    let (container, _start) = Container::new(
        clock,
        Spec {
            id: "c".to_owned(),
            image: Arc::new(image),
            command: Vec::new(),
            arguments: Vec::new(),
            variables: vec![("GREETING".to_owned(), "good  day".to_owned())],
            directory: String::new(),
            hostname: "box".to_owned(),
            stdin: false,
            stdin_once: false,
            tty: false,
            log: Arc::new(|_| ()),
            termination_log: "/dev/termination-log".to_owned(),
            http: None,
        },
    );
    container
}

fn held() -> Clock {
    Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap())
}

/// Runs commands one after the other in one container: code, output, and errors of the last.
async fn run_in(container: &Arc<Container>, command: &[&str], input: &str) -> (i32, String, String) {
    use tokio::io::AsyncWriteExt;
    let (near, far) = session(Wanted { stdin: true, stdout: true, stderr: true, tty: false });
    let words = command.iter().map(|w| (*w).to_owned()).collect();
    let running = container.clone().exec(words, near);
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdin, mut stdout, mut stderr) = (far.stdin.unwrap(), far.stdout.unwrap(), far.stderr.unwrap());
    let feeding = async {
        let _process_left = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    let (ended, (), out_read, err_read) =
        tokio::join!(running, feeding, stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
    out_read.unwrap();
    err_read.unwrap();
    match ended {
        Ended::Exit(code) => (code, out, err),
        Ended::Failed(why) => (-1, out, why),
    }
}

async fn sh(script: &str) -> (i32, String, String) {
    run_in(&container(&held()), &["sh", "-c", script], "").await
}

#[tokio::test]
async fn scripts_print_what_they_print_elsewhere() {
    let table = [
        ("echo hi", "hi\n"),
        ("echo a; echo b && echo c || echo d", "a\nb\nc\n"),
        ("false || echo other; true && echo yes", "other\nyes\n"),
        ("echo $GREETING; echo \"$GREETING\"; echo '$GREETING'", "good day\ngood  day\n$GREETING\n"),
        ("X=1; echo $X${X}x \"${Y:-none}\" $Y end", "11x none end\n"),
        ("false; echo $?; echo $?", "1\n0\n"),
        ("echo a b c | cat | wc -w", "3\n"),
        ("echo one > /tmp/f; echo two >> /tmp/f; cat /tmp/f; wc -l < /tmp/f", "one\ntwo\n2\n"),
        ("for i in 1 2 3; do echo n$i; done", "n1\nn2\nn3\n"),
        ("for i in a b; do for j in x y; do [ $j = y ] && break; echo $i$j; done; done", "ax\nbx\n"),
        ("if [ -d /tmp ]; then echo dir; else echo none; fi", "dir\n"),
        ("if test -f /nothing; then echo a; elif [ 2 -gt 1 ]; then echo b; fi", "b\n"),
        ("n=x; while [ $n != xxxx ]; do n=x$n; done; echo $n", "xxxx\n"),
        ("echo $(echo inner; echo more) `echo old`", "inner more old\n"),
        ("cd /tmp; pwd; (cd /etc; pwd); pwd", "/tmp\n/etc\n/tmp\n"),
        ("{ echo a; echo b; } | grep b", "b\n"),
        ("set -- ; echo $# $0", "0 sh\n"),
        ("export A=1; env | grep ^A=; B=2; printenv B; C=3 printenv C", "3\n"),
        ("echo err >&2; echo out 2>&1", "out\n"),
        ("! false && echo not", "not\n"),
        ("mkdir -p /a/b; touch /a/b/c; ls /a/b; rm -r /a; ls /a 2>/dev/null || echo gone", "c\ngone\n"),
        ("echo one two | { read a b; echo $b $a; }", "two one\n"),
        ("hostname; id -u; whoami; basename /a/b", "box\n0\nroot\nb\n"),
        ("date -u +%Y", "2027\n"),
        ("echo -n a; echo -e 'b\\tc'", "ab\tc\n"),
        ("command -v cat; command echo x", "/bin/cat\nx\n"),
        ("set -e; false || true; echo on; false; echo off", "on\n"),
        ("sh -c 'echo $0 $1' name arg", "name arg\n"),
        ("nope x; echo $?", "127\n"),
        ("i=0; while [ $i -lt 3 ]; do echo \"$i:\"; i=$((i+1)); done", "0:\n1:\n2:\n"),
        ("a=5; echo $((a * (2 + ${b:-1}) % 4)) \"x$(( $(echo 6) / a ))y\" $((1 - 2))", "3 x1y -1\n"),
        ("echo $(( $((1 + 1)) * $# ))$((1 / 0))", "0\n"),
        ("echo $((n = 2)) $n; [ $((3 > 2)) = 1 ] && echo yes", "2 2\nyes\n"),
        (
            "printf 'a %s\\n' 1 'two words'; printf '%s=%03d;' x 7 y -7; printf '%%%5s|%-3s|%.2s\\n' r l cut",
            "a 1\na two words\nx=007;y=-07;%    r|l  |cu\n",
        ),
        (
            "printf 'no end'; printf '%b' '\\tx\\n'; printf '%x %c %.2f\\n' 255 word 1.5",
            "no end\tx\nff w 1.50\n",
        ),
        ("for i in $(seq 2); do echo $i; done; seq 5 -2 1", "1\n2\n5\n3\n1\n"),
    ];
    for (script, printed) in table {
        let (_, out, err) = sh(script).await;
        assert_eq!(out, printed, "{script}: {err}");
    }
}

#[tokio::test]
async fn codes_are_those_of_a_shell() {
    let table = [
        ("exit 3", 3),
        ("true", 0),
        ("false", 1),
        ("nothing", 127),
        ("exit 256", 0),
        ("false | true", 0),
        ("true | false", 1),
        ("(exit 4)", 4),
        ("cat /nothing", 1),
        ("echo 'unfinished", 2),
        ("if", 2),
        ("cat < /nothing", 1),
        ("echo x > /no/where", 1),
        ("[ 1 -eq", 2),
        ("sleep x", 1),
    ];
    for (script, code) in table {
        assert_eq!(sh(script).await.0, code, "{script}");
    }
}

#[tokio::test]
async fn errors_are_worded_as_busybox_does() {
    assert_eq!(sh("nothing").await.2, "sh: nothing: not found\n");
    assert_eq!(sh("cat /x").await.2, "cat: can't open '/x': No such file or directory\n");
    assert_eq!(sh("ls /x").await.2, "ls: /x: No such file or directory\n");
    let (code, _, why) = run_in(&container(&held()), &["bash"], "").await;
    assert_eq!(code, -1);
    assert!(why.ends_with("exec: \"bash\": executable file not found in $PATH: unknown"), "{why}");
    let (_, _, why) = run_in(&container(&held()), &["/opt/x"], "").await;
    assert!(why.ends_with("exec: \"/opt/x\": stat /opt/x: no such file or directory: unknown"), "{why}");
}

#[tokio::test]
async fn scripts_come_from_the_input_line_by_line() {
    let container = container(&held());
    let script = "echo a\nif true\nthen echo b\nfi\nread x\nfor the read\necho $x\nexit 7\necho never\n";
    let (code, out, err) = run_in(&container, &["sh"], script).await;
    assert_eq!((code, out.as_str(), err.as_str()), (7, "a\nb\nfor the read\n", ""));
    let (code, out, _) = run_in(&container, &["cat"], "as it is").await;
    assert_eq!((code, out.as_str()), (0, "as it is"));
}

#[tokio::test]
async fn archives_go_in_and_out_and_stay_inside() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let container = container(&held());
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/deep.txt", "d".repeat(150));
    for (name, content) in [("a.txt", "one"), ("dir/b.txt", "two"), (long.as_str(), "three")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    let mut archive = builder.into_inner().unwrap();
    let escape = b"../../a.txt\0";
    archive[..escape.len()].copy_from_slice(escape);
    let sum: u32 = archive[..512]
        .iter()
        .enumerate()
        .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) })
        .sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    container.files().write("/tmp/x.tar", &archive, false, Timestamp::UNIX_EPOCH).unwrap();
    let (code, out, err) = run_in(
        &container,
        &["sh", "-c", "mkdir /t; tar xmf /tmp/x.tar -C /t; cat /t/a.txt /t/dir/b.txt; ls -l /t"],
        "",
    )
    .await;
    assert_eq!((code, &out[..6]), (0, "onetwo"), "{err}");
    assert!(out.contains("-rw-------"), "{out}");
    let (_, out, _) = run_in(
        &container,
        &["sh", "-c", "cd /t; tar cf - . | tar tf -; tar cf /u.tar /t; tar tf /u.tar"],
        "",
    )
    .await;
    assert!(out.contains("deep.txt") && out.contains("\nt/dir/b.txt\n"), "{out}");
    for bad in [STANDARD.decode("AAAA").unwrap(), vec![0x41; 2000]] {
        container.files().write("/bad", &bad, false, Timestamp::UNIX_EPOCH).unwrap();
        let (code, _, _) = run_in(&container, &["tar", "xf", "/bad"], "").await;
        assert_eq!(code, 1);
    }
}

#[tokio::test]
async fn programs_sleep_in_lab_time_and_loops_do_not_starve_others() {
    let clock = held();
    let began = clock.now();
    let container = container(&clock);
    let seen = Arc::new(Mutex::new(None));
    let (running, at) = (container.clone(), seen.clone());
    let ended = clock.clone();
    let job = tokio::spawn(async move {
        let done = run_in(&running, &["sh", "-c", "for i in 1 2 3; do sleep 20m; done; echo done"], "").await;
        *at.lock() = Some(ended.now());
        done.1
    });
    let endless = tokio::spawn({
        let container = container.clone();
        async move { run_in(&container, &["sh", "-c", "while true; do :; done"], "").await.0 }
    });
    tokio::task::yield_now().await;
    container.kill();
    assert_eq!(endless.await.unwrap(), 137);
    drop(job);

    let container = self::container(&clock);
    let job = tokio::spawn(async move {
        run_in(&container, &["sh", "-c", "for i in 1 2 3; do sleep 20m; done; date +%H:%M"], "").await.1
    });
    tokio::task::yield_now().await;
    clock.advance_to(began + SignedDuration::from_hours(2)).await;
    assert_eq!(job.await.unwrap(), "09:00\n");
}

#[tokio::test]
async fn at_a_terminal_lines_are_echoed_and_interrupts_end_programs_not_the_shell() {
    use tokio::io::AsyncWriteExt;
    let container = container(&held());
    let (near, far) = session(Wanted { stdin: true, stdout: true, stderr: false, tty: true });
    far.resize.as_ref().unwrap().send_replace(crate::streams::Size { width: 100, height: 30 });
    let running = tokio::spawn(container.exec(vec!["sh".to_owned()], near));
    let (mut keys, mut screen) = (far.stdin.unwrap(), far.stdout.unwrap());
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        let mut buffer = [0; 256];
        while !seen.contains(wanted) {
            let n = screen.read(&mut buffer).await.unwrap();
            assert_ne!(n, 0, "the screen ended: {seen:?}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        std::mem::take(&mut seen)
    };
    until("/ # ").await;
    keys.write_all(b"stty sizf\x7fe\r").await.unwrap();
    let shown = until("30 100\r\n").await;
    assert!(shown.starts_with("stty sizf\x08 \x08e\r\n"), "{shown:?}");
    keys.write_all(b"sleep infinity\r").await.unwrap();
    until("infinity\r\n").await;
    while !container_sleeps(&mut keys).await {}
    until("^C\r\n").await;
    keys.write_all(b"cat > /tmp/x\rtyped\r\x04cat /tmp/x; exit 5\r").await.unwrap();
    until("\ntyped\r\n").await;
    assert_eq!(running.await.unwrap(), Ended::Exit(5));
}

/// Presses ^C once whatever was started has had its turn.
async fn container_sleeps(keys: &mut (impl tokio::io::AsyncWrite + Unpin)) -> bool {
    use tokio::io::AsyncWriteExt;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    keys.write_all(b"\x03").await.is_ok()
}
