//! In which order the containers of a pod are started, and which of them now.

use serde_json::Value;

use super::{
    container::Container,
    end::is_over,
    restart,
    worker::{Todo, Worker},
};

/// The containers to be started now, the next one last.
pub(super) fn to_start(worker: &mut Worker, pod: &Value) -> Vec<Todo> {
    if is_over(worker, &pod["spec"]) {
        return Vec::new();
    }
    let mut all = in_order(worker, pod);
    // Those that were added for a look go first, whatever the others are doing, and only once.
    let added = pod["spec"]["ephemeralContainers"].as_array().into_iter().flatten().rev();
    let added = added.map(|container| Todo::of(container, "ephemeralContainers"));
    all.extend(added.filter(|todo| worker.slot(&todo.name).current.is_none()));
    all
}

/// Init containers go one by one, and first; those that stay beside the others are kept running.
fn in_order(worker: &mut Worker, pod: &Value) -> Vec<Todo> {
    let spec = &pod["spec"];
    let policy = restart::policy_of(spec);
    let mut all = Vec::new();
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        let todo = Todo::of(container, "initContainers");
        let slot = worker.slot(&todo.name);
        let stays = !todo.init();
        match slot.ended() {
            Some(_) if stays => all.push(todo),
            Some((_, ended)) if ended.code == 0 => {}
            Some((_, ended)) if todo.restarts(policy, ended) => return vec![todo],
            Some(_) => return Vec::new(),
            None if slot.running().is_some() && stays => {}
            None if slot.running().is_some() => return Vec::new(),
            None => return vec![todo],
        }
    }
    let containers = spec["containers"].as_array().into_iter().flatten();
    all.extend(containers.map(|container| Todo::of(container, "containers")).filter(|todo| {
        match &worker.slot(&todo.name).current {
            None => true,
            Some(Container { ended: Some(ended), .. }) => todo.restarts(policy, ended),
            Some(running) => running.spec_image != todo.image,
        }
    }));
    all.reverse();
    all
}

impl Todo {
    fn of(container: &Value, list: &'static str) -> Self {
        let text = |field: &str| container[field].as_str().unwrap_or_default().to_owned();
        let strings = |field: &str| -> Vec<String> {
            let all = container[field].as_array().into_iter().flatten();
            all.filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        Self {
            name: text("name"),
            image: text("image"),
            policy: text("imagePullPolicy"),
            ready_after: container["readinessProbe"]["initialDelaySeconds"].as_i64().unwrap_or_default(),
            list,
            arguments: [strings("command"), strings("args")].concat(),
            container: container.clone(),
        }
    }
}
