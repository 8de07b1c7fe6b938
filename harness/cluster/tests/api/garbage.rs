//! Requests that make little sense, many of them, to every route: each gets an answer, none of them an internal error that
//! is not on the list, and the server goes on.
//!
//! The number of requests is small unless `PULLDRILL_GARBAGE` says another: `PULLDRILL_GARBAGE=1000000 cargo test --release
//! -p pulldrill-cluster --test api garbage`.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pulldrill_clock::seed;
use rand::{RngExt, seq::IndexedRandom};

use crate::world::{Client, World};

/// How many requests there are unless somebody wants more.
const FEW: usize = 3_000;
/// Real servers answer so too: 504 to a revision of the future, and 500 with one of these words.
const INTERNAL: [&str; 2] =
    ["resourceVersion should not be set on objects to be created", "Internal Server Error"];

const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];

/// Longer than any name may be.
const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
);

const WORDS: [&str; 22] = [
    "default",
    "kube-system",
    "a",
    "A",
    "..",
    ".",
    "%00",
    "%2F",
    "%",
    "status",
    "log",
    "exec",
    "scale",
    "namespaces",
    "pods",
    "watch",
    "v1",
    "apps",
    LONG,
    "-",
    "é",
    "0",
];

const QUERIES: [&str; 24] = [
    "watch=true",
    "watch=1&timeoutSeconds=1",
    "limit=-1",
    "limit=99999999999999999999",
    "limit=x",
    "continue=e30",
    "continue=%00",
    "resourceVersion=0",
    "resourceVersion=-1",
    "resourceVersion=99999999999",
    "resourceVersion=x",
    "resourceVersionMatch=Exact",
    "labelSelector=a%20in%20(",
    "labelSelector=!a,,b=c",
    "fieldSelector=metadata.name%3D",
    "fieldSelector=x%3Dy",
    "dryRun=All",
    "dryRun=x",
    "fieldManager=%0a",
    "fieldValidation=Strict",
    "force=true",
    "propagationPolicy=x",
    "gracePeriodSeconds=-1",
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&watch=1",
];

const MEDIA: [&str; 10] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "text/plain",
    "",
    "application/json; charset=\"",
];

const BODIES: [&str; 20] = [
    "",
    "{",
    "{}",
    "[]",
    "null",
    "0",
    "\"x\"",
    "k8s\u{0}",
    "k8s\u{0}\u{a}\u{4}\u{a}\u{2}v1",
    r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#,
    r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"::"}]}}"#,
    r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"a"},"spec":{"replicas":-1,"selector":{},"template":7}}"#,
    r#"{"metadata":{"name":5,"labels":[],"annotations":{"a":{}},"ownerReferences":"x","finalizers":{}}}"#,
    r#"{"metadata":{"generateName":"a-","resourceVersion":"1","uid":"x","managedFields":[{"manager":1}]}}"#,
    r#"{"spec":null,"status":null,"metadata":null}"#,
    r#"[{"op":"add","path":"/metadata/labels/~2","value":1},{"op":"test","path":"","value":{}}]"#,
    r#"[{"op":"remove","path":"/"},{"op":"x"}]"#,
    r#"{"$patch":"delete","spec":{"containers":[{"$patch":"replace"},{"name":null}],"$retainKeys":["x",1]}}"#,
    r#"{"spec":{"replicas":1e400},"a":18446744073709551616}"#,
    "a: [b\n- c: &x {<<: *x}\n",
];

fn path(rng: &mut seed::Rng, plurals: &[(String, String, String)]) -> String {
    let word = |rng: &mut seed::Rng| WORDS.choose(rng).copied().unwrap_or_default();
    let (group, version, plural) = plurals.choose(rng).cloned().unwrap_or_default();
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let mut path = match rng.random_range(0..8) {
        0 => format!("/{}/{}", word(rng), word(rng)),
        1 => format!("{root}/{plural}"),
        2 => format!("{root}/{plural}/{}", word(rng)),
        3 => format!("{root}/namespaces/{}/{plural}", word(rng)),
        4 | 5 => format!("{root}/namespaces/default/{plural}/{}", word(rng)),
        6 => format!("{root}/namespaces/default/{plural}/{}/{}", word(rng), word(rng)),
        _ => (*[
            "/",
            "/api",
            "/apis",
            "/openapi/v2",
            "/openapi/v3/x",
            "/version",
            "/clusters/x/api",
            "/healthz",
        ]
        .choose(rng)
        .unwrap_or(&"/"))
        .to_owned(),
    };
    if rng.random_bool(0.5) {
        let query: Vec<&str> =
            (0..rng.random_range(1..4)).filter_map(|_| QUERIES.choose(rng).copied()).collect();
        path = format!("{path}?{}", query.join("&"));
    }
    path
}

async fn connect(client: &Client) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(client.connect().await)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn garbage_is_answered() {
    let count = std::env::var("PULLDRILL_GARBAGE").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW);
    let world = World::new().await;
    let admin = world.admin();
    let infos = world.cluster.api().resources().infos();
    let plurals: Vec<_> = infos.into_iter().map(|i| (i.group, i.version, i.plural)).collect();
    let mut rng = seed::rng(1, "garbage");
    let mut sender = connect(&admin).await;
    for n in 0..count {
        let path = path(&mut rng, &plurals);
        let method = METHODS.choose(&mut rng).cloned().unwrap_or_default();
        let media = MEDIA.choose(&mut rng).copied().unwrap_or_default();
        let mut body = BODIES.choose(&mut rng).map(|body| body.as_bytes().to_vec()).unwrap_or_default();
        if !body.is_empty() && rng.random_bool(0.2) {
            let at = rng.random_range(0..body.len());
            body[at] = rng.random();
        }
        let shown = format!("{n}: {method} {path} {media} {}", String::from_utf8_lossy(&body));
        let Ok(request) = Request::builder()
            .method(method)
            .uri(&path)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, media)
            .body(Full::new(body.into()))
        else {
            continue;
        };
        if sender.ready().await.is_err() {
            sender = connect(&admin).await;
        }
        let answer = sender.send_request(request).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let status = answer.status();
        if !answer.headers().contains_key(header::CONTENT_LENGTH) {
            // A watch, or another stream: that it began is enough.
            assert!(!status.is_server_error(), "{shown}: {status}");
            sender = connect(&admin).await;
            continue;
        }
        let body =
            answer.into_body().collect().await.unwrap_or_else(|error| panic!("{shown}: {error}")).to_bytes();
        if status.is_server_error() {
            let said = String::from_utf8_lossy(&body);
            let known = match status {
                StatusCode::GATEWAY_TIMEOUT => true,
                StatusCode::INTERNAL_SERVER_ERROR => INTERNAL.iter().any(|known| said.contains(known)),
                _ => false,
            };
            assert!(known, "{shown}: {status}: {said}");
        }
    }
    assert_eq!(admin.get("/healthz").await.code, 200);
}
