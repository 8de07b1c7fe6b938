//! Handing a container to the runtime, and taking in its end.

use std::sync::Arc;

use pulldrill_clock::{Busy, Timestamp};
use serde_json::Value;

use super::{
    Done, Kubelet, What,
    container::{BEHAVIOUR, Container, Ended, exit_time},
    environment, last_words,
    logs::first_words,
    worker::{Todo, Worker},
};
use crate::{
    engine::{Context, Outcome},
    puller::{Image, words},
    runtime::{
        container::{Spec, TERMINATED},
        images::{self, HTTP},
    },
    store::Key,
};

/// Where an image's program listens when it serves and says nothing else.
const PORT: u16 = 8080;

impl Kubelet {
    /// Starts a container. Images with programs of ours run them; what others do is told by their label.
    pub(super) fn launch(
        &self,
        worker: &Worker,
        key: &Key,
        todo: &Todo,
        image: Arc<Image>,
        number: u32,
        context: &Context,
    ) -> Container {
        let now = self.clock.now();
        let id = words::hex_id(&[&worker.uid, &todo.name, &number.to_string()]);
        let exits_at = exit_time(&image, todo.init(), now);
        let words = first_words(&image, &todo.arguments, exits_at.is_some());
        let spec = self.spec(worker, todo, &id, &image, exits_at.is_some());
        let (container, start) = self.runtime.create(&worker.uid, &todo.name, spec);
        let mut made = Container {
            id: format!("{}://{id}", self.dialect.node.runtime_name()),
            spec_image: todo.image.clone(),
            image,
            started: now,
            ready_at: now + pulldrill_clock::SignedDuration::from_secs(todo.ready_after),
            exits_at,
            code: None,
            term: Some(0),
            ended: None,
            message: String::new(),
        };
        if !container.runs() {
            self.logs.begin(&worker.uid, &todo.name, now, words);
            if container.can_be_killed() && exits_at.is_none() {
                self.await_exit(key, worker, todo, &made, context, container.serve());
            }
            return made;
        }
        self.logs.begin(&worker.uid, &todo.name, now, Vec::new());
        (made.exits_at, made.term) =
            (None, (!is_first_process(worker.pod.value(), todo)).then_some(TERMINATED));
        if let Some(why) = container.start_error() {
            made.ended = Some(Ended { failure: Some(why), ..Ended::with(128, now) });
            return made;
        }
        self.await_exit(key, worker, todo, &made, context, container.run(start));
        made
    }

    /// Brings the end of a main process.
    fn await_exit(
        &self,
        key: &Key,
        worker: &Worker,
        todo: &Todo,
        made: &Container,
        context: &Context,
        running: impl Future<Output = (i32, Busy)> + Send + 'static,
    ) {
        let (uid, container, id) = (worker.uid.clone(), todo.name.clone(), made.id.clone());
        context.start(key.clone(), move |busy| async move {
            drop(busy);
            let (code, busy) = running.await;
            let what = What::Exited { container, id, code };
            (Box::new(Done { uid, what }) as Outcome, busy)
        });
    }

    fn spec(&self, worker: &Worker, todo: &Todo, id: &str, image: &Arc<Image>, exits: bool) -> Spec {
        let (pod, container) = (worker.pod.value(), &todo.container);
        let flag = |name: &str| container[name].as_bool().unwrap_or_default();
        let list = |name: &str| -> Vec<String> {
            let all = container[name].as_array().into_iter().flatten();
            all.filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let directory = container["workingDir"].as_str().unwrap_or(&image.directory);
        let hostname = pod["spec"]["hostname"].as_str().or(pod["metadata"]["name"].as_str());
        let address = worker.sandbox.as_ref().map_or("", |sandbox| sandbox.address.as_str());
        let serves = !exits
            && images::main(image, &list("command"), &list("args")).is_none()
            && image.labels.get(BEHAVIOUR).is_none_or(|b| b != "exit");
        let port = image.labels.get(HTTP).and_then(|port| port.parse().ok());
        let (logs, clock) = (self.logs.clone(), self.clock.clone());
        let (uid, name) = (worker.uid.clone(), todo.name.clone());
        Spec {
            id: id.to_owned(),
            command: list("command"),
            arguments: list("args"),
            variables: environment::variables(self.api.store(), pod, container, image, address),
            directory: directory.to_owned(),
            hostname: hostname.unwrap_or_default().chars().take(63).collect(),
            stdin: flag("stdin"),
            stdin_once: flag("stdinOnce"),
            tty: flag("tty"),
            termination_log: last_words::path(container).to_owned(),
            log: Arc::new(move |bytes| logs.append(&uid, &name, clock.now(), bytes)),
            http: port.or(serves.then_some(PORT)),
            image: image.clone(),
        }
    }

    /// Takes in that a main process has ended. True when that is news.
    pub(super) fn exited(&self, worker: &mut Worker, name: &str, id: &str, code: i32) -> bool {
        let now = self.clock.now();
        let message = self.last_words(worker, name, code);
        let slot = worker.slot(name);
        let Some(container) = slot.current.as_mut().filter(|c| c.id == id && c.ended.is_none()) else {
            return false;
        };
        container.exits_at = Some(now);
        container.code = Some(code);
        container.message = message;
        self.runtime.remove(&worker.uid, name);
        self.look_again(worker, now);
        true
    }

    /// Has the pod looked at again when the node next looks at its containers, if one has ended unseen.
    pub(super) fn look_again(&self, worker: &mut Worker, now: Timestamp) {
        let unseen = worker.slots.values().any(|slot| slot.running().is_some_and(|c| c.code.is_some()));
        if unseen {
            let at = super::sync::tick(now, self.relist);
            worker.due = Some(worker.due.map_or(at, |due| due.min(at)));
        }
    }
}

/// Whether a container's main process is the first one of its namespace: then the kernel keeps signals from it that it
/// has no handler for (`pid_namespaces(7)`), and a shell or `sleep` goes on until it is killed.
fn is_first_process(pod: &Value, todo: &Todo) -> bool {
    let spec = &pod["spec"];
    let joins = todo.container["targetContainerName"].as_str().is_some_and(|target| !target.is_empty());
    spec["shareProcessNamespace"] != true && spec["hostPID"] != true && !joins
}
