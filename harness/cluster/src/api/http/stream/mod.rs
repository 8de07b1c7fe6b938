//! Streams into containers: `exec`, `attach` and `portforward`.
//!
//! A request is judged as any other first; what can be said without a stream is said as an ordinary answer. Then
//! the connection is taken over:
//!
//! - [`upgrade`]: what the client offers, and the answer 101.
//! - [`websocket`] and [`command`] (SPDY) carry the streams of a command; [`status`] is how its end is told.
//! - [`forward`] carries connections to ports, over either; [`tunnel`] is SPDY inside of a WebSocket.
//! - [`spdy`]: that protocol itself.

mod command;
mod forward;
mod outcome;
mod spdy;
mod tunnel;
mod upgrade;
mod websocket;

use serde_json::Value;

use super::{Reply, Server, containers, dispatch::Asked, reply, route::Target, unreachable::Unreachable};
use crate::{
    api::{Status, json::text},
    streams::{self, Wanted},
};
use upgrade::Offer;

/// Since when the API server itself speaks the protocol of channels that can be closed, and the tunnel.
const WEBSOCKETS_SINCE: u32 = 29;

/// Answers a request for streams.
pub(super) fn open(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let key = target.key().ok_or_else(Status::no_such_path)?;
    let pod = server.api.get("pods", &key)?;
    let pod = pod.value();
    let subresource = target.subresource.as_deref().unwrap_or_default();
    let container = match subresource {
        "portforward" => String::new(),
        _ => containers::choose(pod, asked.query.text("container"))?,
    };
    if text(&pod["spec"]["nodeName"]).is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", key.name)));
    }
    let offer = Offer::of(asked)?;
    let off = Unreachable::of(server, pod);
    match (subresource, off) {
        ("portforward", Some(off)) => Err(off.streams()),
        ("portforward", None) => Ok(forward::open(server, asked, pod, &offer)),
        (_, off) => run(server, asked, pod, &container, subresource, &offer, off),
    }
}

/// Runs a command, or attaches to one.
fn run(
    server: &Server,
    asked: &Asked,
    pod: &Value,
    container: &str,
    subresource: &str,
    offer: &Offer,
    off: Option<Unreachable>,
) -> Result<Reply, Status> {
    let tty = asked.query.flag("tty");
    let wanted = Wanted {
        stdin: asked.query.flag("stdin"),
        stdout: asked.query.flag("stdout"),
        stderr: asked.query.flag("stderr") && !tty,
        tty,
    };
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Ok(reply::text(400, "you must specify at least 1 of stdin, stdout, stderr\n"));
    }
    let newest = server.release().since(WEBSOCKETS_SINCE);
    let carrier = match command::Carrier::choose(offer, newest) {
        Ok(carrier) => carrier,
        Err(refusal) => return Ok(*refusal),
    };
    if let Some(off) = off {
        if !carrier.is_translated() {
            return Err(off.streams());
        }
        let why = off.translated(subresource, pod, container, &asked.query);
        let protocol = carrier.protocol();
        return Ok(upgrade::accept(server, asked, offer, protocol, move |io| async move {
            carrier.refuse(io, &why).await;
        }));
    }
    let uid = text(&pod["metadata"]["uid"]);
    let (session, ends) = streams::session(wanted);
    let words = asked.query.all("command");
    let running = match subresource {
        "exec" => server.containers.exec(uid, container, words, session),
        _ => server.containers.attach(uid, container, session),
    };
    let missing = format!("container not found ({container:?})");
    if running.is_none() && !carrier.is_translated() {
        return Ok(reply::text(500, missing));
    }
    let missing = format!("unable to upgrade connection: {missing}");
    Ok(upgrade::accept(server, asked, offer, carrier.protocol(), move |io| async move {
        match running {
            Some(running) => carrier.carry(io, wanted, ends, running).await,
            None => carrier.refuse(io, &missing).await,
        }
    }))
}
