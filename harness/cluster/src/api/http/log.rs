//! The output of containers: which one is meant, why there is none yet, and following it.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures::stream;
use pulldrill_clock::{Timestamp, real};
use serde_json::Value;

use super::{Reply, Server, dispatch::Asked, options::Query, reply, route::Target};
use crate::{
    api::{
        LogLine, Status,
        json::{items, text},
    },
    store::Key,
};

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Which lines are wanted.
#[derive(Clone, Debug)]
struct Wanted {
    since: Option<Timestamp>,
    tail: Option<usize>,
    limit: Option<usize>,
    timestamps: bool,
}

/// `GET` of a pod's log.
pub(super) fn log(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let pod = server.api.get("pods", &key)?;
    let pod = pod.value();
    let container = container(pod, &asked.query)?;
    let wanted = wanted(server, &asked.query)?;
    if text(&pod["spec"]["nodeName"]).is_empty() {
        return Ok(reply::text(204, ""));
    }
    let previous = asked.query.flag("previous");
    state(pod, &container, previous)?;
    let uid = text(&pod["metadata"]["uid"]).to_owned();
    let lines = server.logs.lines(&uid, &container, previous).unwrap_or_default();
    let shown = select(&lines, &wanted);
    if !asked.query.flag("follow") || previous {
        return Ok(reply::bytes(200, "text/plain", shown));
    }
    let follow = Follow {
        ready: VecDeque::from([shown]),
        server: server.clone(),
        key,
        told: lines.len(),
        timestamps: wanted.timestamps,
        uid,
        container,
    };
    Ok(reply::stream("text/plain", stream::unfold(follow, Follow::next)))
}

fn wanted(server: &Server, query: &Query) -> Result<Wanted, Status> {
    let size = |n: i64| usize::try_from(n).unwrap_or(0);
    let since = match query.number("sinceSeconds")? {
        Some(seconds) => Some(server.clock().shown_now() - pulldrill_clock::seconds(seconds)),
        None => query.text("sinceTime").parse().ok(),
    };
    Ok(Wanted {
        since,
        tail: query.number("tailLines")?.map(size),
        limit: query.number("limitBytes")?.map(size),
        timestamps: query.flag("timestamps"),
    })
}

/// The name of the container that is meant.
fn container(pod: &Value, query: &Query) -> Result<String, Status> {
    let pod_name = text(&pod["metadata"]["name"]);
    let names = |list: &str| items(&pod["spec"][list]).iter().map(|c| text(&c["name"]).to_owned());
    let all: Vec<String> = names("containers").collect();
    let initial: Vec<String> = names("initContainers").collect();
    let wanted = query.text("container");
    if wanted.is_empty() {
        if let [only] = all.as_slice() {
            return Ok(only.clone());
        }
        let mut choices = format!("choose one of: [{}]", all.join(" "));
        if !initial.is_empty() {
            choices += &format!(" or one of the init containers: [{}]", initial.join(" "));
        }
        let message = format!("a container name must be specified for pod {pod_name}, {choices}");
        return Err(Status::bad_request(message));
    }
    if all
        .iter()
        .chain(&initial)
        .chain(&names("ephemeralContainers").collect::<Vec<_>>())
        .any(|n| n == wanted)
    {
        return Ok(wanted.to_owned());
    }
    Err(Status::bad_request(format!("container {wanted} is not valid for pod {pod_name}")))
}

/// Refuses when the container has not run yet.
fn state(pod: &Value, container: &str, previous: bool) -> Result<(), Status> {
    let status = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .iter()
        .flat_map(|list| items(&pod["status"][*list]))
        .find(|s| s["name"] == container);
    let name = text(&pod["metadata"]["name"]);
    let waits = |why: &str| {
        let message = format!("container {container:?} in pod {name:?} is waiting to start: {why}");
        Err(Status::bad_request(message))
    };
    let Some(status) = status else { return waits("ContainerCreating") };
    if previous {
        if status["lastState"]["terminated"].is_object() {
            return Ok(());
        }
        let message = format!("previous terminated container {container:?} in pod {name:?} not found");
        return Err(Status::bad_request(message));
    }
    let has_run = ["running", "terminated"].iter().any(|s| status["state"][*s].is_object())
        || status["lastState"]["terminated"].is_object();
    match status["state"]["waiting"]["reason"].as_str() {
        _ if has_run => Ok(()),
        Some("ImagePullBackOff") => waits("trying and failing to pull image"),
        Some("ErrImagePull") => waits("image can't be pulled"),
        Some(reason) => waits(reason),
        None => waits("ContainerCreating"),
    }
}

fn line(line: &LogLine, timestamps: bool) -> String {
    if timestamps {
        format!("{} {}\n", line.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"), line.text)
    } else {
        format!("{}\n", line.text)
    }
}

fn select(lines: &[LogLine], wanted: &Wanted) -> Bytes {
    let mut lines: Vec<&LogLine> = lines.iter().filter(|l| wanted.since.is_none_or(|s| l.at >= s)).collect();
    if let Some(tail) = wanted.tail {
        lines = lines.split_off(lines.len().saturating_sub(tail));
    }
    let mut text: Vec<u8> = lines.iter().flat_map(|l| line(l, wanted.timestamps).into_bytes()).collect();
    if let Some(limit) = wanted.limit {
        text.truncate(limit);
    }
    text.into()
}

/// A log that goes on.
struct Follow {
    server: Server,
    key: Key,
    uid: String,
    container: String,
    told: usize,
    timestamps: bool,
    ready: VecDeque<Bytes>,
}

impl Follow {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some((piece, self));
            }
            let runs = self.runs();
            let lines = self.server.logs.lines(&self.uid, &self.container, false)?;
            let new: String = lines.iter().skip(self.told).map(|l| line(l, self.timestamps)).collect();
            self.told = self.told.max(lines.len());
            if !new.is_empty() {
                self.ready.push_back(new.into());
                continue;
            }
            if !runs {
                return None;
            }
            tokio::select! {
                () = self.server.stop.cancelled() => return None,
                () = real::sleep(LOOK) => {}
            }
        }
    }

    fn runs(&self) -> bool {
        let Some(pod) = self.server.api.store().get("pods", &self.key) else { return false };
        let statuses = items(&pod.value()["status"]["containerStatuses"]);
        pod.meta("uid") == self.uid
            && statuses.iter().any(|s| s["name"] == *self.container && s["state"]["running"].is_object())
    }
}
