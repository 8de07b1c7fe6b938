//! Every fault of the table, over real sockets, as a client meets it: what it sees, whom it does not strike, and that
//! all is well again afterwards.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::BTreeSet, error::Error, time::Duration};

use bytes::Bytes;
use common::{World, basic, local};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use pulldrill_clock::{SignedDuration, real};
use pulldrill_registry::{
    Access, FaultKind, FaultRule, HostInfo, HostSpec, ImageSpec, Part, Schedule, Scope,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Longer than anything takes that comes, and short enough to be waited for where nothing does.
const SILENCE: Duration = Duration::from_secs(2);

/// What a client sees: status, headers and body, or the words of what went wrong.
type Seen = Result<(u16, HeaderMap, Vec<u8>), String>;

/// A registry with one image.
struct Scene {
    world: World,
    host: HostInfo,
    manifest: String,
    layer: String,
    config: String,
}

impl Scene {
    async fn new() -> Self {
        Self::of("distribution").await
    }

    async fn of(personality: &str) -> Self {
        let world = World::held();
        let host = world.host("r.example", personality, &[("a", Access::Anonymous)]).await;
        world.registry.push_image("r.example", "a", Some("1"), &ImageSpec::default()).unwrap();
        let mut scene = Self {
            world,
            host,
            manifest: "/v2/a/manifests/1".into(),
            layer: String::new(),
            config: String::new(),
        };
        // Without a token, some personalities show no manifest.
        let manifest = scene.world.ask(&local(&scene.host), "GET", &scene.manifest, "").await.json();
        let path =
            |of: &serde_json::Value| format!("/v2/a/blobs/{}", of["digest"].as_str().unwrap_or_default());
        scene.layer = path(&manifest["layers"][0]);
        scene.config = path(&manifest["config"]);
        scene
    }

    fn set(&self, rules: Vec<FaultRule>) {
        self.world.registry.set_faults("r.example", rules).unwrap();
    }

    /// Sends one request on a connection of its own.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Seen {
        let request = async {
            let socket = TcpStream::connect(self.host.address).await?;
            let config = pulldrill_tls::client_config(&[self.world.authority.pem()])?;
            let name = ServerName::try_from("127.0.0.1")?;
            let stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", "r.example");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.header("accept", common::ACCEPT).body(Empty::<Bytes>::new())?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes().to_vec();
            Ok::<_, Box<dyn Error + Send + Sync>>((head.status.as_u16(), head.headers, body))
        };
        match real::timeout(SILENCE, request).await {
            None => Err("silence".to_owned()),
            Some(seen) => seen.map_err(|error| words(&*error)),
        }
    }

    async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, &[]).await
    }

    /// What is seen under one fault, after which all is well again.
    async fn under(&self, rule: FaultRule, path: &str) -> Seen {
        self.set(vec![rule]);
        let seen = self.get(path).await;
        self.set(Vec::new());
        let after = self.until_fine(path).await;
        assert_eq!(after.unwrap().0, 200, "{path}");
        seen
    }

    /// A port takes a moment to be closed.
    async fn until_refused(&self) {
        let refused = async {
            while !self.get(&self.manifest).await.is_err_and(|error| error.contains("refused")) {
                real::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(real::timeout(Duration::from_secs(60), refused).await.is_some(), "never refused");
    }

    /// A port that was closed takes a moment to be open again.
    async fn until_fine(&self, path: &str) -> Seen {
        let fine = async {
            loop {
                let seen = self.get(path).await;
                if seen.is_ok() {
                    return seen;
                }
                real::sleep(Duration::from_millis(10)).await;
            }
        };
        real::timeout(Duration::from_secs(60), fine).await.unwrap_or(Err("never fine again".into()))
    }
}

/// An error and all that caused it.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut all = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        all = format!("{all}: {error}");
        next = error.source();
    }
    all
}

#[tokio::test]
async fn before_a_request_connections_end_as_the_table_says() {
    let scene = Scene::new().await;
    for (fault, told) in [
        ("reset", "reset"),
        ("blackhole", "silence"),
        ("handshake-stall", "silence"),
        ("plain-http", "corrupt message"),
        ("unknown-authority", "UnknownIssuer"),
        ("expired-certificate", "expired"),
        ("future-certificate", "not valid yet"),
        ("wrong-name", "not valid for name"),
    ] {
        let seen = scene.under(FaultRule::new(fault), &scene.manifest).await.unwrap_err();
        assert!(seen.contains(told), "{fault}: {seen}");
    }
}

#[tokio::test]
async fn only_those_in_scope_are_struck() {
    let scene = Scene::new().await;
    let of = |scope: Scope| scene.under(FaultRule::new("status").on(scope), &scene.manifest);
    assert_eq!(of(Scope { repository: Some("b".into()), ..Scope::default() }).await.unwrap().0, 200);
    assert_eq!(of(Scope { repository: Some("a".into()), ..Scope::default() }).await.unwrap().0, 503);
    assert_eq!(of(Scope { tag: Some("2".into()), ..Scope::default() }).await.unwrap().0, 200);
    assert_eq!(of(Scope { part: Some(Part::Manifest), ..Scope::default() }).await.unwrap().0, 503);
    assert_eq!(of(Scope { part: Some(Part::Blob), ..Scope::default() }).await.unwrap().0, 200);
    assert_eq!(of(Scope { method: Some("PUT".into()), ..Scope::default() }).await.unwrap().0, 200);
    assert_eq!(of(Scope { node: Some("worker".into()), ..Scope::default() }).await.unwrap().0, 200);
    let here = Scope { client: Some("127.0.0.1".into()), ..Scope::default() };
    assert_eq!(of(here.clone()).await.unwrap().0, 503);
    assert!(scene.under(FaultRule::new("reset").on(here), &scene.manifest).await.is_err());
    let other = Scope { client: Some("10.0.0.1".into()), ..Scope::default() };
    assert_eq!(scene.under(FaultRule::new("reset").on(other), &scene.manifest).await.unwrap().0, 200);
}

#[tokio::test]
async fn refusals_say_what_the_table_says() {
    let scene = Scene::new().await;
    let on_manifest = |rule: FaultRule| scene.under(rule, &scene.manifest);
    let (status, headers, body) = on_manifest(
        FaultRule::new("status")
            .with("status", &500)
            .with("body", &"later")
            .with("content-type", &"text/x")
            .with("retry-after", &7),
    )
    .await
    .unwrap();
    assert_eq!(
        (status, &*body, &headers["content-type"], &headers["retry-after"]),
        (500, &b"later"[..], &"text/x".parse().unwrap(), &"7".parse().unwrap())
    );
    let (status, _, body) = on_manifest(FaultRule::new("rate-limit")).await.unwrap();
    assert!(status == 429 && String::from_utf8_lossy(&body).contains("TOOMANYREQUESTS"));
    let (status, headers, body) = on_manifest(FaultRule::new("abuse-limit")).await.unwrap();
    assert_eq!(
        (status, &*body, &headers["retry-after"]),
        (429, &b"Too Many Requests\n"[..], &"60".parse().unwrap())
    );
    let (status, headers, body) = on_manifest(FaultRule::new("html")).await.unwrap();
    assert!(
        status == 200
            && headers["content-type"] == "text/html; charset=utf-8"
            && body.starts_with(b"<!DOCTYPE")
    );
    let (status, _, body) = on_manifest(FaultRule::new("not-found")).await.unwrap();
    assert!(status == 404 && String::from_utf8_lossy(&body).contains("MANIFEST_UNKNOWN"));
    let (status, _, body) = scene.under(FaultRule::new("not-found"), &scene.layer).await.unwrap();
    assert!(status == 404 && String::from_utf8_lossy(&body).contains("BLOB_UNKNOWN"));
    let (status, headers, _) = scene.under(FaultRule::new("dead-redirect"), &scene.layer).await.unwrap();
    let location = headers["location"].to_str().unwrap();
    assert!(status == 307 && location == format!("https://r.example:1{}", scene.layer), "{location}");
}

#[tokio::test]
async fn answers_are_spoilt_on_their_way() {
    let scene = Scene::new().await;
    let whole = scene.get(&scene.layer).await.unwrap().2;
    let layers = Scope { part: Some(Part::Layer), ..Scope::default() };
    let layer = |rule: FaultRule| scene.under(rule.on(layers.clone()), &scene.layer);
    assert_eq!(layer(FaultRule::new("truncated")).await.unwrap().2, whole[..whole.len() / 2]);
    assert_eq!(layer(FaultRule::new("empty")).await.unwrap().2, b"");
    let corrupt = layer(FaultRule::new("corrupt")).await.unwrap().2;
    assert!(corrupt.len() == whole.len() && corrupt != whole);
    let short = layer(FaultRule::new("wrong-length")).await.unwrap_err();
    assert!(short.contains("closed connection"), "{short}");
    let reset = layer(FaultRule::new("reset-midway").with("after-bytes", &10)).await.unwrap_err();
    assert!(reset.contains("reset"), "{reset}");
    let (_, headers, body) = layer(FaultRule::new("wrong-type")).await.unwrap();
    assert!(headers["content-type"] == "text/html" && body == whole);
    let slow = FaultRule::new("bandwidth").with("bytes-per-second", &(whole.len() * 10));
    let watch = real::stopwatch();
    assert_eq!(layer(slow).await.unwrap().2, whole);
    assert!(watch.elapsed() >= Duration::from_millis(80), "{:?}", watch.elapsed());
    let config = scene.under(FaultRule::new("corrupt").on(layers), &scene.config).await.unwrap().2;
    assert_eq!(config, scene.get(&scene.config).await.unwrap().2, "a configuration is no layer");
}

#[tokio::test]
async fn going_on_does_not_rescue_unless_it_is_said() {
    let scene = Scene::new().await;
    let whole = scene.get(&scene.layer).await.unwrap().2;
    let rest = async |rule: FaultRule| {
        scene.set(vec![rule]);
        let seen = scene.send("GET", &scene.layer, &[("range", "bytes=10-")]).await.unwrap();
        assert_eq!(seen.0, 206);
        seen.2
    };
    assert_eq!(rest(FaultRule::new("truncated")).await.len(), (whole.len() - 10) / 2);
    assert_eq!(rest(FaultRule::new("truncated").with("rescue", &true)).await, whole[10..]);
}

#[tokio::test]
async fn what_comes_before_a_connection_ends_is_not_lost_with_it() {
    let scene = Scene::new().await;
    let whole = scene.get(&scene.layer).await.unwrap().2.len();
    for (rule, comes) in [
        (FaultRule::new("truncated").with("promised", &true), whole / 2),
        (FaultRule::new("wrong-length"), whole),
        (FaultRule::new("reset-midway").with("after-bytes", &10), 10),
        (FaultRule::new("reset-midway"), 0),
    ] {
        scene.set(vec![rule]);
        let request = Request::builder().method("GET").uri(&scene.layer);
        let seen = scene.world.try_send(&local(&scene.host), request).await;
        assert_eq!(seen.map(|reply| reply.status).unwrap_err(), comes);
    }
}

#[tokio::test]
async fn head_and_get_disagree_and_lists_lack_platforms() {
    let scene = Scene::new().await;
    let named = async |method: &str| {
        let seen = scene.send(method, &scene.manifest, &[]).await.unwrap();
        seen.1["docker-content-digest"].to_str().unwrap().to_owned()
    };
    let right = named("GET").await;
    assert_eq!(named("HEAD").await, right);
    scene.set(vec![FaultRule::new("head-disagrees")]);
    assert_eq!(named("GET").await, right);
    assert_ne!(named("HEAD").await, right);
    scene.set(Vec::new());

    let spec =
        ImageSpec { platforms: vec!["linux/amd64".into(), "linux/arm64".into()], ..ImageSpec::default() };
    scene.world.registry.push_image("r.example", "a", Some("2"), &spec).unwrap();
    let list = "/v2/a/manifests/2";
    let rule = FaultRule::new("missing-platform").with("platform", &"linux/amd64");
    let (_, headers, body) = scene.under(rule.clone(), list).await.unwrap();
    let left: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(left["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(left["manifests"][0]["platform"]["architecture"], "arm64");
    let right = scene.get(list).await.unwrap().1["docker-content-digest"].clone();
    assert_ne!(headers["docker-content-digest"], right);
    let by_digest = format!("/v2/a/manifests/{}", right.to_str().unwrap());
    let (_, headers, body) = scene.under(rule, &by_digest).await.unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(whole["manifests"].as_array().unwrap().len() == 2 && headers["docker-content-digest"] == right);
}

#[tokio::test]
async fn tokens_die_early_and_late_answers_come_late() {
    let scene = Scene::of("harbor").await;
    let token = async || {
        let path = "/service/token?service=harbor-registry&scope=repository:a:pull";
        let answer = scene.world.ask(&local(&scene.host), "GET", path, &basic("dev", "s3cret")).await;
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    };
    scene.set(vec![FaultRule::new("short-tokens").with("lifetime", &10)]);
    let short = token().await;
    let status =
        async |token: &str| scene.send("GET", &scene.manifest, &[("authorization", token)]).await.unwrap().0;
    assert_eq!(status(&short).await, 200);
    scene.world.clock.advance(SignedDuration::from_secs(11)).await;
    assert_eq!(status(&short).await, 401);
    let fresh = token().await;
    scene.set(vec![FaultRule::new("revoked-tokens")]);
    assert_eq!(status(&fresh).await, 401);
    scene.set(vec![FaultRule::new("latency").with("milliseconds", &150)]);
    let watch = real::stopwatch();
    assert_eq!(status(&fresh).await, 200);
    assert!(watch.elapsed() >= Duration::from_millis(150));
    let on = Scope { part: Some(Part::Token), ..Scope::default() };
    scene.set(vec![FaultRule::new("status").on(on)]);
    assert_eq!(scene.get("/service/token?service=harbor-registry").await.unwrap().0, 503);
    assert_eq!(status(&fresh).await, 200);
}

#[tokio::test]
async fn only_who_asks_for_this_machine_sees_its_name_in_a_certificate() {
    let scene = Scene::new().await;
    let handshake = async |name: &'static str| {
        let socket = TcpStream::connect(scene.host.address).await.unwrap();
        let config = pulldrill_tls::client_config(&[scene.world.authority.pem()]).unwrap();
        let name = ServerName::try_from(name).unwrap();
        tokio_rustls::TlsConnector::from(config).connect(name, socket).await.map(drop)
    };
    for name in ["r.example", "localhost", "127.0.0.1", "::1"] {
        handshake(name).await.unwrap();
    }
    let wrong = format!("{:?}", handshake("q.example").await.unwrap_err());
    assert!(wrong.contains("r.example") && !wrong.contains("localhost"), "{wrong}");
}

#[tokio::test]
async fn a_closed_port_opens_again_when_its_time_is_over() {
    let scene = Scene::new().await;
    let when = Schedule { seconds: Some(600), ..Schedule::default() };
    scene.set(vec![FaultRule { when, ..FaultRule::new("refuse") }]);
    assert!(scene.get(&scene.manifest).await.is_err(), "at once, if only by a reset");
    scene.until_refused().await;
    scene.world.clock.advance(SignedDuration::from_secs(599)).await;
    scene.until_refused().await;
    scene.world.clock.advance(SignedDuration::from_secs(2)).await;
    assert_eq!(scene.until_fine(&scene.manifest).await.unwrap().0, 200);
}

#[tokio::test]
async fn where_plain_http_is_expected_tls_can_be_spoken() {
    let world = World::held();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let name = format!("localhost:{port}");
    let (plain_port, personality) = (Some(port), "distribution".to_owned());
    let spec = HostSpec { name: name.clone(), personality, plain_port, ..HostSpec::default() };
    world.registry.add_host(spec).await.unwrap();
    let begins = async || {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.write_all(b"GET /v2/ HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        answer
    };
    assert!(begins().await.starts_with(b"HTTP/1.1 200"));
    world.registry.set_faults(&name, vec![FaultRule::new("unexpected-tls")]).unwrap();
    // An alert of TLS.
    assert_eq!(begins().await[..2], [21, 3]);
}

/// Every row of the table is struck by one of the tests above.
#[test]
fn nothing_in_the_table_is_untried() {
    let text = include_str!("faults.rs");
    let untried: BTreeSet<&str> = FaultKind::all()
        .iter()
        .map(|kind| kind.name)
        .filter(|name| !text.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(untried, BTreeSet::new());
}
