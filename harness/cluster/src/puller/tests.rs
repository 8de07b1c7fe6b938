//! Pulls from a real server, good and bad, and the words of each failure in each dialect.

use pulldrill_clock::Timestamp;
use serde_json::json;

use super::{
    fake::{self, Fake},
    *,
};

const NEW: &str = "k8s-1.36-containerd-2.1";
const OLD: &str = "k8s-1.20-containerd-1.7";

pub(super) struct World {
    clock: Clock,
    pub(super) fake: Arc<Fake>,
    puller: Arc<Puller>,
    dialect: Arc<Dialect>,
}

pub(super) async fn world(dialect: &str) -> World {
    let hosts = ["registry.lab.test", "registry-1.docker.io", "auth.docker.io"];
    let fake = Fake::start(&hosts).await;
    let clock = Clock::held_at(Timestamp::from_second(1_800_000_000).unwrap());
    let tls = pulldrill_tls::client_config(&[fake.pem()]).unwrap();
    let dialect = Dialect::named(dialect).unwrap();
    let puller = Puller::new("node-1", fake.network.clone(), clock.clone(), dialect.clone(), tls, 1);
    World { clock, fake, puller: Arc::new(puller), dialect }
}

impl World {
    pub(super) async fn pull(&self, image: &str, login: Option<(&str, &str)>) -> Result<Arc<Image>, String> {
        let (puller, reference) = (self.puller.clone(), Reference::parse(image).unwrap());
        let credential = login.map(|(u, p)| Credential { username: u.into(), password: p.into() });
        let busy = self.clock.busy();
        let task = tokio::spawn(async move { puller.pull(&reference, credential, busy).await.0 });
        self.clock.advance(SignedDuration::from_mins(10)).await;
        task.await.unwrap().map_err(|error| error.shown(&self.dialect))
    }

    pub(super) async fn refusal(&self, image: &str, login: Option<(&str, &str)>) -> String {
        self.pull(image, login).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_pull_makes_its_requests_in_order_and_caches() {
    let world = world(NEW).await;
    let made = world.fake.image("team/app", "1.0", &json!({"a": "b"}));
    world.fake.rule(fake::basic);
    let image = world.pull("registry.lab.test/team/app:1.0", Some(("labuser", "goodpass"))).await.unwrap();
    assert_eq!(image.repo_digest, format!("registry.lab.test/team/app@{}", made.digest));
    assert_eq!(image.labels["a"], "b");
    let asked = world.fake.asked();
    assert!(asked.iter().all(|a| a.user_agent == "containerd/v2.1.9" && a.host == "registry.lab.test"));
    assert!(asked[0].authorization.is_none() && asked[1].authorization.is_some());
    let expected = [
        "HEAD /v2/team/app/manifests/1.0".to_owned(),
        "HEAD /v2/team/app/manifests/1.0".to_owned(),
        format!("GET /v2/team/app/manifests/{}", made.digest),
        format!("GET /v2/team/app/blobs/{}", image.id),
        format!("GET /v2/team/app/blobs/{}", made.layer),
    ];
    assert_eq!(world.fake.lines(), expected);
    world.pull("registry.lab.test/team/app:1.0", Some(("labuser", "goodpass"))).await.unwrap();
    assert_eq!(world.fake.lines().len(), 7, "content that is there is not fetched again");
    assert_eq!(world.puller.images().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = world(NEW).await;
    let reference = "registry.lab.test/team/app:9.9";
    assert_eq!(
        world.refusal(reference, None).await,
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.lab.test/team/app:9.9\": \
         failed to resolve reference \"registry.lab.test/team/app:9.9\": registry.lab.test/team/app:9.9: not found"
    );
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let pinned = format!("registry.lab.test/team/app@{digest}");
    assert!(world.refusal(&pinned, None).await.ends_with(&format!("{pinned}: not found")));
    let lines = world.fake.lines();
    assert_eq!(
        lines[1..],
        [format!("HEAD /v2/team/app/manifests/{digest}"), format!("HEAD /v2/team/app/blobs/{digest}"),]
    );
}

#[tokio::test]
async fn credentials_that_are_missing_wrong_or_expired() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        world.fake.image("team/app", "1.0", &json!({}));
        world.fake.rule(fake::basic);
        let image = "registry.lab.test/team/app:1.0";
        let start = "failed to pull and unpack image \"registry.lab.test/team/app:1.0\": \
            failed to resolve reference \"registry.lab.test/team/app:1.0\": ";
        let prefix = if dialect == OLD { "rpc error: code = Unknown desc = " } else { "" };
        assert_eq!(
            world.refusal(image, None).await,
            format!(
                "{prefix}{start}pull access denied, repository does not exist or may require \
                authorization: authorization failed: no basic auth credentials"
            )
        );
        let before = world.fake.lines().len();
        assert_eq!(
            world.refusal(image, Some(("labuser", "bad"))).await,
            format!(
                "{prefix}{start}unexpected status from HEAD request to \
                https://registry.lab.test/v2/team/app/manifests/1.0: 401 Unauthorized"
            )
        );
        assert_eq!(world.fake.lines().len() - before, 6);
        world
            .fake
            .rule(|asked| asked.path.contains("/manifests/").then(|| (403, Vec::new(), b"{}".to_vec())));
        assert!(world.refusal(image, Some(("AWS", "old"))).await.ends_with("manifests/1.0: 403 Forbidden"));
    }
}

#[tokio::test]
async fn docker_hub_answers_through_its_token_service() {
    let world = world(NEW).await;
    world.fake.image("limited/app", "5.0", &json!({}));
    world.fake.rule(|asked| fake::hub(asked, "limited/"));
    let denied = "failed to pull and unpack image \"docker.io/nosuch/app:1.0\": failed to resolve reference \
        \"docker.io/nosuch/app:1.0\": pull access denied, repository does not exist or may require \
        authorization: server message: insufficient_scope: authorization failed";
    assert_eq!(world.refusal("nosuch/app:1.0", None).await, denied);
    let asked = world.fake.asked();
    assert_eq!(asked[1].path, "/token?scope=repository%3Anosuch%2Fapp%3Apull&service=registry.docker.io");
    assert_eq!(
        world.refusal("nosuch/app:1.0", Some(("u", "p"))).await,
        "failed to pull and unpack image \"docker.io/nosuch/app:1.0\": failed to resolve reference \
         \"docker.io/nosuch/app:1.0\": failed to authorize: failed to fetch oauth token: unexpected status from \
         GET request to https://auth.docker.io/token?scope=repository%3Anosuch%2Fapp%3Apull&service=registry.docker.io: \
         401 Unauthorized"
    );
    let posted = world.fake.asked().into_iter().find(|a| a.method == "POST").unwrap();
    assert_eq!(
        posted.body,
        "client_id=containerd-client&grant_type=password&password=p&scope=repository%3Anosuch%2Fapp%3Apull&\
         service=registry.docker.io&username=u"
    );
    assert!(world.pull("limited/app:5.0", None).await.is_ok());
}

#[tokio::test]
async fn a_rate_limit_is_quoted_as_the_version_quotes_it() {
    let limit =
        "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        let made = world.fake.image("limited/app", "5.0", &json!({}));
        world.fake.rule(move |asked| {
            fake::hub(asked, "limited/").or_else(|| {
                let limited = asked.method == "GET" && asked.path.contains("/manifests/");
                let body = format!(r#"{{"errors":[{{"code":"TOOMANYREQUESTS","message":"{limit}"}}]}}"#);
                limited.then(|| (429, Vec::new(), body.into_bytes()))
            })
        });
        let url = format!("https://registry-1.docker.io/v2/limited/app/manifests/{}", made.digest);
        let start = "failed to pull and unpack image \"docker.io/limited/app:5.0\": failed to copy: httpReadSeeker: failed open: ";
        let expected = match dialect {
            NEW => format!(
                "{start}unexpected status from GET request to {url}: 429 Too Many Requests\ntoomanyrequests: {limit}"
            ),
            _ => format!(
                "rpc error: code = Unknown desc = {start}unexpected status code {url}: 429 Too Many Requests - Server message: toomanyrequests: {limit}"
            ),
        };
        assert_eq!(world.refusal("limited/app:5.0", None).await, expected);
        let gets = world.fake.lines().iter().filter(|l| l.starts_with("GET /v2")).count();
        assert_eq!(gets, 6);
    }
}

#[tokio::test]
async fn server_errors_are_repeated_once_by_the_newer_one() {
    for (dialect, heads) in [(NEW, 2), (OLD, 1)] {
        let world = world(dialect).await;
        world.fake.rule(|_| Some((503, Vec::new(), Vec::new())));
        let text = world.refusal("registry.lab.test/team/app:1.0", None).await;
        assert!(text.ends_with("manifests/1.0: 503 Service Unavailable"), "{text}");
        assert_eq!(world.fake.lines().len(), heads);
    }
}

#[tokio::test]
async fn content_that_is_not_what_it_should_be() {
    for dialect in [NEW, OLD] {
        let world = world(dialect).await;
        let made = world.fake.image("team/app", "3.0", &json!({}));
        let blob = format!("/v2/team/app/blobs/{}", made.layer);
        let (path, served) = (blob.clone(), world.fake.clone());
        world.fake.rule(move |asked| {
            let (status, headers, mut body) = (asked.path == path).then(|| served.stored(asked))?;
            body[0] ^= 1;
            Some((status, headers, body))
        });
        let text = world.refusal("registry.lab.test/team/app:3.0", None).await;
        let start = format!(
            "rpc error: code = FailedPrecondition desc = failed to pull and unpack image \
             \"registry.lab.test/team/app:3.0\": failed commit on ref \"layer-{}\": unexpected commit digest sha256:",
            made.layer
        );
        assert!(text.starts_with(&start) && text.ends_with(": failed precondition"), "{text}");

        // Announced too short, it is taken for what it says that it is. (What is cut off is gone on with: see the
        // recordings of truncated-blob.)
        let (path, served) = (blob, world.fake.clone());
        world.fake.rule(move |asked| {
            let (_, headers, body) = (asked.path == path).then(|| served.stored(asked))?;
            assert_eq!(asked.range, None, "nobody goes on with it");
            Some((200, headers, body[..500].to_vec()))
        });
        let result = world.pull("registry.lab.test/team/app:3.0", None).await;
        let words = match dialect {
            NEW => ": short read: expected 2022 bytes but got 500: unexpected EOF",
            _ => ": failed to read expected number of bytes: unexpected EOF",
        };
        assert!(result.as_ref().is_err_and(|text| text.ends_with(words)), "{dialect}: {result:?}");
    }
}

#[tokio::test]
async fn an_index_is_searched_for_the_platform() {
    an_index_without_the_platform("k8s-1.36-containerd-2.1-transfer", |_, target| {
        format!("rpc error: code = NotFound desc = get image config descriptor: no match for platform in manifest {target}: not found")
    })
    .await;
    an_index_without_the_platform(NEW, |image, _| {
        format!(
            "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": no match for platform in \
             manifest: not found"
        )
    })
    .await;
}

async fn an_index_without_the_platform(dialect: &str, expected: impl Fn(&str, &str) -> String) {
    let world = world(dialect).await;
    let made = world.fake.image("team/app", "amd", &json!({}));
    let kind = "application/vnd.oci.image.index.v1+json";
    let entry = |arch: &str| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": made.digest,
            "size": 10_000, "platform": {"os": "linux", "architecture": arch}})
    };
    let size = world.fake.stored(&world_manifest(&made.digest)).2.len();
    let with_size = |mut value: serde_json::Value| {
        value["size"] = json!(size);
        value
    };
    let index =
        |arch: &str| json!({"schemaVersion": 2, "mediaType": kind, "manifests": [with_size(entry(arch))]});
    let arm = world.fake.manifest("team/app", "arm-only", kind, &index("arm64"));
    let target = world.fake.manifest("team/app", "both", kind, &index("amd64"));
    let image = "registry.lab.test/team/app:arm-only";
    assert_eq!(world.refusal(image, None).await, expected(image, &arm));
    let image = world.pull("registry.lab.test/team/app:both", None).await.unwrap();
    assert_eq!(image.repo_digest, format!("registry.lab.test/team/app@{target}"));
}

fn world_manifest(digest: &str) -> fake::Asked {
    fake::Asked {
        method: http::Method::GET,
        host: String::new(),
        path: format!("/v2/team/app/manifests/{digest}"),
        authorization: None,
        range: None,
        user_agent: String::new(),
        body: String::new(),
    }
}

#[tokio::test]
async fn networks_that_fail() {
    let world = world(NEW).await;
    let start = |host: &str| {
        format!(
            "failed to pull and unpack image \"{host}/team/app:1.0\": failed to resolve reference \
            \"{host}/team/app:1.0\": failed to do request: Head \"https://{host}/v2/team/app/manifests/1.0\": "
        )
    };
    let nosuch = world.refusal("nosuch.lab.test/team/app:1.0", None).await;
    assert_eq!(
        nosuch,
        start("nosuch.lab.test") + "dial tcp: lookup nosuch.lab.test on 10.96.0.10:53: no such host"
    );
    world.fake.network.add_host("timeout.lab.test", "172.31.255.15".parse().unwrap());
    assert_eq!(
        world.refusal("timeout.lab.test/team/app:1.0", None).await,
        format!(
            "rpc error: code = DeadlineExceeded desc = {}dial tcp 172.31.255.15:443: i/o timeout",
            start("timeout.lab.test")
        )
    );
    world.fake.add_host("other.lab.test", 99);
    assert_eq!(
        world.refusal("other.lab.test/team/app:1.0", None).await,
        start("other.lab.test")
            + "tls: failed to verify certificate: x509: certificate is valid for registry.lab.test, \
               registry-1.docker.io, auth.docker.io, not other.lab.test"
    );
    world.fake.network.distrust("registry.lab.test");
    assert_eq!(
        world.refusal("registry.lab.test/team/app:1.0", None).await,
        start("registry.lab.test")
            + "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_ip = "172.31.255.16".parse().unwrap();
    world.fake.network.add_host("plain.lab.test", plain_ip);
    world.fake.network.add_route(plain_ip, 5000, plain.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            use tokio::io::AsyncWriteExt;
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request").await.unwrap();
        }
    });
    let text = world.refusal("plain.lab.test:5000/team/app:1.0", None).await;
    assert!(text.ends_with(
        "Head \"https://plain.lab.test:5000/v2/team/app/manifests/1.0\": http: server gave HTTP response to HTTPS client"
    ), "{text}");
}

#[test]
fn images_come_at_the_pace_of_their_registry() {
    assert_eq!(super::flow(17_500, Some(350)), SignedDuration::from_secs(50));
    assert_eq!(super::flow(80_000_000, None), SignedDuration::from_secs(2));
    assert_eq!(super::flow(u64::MAX, Some(0)), SignedDuration::from_hours(24));
}
