//! What the admin API does: one function per request, each a call of the registry.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use http::StatusCode;
use pulldrill_clock::{SignedDuration, real};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    refusal::Refusal,
    server::AdminServer,
    wire::{
        CopyOrder, Exhaustion, GarbageOrder, Info, KnownClients, LocalAddresses, NameAddress, Pulls,
        PushOrder, ROOT, TokenOrder,
    },
};
use crate::{
    Control as _, Fault, FaultKind, FaultRule, Garbage, HostInfo, HostSpec, ImageRef, Inspected, Inspection,
    TokenInfo,
};

/// The largest request.
const LARGEST: usize = 4 << 20;
/// Entries of the pull log in one answer.
const PAGE: usize = 1_000;
/// How long an answer may be waited for, in seconds.
const LONGEST_WAIT: u64 = 60;

/// All paths.
pub(super) fn router(server: AdminServer) -> Router {
    let paths = Router::new()
        .route("/info", get(info))
        .route("/hosts", get(hosts))
        .route("/hosts/{name}", get(host).put(add_host).delete(remove_host))
        .route("/hosts/{name}/local", put(set_local))
        .route("/hosts/{name}/faults", get(faults).put(set_faults).post(add_fault))
        .route("/hosts/{name}/faults/{id}", delete(remove_fault))
        .route("/faults", get(async || Json(FaultKind::all())))
        .route("/faults/schema", get(async || Json(pulldrill_faults::schema::rules())))
        .route("/hosts/{name}/images", post(push_image))
        .route("/hosts/{name}/tokens", post(issue_token))
        .route("/hosts/{name}/exhausted", post(exhaust))
        .route("/copies", post(copy))
        .route("/inspect", post(inspect))
        .route("/garbage", post(garbage))
        .route("/pulls", get(pulls))
        .route("/clients", put(set_clients))
        .route("/names", get(names))
        .route("/names/{name}", put(set_name).merge(delete(remove_name)));
    Router::new()
        .nest(ROOT, paths)
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "the admin API has no such path"))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(server)
}

type Answer<T> = Result<Json<T>, Refusal>;

/// A JSON body, whatever its content type says.
struct Order<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| {
            let why = format!("the body is not what this path takes: {error}");
            Refusal::new(StatusCode::BAD_REQUEST, why).into_response()
        })
    }
}

async fn garbage(State(server): State<AdminServer>, Order(order): Order<GarbageOrder>) -> Answer<Garbage> {
    let grace = SignedDuration::from_secs(i64::from(order.grace_seconds));
    Ok(Json(server.registry.collect_garbage(grace).await?))
}

async fn info(State(server): State<AdminServer>) -> Json<Info> {
    Json(Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        authority: server.registry.authority_pem().to_owned(),
        platform: server.registry.platform().to_owned(),
    })
}

async fn hosts(State(server): State<AdminServer>) -> Json<Vec<String>> {
    Json(server.registry.host_names())
}

async fn host(State(server): State<AdminServer>, Path(name): Path<String>) -> Answer<HostInfo> {
    Ok(Json(server.registry.host_info(&name)?))
}

async fn add_host(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(spec): Order<HostSpec>,
) -> Result<(StatusCode, Json<HostInfo>), Refusal> {
    if spec.name != name {
        let why = format!("the path names the host {name:?}, the body {:?}", spec.name);
        return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
    }
    Ok((StatusCode::CREATED, Json(server.registry.add_host(spec).await?)))
}

async fn remove_host(State(server): State<AdminServer>, Path(name): Path<String>) -> StatusCode {
    server.registry.remove_host(&name).await;
    StatusCode::NO_CONTENT
}

async fn set_local(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(local): Order<LocalAddresses>,
) -> Result<StatusCode, Refusal> {
    server.registry.set_local(&name, local.address, local.token_address)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_faults(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(rules): Order<Vec<FaultRule>>,
) -> Result<StatusCode, Refusal> {
    server.registry.set_faults(&name, rules)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(State(server): State<AdminServer>, Path(name): Path<String>) -> Answer<Vec<Fault>> {
    Ok(Json(server.registry.faults(&name)?))
}

async fn add_fault(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(rule): Order<FaultRule>,
) -> Result<(StatusCode, Json<Fault>), Refusal> {
    Ok((StatusCode::CREATED, Json(server.registry.add_fault(&name, rule)?)))
}

async fn remove_fault(
    State(server): State<AdminServer>,
    Path((name, id)): Path<(String, u64)>,
) -> Result<StatusCode, Refusal> {
    server.registry.remove_fault(&name, id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn push_image(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(order): Order<PushOrder>,
) -> Answer<ImageRef> {
    let PushOrder { repository, tag, image } = order;
    let push = move || server.registry.push_image(&name, &repository, tag.as_deref(), &image);
    let pushed = tokio::task::spawn_blocking(push).await;
    let failed =
        |error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no image was made: {error}"));
    Ok(Json(pushed.map_err(failed)??))
}

async fn issue_token(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(order): Order<TokenOrder>,
) -> Answer<TokenInfo> {
    Ok(Json(server.registry.issue_token_at(&name, order.at)?))
}

async fn exhaust(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(order): Order<Exhaustion>,
) -> Result<StatusCode, Refusal> {
    server.registry.exhaust(&name, order.client)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn copy(State(server): State<AdminServer>, Order(order): Order<CopyOrder>) -> Answer<ImageRef> {
    let control: &dyn crate::Control = &server.registry;
    Ok(Json(control.copy(&order.from, &order.to, &order.user).await?))
}

async fn inspect(State(server): State<AdminServer>, Order(wanted): Order<Inspection>) -> Answer<Inspected> {
    Ok(Json(server.registry.inspect(&wanted).await?))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct PullsQuery {
    since: u64,
    wait: u64,
}

async fn pulls(State(server): State<AdminServer>, Query(query): Query<PullsQuery>) -> Json<Pulls> {
    let log = server.registry.pull_log();
    let wait = Duration::from_secs(query.wait.min(LONGEST_WAIT));
    let _none_is_an_answer_too = real::timeout(wait, log.beyond(query.since)).await;
    let last = log.last();
    let mut entries = log.since(query.since);
    entries.truncate(PAGE);
    Json(Pulls { last, entries })
}

async fn set_clients(
    State(server): State<AdminServer>,
    Order(known): Order<KnownClients>,
) -> Result<StatusCode, Refusal> {
    server.registry.set_routes(&known.routes).await?;
    server.book.set(known.nodes, known.nat);
    Ok(StatusCode::NO_CONTENT)
}

async fn names(State(server): State<AdminServer>) -> impl IntoResponse {
    Json(server.registry.names().all())
}

async fn set_name(
    State(server): State<AdminServer>,
    Path(name): Path<String>,
    Order(order): Order<NameAddress>,
) -> Result<StatusCode, Refusal> {
    server.registry.names().set(&name, order.address)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_name(State(server): State<AdminServer>, Path(name): Path<String>) -> StatusCode {
    server.registry.names().unset(&name);
    StatusCode::NO_CONTENT
}
