//! The output of containers: which one is meant, why there is none yet, and following it.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures::stream;
use pulldrill_clock::{Timestamp, real};
use serde_json::Value;

use super::{
    Reply, Server, containers, dispatch::Asked, options::Query, reply, route::Target,
    unreachable::Unreachable,
};
use crate::{
    api::{Errors, LogLine, LogPart, Status, json::text},
    store::Key,
};

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Which lines are wanted.
#[derive(Clone, Debug)]
struct Wanted {
    since: Option<Timestamp>,
    tail: Option<usize>,
    /// How many bytes at most.
    limit: usize,
    timestamps: bool,
}

/// `GET` of a pod's log.
pub(super) fn log(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let pod = server.api.get("pods", &key)?;
    let pod = pod.value();
    let mut wanted = wanted(server, &asked.query, &key.name)?;
    let container = containers::choose(pod, asked.query.text("container"))?;
    if text(&pod["spec"]["nodeName"]).is_empty() {
        return Ok(reply::text(204, ""));
    }
    if let Some(off) = Unreachable::of(server, pod) {
        return Err(off.log(pod, &container, &asked.query));
    }
    let previous = asked.query.flag("previous");
    state(pod, &container, previous)?;
    let uid = text(&pod["metadata"]["uid"]).to_owned();
    let found = server.logs.lines(&uid, &container, previous, 0);
    let LogPart { run, next: told, lines } = found.unwrap_or(LogPart { run: 0, next: 0, lines: Vec::new() });
    let shown = select(&lines, &wanted);
    wanted.limit -= shown.len();
    if !asked.query.flag("follow") || previous {
        return Ok(reply::bytes(200, "text/plain", shown));
    }
    let (ready, server) = (VecDeque::from([shown]), server.clone());
    let follow = Follow { server, key, uid, container, run, told, wanted, ready };
    Ok(reply::stream("text/plain", stream::unfold(follow, Follow::next)))
}

/// Reads and judges the options (`ValidatePodLogOptions` in Kubernetes' core validation).
fn wanted(server: &Server, query: &Query, pod: &str) -> Result<Wanted, Status> {
    let size = |n: i64| usize::try_from(n).unwrap_or(0);
    let [tail, limit, seconds] = ["tailLines", "limitBytes", "sinceSeconds"].map(|name| query.number(name));
    let (tail, limit, seconds) = (tail?, limit?, seconds?);
    let time = query.get("sinceTime").filter(|time| !time.is_empty());
    let time: Option<Timestamp> = match time.map(str::parse) {
        Some(Err(_)) => {
            let text = query.text("sinceTime");
            let message = format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            );
            return Err(Status::bad_request(message));
        }
        Some(Ok(time)) => Some(time),
        None => None,
    };
    let mut errors = Errors::default();
    if let Some(tail) = tail.filter(|n| *n < 0) {
        errors.invalid("tailLines", &tail.into(), "must be greater than or equal to 0");
    }
    if let Some(limit) = limit.filter(|n| *n < 1) {
        errors.invalid("limitBytes", &limit.into(), "must be greater than 0");
    }
    match seconds {
        Some(_) if time.is_some() => {
            errors.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified");
        }
        Some(seconds @ ..1) => errors.invalid("sinceSeconds", &seconds.into(), "must be greater than 0"),
        _ => {}
    }
    let errors = errors.into_vec();
    if !errors.is_empty() {
        return Err(Status::invalid_kind("", "PodLogOptions", pod, &errors));
    }
    let ago = |seconds| server.clock().shown_now() - pulldrill_clock::seconds(seconds);
    Ok(Wanted {
        since: seconds.map(ago).or(time),
        tail: tail.map(size),
        limit: limit.map_or(usize::MAX, size),
        timestamps: query.flag("timestamps"),
    })
}

/// Refuses when the container has not run yet.
fn state(pod: &Value, container: &str, previous: bool) -> Result<(), Status> {
    let status = containers::status(pod, container);
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
    text.truncate(wanted.limit);
    text.into()
}

/// A log that goes on.
struct Follow {
    server: Server,
    key: Key,
    uid: String,
    container: String,
    /// The one run that is followed.
    run: u64,
    told: usize,
    wanted: Wanted,
    ready: VecDeque<Bytes>,
}

impl Follow {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some((piece, self));
            }
            if self.wanted.limit == 0 {
                return None;
            }
            let runs = self.runs();
            let (LogPart { next, lines, .. }, over) = self.rest()?;
            self.told = next;
            let mut new: Vec<u8> =
                lines.iter().flat_map(|l| line(l, self.wanted.timestamps).into_bytes()).collect();
            new.truncate(self.wanted.limit);
            self.wanted.limit -= new.len();
            if !new.is_empty() {
                self.ready.push_back(new.into());
                continue;
            }
            if over || !runs {
                return None;
            }
            tokio::select! {
                () = self.server.stop.cancelled() => return None,
                () = real::sleep(LOOK) => {}
            }
        }
    }

    /// What the run has written since, and whether the container has been started again by now.
    fn rest(&self) -> Option<(LogPart, bool)> {
        let part = |previous| self.server.logs.lines(&self.uid, &self.container, previous, self.told);
        match part(false)? {
            current if current.run == self.run => Some((current, false)),
            _ => part(true).filter(|previous| previous.run == self.run).map(|previous| (previous, true)),
        }
    }

    fn runs(&self) -> bool {
        let Some(pod) = self.server.api.store().get("pods", &self.key) else { return false };
        let status = containers::status(pod.value(), &self.container);
        pod.meta("uid") == self.uid && status.is_some_and(|s| s["state"]["running"].is_object())
    }
}
