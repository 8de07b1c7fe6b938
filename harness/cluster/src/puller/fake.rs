//! A small registry for tests: real TLS on loopback, content by path, and a rule that may answer otherwise.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pulldrill_tls::Authority;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::network::{Action, EgressRule, Network};

/// A request as the registry got it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) user_agent: String,
    pub(crate) body: String,
}

/// An answer: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

type Rule = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// The registry.
pub(crate) struct Fake {
    pub(crate) network: Network,
    authority: Authority,
    content: Mutex<HashMap<String, (String, Bytes, String)>>,
    rule: Mutex<Rule>,
    log: Mutex<Vec<Asked>>,
    address: SocketAddr,
}

/// What an image is made of.
pub(crate) struct Made {
    pub(crate) digest: String,
    pub(crate) layer: String,
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

impl Fake {
    /// Starts one that serves `hosts`, each of which gets an address in 10.20.0.0/16.
    pub(crate) async fn start(hosts: &[&str]) -> Arc<Self> {
        pulldrill_tls::install_provider();
        let authority = Authority::new("test").unwrap();
        let names: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
        let identity = authority.server(&names, &[]).unwrap();
        let acceptor = TlsAcceptor::from(identity.server_config(None).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Arc::new(Self {
            network: Network::new(),
            authority,
            content: Mutex::default(),
            rule: Mutex::new(Box::new(|_| None)),
            log: Mutex::default(),
            address,
        });
        for (n, host) in hosts.iter().enumerate() {
            fake.add_host(host, n);
        }
        let serving = Arc::downgrade(&fake);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (acceptor, serving) = (acceptor.clone(), serving.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let serving = serving.clone();
                        async move {
                            let fake = serving.upgrade().unwrap();
                            Ok::<_, Infallible>(fake.answer(request).await)
                        }
                    });
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        fake
    }

    pub(crate) fn add_host(&self, host: &str, n: usize) {
        let ip: IpAddr = format!("10.20.0.{}", n + 10).parse().unwrap();
        self.network.add_host(host, ip);
        self.network.add_route(ip, 443, self.address);
    }

    pub(crate) fn pem(&self) -> &str {
        self.authority.pem()
    }

    /// Answers what the rule says before looking for content.
    pub(crate) fn rule(&self, rule: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        *self.rule.lock() = Box::new(rule);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().clone()
    }

    /// `METHOD path` of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|a| format!("{} {}", a.method, a.path)).collect()
    }

    fn put(&self, path: String, media_type: &str, bytes: Vec<u8>) -> String {
        let digest = digest(&bytes);
        self.content.lock().insert(path, (media_type.to_owned(), Bytes::from(bytes), digest.clone()));
        digest
    }

    /// Makes a name known at whose address nobody listens.
    pub(crate) fn refuse(&self, host: &str, address: &str) {
        let rule = EgressRule {
            id: format!("refuse-{host}"),
            action: Action::Reject,
            destination: address.parse().unwrap(),
            port: None,
            comment: String::new(),
        };
        self.network.add_host(host, address.parse().unwrap());
        self.network.add_egress("node-1", rule);
    }

    /// Puts an image in place under a tag.
    pub(crate) fn image(&self, repository: &str, tag: &str, labels: &serde_json::Value) -> Made {
        self.image_with(repository, tag, &json!({"Labels": labels, "Entrypoint": ["/app"]}))
    }

    /// An image with these settings.
    pub(crate) fn image_with(&self, repository: &str, tag: &str, settings: &serde_json::Value) -> Made {
        let layer_bytes = format!("layer of {repository}:{tag} {}", "x".repeat(2000)).into_bytes();
        let layer_size = layer_bytes.len();
        let layer = digest(&layer_bytes);
        self.put(format!("/v2/{repository}/blobs/{layer}"), "application/octet-stream", layer_bytes);
        let config = json!({"architecture": "amd64", "os": "linux", "build": tag,
            "config": settings, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string().into_bytes();
        let (config_size, config_digest) = (config.len(), digest(&config));
        self.put(format!("/v2/{repository}/blobs/{config_digest}"), "application/octet-stream", config);
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}]});
        let digest = self.manifest(repository, tag, "application/vnd.oci.image.manifest.v1+json", &manifest);
        Made { digest, layer }
    }

    pub(crate) fn manifest(
        &self,
        repository: &str,
        tag: &str,
        kind: &str,
        value: &serde_json::Value,
    ) -> String {
        let bytes = value.to_string().into_bytes();
        let digest = self.put(format!("/v2/{repository}/manifests/{tag}"), kind, bytes.clone());
        self.put(format!("/v2/{repository}/manifests/{digest}"), kind, bytes)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let header =
            |name: header::HeaderName| parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
        let asked = Asked {
            method: parts.method.clone(),
            host: header(header::HOST).unwrap_or_default(),
            path: parts.uri.to_string(),
            authorization: header(header::AUTHORIZATION),
            range: header(header::RANGE),
            user_agent: header(header::USER_AGENT).unwrap_or_default(),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        };
        self.log.lock().push(asked.clone());
        let ruled = (self.rule.lock())(&asked);
        let (status, headers, body) = ruled.unwrap_or_else(|| self.stored(&asked));
        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(body))).unwrap()
    }

    /// The answer from the content.
    pub(crate) fn stored(&self, asked: &Asked) -> Answer {
        match self.content.lock().get(&asked.path) {
            None if asked.path == "/v2/" => (200, Vec::new(), Vec::new()),
            None => (
                404,
                Vec::new(),
                br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec(),
            ),
            Some((kind, bytes, digest)) => {
                let mut headers =
                    vec![("content-type", kind.clone()), ("docker-content-digest", digest.clone())];
                if asked.method == Method::HEAD {
                    headers.push(("content-length", bytes.len().to_string()));
                    return (200, headers, Vec::new());
                }
                (200, headers, bytes.to_vec())
            }
        }
    }
}

/// A 401 that asks for Basic credentials, unless they are `labuser:goodpass`.
pub(crate) fn basic(asked: &Asked) -> Option<Answer> {
    let good = "Basic bGFidXNlcjpnb29kcGFzcw==";
    (asked.authorization.as_deref() != Some(good))
        .then(|| (401, vec![("www-authenticate", "Basic realm=\"lab\"".to_owned())], Vec::new()))
}

/// A token service for `registry-1.docker.io`: `allowed` repositories may be pulled with the token that
/// everybody gets.
pub(crate) fn hub(asked: &Asked, allowed: &str) -> Option<Answer> {
    let challenge = |more: &str| {
        let repository =
            asked.path.trim_start_matches("/v2/").split("/manifests/").next().unwrap_or_default();
        let text = format!(
            "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:{repository}:pull\"{more}"
        );
        (401, vec![("www-authenticate", text)], Vec::new())
    };
    if asked.path.starts_with("/token") {
        let refused = asked.authorization.is_some() || asked.method == Method::POST;
        return Some(match refused {
            true => (401, Vec::new(), br#"{"details":"incorrect username or password"}"#.to_vec()),
            false => (200, Vec::new(), br#"{"token":"t1","expires_in":300}"#.to_vec()),
        });
    }
    match asked.authorization.as_deref() {
        Some("Bearer t1") if asked.path.contains(allowed) => None,
        Some(_) => Some(challenge(",error=\"insufficient_scope\"")),
        None => Some(challenge("")),
    }
}
