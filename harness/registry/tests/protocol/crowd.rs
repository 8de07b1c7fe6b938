//! Crowds: thousands of pulls, a hundred of them at the same moment. Everybody gets the whole image, and no two the last
//! pull of a quota.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use pulldrill_registry::{Access, ImageSpec};
use tokio::sync::Barrier;

use super::{
    common::{ACCEPT, Call, World, line},
    digest,
};

const HOST: &str = "r.example";
const HUB: &str = "registry-1.docker.io";

type Line = SendRequest<Full<Bytes>>;

async fn get(line: &mut Line, path: &str, token: &str) -> (StatusCode, Bytes) {
    line.ready().await.unwrap();
    let mut request = Request::get(path).header("host", HOST).header("accept", ACCEPT);
    if !token.is_empty() {
        request = request.header("authorization", token);
    }
    let answer = line.send_request(request.body(Full::default()).unwrap()).await.unwrap();
    (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
}

/// A pull as clients do it: the manifest by its tag, then everything that it is made of; how many bytes that was.
async fn pull(line: &mut Line) -> usize {
    let (status, manifest) = get(line, "/v2/team/app/manifests/1", "").await;
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let mut bytes = manifest.len();
    for part in json["layers"].as_array().unwrap().iter().chain([&json["config"]]) {
        let wanted = part["digest"].as_str().unwrap();
        let (status, body) = get(line, &format!("/v2/team/app/blobs/{wanted}"), "").await;
        assert_eq!((status, digest(&body).as_str()), (StatusCode::OK, wanted));
        bytes += body.len();
    }
    bytes
}

/// So many clients that begin at the same moment, each with a connection of its own.
async fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    world: &World,
    to: std::net::SocketAddr,
    clients: usize,
    act: impl Fn(Line) -> F + Clone + Send + Sync + 'static,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(clients));
    let mut acting = Vec::new();
    for _ in 0..clients {
        let (authority, start, act) = (world.authority.clone(), start.clone(), act.clone());
        acting.push(tokio::spawn(async move {
            start.wait().await;
            // Whoever has connected asks at once: a server does not wait for ever.
            let line = line(authority.pem(), to).await;
            act(line).await
        }));
    }
    futures::future::join_all(acting).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_pulls_at_once_all_get_the_whole_image() {
    const CLIENTS: usize = 100;
    const EACH: usize = 20;
    let world = World::on_disk();
    let info = world.host(HOST, "distribution", &[("team/app", Access::Anonymous)]).await;
    world.registry.set_accounts(HOST, Vec::new()).unwrap();
    let spec = ImageSpec { layers: 2, size: 20_000, ..ImageSpec::default() };
    let pushed = world.registry.clone();
    let image = tokio::task::spawn_blocking(move || pushed.push_image(HOST, "team/app", Some("1"), &spec));
    let image = image.await.unwrap().unwrap();
    let pulled = crowd(&world, info.address, CLIENTS, |mut line| async move {
        let mut bytes = Vec::new();
        for _ in 0..EACH {
            bytes.push(pull(&mut line).await);
        }
        bytes
    });
    let pulled: Vec<usize> = pulled.await.concat();
    assert_eq!(pulled.len(), CLIENTS * EACH);
    assert!(pulled.iter().all(|bytes| *bytes == pulled[0] && *bytes > 20_000), "{pulled:?}");
    let log = world.registry.pull_log().since(0);
    let manifests =
        log.iter().filter(|entry| entry.digest.as_deref() == Some(&image.manifest_digest.to_string()));
    assert_eq!(manifests.filter(|entry| entry.status == 200).count(), CLIENTS * EACH, "each is evidence");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_of_a_crowd_share_the_last_pull_of_a_quota() {
    const CLIENTS: usize = 50;
    const EACH: usize = 4;
    let world = World::held();
    let info = world.host(HUB, "docker-hub", &[("library/app", Access::Anonymous)]).await;
    world.registry.push_image(HUB, "library/app", Some("1"), &ImageSpec::default()).unwrap();
    let tokens = Call { to: info.token_host.clone().unwrap().1, name: None, node: None };
    let path = "/token?service=registry.docker.io&scope=repository:library/app:pull";
    let issued = world.ask(&tokens, "GET", path, "").await.json();
    let token: Arc<str> = format!("Bearer {}", issued["token"].as_str().unwrap()).into();
    let answers = crowd(&world, info.address, CLIENTS, move |mut line| {
        let token = token.clone();
        async move {
            let mut answers = Vec::new();
            for _ in 0..EACH {
                answers.push(get(&mut line, "/v2/library/app/manifests/1", &token).await.0.as_u16());
            }
            answers
        }
    });
    let answers = answers.await.concat();
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(200), count(429)), (100, CLIENTS * EACH - 100));
}
