//! Putting a question to a webhook: one HTTPS request, while the writer waits.
//!
//! Only this machine is asked: whoever may write configurations here must not be able to send the process anywhere
//! else. What a webhook's certificate is signed with has to be in its `caBundle`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pulldrill_clock::real;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    api::{
        Api,
        json::{items, text},
    },
    blocking::block,
    puller::transport,
    store::Key,
};

/// Since this minor version a failed call is called so.
const NEWER_WORDS: u32 = 22;

/// Since this minor version Go says what it verifies.
const VERIFIES: u32 = 27;

/// How many bytes an answer may have (a limit of the real server's).
const LARGEST: usize = 3 * 1024 * 1024;

/// Puts a question. What comes back is the body of a good answer.
///
/// # Errors
/// Why there is none.
pub(super) fn post(api: &Api, webhook: &Value, body: &str) -> Result<Vec<u8>, String> {
    let release = api.release();
    let seconds = webhook["timeoutSeconds"].as_u64().unwrap_or(10);
    let client = &webhook["clientConfig"];
    let asked = if client["service"].is_object() {
        Err(of_service(api, &client["service"], seconds))
    } else {
        let call = Outgoing {
            url: text(&client["url"]),
            authority: &STANDARD.decode(text(&client["caBundle"])).unwrap_or_default(),
            seconds,
            body,
        };
        block(call.send())
    };
    asked.map_err(|why| {
        let why = if release.since(VERIFIES) {
            why
        } else {
            why.replace("tls: failed to verify certificate: ", "")
        };
        if release.since(NEWER_WORDS) { format!("failed to call webhook: {why}") } else { why }
    })
}

/// Why a Service can't be called: nothing that the nodes run answers to the API server.
fn of_service(api: &Api, service: &Value, seconds: u64) -> String {
    let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
    let port = service["port"].as_i64().unwrap_or(443);
    let why = match api.store().get("services", &Key::new(namespace, name)) {
        None => format!("service {name:?} not found"),
        Some(found) => {
            let spec = &found.value()["spec"];
            let served = items(&spec["ports"]).iter().any(|p| p["port"] == port);
            match text(&spec["clusterIP"]) {
                _ if !served => format!("no service port {port} found for service {name:?}"),
                "" | "None" => format!("no endpoints available for service {name:?}"),
                address => format!("dial tcp {address}:{port}: connect: connection refused"),
            }
        }
    };
    let path = text(&service["path"]);
    let path = if path.is_empty() { "/" } else { path };
    format!("Post \"https://{name}.{namespace}.svc:{port}{path}?timeout={seconds}s\": {why}")
}

struct Outgoing<'a> {
    url: &'a str,
    authority: &'a [u8],
    seconds: u64,
    body: &'a str,
}

impl Outgoing<'_> {
    async fn send(self) -> Result<Vec<u8>, String> {
        let mut url = Url::parse(self.url).map_err(|error| error.to_string())?;
        url.set_query(Some(&format!("timeout={}s", self.seconds)));
        let told = |why: String| format!("Post \"{url}\": {why}");
        let exchanged = real::timeout(Duration::from_secs(self.seconds), self.exchange(&url)).await;
        let (code, body) =
            exchanged.unwrap_or_else(|| Err("context deadline exceeded".into())).map_err(told)?;
        match code {
            200..300 => Ok(body.into()),
            404 => Err("the server could not find the requested resource".into()),
            500.. => {
                Err("an error on the server (\"unknown\") has prevented the request from succeeding".into())
            }
            code => Err(format!(
                "the server responded with the status code {code} but did not return more information"
            )),
        }
    }

    async fn exchange(&self, url: &Url) -> Result<(u16, Bytes), String> {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = loopback(bare, port)?;
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                format!("dial tcp {address}: connect: connection refused")
            }
            _ => format!("dial tcp {address}: connect: {error}"),
        };
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        let authority = String::from_utf8_lossy(self.authority);
        let authorities = [&*authority];
        let known = if authority.is_empty() { &[][..] } else { &authorities };
        let tls = pulldrill_tls::client_config(known).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        let stream = stream.map_err(|error| transport::handshake_error(&error, bare))?;
        let lost = |_| "EOF".to_owned();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .header(header::ACCEPT, "application/json, */*")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(self.body.to_owned())))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(lost)?;
        let code = answer.status().as_u16();
        let body =
            Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|error| error.to_string())?;
        Ok((code, body.to_bytes()))
    }
}

/// Where a host is, on this machine. Nobody is asked for names: whoever writes a configuration shall not make the process send
/// anything anywhere.
fn loopback(host: &str, port: u16) -> Result<SocketAddr, String> {
    let here = if host == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { host.parse::<IpAddr>() };
    match here {
        Ok(ip) if ip.is_loopback() => Ok(SocketAddr::new(ip, port)),
        Ok(ip) => Err(format!("dial tcp {}: connect: network is unreachable", SocketAddr::new(ip, port))),
        Err(_) => Err(format!("dial tcp: lookup {host}: no such host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked() {
        for here in ["localhost", "127.0.0.1", "127.8.8.8", "::1"] {
            assert!(loopback(here, 443).unwrap().ip().is_loopback(), "{here}");
        }
        for (other, why) in [
            ("hooks.example", "dial tcp: lookup hooks.example: no such host"),
            ("localhost.example", "dial tcp: lookup localhost.example: no such host"),
            ("10.0.0.1", "dial tcp 10.0.0.1:443: connect: network is unreachable"),
            ("0.0.0.0", "dial tcp 0.0.0.0:443: connect: network is unreachable"),
            ("::ffff:127.0.0.1", "dial tcp [::ffff:127.0.0.1]:443: connect: network is unreachable"),
        ] {
            assert_eq!(loopback(other, 443).unwrap_err(), why);
        }
    }
}
