//! Dials of every kind, from a node's point of view.

use parking_lot::Mutex;
use pulldrill_clock::Timestamp;
use tokio::net::TcpListener;

use super::*;

fn address() -> IpAddr {
    "10.20.0.7".parse().unwrap()
}

async fn dial(network: &Network, clock: &Clock, host: &str) -> Result<TcpStream, DialError> {
    let (network, task_clock, host) = (network.clone(), clock.clone(), host.to_owned());
    let busy = clock.busy();
    let task = tokio::spawn(async move { network.connect("node-1", &host, 443, &task_clock, busy).await.0 });
    clock.advance(SignedDuration::from_mins(1)).await;
    task.await.unwrap()
}

#[tokio::test]
async fn each_failure_has_its_text_and_its_cost() {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let network = Network::new();
    let text = |r: Result<TcpStream, DialError>| r.unwrap_err().to_string();
    assert_eq!(
        text(dial(&network, &clock, "registry.example").await),
        "dial tcp: lookup registry.example on 10.96.0.10:53: no such host"
    );
    network.add_host("registry.example", address());
    assert_eq!(text(dial(&network, &clock, "registry.example").await), "dial tcp 10.20.0.7:443: i/o timeout");
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    network.add_route(address(), 443, gone);
    assert_eq!(
        text(dial(&network, &clock, "REGISTRY.example").await),
        "dial tcp 10.20.0.7:443: connect: connection refused"
    );
}

#[tokio::test]
async fn a_connection_is_announced_with_the_address_that_the_server_sees() {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let network = Network::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    network.add_host("registry.example", address());
    network.add_route(address(), 443, listener.local_addr().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let told2 = told.clone();
    network.on_connect(move |local, node| told2.lock().push((local, node.to_owned())));
    let _stream = dial(&network, &clock, "registry.example").await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(*told.lock(), vec![(peer, "node-1".to_owned())]);
}

#[tokio::test]
async fn rules_are_per_node_and_can_be_taken_back() {
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let network = Network::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    network.add_host("registry.example", address());
    network.add_route(address(), 443, listener.local_addr().unwrap());
    let rule = |id: &str, action| EgressRule {
        id: id.into(),
        action,
        destination: Cidr::host(address()),
        port: None,
        comment: String::new(),
    };
    network.add_egress("node-2", rule("r1", Action::Reject));
    assert!(dial(&network, &clock, "registry.example").await.is_ok());
    network.add_egress("node-1", rule("r1", Action::Drop));
    assert!(dial(&network, &clock, "registry.example").await.unwrap_err().is_timeout());
    network.add_egress("node-1", rule("r1", Action::Reject));
    assert_eq!(network.egress("node-1").len(), 1);
    assert!(matches!(dial(&network, &clock, "10.20.0.7").await, Err(DialError::Refused(_))));
    assert!(network.remove_egress("node-1", "r1"));
    assert!(!network.remove_egress("node-1", "r1"));
    assert!(dial(&network, &clock, "registry.example").await.is_ok());
}
