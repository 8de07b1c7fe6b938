//! One port for all hosts: who answers is whose name was asked for.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;

use common::{Call, World, basic};
use http::Request;
use pulldrill_clock::real;
use pulldrill_registry::{Access, ImageSpec};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn two_hosts() -> (World, SocketAddr) {
    let world = World::held();
    world.host("one.example", "distribution", &[("app", Access::Anonymous)]).await;
    let at = world.registry.serve_all_at("127.0.0.1:0".parse().unwrap()).await.unwrap();
    // Those that come later are there as well.
    world.host("hub.example", "docker-hub", &[("team/app", Access::Anonymous)]).await;
    for (host, repository) in [("one.example", "app"), ("hub.example", "team/app")] {
        let spec = ImageSpec { build: format!("{host} app"), ..ImageSpec::default() };
        world.registry.push_image(host, repository, Some("1"), &spec).unwrap();
    }
    (world, at)
}

#[tokio::test]
async fn the_name_in_the_greeting_says_who_answers() {
    let (world, at) = two_hosts().await;
    let named = |name| Call { to: at, name: Some(name), node: None };
    let one = world.ask(&named("one.example"), "GET", "/v2/app/manifests/1", &basic("dev", "s3cret")).await;
    assert_eq!(one.status, 200, "{}", one.text());
    let hub = world.ask(&named("hub.example"), "GET", "/v2/", "").await;
    assert_eq!(hub.status, 401);
    assert_eq!(
        hub.header("www-authenticate"),
        "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\""
    );
    let path = "/token?service=registry.docker.io&scope=repository:team/app:pull";
    let token = world.ask(&named("auth.docker.io"), "GET", path, "").await.json();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let pulled = world.ask(&named("hub.example"), "GET", "/v2/team/app/manifests/1", &bearer).await;
    assert_eq!(pulled.status, 200, "{}", pulled.text());
    let log = world.registry.pull_log().since(0);
    let hosts: Vec<&str> = log.iter().map(|entry| entry.host.as_str()).collect();
    assert!(hosts.contains(&"one.example") && hosts.contains(&"hub.example"), "{hosts:?}");

    // Gone hosts are nobody.
    world.registry.remove_host("hub.example").await;
    assert!(no_answer(&world, at, "hub.example").await);
    assert!(no_answer(&world, at, "auth.docker.io").await);
    assert!(no_answer(&world, at, "stranger.example").await);
    world.stop.cancel();
    world.registry.stopped().await;
}

/// Whether a handshake for this name is broken off.
async fn no_answer(world: &World, at: SocketAddr, name: &str) -> bool {
    let config = pulldrill_tls::client_config(&[world.authority.pem()]).unwrap();
    let socket = TcpStream::connect(at).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    tokio_rustls::TlsConnector::from(config).connect(name, socket).await.is_err()
}

#[tokio::test]
async fn without_a_name_there_each_request_says_who_is_meant() {
    let (world, at) = two_hosts().await;
    // An address is no name for a greeting.
    let nameless = Call { to: at, name: None, node: None };
    let ask = async |host: &str| {
        let config = pulldrill_tls::client_config(&[world.authority.pem()]).unwrap();
        let socket = TcpStream::connect(at).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1".to_owned()).unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await.unwrap();
        let request = format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _cut_is_an_end = stream.read_to_string(&mut answer).await;
        answer
    };
    assert!(ask("hub.example:443").await.contains("registry.docker.io"));
    assert!(ask("ONE.example").await.contains("Basic realm"));
    // Nobody's name, and none: the first host's.
    assert!(ask("127.0.0.1").await.contains("Basic realm"));
    let request = Request::builder().method("GET").uri("/v2/");
    assert_eq!(world.send(&nameless, request, b"").await.status, 401);
}

#[tokio::test]
async fn what_is_no_greeting_does_no_harm() {
    let (world, at) = two_hosts().await;
    for rubbish in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 40_000], &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0], b"\x16"]
    {
        let mut socket = TcpStream::connect(at).await.unwrap();
        let _may_be_cut = socket.write_all(rubbish).await;
        drop(socket);
    }
    // A greeting in single bytes is one all the same.
    let config = pulldrill_tls::client_config(&[world.authority.pem()]).unwrap();
    let name = rustls::pki_types::ServerName::try_from("hub.example").unwrap();
    let (ours, theirs) = tokio::io::duplex(1);
    let slow = tokio::spawn(async move {
        let mut socket = TcpStream::connect(at).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut theirs = theirs;
        tokio::io::copy_bidirectional(&mut theirs, &mut socket).await
    });
    let handshake = tokio_rustls::TlsConnector::from(config).connect(name, ours);
    let stream = real::timeout(std::time::Duration::from_secs(30), handshake).await.unwrap();
    assert!(stream.is_ok());
    slow.abort();
}
