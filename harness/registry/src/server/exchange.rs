//! One request from its head to its entry in the pull log.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use pulldrill_clock::{Timestamp, real};
use pulldrill_faults::{Part, Stage, Subject};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Answer, Outcome, Role, auth, blobs, body::Body, ecr_api, front, harbor, lists, manifests, refusals,
    route::Route, token_service, uploads,
};
use crate::{
    Client, Entry,
    digest::is_digest,
    failure::{self, Failure, Kind, Terms},
    fault::{
        Strike,
        line::Cut,
        spoil::{Asked, Delivered, spoil},
    },
    host::Host,
    personality::{Door, Scheme},
    quota::{Payer, Standing},
    registry::Shared,
};

/// How long the next piece of a request's body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much is read of a body that nobody wants, and for how long.
const UNWANTED: usize = 16 << 20;
const PATIENCE_WITH_UNWANTED: Duration = Duration::from_secs(5);

/// A request and what has been found out about it.
pub(crate) struct Exchange<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) host: &'a Arc<Host>,
    pub(crate) role: Role,
    /// It came without TLS, at the port that the host is named by.
    pub(crate) plain: bool,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// As whom, once the credentials have turned out to be good.
    pub(crate) user: Option<String>,
    /// What was served or stored.
    pub(crate) digest: Option<String>,
    /// The repository, and the tag or digest in it, that an API was told to do something with.
    pub(crate) about: Option<(String, Option<String>)>,
    /// Faults that change how a request is judged.
    strikes: Vec<Strike>,
}

impl Exchange<'_> {
    /// The first value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref()).and_then(|value| value.to_str().ok())
    }

    /// Whether the client says that it has what has this tag.
    pub(crate) fn knows_already(&self, etag: &str) -> bool {
        let known = self.header(header::IF_NONE_MATCH).into_iter().flat_map(|known| known.split(','));
        let bare = etag.trim_matches('"');
        known
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == etag || one == bare || one == "*")
    }

    /// The address by which the client came, when it was one of this machine or of a host that has none of its own;
    /// nothing when it came by name.
    fn came_by(&self) -> Option<IpAddr> {
        let given = self.header(header::HOST).unwrap_or_default();
        let by = match given.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => match given.split(':').next() {
                Some("localhost") => Ipv4Addr::LOCALHOST.into(),
                _ => given.parse().ok()?,
            },
        };
        (by == Ipv4Addr::LOCALHOST || self.host.listens).then_some(by)
    }

    /// The host as this client reaches it.
    pub(crate) fn own_way(&self) -> String {
        self.way_to(&self.host.name, self.host.local.read().0)
    }

    /// The same as a URL.
    pub(crate) fn own_url(&self) -> String {
        format!("{}://{}", if self.plain { "http" } else { "https" }, self.own_way())
    }

    fn way_to(&self, name: &str, mut address: SocketAddr) -> String {
        match self.came_by().filter(|_| !self.plain) {
            None => name.to_owned(),
            Some(by) => {
                if !by.is_loopback() {
                    address.set_ip(by);
                }
                address.to_string()
            }
        }
    }

    /// Where this client gets tokens.
    fn realm(&self) -> String {
        let Scheme::Bearer { path, .. } = self.host.personality.scheme else { return String::new() };
        let token_address = self.host.local.read().1;
        match (&self.host.token_name, token_address) {
            // At a plain port there is no other host.
            (Some(name), Some(address)) if !self.plain => {
                format!("https://{}{path}", self.way_to(name, address))
            }
            _ => format!("{}{path}", self.own_url()),
        }
    }

    /// The right that this method needs.
    pub(crate) fn action(&self) -> &'static str {
        // Quay knows no right to delete beside that to push, and no such scope.
        let quay = matches!(self.host.personality.scheme, Scheme::Bearer { door: Door::Quay, .. });
        match self.method {
            Method::GET | Method::HEAD => "pull",
            Method::DELETE if !quay => "delete",
            _ => "push",
        }
    }

    /// What has to be granted for this request, as the plain program lists it.
    fn access(&self, route: Option<&Route>) -> Value {
        let item = |kind: &str, name: &str, action: &str| json!({ "Type": kind, "Class": "", "Name": name, "Action": action });
        let of = |name: &str, action: &str| item("repository", name, action);
        match (route.and_then(|route| Some((route, route.repository()?))), self.action()) {
            (Some((Route::Uploads { .. }, name)), "push") => {
                let from = self.parameter("from").map(|from| of(from, "pull"));
                [of(name, "pull"), of(name, "push")].into_iter().chain(from).collect()
            }
            (Some((_, name)), "push") => json!([of(name, "pull"), of(name, "push")]),
            (Some((_, name)), action) => json!([of(name, action)]),
            (None, _) if matches!(route, Some(Route::Catalog)) => json!([item("registry", "catalog", "*")]),
            (None, _) => Value::Null,
        }
    }

    /// What the personality's texts may speak of.
    fn terms(&self, route: Option<&Route>, failure: &Failure) -> Terms {
        let repository = route.and_then(Route::repository).unwrap_or_default();
        let (action, right) = match self.action() {
            "push" => ("pull,push", "write"),
            "pull" => ("pull", "read"),
            other => (other, other),
        };
        let text = |text: &str| text.to_owned();
        let of_path = route.and_then(Route::reference).unwrap_or_default();
        let reference = failure.tag.as_deref().unwrap_or(of_path);
        let login = self.header(header::AUTHORIZATION).and_then(auth::basic).map(|(user, _)| user);
        Terms {
            pairs: vec![
                ("repository", text(repository)),
                ("project", text(repository.split('/').next().unwrap_or_default())),
                ("name", text(repository.split_once('/').map_or(repository, |(_, name)| name))),
                ("reference", text(reference)),
                ("action", text(action)),
                ("right", text(right)),
                ("login", login.unwrap_or_default()),
                ("method", self.method.to_string()),
                ("host", self.own_way()),
                ("realm", self.realm()),
                ("user", self.user.clone().unwrap_or_default()),
                ("account", self.host.account.clone()),
                ("region", self.host.region.clone()),
            ],
            access: self.access(route),
            digests: failure.digests.clone(),
            message: None,
        }
    }

    /// A refusal in the host's words.
    pub(crate) fn refuse(&self, route: Option<&Route>, failure: &Failure) -> Answer {
        let mut terms = self.terms(route, failure);
        if matches!(failure.kind, Kind::TooMany | Kind::TooManyOfUser) {
            terms.message = self.host.limits.refusal;
        }
        let mut answer = failure::answer(self.host.personality, failure.kind, &terms).map(Body::from);
        if let (Kind::MethodNotAllowed, Some(route)) = (failure.kind, route) {
            add_headers(&mut answer, &[("allow", route.methods())]);
        }
        answer
    }

    /// The fault of a name, where it strikes this request.
    pub(crate) fn struck_by(&self, name: &str) -> Option<&Strike> {
        self.strikes.iter().find(|strike| strike.name == name)
    }

    /// The faults of a stage that strike this request.
    fn strikes(&self, stage: Stage, route: Option<&Route>) -> Vec<Strike> {
        if self.host.faults.are_none() {
            return Vec::new();
        }
        self.host.faults.strike(
            stage,
            &Subject {
                part: self.part(route),
                repository: route.and_then(Route::repository),
                reference: route.and_then(Route::reference),
                client: Some(self.client.address),
                node: self.client.node.as_deref(),
                user_agent: self.header(header::USER_AGENT),
                method: Some(self.method.as_str()),
            },
        )
    }

    /// Which part of the registry this request is for.
    fn part(&self, route: Option<&Route>) -> Option<Part> {
        if ecr_api::is_for(self) || harbor::is_for(self) {
            return Some(Part::Api);
        }
        if token_service::is_for(self) {
            return Some(Part::Token);
        }
        Some(match route? {
            Route::Base => Part::Base,
            Route::Catalog | Route::Tags { .. } | Route::Referrers { .. } => Part::List,
            Route::Manifest { .. } => Part::Manifest,
            Route::Blob { repository, digest } if self.is_config(repository, digest) => Part::Config,
            Route::Blob { .. } => Part::Layer,
            Route::Uploads { .. } | Route::Upload { .. } => Part::Upload,
        })
    }

    /// Whether a blob is the configuration of an image in its repository.
    fn is_config(&self, repository: &str, digest: &str) -> bool {
        if self.host.upstream.as_ref().is_some_and(|upstream| upstream.memory.is_config(digest)) {
            return true;
        }
        let repositories = self.host.repositories.read();
        let place = repositories.get(repository);
        let mut manifests = place.into_iter().flat_map(|place| place.manifests.values());
        manifests.any(|manifest| manifest.config.as_deref() == Some(digest))
    }

    /// Whose quota this request is on.
    pub(crate) fn payer(&self) -> Payer {
        self.host.payer(self.user.as_deref(), self.client.address)
    }

    /// Counts this request to those of its address. Where it is one too many: how many seconds to wait.
    fn asks_too_much(&self) -> Option<i64> {
        self.host.limits.abuse?;
        self.host.usage.lock().request(&self.host.limits, self.client.address, self.now)
    }

    /// How that payer stands.
    pub(crate) fn standing(&self) -> Option<Standing> {
        self.host.usage.lock().standing(&self.host.limits, &self.payer(), self.now)
    }
}

/// Answers one request.
pub(crate) async fn exchange(
    shared: &Arc<Shared>,
    host: &Arc<Host>,
    (role, plain): (Role, bool),
    client: Client,
    request: Request<Incoming>,
    cut: &Cut,
) -> Response<Delivered> {
    let (head, mut body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let mut exchange = Exchange {
        shared,
        host,
        role,
        plain,
        client,
        now: shared.clock.now(),
        method: head.method,
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: head.headers,
        user: None,
        digest: None,
        about: None,
        strikes: Vec::new(),
    };
    let route = Route::read(&exchange.path);
    let outcome = answer(&mut exchange, route.clone(), &mut body).await;
    drain(&exchange, &mut body).await;
    let known = route.ok();
    let spoiling = exchange.strikes(Stage::Answer, known.as_ref());
    let asked = Asked {
        head: exchange.method == Method::HEAD,
        range: exchange.headers.contains_key(header::RANGE),
        digest: known.as_ref().and_then(Route::reference).is_some_and(is_digest),
    };
    let mut answer = outcome.unwrap_or_else(|failure| exchange.refuse(known.as_ref(), &failure));
    common_headers(&exchange, known.as_ref(), &mut answer);
    let bytes = if exchange.method == Method::HEAD { 0 } else { answer.body().size_hint().lower() };
    let name = match (&exchange.host.token_name, role) {
        (Some(name), Role::Tokens) => name.clone(),
        _ => host.name.clone(),
    };
    let user_agent = exchange.header(header::USER_AGENT).map(str::to_owned);
    let text = |text: Option<&str>| text.map(str::to_owned);
    let of_path = known.as_ref().map(|route| (text(route.repository()), text(route.reference())));
    let of_api = exchange.about.map(|(repository, reference)| (Some(repository), reference));
    let (repository, reference) = of_api.or(of_path).unwrap_or_default();
    shared.log.append(Entry {
        seq: 0,
        at: exchange.now,
        host: name,
        client: exchange.client,
        identity: exchange.user,
        method: exchange.method.to_string(),
        path: exchange.path,
        repository,
        reference,
        digest: exchange.digest,
        status: answer.status().as_u16(),
        bytes,
        user_agent,
    });
    spoil(answer, &spoiling, asked, cut).await
}

async fn answer(exchange: &mut Exchange<'_>, route: Result<Route, Kind>, body: &mut Incoming) -> Outcome {
    exchange.strikes = exchange.strikes(Stage::Request, route.as_ref().ok());
    if let Some(strike) = exchange.struck_by("latency") {
        real::sleep(Duration::from_millis(strike.number("milliseconds"))).await;
    }
    if let Some(strike) = exchange.strikes(Stage::Refusal, route.as_ref().ok()).first() {
        return refusals::refuse(exchange, strike, route.as_ref().ok());
    }
    if let Some(seconds) = exchange.asks_too_much() {
        return Ok(refusals::abuse(exchange, seconds));
    }
    if ecr_api::is_for(exchange) {
        return ecr_api::answer(exchange, body).await;
    }
    if harbor::is_for(exchange) {
        return harbor::answer(exchange, body).await;
    }
    if token_service::is_for(exchange) {
        return token_service::answer(exchange, body).await;
    }
    if exchange.role == Role::Tokens {
        return Err(Kind::NoSuchPage.into());
    }
    let who = auth::identify(exchange, exchange.struck_by("revoked-tokens").is_some())?;
    exchange.user = who.user().map(str::to_owned);
    let route = route?;
    auth::authorise(exchange, &who, &route)?;
    if !route.methods().split(", ").any(|method| method == exchange.method.as_str()) {
        return Err(Kind::MethodNotAllowed.into());
    }
    let deletes_content = matches!(route, Route::Manifest { .. } | Route::Blob { .. });
    if deletes_content && exchange.method == Method::DELETE && !exchange.host.personality.deletes {
        return Err(Kind::Unsupported.into());
    }
    if let Some(upstream) = exchange.host.upstream.clone().filter(|_| front::is_for(exchange, &route)) {
        return front::answer(exchange, &upstream, &who, &route, body).await;
    }
    match route {
        Route::Base => {
            let (body, media) = exchange.host.personality.welcome;
            Ok(with_status(200, body, media))
        }
        Route::Catalog => lists::catalog(exchange, &who),
        Route::Tags { repository } => lists::tags(exchange, &repository),
        Route::Referrers { repository, digest } => lists::referrers(exchange, &repository, &digest),
        Route::Manifest { repository, reference } => {
            manifests::answer(exchange, &repository, &reference, body).await
        }
        Route::Blob { repository, digest } => blobs::answer(exchange, &repository, &digest).await,
        Route::Uploads { repository } => uploads::start(exchange, &who, &repository, body).await,
        Route::Upload { repository, id } => uploads::go_on(exchange, &repository, &id, body).await,
    }
}

/// What every answer of this host carries.
fn common_headers(exchange: &Exchange<'_>, route: Option<&Route>, answer: &mut Answer) {
    let personality = exchange.host.personality;
    let outside = answer.extensions().get::<Outside>().is_some();
    if exchange.role == Role::Tokens || outside || harbor::is_for(exchange) {
        return;
    }
    let is_authorised = answer.status() != StatusCode::UNAUTHORIZED;
    let headers = answer.headers_mut();
    for (name, value) in personality.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !personality.shows_quota {
        return;
    }
    let source = match exchange.payer() {
        Payer::Address(_) => exchange.client.address.to_string(),
        Payer::User(user) => user_id(&user),
    };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("docker-ratelimit-source", source);
    let counted =
        is_authorised && matches!(route, Some(Route::Manifest { .. })) && exchange.action() == "pull";
    if let Some(Standing { quota, remaining }) = exchange.standing().filter(|_| counted) {
        set("ratelimit-limit", format!("{};w={}", quota.limit, quota.window_seconds));
        set("ratelimit-remaining", format!("{remaining};w={}", quota.window_seconds));
    }
}

/// Marks an answer that is not the registry's own but of something in front of it, and has none of its headers.
#[derive(Clone, Copy)]
pub(crate) struct Outside;

/// A stable id in the form of a UUID that stands for a user.
fn user_id(user: &str) -> String {
    let hex: String = Sha256::digest(user.as_bytes()).iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A plain answer.
pub(crate) fn with_status(status: u16, body: impl Into<Bytes>, content_type: &str) -> Answer {
    carrying(status, body.into().into(), content_type)
}

/// An answer with any body.
pub(crate) fn carrying(status: u16, body: Body, content_type: &str) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        answer.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: u16, headers: &[(&'static str, &str)]) -> Answer {
    let mut answer = Response::new(Body::Whole(Bytes::new()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    add_headers(&mut answer, headers);
    answer
}

/// Adds headers; values that no header can carry are left out.
pub(crate) fn add_headers(answer: &mut Answer, headers: &[(&'static str, &str)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read_body(body: &mut Incoming, limit: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Kind::TooLarge.into());
    }
    let mut read = BytesMut::new();
    while let Some(piece) = next_piece(body).await? {
        if read.len() + piece.len() > limit {
            return Err(Kind::TooLarge.into());
        }
        read.extend_from_slice(&piece);
    }
    Ok(read.freeze())
}

/// Reads what a client sends although it is no longer wanted: whoever is cut off while sending may not see the answer.
/// Whoever waits to be told whether to send, or sends very much, is not read.
async fn drain(exchange: &Exchange<'_>, body: &mut Incoming) {
    if exchange.headers.contains_key(header::EXPECT) {
        return;
    }
    let read = async {
        let mut left = UNWANTED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else { return };
            left = less;
        }
    };
    let _late_is_cut_off = real::timeout(PATIENCE_WITH_UNWANTED, read).await;
}

/// The next bytes of a body; nothing at its end.
pub(crate) async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Kind> {
    loop {
        match real::timeout(PATIENCE, body.frame()).await {
            Some(None) => return Ok(None),
            Some(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Some(Err(_))) | None => return Err(Kind::SizeInvalid),
        }
    }
}
