//! A registry with addresses of its own, in a network made for the test: one namespace is the registry's machine,
//! another one a node's, with a cable between them. Needs root and `ip`; skipped loudly without.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Command, Output},
    sync::Arc,
};

use common::program;
use pulldrill_clock::Clock;
use pulldrill_registry::{
    Access, AddressBook, AdminClient, AdminClientOptions, Control, HostSpec, ImageSpec, Interface, Registry,
    RegistryOptions, RepositorySpec, Site,
    admin::{AdminServer, KnownClients, Route, serve},
};
use pulldrill_tls::Authority;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Tells the second half of the test the name of its node's namespace.
const INSIDE: &str = "PULLDRILL_TEST_NAMESPACE";
const REGISTRY: &str = "198.18.25.2";
const NODE: &str = "198.18.25.3";
const POD: &str = "10.244.9.5";
const HOST: Ipv4Addr = Ipv4Addr::new(10, 25, 7, 9);
const TOKENS: Ipv4Addr = Ipv4Addr::new(10, 25, 7, 10);

/// Namespaces that go when the test does, with everything in them.
struct Namespaces(Vec<String>);

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            let _other_ones_still_go = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

fn ip(arguments: &str) -> Output {
    Command::new("ip").args(arguments.split(' ')).output().unwrap()
}

fn done(arguments: &str) -> String {
    let output = ip(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the network and runs the other test of this file in it.
#[test]
fn hosts_have_addresses_of_their_own() {
    use std::io::Write as _;
    if program("ip").is_none() || program("curl").is_none() {
        return;
    }
    let skip = |why: &str| {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{why}");
        let _nobody_reads = writeln!(std::io::stderr(), "SKIPPED: {why}");
    };
    let (registry, node) = (format!("pd-r-{}", std::process::id()), format!("pd-n-{}", std::process::id()));
    if !ip(&format!("netns add {registry}")).status.success() {
        return skip("network namespaces take root");
    }
    let _both = Namespaces(vec![registry.clone(), node.clone()]);
    done(&format!("netns add {node}"));
    done(&format!("-n {registry} link add eth0 type veth peer name eth0 netns {node}"));
    for (namespace, address) in [(&registry, REGISTRY), (&node, NODE)] {
        done(&format!("-n {namespace} address add {address}/24 dev eth0"));
        done(&format!("-n {namespace} link set eth0 up"));
        done(&format!("-n {namespace} link set lo up"));
    }
    done(&format!("-n {node} route add default via {REGISTRY}"));
    done(&format!("-n {node} address add {POD}/32 dev lo"));
    let inside = Command::new("ip")
        .args(["netns", "exec", &registry])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--ignored", "--nocapture"])
        .env(INSIDE, &node)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&inside.stdout);
    let complete = inside.status.success() && text.contains("1 passed");
    assert!(complete, "{text}{}", String::from_utf8_lossy(&inside.stderr));
}

/// What the node gets when it asks by an address of its own.
async fn curl(node: &str, authority: &str, source: &str, url: &str) -> Output {
    let head =
        ["netns", "exec", node, "curl", "-sS", "--max-time", "20", "--noproxy", "*", "--cacert", authority];
    let resolve = format!("r.example:443:{HOST}");
    let (resolve, user) =
        (["--resolve", resolve.as_str()], ["-w", "\n%{http_code}", "--interface", source, url]);
    let mut command = tokio::process::Command::new("ip");
    command.args(head).args(resolve).args(user).kill_on_drop(true).output().await.unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test, in its network"]
async fn inside() {
    let Ok(node) = std::env::var(INSIDE) else { return };
    pulldrill_tls::install_provider();
    assert!(Interface::named("eth7").await.err().unwrap().to_string().contains("No such device"));
    let stop = CancellationToken::new();
    let book = Arc::new(AddressBook::default());
    let interface = Arc::new(Interface::named("eth0").await.unwrap());
    let site = Site { interface: Some(interface), ..Site::default() };
    let registry = Registry::on(
        site,
        RegistryOptions {
            clock: Clock::live(),
            seed: 1,
            authority: Arc::new(Authority::new("test").unwrap()),
            clients: book.clone(),
            stop: stop.clone(),
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.crt");
    std::fs::write(&authority, registry.authority_pem()).unwrap();
    let authority = authority.to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = AdminServer { registry: registry.clone(), book, token: "t".into(), stop: stop.clone() };
    tokio::spawn(serve(listener, server));
    let options = AdminClientOptions {
        address,
        token: "t".into(),
        patience: std::time::Duration::ZERO,
        stop: stop.child_token(),
    };
    let client = AdminClient::connect(options).await.unwrap();
    let known = |routes: Vec<Route>| KnownClients {
        nodes: [(NODE.parse().unwrap(), "worker".to_owned())].into(),
        nat: Some([203, 0, 113, 7].into()),
        routes,
    };
    let way = Route { network: "10.244.9.0/24".into(), via: NODE.parse().unwrap() };
    client.set_clients(&known(vec![way])).await.unwrap();
    assert!(done("route show").contains("10.244.9.0/24 via 198.18.25.3"));

    let repository =
        RepositorySpec { name: "app".into(), pull: Access::Anonymous, push: Access::Authenticated };
    let spec = HostSpec {
        name: "r.example".into(),
        personality: "docker-hub".into(),
        repositories: vec![repository],
        auth_host: Some("auth.example".into()),
        address: Some(HOST.into()),
        auth_address: Some(TOKENS.into()),
        ..HostSpec::default()
    };
    client.add_host(spec.clone()).await.unwrap();
    let image = client.push_image("r.example", "app", Some("1"), &ImageSpec::default()).await.unwrap();
    let addresses = done("-brief -4 address show dev eth0");
    assert!(addresses.contains("10.25.7.9/32") && addresses.contains("10.25.7.10/32"), "{addresses}");

    let names = [("auth.example".to_owned(), TOKENS), ("r.example".to_owned(), HOST)];
    assert_eq!(registry.names().all(), names.into());
    for source in [NODE, POD] {
        let refused = text(&curl(&node, authority, source, "https://r.example/v2/app/manifests/1").await);
        assert!(refused.contains("UNAUTHORIZED") && refused.ends_with("\n401"), "{refused}");
    }
    client.inspect(&pulldrill_registry::Inspection::default()).await.unwrap();
    let seen: Vec<(Option<String>, IpAddr)> = client
        .pull_log()
        .since(0)
        .into_iter()
        .map(|entry| (entry.client.node, entry.client.address))
        .collect();
    let node_is = (Some("worker".to_owned()), IpAddr::from([203, 0, 113, 7]));
    assert_eq!(seen, [node_is, (None, POD.parse().unwrap())]);

    // An address has one owner, and a host that cannot have it is not there at all.
    let rival = HostSpec { name: "x.example".into(), auth_address: None, ..spec.clone() };
    let refused = client.add_host(rival).await.unwrap_err().to_string();
    assert!(refused.contains("10.25.7.9") && refused.contains("r.example"), "{refused}");
    assert_eq!(registry.host_names(), ["r.example"]);
    let again = text(&curl(&node, authority, NODE, "https://r.example/v2/").await);
    assert!(again.ends_with("\n401"), "{again}");

    // A host that comes back has its address again.
    for _ in 0..3 {
        client.remove_host("r.example").await.unwrap();
        assert!(!done("-brief -4 address show dev eth0").contains("10.25."));
        assert!(!curl(&node, authority, NODE, "https://r.example/v2/").await.status.success());
        client.add_host(spec.clone()).await.unwrap();
    }
    let again = client.push_image("r.example", "app", Some("1"), &ImageSpec::default()).await.unwrap();
    assert_eq!(again, image);
    client.set_clients(&known(Vec::new())).await.unwrap();
    assert!(!done("route show").contains("10.244."));
    stop.cancel();
    registry.stopped().await;
    assert!(!done("-brief -4 address show dev eth0").contains("10.25."));
}
