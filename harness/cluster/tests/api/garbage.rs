//! Requests that make little sense, many of them, to every route with every method: each gets an answer, none of them an
//! internal error that is not on the list, nothing panics, and server and controllers go on.
//!
//! The number of requests is small unless `PULLDRILL_GARBAGE` says another: `PULLDRILL_GARBAGE=1000000 cargo test --release
//! -p pulldrill-cluster --test api garbage`. `PULLDRILL_GARBAGE_SEED` makes others. What a failure shows begins with
//! the number of the request.

#[path = "garbage/protobuf.rs"]
mod protobuf;
#[path = "garbage/requests.rs"]
mod requests;
#[path = "garbage/routes.rs"]
mod routes;
#[path = "garbage/values.rs"]
mod values;

use std::{
    collections::BTreeMap,
    ops::Range,
    panic,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::FutureExt;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pulldrill_clock::seed;
use pulldrill_cluster::{schema::Schema, store::Key};
use serde_json::{Value, json};

use crate::world::{Client, World};
use requests::{Made, Maker};

/// How many requests there are unless somebody wants more: enough for each method on each route, twice.
const FEW: usize = 8_000;

/// How many requests one server gets. Chance has it make objects, and now and then a set of two thousand million pods.
const OF_ONE_SERVER: usize = 10_000;

/// How many bytes of memory the objects of one server may take. Some servers get full.
const QUOTA: u64 = 64 << 20;

/// What a store says that is full.
const FULL: &str = "etcdserver: mvcc: database space exceeded";

/// How long controllers may take to get to what is new.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// How many wrong answers are enough to stop.
const ENOUGH: usize = 20;

/// Real servers answer so too, with 500.
const INTERNAL: [&str; 11] = [
    "resourceVersion should not be set on objects to be created",
    // Who is impersonated in a way that makes no sense.
    "Internal Server Error",
    // Strategic patches whose elements lack the key, or say what no patch can.
    "does not contain declared merge key",
    "unknown patch type",
    "merging lists cannot yet be specified",
    // Applies of what the types don't have.
    "failed to create typed patch object",
    "failed to create manager for existing fields",
    // What a watch can't begin at.
    "strconv.ParseUint",
    // Nodes that no pod can be assigned to.
    "target.kind: Unsupported value",
    "target.name: Required value",
    FULL,
];

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().and_then(|n| n.parse().ok())
}

async fn connect(client: &Client) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(client.connect().await)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

/// Notes every panic from here on, whoever's it is.
fn note_panics() -> Arc<Mutex<Vec<String>>> {
    let (noted, former) = (Arc::new(Mutex::new(Vec::new())), panic::take_hook());
    let notes = noted.clone();
    panic::set_hook(Box::new(move |panic| {
        notes.lock().unwrap().push(panic.to_string());
        former(panic);
    }));
    noted
}

// Of several threads, so that a controller that never comes to rest is noticed instead of stopping this test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered() {
    let count = number("PULLDRILL_GARBAGE").unwrap_or(FEW);
    let seed = number("PULLDRILL_GARBAGE_SEED").unwrap_or(1) as u64;
    let mut run = Run {
        maker: Maker { schema: Schema::embedded(), rng: seed::rng(seed, "garbage") },
        panics: note_panics(),
        good: BTreeMap::new(),
        findings: Vec::new(),
    };
    for first in (0..count).step_by(OF_ONE_SERVER) {
        run.ask_a_server(first..count.min(first + OF_ONE_SERVER)).await;
    }
    let Run { findings, good, .. } = run;
    assert_eq!(findings, [""; 0]);
    if count >= FEW {
        // It does get behind the first door.
        for what in WORKS {
            assert!(good.contains_key(what), "{what} never worked: {good:?}");
        }
    }
}

struct Run {
    maker: Maker<'static>,
    panics: Arc<Mutex<Vec<String>>>,
    /// How often a kind of request was a success.
    good: BTreeMap<String, usize>,
    findings: Vec<String>,
}

impl Run {
    /// Makes the requests of these numbers to a new server.
    async fn ask_a_server(&mut self, numbers: Range<usize>) {
        let world = World::of_quota(&["node-1"], QUOTA).await;
        let admin = world.admin();
        let made = admin.ask(Method::PUT, &format!("/clusters/{}", routes::VIRTUAL), &[], "").await;
        assert_eq!(made.code, 201, "{:?}", made.body);
        let routes = routes::all(world.cluster.api().resources());
        let round = routes.len() * requests::METHODS.len();
        assert!(FEW >= 2 * round, "{round} requests are one round");
        let mut sender = connect(&admin).await;
        for n in numbers {
            let route = &routes[n % routes.len()];
            let method = &requests::METHODS[n / routes.len() % requests::METHODS.len()];
            let Some(made) = self.maker.make(route, method) else { continue };
            self.ask(n, made, &admin, &mut sender, &format!("{method} {} ", route.named)).await;
        }
        still_works(&world).await;
        world.end().await;
        self.no_panic("afterwards");
    }

    async fn ask(
        &mut self,
        n: usize,
        Made { request, shown }: Made,
        client: &Client,
        sender: &mut SendRequest<Full<Bytes>>,
        class: &str,
    ) {
        let shown = format!("{n}: {shown}");
        if sender.ready().await.is_err() {
            *sender = connect(client).await;
        }
        let media = request.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let mut answer = sender.send_request(request.clone()).await;
        if answer.as_ref().is_err_and(hyper::Error::is_canceled) {
            // The server had closed the connection after the request before.
            *sender = connect(client).await;
            answer = sender.send_request(request).await;
        }
        let answer = answer.unwrap_or_else(|error| panic!("{shown}: {error}"));
        self.no_panic(&shown);
        let status = answer.status();
        if status.is_success() {
            *self.good.entry(format!("{class}{media}")).or_default() += 1;
        }
        if answer.headers().contains_key(header::CONTENT_LENGTH) {
            let body = answer.into_body().collect().await;
            let body = body.unwrap_or_else(|error| panic!("{shown}: {error}")).to_bytes();
            self.findings.extend(complaint(status, &body, &shown));
            assert!(self.findings.len() < ENOUGH, "{:#?}", self.findings);
        } else {
            // A list, a watch or another stream: what is there already is enough.
            assert!(!status.is_server_error(), "{shown}: {status}");
            let mut body = answer.into_body();
            if let Some(Some(Err(error))) = body.frame().now_or_never() {
                panic!("{shown}: {error}");
            }
            *sender = connect(client).await;
        }
    }

    fn no_panic(&self, when: &str) {
        assert_eq!(*self.panics.lock().unwrap(), [""; 0], "{when}");
    }
}

/// What has to have worked at least once: the method, whether to a name, what was sent.
const WORKS: [&str; 12] = [
    "GET true application/json",
    "GET false application/json",
    "HEAD false application/json",
    "POST false application/json",
    "POST false application/yaml",
    "POST false application/vnd.kubernetes.protobuf",
    "PUT true application/json",
    "PATCH true application/json-patch+json",
    "PATCH true application/merge-patch+json",
    "PATCH true application/strategic-merge-patch+json",
    "PATCH true application/apply-patch+yaml",
    "DELETE true application/json",
];

/// What is wrong with an answer.
fn complaint(status: StatusCode, body: &[u8], shown: &str) -> Option<String> {
    let said = String::from_utf8_lossy(body);
    let known = match status {
        // A revision of the future.
        StatusCode::GATEWAY_TIMEOUT => true,
        // Nobody listens where requests are handed on to.
        StatusCode::SERVICE_UNAVAILABLE => shown.contains("/proxy"),
        // Nothing is said to HEAD; such answers are about impersonation, or where a watch begins.
        StatusCode::INTERNAL_SERVER_ERROR if body.is_empty() => {
            shown.contains(" impersonate-") || shown.contains("resourceVersion=")
        }
        StatusCode::INTERNAL_SERVER_ERROR => INTERNAL.iter().any(|known| said.contains(known)),
        status => !status.is_server_error(),
    };
    (!known).then(|| format!("{shown}: {status}: {said}"))
}

/// What makes objects by itself, and what is made.
const MADE: [&str; 9] = [
    "apis/apps/v1/%deployments",
    "apis/apps/v1/%statefulsets",
    "apis/apps/v1/%daemonsets",
    "apis/apps/v1/%replicasets",
    "apis/batch/v1/%cronjobs",
    "apis/batch/v1/%jobs",
    "api/v1/%replicationcontrollers",
    "api/v1/%pods",
    "api/v1/%events",
];

/// The server answers, and the controllers see what is new; if it is full, after something has been deleted.
async fn still_works(world: &World) {
    let admin = world.admin();
    assert_eq!(admin.get("/healthz").await.code, 200);
    let made: Value = json!({"metadata": {"name": "afterwards"}});
    let mut answer = admin.post("/api/v1/namespaces", &made).await;
    if answer.code == 500 && answer.message() == FULL {
        for namespace in world.cluster.api().list("namespaces", None) {
            for resource in MADE {
                let of = resource.replace('%', &format!("namespaces/{}/", namespace.meta("name")));
                assert_eq!(admin.delete(&format!("/{of}")).await.code, 200, "{of}");
            }
        }
        answer = admin.post("/api/v1/namespaces", &made).await;
    }
    assert_eq!(answer.code, 201, "{}: {:?}", answer.message(), world.cluster.space());
    let account = Key::new("afterwards", "default");
    let made = async {
        while world.cluster.api().get("serviceaccounts", &account).is_err() {
            tokio::task::yield_now().await;
        }
    };
    if pulldrill_clock::real::timeout(PATIENCE, made).await.is_none() {
        let store = world.cluster.store();
        let latest = store.events_since(store.oldest().max(store.revision() - 20)).unwrap_or_default();
        let latest: Vec<_> =
            latest.iter().map(|e| format!("{:?} {} {}", e.change, e.resource, e.key)).collect();
        panic!("the controllers don't come to rest: {latest:#?}");
    }
}
