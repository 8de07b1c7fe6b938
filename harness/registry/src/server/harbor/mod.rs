//! Harbor's API, `/api/v2.0`, beside a registry that answers as Harbor does: the parts of it that people use to look after
//! projects, robots, artifacts and tags. What there is and who may do what is `crate::harbor`'s.
//!
//! - [`call`]: one request. [`path`]: which function answers it. [`listing`]: pages, queries and order. [`refusal`]: errors.
//! - [`retaining`]: running retention policies.
//! - `system`, `projects`, `repositories`, `artifacts`, `tags`, `robots`, `immutable`, `retentions`, `audit`: those functions.
//!
//! Wrong credentials are nobody's here, as they are there: what everybody may see is shown all the same.

mod artifacts;
mod audit;
mod call;
mod immutable;
mod listing;
mod path;
mod projects;
mod refusal;
mod repositories;
pub(crate) mod retaining;
mod retentions;
mod robots;
mod system;
mod tags;

use std::io;

use http::{Method, header};
use hyper::body::Incoming;
use pulldrill_clock::secret;

use self::{
    call::{Call, Reply},
    refusal::Refusal,
};
use super::{
    Answer, Outcome, auth,
    exchange::{Exchange, add_headers, empty, read_body, with_status},
};
use crate::harbor::rights::Actor;

/// The largest request.
const LARGEST: usize = 1 << 20;
const JSON: &str = "application/json";

/// Whether a request is for the API.
pub(super) fn is_for(exchange: &Exchange<'_>) -> bool {
    exchange.host.harbor.is_some() && (exchange.path == "/api" || exchange.path.starts_with("/api/"))
}

/// Answers a call.
pub(super) async fn answer(exchange: &mut Exchange<'_>, body: &mut Incoming) -> Outcome {
    let body = read_body(body, LARGEST).await?;
    let login = exchange.header(header::AUTHORIZATION).and_then(auth::basic);
    let login = login.filter(|(user, password)| exchange.host.knows(user, password, exchange.now).is_some());
    exchange.user = login.map(|(user, _)| user);
    let call = Call {
        host: exchange.host.clone(),
        shared: exchange.shared.clone(),
        client: exchange.client.clone(),
        own_url: exchange.own_url(),
        actor: Actor::Nobody,
        now: exchange.now,
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        query: exchange.query.clone(),
        headers: exchange.headers.clone(),
        body,
    };
    let user = exchange.user.clone();
    let answered = exchange.shared.store.offload(move || answered(call, user.as_deref())).await?;
    let mut answer = match answered {
        Ok(reply) => {
            exchange.about.clone_from(&reply.about);
            exchange.digest.clone_from(&reply.digest);
            told(&reply)
        }
        Err(refusal) => refusal.answer(),
    };
    let id = exchange.header("x-request-id").map_or_else(secret::uid, str::to_owned);
    add_headers(&mut answer, &[("x-request-id", &id)]);
    Ok(answer)
}

/// The answer, once what it tells of lasts.
fn answered(mut call: Call, user: Option<&str>) -> io::Result<Result<Reply, Refusal>> {
    let Some(harbor) = &call.host.harbor else { return Ok(Err(Refusal::broken())) };
    harbor.settle(&call.host, call.now);
    call.actor = harbor.actor(&harbor.data.read(), user);
    let answered = path::answer(&call);
    if answered.is_ok() && !matches!(call.method, Method::GET | Method::HEAD) {
        harbor.save(&call.shared.store, &call.host.name)?;
    }
    Ok(answered)
}

fn told(reply: &Reply) -> Answer {
    let mut answer = match &reply.body {
        Some(body) => with_status(reply.status, body.clone(), reply.media),
        None => empty(reply.status, &[]),
    };
    for (name, value) in &reply.headers {
        add_headers(&mut answer, &[(name, value)]);
    }
    answer
}
