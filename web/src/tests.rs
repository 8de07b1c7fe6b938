//! The site over a socket, in front of a real lab.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use pulldrill_clock::real;
use pulldrill_lab::{Lab, LabOptions, view::Audience};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

/// A lab with one drill, and its site.
struct World {
    lab: Lab,
    drill: String,
    host: String,
    token: String,
    http: Client,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        pulldrill_tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let options = LabOptions {
            dir: Some(dir.path().join("lab")),
            scenarios: vec!["wrong-tag".into()],
            web: Some(format!("http://{host}")),
            stop: stop.clone(),
            ..LabOptions::default()
        };
        let lab = Lab::start(options).await.unwrap();
        tokio::spawn(crate::serve(listener, lab.clone(), stop.clone()));
        lab.open().await.unwrap();
        let token =
            std::fs::read_to_string(dir.path().join("lab/instructor-token")).unwrap().trim().to_owned();
        let drill = lab.status(Audience::Trainee).drills[0].id.clone();
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { lab, drill, host, token, http, stop, _dir: dir }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.host))
    }

    /// As the command asks.
    fn client(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path).header(crate::CLIENT_HEADER, "test")
    }

    fn drill_path(&self, rest: &str) -> String {
        format!("/drills/{}{rest}", self.drill)
    }

    async fn end(self) {
        self.stop.cancel();
        self.lab.shutdown().await;
    }
}

async fn refused(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert!(
        !body["error"]["message"].as_str().unwrap().is_empty() && body["error"]["help"].is_string(),
        "{body}"
    );
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what() {
    let world = World::new().await;
    let instructors = [
        (Method::GET, "/api/v1/scenarios".to_owned()),
        (Method::GET, "/api/v1/journal".to_owned()),
        (Method::POST, "/api/v1/drills".to_owned()),
        (Method::POST, format!("/api/v1{}", world.drill_path("/reset"))),
        (Method::POST, "/api/v1/clock/advance".to_owned()),
        (Method::POST, "/api/v1/shutdown".to_owned()),
    ];
    for (method, path) in instructors {
        let answer = world.client(method.clone(), &path).json(&json!({})).send().await.unwrap();
        assert_eq!(refused(answer).await, (403, "instructor-only".into()), "{path}");
        let answer = world.client(method, &path).bearer_auth("wrong").json(&json!({})).send().await.unwrap();
        assert_eq!(refused(answer).await, (401, "bad-token".into()), "{path}");
    }
    let list = world.client(Method::GET, "/api/v1/scenarios").bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(list.status(), StatusCode::OK);

    let seen: Value = world.ask(Method::GET, "/api/v1/status").send().await.unwrap().json().await.unwrap();
    assert!(seen["drills"][0]["cause"].is_null() && seen["drills"][0]["scenario"].is_null(), "{seen}");
    let status = world.ask(Method::GET, "/api/v1/status").bearer_auth(&world.token);
    let known: Value = status.send().await.unwrap().json().await.unwrap();
    assert_eq!(known["drills"][0]["scenario"], "wrong-tag");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_can_do_nothing() {
    let world = World::new().await;
    let hint = format!("/api/v1{}", world.drill_path("/hint"));
    let answer = world.ask(Method::POST, &hint).send().await.unwrap();
    assert_eq!(refused(answer).await.1, "foreign-origin");
    let answer =
        world.ask(Method::POST, &world.drill_path("/give-up")).header("origin", "http://evil.example").send();
    assert_eq!(refused(answer.await.unwrap()).await.1, "foreign-origin");
    let answer =
        world.ask(Method::GET, "/").header("host", format!("evil.example:{}", 80)).send().await.unwrap();
    assert_eq!(refused(answer).await, (421, "unknown-host".into()));
    assert_eq!(
        world.lab.status(Audience::Trainee).drills[0].hints.iter().filter(|hint| hint.text.is_some()).count(),
        0
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forms_work_without_a_script() {
    let world = World::new().await;
    let origin = format!("http://{}", world.host);
    let post = |path: String, form: &'static str| {
        world
            .ask(Method::POST, &path)
            .header("origin", &origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
    };
    let page = world.ask(Method::GET, &world.drill_path("")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("ImagePullBackOff") || page.contains("ErrImagePull"), "{page}");

    // The second click on the same offer must not buy the next hint.
    for _ in 0..2 {
        let answer = post(world.drill_path("/hint"), "n=1").await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    }
    let drill = world.lab.drill(&world.drill, Audience::Trainee).unwrap();
    assert_eq!(drill.hints.iter().filter(|hint| hint.text.is_some()).count(), 1);

    let answer = post(world.drill_path("/diagnose"), "").await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.unwrap().contains("choose one of the causes first"));
    let form = format!("choice={}", drill.choices[0].id.replace('/', "%2F")).leak();
    let answer = post(world.drill_path("/diagnose"), form).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let page = world.ask(Method::GET, &to).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Your diagnosis is noted") && page.contains(&drill.choices[0].label), "{page}");

    let answer = post(world.drill_path("/give-up"), "").await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = world.ask(Method::GET, &world.drill_path("")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Debrief") && page.contains("image-reference"), "{page}");
    let again = post(world.drill_path("/give-up"), "").await.unwrap();
    assert_eq!(again.status(), StatusCode::CONFLICT);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_an_open_page_and_the_end_ends_its_stream() {
    let world = World::new().await;
    let mut stream = world.ask(Method::GET, "/events").send().await.unwrap();
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    let first = real::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"event: revision\n"), "{first:?}");
    let before = *world.lab.updates().borrow();
    world.lab.hint(&world.drill).await.unwrap();
    let mut latest = 0;
    while latest <= before {
        let chunk = real::timeout(PATIENCE, stream.chunk()).await.expect("no news in time").unwrap().unwrap();
        let text = String::from_utf8_lossy(&chunk).into_owned();
        latest =
            text.lines().filter_map(|line| line.strip_prefix("data: ")?.parse().ok()).max().unwrap_or(latest);
    }
    let fragment =
        world.ask(Method::GET, &format!("/fragments{}", world.drill_path(""))).send().await.unwrap();
    assert!(fragment.text().await.unwrap().contains("1 of"), "the fragment is older than the news");
    world.stop.cancel();
    let ended = real::timeout(PATIENCE, async { while let Ok(Some(_)) = stream.chunk().await {} }).await;
    assert!(ended.is_some(), "the stream outlives the lab");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_everything_is_sealed() {
    let world = World::new().await;
    for (method, path, body, expected) in [
        (Method::POST, "/api/v1/egress", "{\"destination\":", 400),
        (Method::POST, "/api/v1/egress", "{\"nonsense\":1}", 422),
        (Method::POST, "/api/v1/egress", "{\"destination\":\"not an address\"}", 422),
        (Method::GET, "/api/v1/drills/no-such-drill", "", 404),
        (Method::GET, "/api/v1/drills/%2e%2e%2f", "", 404),
        (Method::GET, "/api/v1/pull-log?since=x", "", 400),
        (Method::GET, "/api/v1/egress?node=node-77", "", 404),
        (Method::DELETE, "/api/v1/egress/node-1/none", "", 404),
    ] {
        let request = world.client(method, path).header("content-type", "application/json").body(body);
        let (status, _) = refused(request.send().await.unwrap()).await;
        assert_eq!(status, expected, "{path} {body}");
    }
    for path in [
        "/",
        "/no/such/page",
        "/drills/none",
        "/assets/app.css",
        "/assets/none.css",
        "/api/v1/status",
        "/events",
    ] {
        let answer = world.ask(Method::GET, path).send().await.unwrap();
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    }
    // Last, for the server then closes the connection. Just over the limit: the refusal comes before the body is read, and so much fits into the socket.
    let large = world.client(Method::POST, "/api/v1/image-copy").header("content-type", "application/json");
    assert_eq!(
        large.body("[".repeat(70 << 10)).send().await.unwrap().status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_to_the_port_changes_nothing() {
    let world = World::new().await;
    let host = world.host.clone();
    let poke = move || {
        for bytes in [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
            &[0xff; 70_000],
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n{",
        ] {
            let mut stream = TcpStream::connect(&host).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let _it_may_close_on_us = stream.write_all(bytes);
            let _and_say_nothing = stream.read(&mut [0; 64]);
        }
    };
    tokio::task::spawn_blocking(poke).await.unwrap();
    assert_eq!(world.ask(Method::GET, "/").send().await.unwrap().status(), StatusCode::OK);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instructor_may_end_the_lab() {
    let world = World::new().await;
    let answer =
        world.client(Method::POST, "/api/v1/shutdown").bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(real::timeout(PATIENCE, world.stop.cancelled()).await.is_some());
    world.end().await;
}
