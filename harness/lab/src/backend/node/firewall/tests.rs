//! Real rules in network namespaces of their own, with real connections: from the node itself, and through it as a
//! pod's are.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    process::Command,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use pulldrill_cluster::network::Action;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;
use crate::backend::{kind::testing::skip, node::shell::Output};

/// How long a packet that vanished is waited for.
const SILENCE: Duration = Duration::from_millis(600);

/// A node with a pod behind it and a registry before it, each a namespace.
struct Net {
    id: String,
    /// Which tools the node is said not to have.
    without: &'static str,
    place: String,
}

impl Net {
    fn new(without: &'static str) -> Option<Self> {
        let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let net = Self { place: format!("pd-{id}-node"), id, without };
        let script = "set -e
            for n in pod node reg; do ip netns add $1-$n; ip -n $1-$n link set lo up; done
            ip -n $1-node link add p type veth peer name e netns $1-pod
            ip -n $1-node link add r type veth peer name e netns $1-reg
            ip -n $1-node addr add 10.77.1.1/24 dev p; ip -n $1-pod addr add 10.77.1.2/24 dev e
            ip -n $1-node addr add 10.77.2.1/24 dev r; ip -n $1-reg addr add 10.77.2.2/24 dev e
            for a in 1 2 3; do ip -n $1-reg addr add 10.25.7.$a/32 dev e; done
            ip -n $1-node link set p up; ip -n $1-node link set r up
            ip -n $1-pod link set e up; ip -n $1-reg link set e up
            ip -n $1-pod route add default via 10.77.1.1; ip -n $1-reg route add default via 10.77.2.1
            ip -n $1-node route add default via 10.77.2.2
            ip netns exec $1-node sysctl -qw net.ipv4.ip_forward=1";
        let made = Command::new("sh").args(["-c", script, "sh", &format!("pd-{}", net.id)]).output();
        let said = match made {
            Ok(output) if output.status.success() => return Some(net),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        skip(&format!("no network namespaces (root and iproute2 are needed): {}", said.trim()));
        None
    }

    /// A node that filters packets with this tool, and is said not to have the other.
    async fn with(tool: Tool) -> Option<Self> {
        let (without, look, package): (_, &[&str], _) = match tool {
            Tool::Iptables => ("", &["iptables", "-w", "-S"], "iptables"),
            Tool::Nft => ("iptables", &["nft", "list", "tables"], "nftables"),
        };
        let net = Self::new(without)?;
        if net.run(look).await.unwrap().code == 0 {
            return Some(net);
        }
        skip(&format!("no {}: install {package}", look[0]));
        None
    }

    /// Does something inside a namespace.
    fn inside<T: Send>(&self, name: &str, action: impl FnOnce() -> T + Send) -> T {
        let space = File::open(format!("/run/netns/pd-{}-{name}", self.id)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                action()
            });
            thread.join().unwrap()
        })
    }

    /// A registry that answers whatever it is told with the same.
    fn serve(&self, at: &str) {
        let listener = self.inside("reg", || TcpListener::bind(at).unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let (mut stream, mut letter) = (stream, [0]);
                    while stream.read_exact(&mut letter).is_ok() && stream.write_all(&letter).is_ok() {}
                });
            }
        });
    }

    fn connect(&self, from: &str, to: &str) -> std::io::Result<TcpStream> {
        let to: SocketAddr = to.parse().unwrap();
        self.inside(from, || TcpStream::connect_timeout(&to, SILENCE))
    }

    /// What becomes of a connection.
    fn dial(&self, from: &str, to: &str) -> &'static str {
        match self.connect(from, to) {
            Ok(_) => "open",
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "refused",
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => "silence",
            Err(error) => panic!("{from} to {to}: {error}"),
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in ["pod", "node", "reg"] {
            drop(Command::new("ip").args(["netns", "del", &format!("pd-{}-{name}", self.id)]).output());
        }
    }
}

impl Shell for Net {
    fn place(&self) -> &str {
        &self.place
    }

    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Output, NodeError>> {
        async move {
            match command {
                // A function stands before a program of the same name.
                ["sh", "-c", script, rest @ ..] if !self.without.is_empty() => {
                    let hidden = format!("{}() {{ return 127; }}\n{script}", self.without);
                    Ok(self.spawn(&[&["sh", "-c", &hidden][..], rest].concat()))
                }
                other => Ok(self.spawn(other)),
            }
        }
        .boxed()
    }
}

impl Net {
    fn spawn(&self, command: &[&str]) -> Output {
        let output = Command::new("ip").args(["netns", "exec", &self.place]).args(command).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1).into();
        Output { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

fn rule(id: &str, action: Action, destination: &str, port: Option<u16>, comment: &str) -> EgressRule {
    let destination = destination.parse().unwrap();
    EgressRule { id: id.into(), action, destination, port, comment: comment.into() }
}

fn echoes(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let mut letter = [0];
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut letter).is_ok()
}

/// The same for both tools.
async fn rules_do_what_they_say(net: &Net, expected: Tool, part: Part) {
    let node: &dyn Shell = net;
    let tool = Firewall::of(node, part).await.unwrap();
    assert_eq!(tool.tool, expected);
    for address in ["10.25.7.1:443", "10.25.7.2:443", "10.25.7.3:443", "10.25.7.3:80"] {
        net.serve(address);
    }
    assert_eq!(tool.read(node).await.unwrap(), []);
    let (mut from_node, mut from_pod) =
        (net.connect("node", "10.25.7.1:443").unwrap(), net.connect("pod", "10.25.7.1:443").unwrap());
    assert!(echoes(&mut from_node) && echoes(&mut from_pod));

    let rules = [
        rule("first", Action::Allow, "10.25.7.3", Some(80), "größer: \"a\" 'b' \\ $(c)\n-j ACCEPT # %41"),
        rule("drop: it", Action::Drop, "10.25.7.1", None, ""),
        rule("reject", Action::Reject, "10.25.7.2", Some(443), "no"),
        rule("reject-all", Action::Reject, "10.25.7.0/24", None, ""),
    ];
    tool.replace(node, &rules).await.unwrap();
    assert_eq!(tool.read(node).await.unwrap(), rules);
    for from in ["node", "pod"] {
        let all = ["10.25.7.1:443", "10.25.7.2:443", "10.25.7.3:443", "10.25.7.3:80"];
        assert_eq!(
            all.map(|to| net.dial(from, to)),
            ["silence", "refused", "refused", "open"],
            "from the {from}"
        );
    }
    assert!(!echoes(&mut from_node) && !echoes(&mut from_pod), "an open connection goes on");

    tool.replace(node, &rules[2..3]).await.unwrap();
    assert_eq!(tool.read(node).await.unwrap(), rules[2..3]);
    assert_eq!(net.dial("pod", "10.25.7.1:443"), "open");
    let everything = [rule("all", Action::Drop, "0.0.0.0/0", None, "x")];
    tool.replace(node, &everything).await.unwrap();
    assert_eq!(tool.read(node).await.unwrap(), everything);
    assert_eq!(net.dial("node", "10.25.7.3:443"), "silence");

    let long = rule("long", Action::Drop, "10.25.7.1", None, &"x".repeat(300));
    assert!(tool.replace(node, &[long]).await.unwrap_err().to_string().contains("too long"));
    assert_eq!(tool.read(node).await.unwrap(), everything, "a refused change changes nothing");
    tool.replace(node, &[]).await.unwrap();
    assert_eq!(tool.read(node).await.unwrap(), []);
    assert_eq!(net.dial("node", "10.25.7.3:443"), "open");
}

#[tokio::test]
async fn with_iptables() {
    let Some(net) = Net::with(Tool::Iptables).await else { return };
    rules_do_what_they_say(&net, Tool::Iptables, Part::Own).await;
    let firewall = Firewall { tool: Tool::Iptables, part: Part::Own };
    // By hand, and with another program's chain put before ours.
    let node: &dyn Shell = &net;
    let ours = [rule("a", Action::Drop, "10.25.7.1", None, "")];
    firewall.replace(node, &ours).await.unwrap();
    let script = "iptables -A PULLDRILL-EGRESS -d 10.25.7.2 -p tcp --dport 443 -j DROP
        iptables -A PULLDRILL-EGRESS -p udp --dport 99 -m comment --comment 'my \"own\"' -j DROP
        iptables -I OUTPUT -m comment --comment 'somebody else' -j ACCEPT";
    node.ok(&["sh", "-c", script]).await.unwrap();
    assert_eq!(net.dial("node", "10.25.7.1:443"), "open");
    let read = firewall.read(node).await.unwrap();
    assert_eq!(read, [ours[0].clone(), rule("by-hand-1", Action::Drop, "10.25.7.2", Some(443), "")]);
    firewall.replace(node, &read).await.unwrap();
    assert_eq!(firewall.read(node).await.unwrap(), read);
    assert_eq!(net.dial("node", "10.25.7.1:443"), "silence");
    assert_eq!(net.dial("pod", "10.25.7.2:443"), "silence");
    let listed = node.ok(&["iptables", "-S"]).await.unwrap();
    assert_eq!(
        listed.matches("--dport 99 -m comment --comment \"my \\\"own\\\"\" -j DROP").count(),
        1,
        "{listed}"
    );
    assert_eq!(listed.matches("-j PULLDRILL-EGRESS").count(), 2, "{listed}");
    assert!(listed.contains("somebody else"), "{listed}");
}

#[tokio::test]
async fn with_nft() {
    let Some(net) = Net::with(Tool::Nft).await else { return };
    let node: &dyn Shell = &net;
    rules_do_what_they_say(&net, Tool::Nft, Part::Own).await;
    let firewall = Firewall { tool: Tool::Nft, part: Part::Own };
    let ours =
        [rule("a", Action::Drop, "10.25.7.1", None, ""), rule("six", Action::Drop, "fd00::/8", Some(1), "")];
    firewall.replace(node, &ours).await.unwrap();
    let script = "nft add rule inet pulldrill egress ip daddr 10.25.7.2 tcp dport 443 counter drop comment '\"my own\"'
        nft add rule inet pulldrill egress udp dport 99 drop";
    node.ok(&["sh", "-c", script]).await.unwrap();
    let read = firewall.read(node).await.unwrap();
    let by_hand = rule("by-hand-1", Action::Drop, "10.25.7.2", Some(443), "my own");
    assert_eq!(read, [ours[0].clone(), ours[1].clone(), by_hand]);
    firewall.replace(node, &read[1..]).await.unwrap();
    assert_eq!(firewall.read(node).await.unwrap(), read[1..]);
    assert_eq!([net.dial("pod", "10.25.7.1:443"), net.dial("pod", "10.25.7.2:443")], ["open", "silence"]);
    assert!(node.ok(&["nft", "list", "ruleset"]).await.unwrap().contains("udp dport 99 drop"));
}

/// Addresses that nobody has lead to the registry, and rules look at where a packet was sent.
async fn addresses_lead_elsewhere(net: &Net, tool: Tool) {
    let node: &dyn Shell = net;
    let part = Part::of_guest("workshop");
    let mark = part.mark().unwrap().to_owned();
    let firewall = Firewall { tool, part };
    net.serve("10.25.7.3:8443");
    let lead = |last: u8, port: u16| Lead {
        address: Ipv4Addr::new(10, 99, 7, last),
        port: 443,
        to: SocketAddrV4::new(Ipv4Addr::new(10, 25, 7, 3), port),
    };
    firewall.lead(node, &[lead(5, 8443), lead(6, 1)]).await.unwrap();
    for from in ["node", "pod"] {
        let all = ["10.99.7.5:443", "10.99.7.6:443", "10.25.7.3:8443"];
        assert_eq!(all.map(|to| net.dial(from, to)), ["open", "refused", "open"], "from the {from}");
    }
    let rules = [
        rule("port", Action::Allow, "10.99.7.6", Some(443), ""),
        rule("reject", Action::Reject, "10.99.7.6", None, ""),
        rule("net", Action::Drop, "10.99.7.0/24", None, "CHG"),
    ];
    firewall.replace(node, &rules[1..]).await.unwrap();
    assert_eq!(firewall.read(node).await.unwrap(), rules[1..]);
    for from in ["node", "pod"] {
        assert_eq!(net.dial(from, "10.99.7.5:443"), "silence", "from the {from}");
        assert_eq!(net.dial(from, "10.25.7.3:8443"), "open", "others' ways stay open");
    }
    let other = Firewall { tool, part: Part::of_guest("another") };
    assert_eq!(other.read(node).await.unwrap(), [], "labs don't see each other's rules");
    let open = [rule("way", Action::Allow, "10.99.7.5", Some(443), ""), rules[2].clone()];
    firewall.replace(node, &open).await.unwrap();
    assert_eq!(firewall.read(node).await.unwrap(), open);
    for from in ["node", "pod"] {
        assert_eq!(["10.99.7.5:443", "10.99.7.6:443"].map(|to| net.dial(from, to)), ["open", "silence"]);
    }
    firewall.lead(node, &[lead(5, 8443)]).await.unwrap();
    assert_eq!(net.dial("node", "10.99.7.5:443"), "open");

    let script = include_str!("../guest.sh");
    // Only packets are the namespace's own: files are this machine's, where the lab's line is nowhere.
    node.ok(&["sh", "-c", script, "sh", "clean", "no-lab-has-this-prefix", &mark]).await.unwrap();
    let left = net.spawn(&["sh", "-c", "iptables-save 2>/dev/null; nft list ruleset 2>/dev/null"]).stdout;
    assert!(!left.to_lowercase().contains("pulldrill"), "{left}");
    assert_eq!(net.dial("node", "10.25.7.3:8443"), "open");
}

#[tokio::test]
async fn addresses_lead_elsewhere_with_iptables() {
    let Some(net) = Net::with(Tool::Iptables).await else { return };
    addresses_lead_elsewhere(&net, Tool::Iptables).await;
}

#[tokio::test]
async fn addresses_lead_elsewhere_with_nft() {
    let Some(net) = Net::with(Tool::Nft).await else { return };
    addresses_lead_elsewhere(&net, Tool::Nft).await;
}
