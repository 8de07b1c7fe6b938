//! What the owner can do, the same in process and from afar; and what only the admin API has: its token, its
//! tunnels, its copy of the log, and its answers to nonsense.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use common::{Call, World, basic, local, program};
use pulldrill_clock::{Clock, SignedDuration, real};
use pulldrill_registry::{
    Access, Account, AddressBook, AdminClient, AdminClientOptions, Control, FaultRule, HostSpec, ImagePlace,
    ImageSpec, Inspection, Login, RegistryError, RepositorySpec, Scope,
    admin::{AdminServer, KnownClients, Route, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "correct horse battery staple";
const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";
/// Longer than anything here takes, on a busy machine.
const AGES: Duration = Duration::from_secs(60);

/// An admin API over a world's registry.
struct Admin {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Admin {
    async fn over(world: &World, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), world.stop.child_token());
        let server = AdminServer {
            registry: world.registry.clone(),
            book: Arc::new(AddressBook::default()),
            token: TOKEN.into(),
            stop: stop.clone(),
        };
        Self { address, stop, task: tokio::spawn(serve(listener, server)) }
    }

    async fn client(&self, token: &str) -> Result<AdminClient, RegistryError> {
        let token = token.to_owned();
        let options = AdminClientOptions {
            address: self.address,
            token,
            patience: Duration::ZERO,
            stop: self.stop.clone(),
        };
        AdminClient::connect(options).await
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Sends bytes and reads the status line and the rest.
    async fn raw(&self, request: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        real::timeout(AGES, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn json(&self, method: &str, path: &str, body: &str) -> String {
        let length = body.len();
        let head = format!(
            "{method} /admin/v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.raw(head.as_bytes()).await
    }
}

fn spec(name: &str, personality: &str) -> HostSpec {
    let repository =
        |name: &str, pull| RepositorySpec { name: name.into(), pull, push: Access::Authenticated };
    HostSpec {
        name: name.into(),
        personality: personality.into(),
        accounts: vec![Account { username: "dev".into(), password: "s3cret".into() }],
        repositories: vec![repository("app", Access::Authenticated), repository("open", Access::Anonymous)],
        ..HostSpec::default()
    }
}

fn place(host: &str, repository: &str, reference: &str) -> ImagePlace {
    ImagePlace { host: host.into(), repository: repository.into(), reference: reference.into() }
}

/// Everything that an owner can do, with what must come of it.
async fn an_owner_can_do_everything(world: &World, control: &dyn Control) {
    assert_eq!(control.authority().await.unwrap(), world.authority.pem());
    let info = control.add_host(spec("r.example", "distribution")).await.unwrap();
    assert_eq!((info.name.as_str(), &info.token_host), ("r.example", &None));
    assert_eq!(info.url, format!("https://{}", info.address));
    let taken = control.add_host(spec("r.example", "distribution")).await.unwrap_err();
    assert_eq!(taken.to_string(), "there is already a registry host \"r.example\"");
    let nonsense = control.add_host(spec("x.example", "baroque")).await.unwrap_err();
    assert!(nonsense.to_string().starts_with("there is no registry personality \"baroque\""), "{nonsense}");

    let image = ImageSpec { build: "app 1.0".into(), ..ImageSpec::default() };
    let pushed = control.push_image("r.example", "app", Some("1.0"), &image).await.unwrap();
    let again = control.push_image("r.example", "open", None, &image).await.unwrap();
    assert_eq!(pushed, again);
    for (host, tag) in [("nowhere.example", "1"), ("r.example", "a b")] {
        control.push_image(host, "app", Some(tag), &image).await.unwrap_err();
    }

    let before = control.pull_log().last();
    let manifest = world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", &basic("dev", "s3cret")).await;
    assert_eq!(
        (manifest.status.as_u16(), manifest.header("docker-content-digest")),
        (200, &*pushed.manifest_digest)
    );
    assert_eq!(world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", "").await.status, 401);

    // What an answer is based on is in the log by then.
    let copied = control
        .copy(&place("r.example", "app", "1.0"), &place("r.example", "open", "2"), "dev")
        .await
        .unwrap();
    assert_eq!(copied.manifest_digest, pushed.manifest_digest);
    let log: Vec<_> = control.pull_log().since(before);
    let seen: Vec<_> =
        log.iter().map(|entry| (entry.seq - before, entry.status, entry.identity.as_deref())).collect();
    assert_eq!(seen, [(1, 200, Some("dev")), (2, 401, None), (3, 201, Some("dev"))]);
    let (from, to) = (place("r.example", "app", "9"), place("r.example", "open", "3"));
    let missing = control.copy(&from, &to, "dev").await.unwrap_err();
    assert_eq!(missing.to_string(), "r.example/app has no \"9\"");
    control.copy(&place("r.example", "app", "1.0"), &place("r.example", "app", "x"), "").await.unwrap();

    let on = Scope { repository: Some("app".into()), ..Scope::default() };
    let rule = FaultRule::new("status").with("body", &"tea time").on(on);
    control.set_faults("r.example", vec![rule.clone()]).await.unwrap();
    let set = control.faults("r.example").await.unwrap();
    assert_eq!(set.iter().map(|fault| &fault.rule).collect::<Vec<_>>(), [&rule]);
    let unknown = control.set_faults("r.example", vec![FaultRule::new("tea")]).await.unwrap_err();
    assert!(unknown.to_string().starts_with("there is no fault \"tea\"; there are refuse"), "{unknown}");
    let struck = world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", "").await;
    assert_eq!((struck.status.as_u16(), struck.text()), (503, "tea time"));
    let struck = control.faults("r.example").await.unwrap().remove(0);
    assert_eq!((struck.id, struck.struck), (set[0].id, 1));
    let added = control.add_fault("r.example", FaultRule::new("html")).await.unwrap();
    let unknown = control.add_fault("r.example", FaultRule::new("tea")).await.unwrap_err();
    assert!(unknown.to_string().starts_with("there is no fault \"tea\"; there are refuse"), "{unknown}");
    control.remove_fault("r.example", struck.id).await.unwrap();
    let gone = control.remove_fault("r.example", struck.id).await.unwrap_err();
    assert!(gone.to_string().starts_with(&format!("r.example has no fault {};", struck.id)), "{gone}");
    assert!(matches!(gone, RegistryError::NoFault { .. } | RegistryError::RemoteNotFound(_)), "{gone:?}");
    assert_eq!(control.faults("r.example").await.unwrap(), [added]);
    let page = world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", "").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    control.set_faults("r.example", Vec::new()).await.unwrap();
    assert_eq!(world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", "").await.status, 401);

    tokens_and_quotas(world, control).await;

    control.remove_host("r.example").await.unwrap();
    control.remove_host("r.example").await.unwrap();
    let gone = control.set_faults("r.example", Vec::new()).await.unwrap_err();
    assert_eq!(gone.to_string(), "there is no registry host \"r.example\"");
    let info = control.add_host(spec("r.example", "distribution")).await.unwrap();
    assert_eq!(
        world.ask(&local(&info), "GET", "/v2/app/manifests/1.0", &basic("dev", "s3cret")).await.status,
        404
    );
}

async fn tokens_and_quotas(world: &World, control: &dyn Control) {
    let ecr = control.add_host(spec(ECR, "ecr")).await.unwrap();
    let (token_host, api) = ecr.token_host.clone().unwrap();
    assert_eq!(token_host, "api.ecr.ap-south-1.amazonaws.com");
    assert_ne!(api, ecr.address);
    let now = world.clock.now();
    let fresh = control.issue_token(ECR, now).await.unwrap();
    let stale = control.issue_token(ECR, now - SignedDuration::from_hours(13)).await.unwrap();
    assert_eq!(fresh.expires_at, now + SignedDuration::from_hours(12));
    control.issue_token("r.example", now).await.unwrap_err();
    let pushed = control.push_image(ECR, "app", Some("1"), &ImageSpec::default()).await.unwrap();
    let login =
        |password: &str| Login { host: ECR.into(), username: "AWS".into(), password: password.into() };
    let wanted = Inspection {
        manifests: [pushed.manifest_digest.clone(), format!("sha256:{}", "0".repeat(64))].into(),
        logins: [login(&fresh.password), login(&stale.password), login("guess")].into(),
    };
    let found = control.inspect(&wanted).await.unwrap();
    assert_eq!(found.contents.len(), 1);
    assert_eq!(found.contents[&pushed.manifest_digest].diff_ids, pushed.diff_ids);
    assert_eq!(found.accepted.len(), 1);
    assert_eq!(found.accepted[0].login, login(&fresh.password));
    assert_eq!(found.accepted[0].until, Some(fresh.expires_at));
    let stale = world.ask(&local(&ecr), "GET", "/v2/app/manifests/1", &basic("AWS", &stale.password)).await;
    assert_eq!(stale.status, 403, "{}", stale.text());

    let hub = control.add_host(spec("registry-1.docker.io", "docker-hub")).await.unwrap();
    control.push_image("registry-1.docker.io", "open", Some("1"), &ImageSpec::default()).await.unwrap();
    control.exhaust("registry-1.docker.io", [127, 0, 0, 1].into()).await.unwrap();
    let challenge = world.ask(&local(&hub), "GET", "/v2/open/manifests/1", "").await;
    // The way to the token host leads to where this machine reaches it.
    let tokens = hub.token_host.clone().unwrap().1;
    let realm = format!("realm=\"https://{tokens}/token\"");
    let challenge = challenge.header("www-authenticate").to_owned();
    assert!(challenge.contains(&realm), "{challenge}");
    let path = "/token?service=registry.docker.io&scope=repository:open:pull";
    let at_tokens = Call { to: tokens, name: None, node: None };
    let token = world.ask(&at_tokens, "GET", path, "").await.json();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    assert_eq!(world.ask(&local(&hub), "GET", "/v2/open/manifests/1", &bearer).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_process() {
    let world = World::held();
    an_owner_can_do_everything(&world, &world.registry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_afar() {
    let world = World::with(Clock::live());
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    an_owner_can_do_everything(&world, &client).await;
    assert_eq!(client.info().platform, "linux/amd64");
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_reached_through_the_admin_port_and_no_longer_than_they_are_there() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    // Two hosts that share the name of their token host.
    let other = ECR.replacen("123", "321", 1);
    let infos = [
        client.add_host(spec(ECR, "ecr")).await.unwrap(),
        client.add_host(spec(&other, "ecr")).await.unwrap(),
    ];
    for info in &infos {
        assert_ne!(world.registry.address(&info.name), Some(info.address), "not by way of the tunnel");
        let api = Call { to: info.token_host.clone().unwrap().1, name: None, node: None };
        let request = http::Request::builder()
            .method("POST")
            .uri("/")
            .header("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories")
            .header("authorization", "AWS4-HMAC-SHA256 x");
        let described = world.send(&api, request, b"{}").await;
        let account = info.name.split('.').next().unwrap();
        assert_eq!(described.json()["repositories"][0]["registryId"], account, "{}", described.text());
    }
    client.remove_host(&other).await.unwrap();
    assert!(TcpStream::connect(infos[1].address).await.is_err(), "the port outlives the host");
    assert_eq!(world.ask(&local(&infos[0]), "GET", "/v2/", "").await.status, 401);
    drop(client);
    let closed = async { while TcpStream::connect(infos[0].address).await.is_ok() {} };
    real::timeout(AGES, closed).await.unwrap();
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_named_by_its_port_is_also_served_without_tls() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let plain = HostSpec { plain_port: Some(port), ..spec(&format!("localhost:{port}"), "distribution") };
    let info = client.add_host(plain).await.unwrap();
    client.push_image(&info.name, "open", Some("1"), &ImageSpec::default()).await.unwrap();
    let get = async |path: &str| plainly(&info.name, port, path, "").await;
    assert!(get("/v2/open/manifests/1").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/v2/app/manifests/1").await.starts_with("HTTP/1.1 401 "));
    let through_the_tunnel = world.ask(&local(&info), "GET", "/v2/open/manifests/1", "").await;
    assert_eq!(through_the_tunnel.status, 200);
    let other = HostSpec { plain_port: Some(port), ..spec("other.example", "distribution") };
    let error = client.add_host(other).await.unwrap_err().to_string();
    assert!(error.contains(&port.to_string()), "{error}");
    client.remove_host(&info.name).await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port outlives the host");
    admin.end().await;
}

/// One exchange without TLS, with the name that the host has in images.
async fn plainly(name: &str, port: u16, path: &str, authorization: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let accept = common::ACCEPT;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {name}\r\naccept: {accept}\r\nconnection: close\r\n{authorization}\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_plain_port_the_way_to_a_token_leads_to_that_port() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    for (personality, path) in [
        ("docker-hub", "/token"),
        ("harbor", "/service/token"),
        ("artifact-registry", "/v2/token"),
        ("ghcr", "/token"),
        ("quay", "/v2/auth"),
    ] {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let name = format!("localhost:{port}");
        let info =
            client.add_host(HostSpec { plain_port: Some(port), ..spec(&name, personality) }).await.unwrap();
        client.push_image(&name, "app", Some("1"), &ImageSpec::default()).await.unwrap();
        let challenge = plainly(&name, port, "/v2/app/manifests/1", "").await;
        assert!(challenge.contains(&format!("realm=\"http://{name}{path}\"")), "{challenge}");
        let tunnelled = world.ask(&local(&info), "GET", "/v2/app/manifests/1", "").await;
        assert!(!tunnelled.header("www-authenticate").contains(&name), "{personality}");
        let service = challenge.split("service=\"").nth(1).unwrap().split('"').next().unwrap();
        let path = format!("{path}?service={service}&scope=repository:app:pull");
        let login = format!("authorization: {}\r\n", basic("dev", "s3cret"));
        let token = plainly(&name, port, &path, &login).await;
        let token: serde_json::Value = serde_json::from_str(token.split_once("\r\n\r\n").unwrap().1).unwrap();
        let bearer = format!("authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
        let pulled = plainly(&name, port, "/v2/app/manifests/1", &bearer).await;
        assert!(pulled.starts_with("HTTP/1.1 200 "), "{personality}: {pulled}");
    }
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_live_as_long_as_the_owner_says() {
    let world = World::held();
    let hours = |hours| SignedDuration::from_hours(hours);
    let short = HostSpec { token_lifetime_seconds: Some(90), ..spec(ECR, "ecr") };
    let info = world.registry.add_host(short).await.unwrap();
    world.registry.push_image(ECR, "app", Some("1"), &ImageSpec::default()).unwrap();
    let now = world.clock.now();
    let token = world.registry.issue_token(ECR).unwrap();
    assert_eq!(token.expires_at, now + SignedDuration::from_secs(90));
    let api = Call { to: info.token_host.clone().unwrap().1, name: None, node: None };
    let request = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
        .header("authorization", "AWS4-HMAC-SHA256 x");
    let shown = world.send(&api, request, b"{}").await.json();
    let end = shown["authorizationData"][0]["expiresAt"].as_f64().unwrap();
    assert!((end - (now + SignedDuration::from_secs(90)).as_duration().as_secs_f64()).abs() < 1.0, "{shown}");
    let pull = async || {
        let basic = basic("AWS", &token.password);
        world.ask(&local(&info), "GET", "/v2/app/manifests/1", &basic).await.status.as_u16()
    };
    assert_eq!(pull().await, 200);
    world.clock.advance(SignedDuration::from_secs(91)).await;
    assert_eq!(pull().await, 403);
    let usual = world.registry.add_host(spec(&ECR.replacen("123", "321", 1), "ecr")).await.unwrap();
    let usual = world.registry.issue_token(&usual.name).unwrap();
    assert_eq!(usual.expires_at, world.clock.now() + hours(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_said() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    world.host("r.example", "distribution", &[]).await;
    for token in ["", "correct horse battery stapl", "correct horse battery staplE", "x"] {
        let refused = admin.client(token).await.err().unwrap().to_string();
        assert!(refused.contains("Bearer TOKEN"), "{refused}");
    }
    for head in [
        "GET /admin/v1/info HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "DELETE /admin/v1/hosts/r.example HTTP/1.1",
        "CONNECT r.example:443 HTTP/1.1",
        "CONNECT r.example:443 HTTP/1.1\r\nproxy-authorization: Bearer correct horse battery staple",
    ] {
        let answer = admin.raw(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("{\"error\":"), "{head}: {answer}");
    }
    assert_eq!(world.registry.host_names(), ["r.example"]);
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_an_error_that_says_so() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let deep = "[".repeat(100_000);
    let long = format!("\"{}\"", "x".repeat(5 << 20));
    let far = "{\"at\":\"9999-12-30T22:00:00Z\"}";
    world.host(ECR, "ecr", &[]).await;
    let tokens = format!("hosts/{ECR}/tokens");
    let cases: &[(&str, &str, &str, u16)] = &[
        ("GET", "nowhere", "", 404),
        ("GET", "hosts/nowhere", "", 404),
        ("GET", "hosts/%ff", "", 400),
        ("POST", "info", "", 405),
        ("PUT", "hosts/a", "", 400),
        ("PUT", "hosts/a", "{\"name\":\"b\"}", 400),
        ("PUT", "hosts/a", "{\"name\":\"a\",\"colour\":\"red\"}", 400),
        ("PUT", "hosts/a", "{\"name\":\"a\"}", 422),
        ("PUT", "hosts/a%0Ab", "{\"name\":\"a\\nb\",\"personality\":\"distribution\"}", 422),
        ("PUT", "hosts/a", "{\"name\":\"a\",\"personality\":\"distribution\",\"address\":\"::1\"}", 422),
        ("PUT", "hosts/a/faults", &deep, 400),
        ("PUT", "clients", &long, 413),
        ("PUT", "clients", "{\"nodes\":{\"here\":\"n\"}}", 400),
        ("PUT", "clients", "{\"routes\":[{\"network\":\"10.0.0.0/8\",\"via\":\"10.0.0.1\"}]}", 422),
        ("PUT", "names/a..b", "{\"address\":\"10.0.0.1\"}", 422),
        ("GET", "pulls?since=-1", "", 400),
        ("GET", "pulls?since=99999999999999999999", "", 400),
        ("POST", "copies", "null", 400),
        ("POST", &tokens, far, 200),
        ("GET", "info", "", 200),
    ];
    for (method, path, body, status) in cases {
        let answer = admin.json(method, path, body).await;
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer:.300}");
        let text: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            text["error"].as_str().is_some_and(|error| !error.is_empty()),
            *status >= 400,
            "{path}: {text}"
        );
    }
    let client = admin.client(TOKEN).await.unwrap();
    for name in ["", ".", "..", "a b", "../../etc"] {
        assert!(client.set_name(name, [10, 0, 0, 1].into()).await.is_err(), "{name}");
        let spec = HostSpec { name: name.into(), personality: "distribution".into(), ..HostSpec::default() };
        assert!(client.add_host(spec).await.is_err(), "{name}");
    }
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_the_log_goes_on_where_it_was_when_the_way_is_open_again() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let address = admin.address;
    // The client must outlive this server.
    let options = AdminClientOptions {
        address,
        token: TOKEN.into(),
        patience: Duration::ZERO,
        stop: world.stop.child_token(),
    };
    let client = AdminClient::connect(options).await.unwrap();
    let info = world.host("r.example", "distribution", &[]).await;
    for _ in 0..3 {
        world.ask(&local(&info), "GET", "/v2/", "").await;
    }
    real::timeout(AGES, client.pull_log().beyond(2)).await.unwrap();
    admin.end().await;
    let gone = client.remove_host("x").await.unwrap_err();
    assert!(matches!(gone, RegistryError::Unreachable { .. }), "{gone}");
    for _ in 0..2 {
        world.ask(&local(&info), "GET", "/v2/", "").await;
    }
    assert_eq!(client.pull_log().last(), 3);
    let admin = Admin::over(&world, &address.to_string()).await;
    real::timeout(AGES, client.pull_log().beyond(4)).await.unwrap();
    assert_eq!(client.pull_log().since(0), world.registry.pull_log().since(0));
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_names_can_be_set() {
    let world = World::held();
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    let known =
        KnownClients { nodes: [([127, 0, 0, 1].into(), "n".into())].into(), ..KnownClients::default() };
    client.set_clients(&known).await.unwrap();
    let routes = vec![Route { network: "10.244.0.0/24".into(), via: [172, 18, 0, 3].into() }];
    let refused = client.set_clients(&KnownClients { routes, ..known }).await.unwrap_err();
    assert!(refused.to_string().contains("--interface"), "{refused}");
    client.set_name("control-plane", [172, 18, 0, 3].into()).await.unwrap();
    assert_eq!(world.registry.names().resolve("CONTROL-plane."), Some([172, 18, 0, 3].into()));
    client.remove_name("control-plane").await.unwrap();
    let addressed = HostSpec { address: Some([10, 25, 7, 9].into()), ..spec("a.example", "distribution") };
    client.add_host(addressed).await.unwrap();
    assert_eq!(world.registry.names().all(), [("a.example".to_owned(), [10, 25, 7, 9].into())].into());
    client.remove_host("a.example").await.unwrap();
    assert!(world.registry.names().all().is_empty());
    admin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_through_a_tunnel() {
    let Some(skopeo) = program("skopeo") else { return };
    let world = World::with(Clock::live());
    let admin = Admin::over(&world, "127.0.0.1:0").await;
    let client = admin.client(TOKEN).await.unwrap();
    let info = client.add_host(spec("registry-1.docker.io", "docker-hub")).await.unwrap();
    let image = ImageSpec { size: 3 << 20, ..ImageSpec::default() };
    let pushed = client.push_image(&info.name, "app", Some("1"), &image).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), world.authority.pem()).unwrap();
    let (certificates, target) =
        (folder.path().to_str().unwrap(), format!("dir:{}/out", folder.path().display()));
    let source = format!("docker://{}/app:1", info.address);
    let arguments = [
        "--insecure-policy",
        "copy",
        "--src-cert-dir",
        certificates,
        "--src-creds",
        "dev:s3cret",
        &source,
        &target,
    ];
    let output =
        tokio::process::Command::new(skopeo).args(arguments).kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    client.inspect(&Inspection::default()).await.unwrap();
    let log = client.pull_log().since(0);
    let served =
        |entry: &&pulldrill_registry::Entry| entry.digest.as_deref() == Some(&pushed.manifest_digest);
    assert!(log.iter().filter(served).all(|entry| entry.identity.as_deref() == Some("dev")));
    assert!(log.iter().any(|entry| served(&entry)));
    admin.end().await;
}
