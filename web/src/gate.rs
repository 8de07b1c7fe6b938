//! The gate that every request passes: is this our own host name, does a person mean it, who is asking.
//!
//! It knows levels and headers, not what the calls do. The rules:
//!
//! 1. The `Host` header names this machine, so that a foreign name that resolves to it (DNS rebinding) is
//!    of no use to a web page.
//! 2. A call that changes something comes from our own pages (`Origin`) or from a program that sets
//!    [`crate::CLIENT_HEADER`], which no foreign page can without asking first.
//! 3. The instructor's token lifts a caller to the instructor's level; a wrong token is refused, not ignored.
//!    What carries a signature of its own (an AWS call) is neither; that header no foreign page can send either.
//! 4. A caller on another machine only reads pages, unless with the token.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, request::Parts};
use pulldrill_lab::view::Audience;

use crate::{CLIENT_HEADER, error::Refusal};

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Anybody on this machine.
    Trainee,
    /// The same, for calls that prove by themselves that they are meant: whoever answers looks at their signature.
    Signed,
    /// Whoever has the instructor's token.
    Instructor,
}

type AudienceOf = Arc<dyn Fn(Option<&str>) -> Audience + Send + Sync>;

/// The rules for one listener.
#[derive(Clone)]
pub(crate) struct Gate {
    listen: IpAddr,
    audience_of: AudienceOf,
}

/// The audience of the request, found out by the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer(pub(crate) Audience);

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        // A route outside the gate sees what a trainee sees.
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(Audience::Trainee)))
    }
}

impl Gate {
    pub(crate) fn new(
        listen: IpAddr,
        audience_of: impl Fn(Option<&str>) -> Audience + Send + Sync + 'static,
    ) -> Self {
        Self { listen, audience_of: Arc::new(audience_of) }
    }

    fn admit(&self, level: Level, peer: IpAddr, request: &Request) -> Result<Viewer, Refusal> {
        let headers = request.headers();
        let host = host_of(headers, request.uri());
        if !host.as_deref().is_some_and(|host| self.knows(host)) {
            return Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown-host",
                "this lab does not answer to that host name",
                "use the URL that `pulldrill up` printed",
            ));
        }
        let reading = matches!(*request.method(), Method::GET | Method::HEAD);
        if level == Level::Signed {
            return if peer.to_canonical().is_loopback() {
                Ok(Viewer(Audience::Trainee))
            } else {
                Err(remote())
            };
        }
        if !reading && !meant(headers, host.as_deref().unwrap_or_default()) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "foreign-origin",
                "this request does not come from the lab's own pages or command",
                "a program sends the header `x-pulldrill-client: <its name>`",
            ));
        }
        let audience = self.audience(headers)?;
        if audience == Audience::Instructor {
            return Ok(Viewer(audience));
        }
        if level == Level::Instructor {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "instructor-only",
                "only the instructor may do that",
                "`--as-instructor` reads the token from the lab's folder, for whoever owns that",
            ));
        }
        if !reading && !peer.to_canonical().is_loopback() {
            return Err(remote());
        }
        Ok(Viewer(audience))
    }

    fn audience(&self, headers: &HeaderMap) -> Result<Audience, Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Audience::Trainee) };
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match token.map(|token| (self.audience_of)(Some(token))) {
            Some(Audience::Instructor) => Ok(Audience::Instructor),
            _ => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "bad-token",
                "that is not this lab's instructor token",
                "it is made anew by each `pulldrill up`; read it from the lab's folder again",
            )),
        }
    }

    /// Whether a `Host` is this machine: `localhost`, or the address itself. No other name can be trusted.
    fn knows(&self, host: &str) -> bool {
        let name = name_of(host);
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        name.parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == self.listen || self.listen.is_unspecified())
    }
}

/// The middleware: lets a request through to a route of `level`, or refuses it.
pub(crate) async fn guard(
    State((gate, level)): State<(Gate, Level)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // No peer is known only where there is no socket.
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    match gate.admit(level, peer, &request) {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// What a browser is told about every answer.
pub(crate) async fn seal(request: Request, next: Next) -> Response {
    const SEALS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: that would blank the Origin of our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SEALS {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(http::HeaderValue::from_static("no-store"));
    response
}

fn remote() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "remote-caller",
        "from another machine the lab can only be looked at",
        "run the command on the machine of the lab, or send the instructor's token",
    )
}

fn host_of(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.to_owned(),
        (None, _) => uri.authority()?.as_str().to_owned(),
        _ => return None,
    };
    Some(host)
}

/// The name in `name:port`, an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn meant(headers: &HeaderMap, host: &str) -> bool {
    match headers.get(header::ORIGIN) {
        Some(origin) => origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host)),
        None => headers.contains_key(CLIENT_HEADER),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const TOKEN: &str = "t0ken";

    fn gate() -> Gate {
        Gate::new(IpAddr::from([127, 0, 0, 1]), |token| {
            if token == Some(TOKEN) { Audience::Instructor } else { Audience::Trainee }
        })
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let mut builder = Request::builder().method(method).uri("/x");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Body::empty()).unwrap()
    }

    fn code(level: Level, method: &str, headers: &[(&str, &str)]) -> &'static str {
        let peer = IpAddr::from([127, 0, 0, 1]);
        gate().admit(level, peer, &request(method, headers)).map_or_else(|refusal| refusal.code, |_| "ok")
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        for host in ["127.0.0.1:7070", "localhost:7070", "LOCALHOST", "[::1]:7070", "127.0.0.1"] {
            assert_eq!(code(Level::Trainee, "GET", &[("host", host)]), "ok", "{host}");
        }
        for host in ["evil.example:7070", "127.0.0.1.evil.example", "", "10.0.0.1", "localhost.evil.example"]
        {
            assert_eq!(code(Level::Trainee, "GET", &[("host", host)]), "unknown-host", "{host}");
        }
        assert_eq!(code(Level::Trainee, "GET", &[]), "unknown-host");
        let two = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert_eq!(code(Level::Trainee, "GET", &two), "unknown-host");
    }

    #[test]
    fn a_change_has_to_be_meant() {
        let host = ("host", "127.0.0.1:7070");
        assert_eq!(code(Level::Trainee, "POST", &[host]), "foreign-origin");
        assert_eq!(code(Level::Trainee, "POST", &[host, ("origin", "http://127.0.0.1:7070")]), "ok");
        assert_eq!(code(Level::Trainee, "POST", &[host, (CLIENT_HEADER, "cli")]), "ok");
        for origin in ["http://127.0.0.1:7071", "null", "https://evil.example"] {
            let headers = [host, ("origin", origin), (CLIENT_HEADER, "cli")];
            assert_eq!(code(Level::Trainee, "DELETE", &headers), "foreign-origin", "{origin}");
        }
    }

    #[test]
    fn the_token_lifts_and_a_wrong_one_is_refused() {
        let host = ("host", "127.0.0.1:7070");
        let good = format!("Bearer {TOKEN}");
        assert_eq!(code(Level::Instructor, "GET", &[host]), "instructor-only");
        assert_eq!(code(Level::Instructor, "GET", &[host, ("authorization", &good)]), "ok");
        for bad in ["Bearer no", "Basic dDBrZW4=", TOKEN, "Bearer"] {
            assert_eq!(code(Level::Trainee, "GET", &[host, ("authorization", bad)]), "bad-token", "{bad}");
        }
    }

    #[test]
    fn from_another_machine_one_may_look_but_not_touch() {
        let gate = Gate::new(IpAddr::from([0, 0, 0, 0]), |_| Audience::Trainee);
        let far = IpAddr::from([192, 168, 1, 7]);
        let headers = [("host", "192.168.1.2:7070"), (CLIENT_HEADER, "cli")];
        assert!(gate.admit(Level::Trainee, far, &request("GET", &headers)).is_ok());
        let refusal = gate.admit(Level::Trainee, far, &request("POST", &headers)).unwrap_err();
        assert_eq!(refusal.code, "remote-caller");
    }
}
