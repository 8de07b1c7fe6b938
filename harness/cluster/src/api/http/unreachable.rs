//! Kubelets that can't be reached because their machines are off: what the API server says to those who want something of
//! a pod there (`LogLocation`, `UpgradeAwareHandler` and `StreamTranslatorHandler` of Kubernetes).

use serde_json::Value;

use super::{Server, machines::Machines, options::Query};
use crate::{
    api::{
        Status,
        json::{items, text},
    },
    store::Key,
};

/// The port of kubelets.
pub(super) const KUBELET: u16 = 10_250;

/// What a query for a log is handed on with.
const LOG_OPTIONS: [&str; 7] =
    ["follow", "limitBytes", "previous", "sinceSeconds", "sinceTime", "tailLines", "timestamps"];

/// What a query for streams is handed on with, and under which names.
const STREAM_OPTIONS: [(&str, &str); 4] =
    [("stderr", "error"), ("stdin", "input"), ("stdout", "output"), ("tty", "tty")];

/// Why nobody answers at a port.
pub(super) fn refused(address: &str, port: u16) -> String {
    format!("dial tcp {address}:{port}: connect: connection refused")
}

/// Where a node is: its internal address, or any that it has.
pub(super) fn address(node: &Value) -> Option<String> {
    let addresses = items(&node["status"]["addresses"]);
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP").or(addresses.first());
    internal.map(|address| text(&address["address"]).to_owned())
}

/// A kubelet that can't be reached.
pub(super) struct Unreachable {
    address: String,
}

impl Unreachable {
    /// The kubelet of a pod's node, when its machine is off. Nodes that are no machines of ours are not judged.
    pub(super) fn of(server: &Server, pod: &Value) -> Option<Self> {
        let name = text(&pod["spec"]["nodeName"]);
        if !is_off(&*server.machines, name) {
            return None;
        }
        let node = server.api.store().get("nodes", &Key::new("", name))?;
        Some(Self { address: address(node.value())? })
    }

    fn why(&self) -> String {
        refused(&self.address, KUBELET)
    }

    fn url(&self, what: &str, pod: &Value, container: &str, query: &[(&str, String)]) -> String {
        let meta = &pod["metadata"];
        let path = format!("{what}/{}/{}/{container}", text(&meta["namespace"]), text(&meta["name"]));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("https://{}:{KUBELET}/{path}{mark}{query}", self.address)
    }

    /// What is said to those who want a log.
    pub(super) fn log(&self, pod: &Value, container: &str, query: &Query) -> Status {
        let options = LOG_OPTIONS.iter().filter_map(|name| {
            let value = query.get(name)?;
            let flag = matches!(*name, "follow" | "previous" | "timestamps");
            (!flag || query.flag(name)).then(|| (*name, value.to_owned()))
        });
        let url = self.url("containerLogs", pod, container, &options.collect::<Vec<_>>());
        Status::new(500, "", format!("Get {url:?}: {}", self.why()))
    }

    /// What is said to those who want streams.
    pub(super) fn streams(&self) -> Status {
        Status::new(500, "", format!("error dialing backend: {}", self.why()))
    }

    /// What the API server says when it had accepted the streams before it tried.
    pub(super) fn translated(&self, what: &str, pod: &Value, container: &str, query: &Query) -> String {
        let mut options: Vec<(&str, String)> =
            query.all("command").into_iter().map(|word| ("command", word)).collect();
        let streams = STREAM_OPTIONS.iter().filter(|(name, _)| query.flag(name));
        options.extend(streams.map(|(_, name)| (*name, "1".to_owned())));
        let url = self.url(what, pod, container, &options);
        format!("error sending request: Post {url:?}: {}", self.why())
    }
}

fn is_off(machines: &dyn Machines, name: &str) -> bool {
    machines.list().iter().any(|(known, on)| known == name && !on)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::http::MachineChange;

    struct Two;

    impl Machines for Two {
        fn list(&self) -> Vec<(String, bool)> {
            vec![("a".to_owned(), true), ("b".to_owned(), false)]
        }

        fn change(&self, _: MachineChange, _: &str) -> Result<(), Status> {
            Ok(())
        }

        fn damage(&self, _: &str, _: Option<&str>) -> Result<(), Status> {
            Ok(())
        }

        fn demand_signatures(&self, _: &str, _: bool) {}
    }

    #[test]
    fn only_machines_that_are_off_can_not_be_reached() {
        assert_eq!(["a", "b", "c"].map(|name| is_off(&Two, name)), [false, true, false]);
    }

    #[test]
    fn what_is_said_names_whom_the_server_asked() {
        let node = json!({"status": {"addresses": [{"type": "Hostname", "address": "b"},
            {"type": "InternalIP", "address": "172.18.0.3"}]}});
        let off = Unreachable { address: address(&node).unwrap() };
        let pod = json!({"metadata": {"name": "web", "namespace": "shop"}});
        let why = "dial tcp 172.18.0.3:10250: connect: connection refused";
        let at = "https://172.18.0.3:10250";
        let log = |query: &str| off.log(&pod, "app", &Query::new(query)).message;
        assert_eq!(log(""), format!("Get \"{at}/containerLogs/shop/web/app\": {why}"));
        let some = "container=app&tailLines=5&follow=true&previous=false";
        assert_eq!(
            log(some),
            format!("Get \"{at}/containerLogs/shop/web/app?follow=true&tailLines=5\": {why}")
        );
        assert_eq!(off.streams().message, format!("error dialing backend: {why}"));
        let query = Query::new("command=sh&command=-c&container=app&stdout=true&stdin=true&stderr=false");
        let asked = format!("{at}/exec/shop/web/app?command=sh&command=-c&input=1&output=1");
        assert_eq!(
            off.translated("exec", &pod, "app", &query),
            format!("error sending request: Post \"{asked}\": {why}")
        );
    }
}
