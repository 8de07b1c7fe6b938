//! In front of a real registry, which here is another one of ours: its content, our personality, credentials, quotas and
//! faults.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;

use common::{Call, Reply, World, basic, local};
use http::Request;
use pulldrill_registry::{Account, FaultRule, HostInfo, HostSpec, Part, RegistryError, Scope, UpstreamSpec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MEDIA: &str = "application/vnd.oci.image.manifest.v1+json";

/// Two registries, one in front of the other.
struct Scene {
    behind: World,
    front: World,
    /// The real one.
    there: HostInfo,
    /// The one in front of it.
    here: HostInfo,
}

fn account(username: &str, password: &str) -> Account {
    Account { username: username.into(), password: password.into() }
}

/// Who may do everything at the real one.
fn robot() -> Account {
    account("robot", "upstream-s3cret")
}

impl Scene {
    async fn new(there: &str, here: &str) -> Self {
        let behind = World::held();
        let spec = HostSpec {
            name: "u.example".into(),
            personality: there.into(),
            accounts: vec![robot()],
            ..HostSpec::default()
        };
        let there = behind.registry.add_host(spec).await.unwrap();
        let upstream = UpstreamSpec {
            url: there.url.clone(),
            login: Some(robot()),
            authority: Some(behind.authority.pem().to_owned()),
        };
        let front = World::held();
        let here = add(&front, "f.example", here, upstream).await.unwrap();
        Self { behind, front, there, here }
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        self.front.ask(&local(&self.here), method, path, &basic("dev", "s3cret")).await
    }

    async fn send(&self, request: http::request::Builder, body: &[u8]) -> Reply {
        let request = request.header("authorization", basic("dev", "s3cret"));
        self.front.send(&local(&self.here), request, body).await
    }

    /// Pushes a blob in pieces.
    async fn push(&self, repository: &str, content: &[u8]) -> String {
        let begun = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/")).await;
        assert_eq!(begun.status, 202, "{}", begun.text());
        let mut place = begun.header("location").to_owned();
        assert!(place.starts_with(&format!("/v2/{repository}/blobs/uploads/")), "{place}");
        let half = content.len() / 2;
        for (piece, range) in
            [(&content[..half], format!("0-{}", half - 1)), (&content[half..], String::new())]
        {
            let mut request = Request::patch(&place);
            if !range.is_empty() {
                request = request.header("content-range", &range);
            }
            let reply = self.send(request, piece).await;
            assert_eq!(reply.status, 202, "{}", reply.text());
            place = reply.header("location").to_owned();
        }
        let asked = self.ask("GET", &place).await;
        assert_eq!(
            (asked.status.as_u16(), asked.header("range")),
            (204, &*format!("0-{}", content.len() - 1))
        );
        let digest = digest(content);
        let ended = self.ask("PUT", &format!("{place}?digest={digest}")).await;
        assert_eq!(ended.status, 201, "{}", ended.text());
        assert_eq!(ended.header("location"), format!("/v2/{repository}/blobs/{digest}"));
        assert_eq!(self.ask("GET", &place).await.status, 404, "an upload that has ended is gone");
        digest
    }

    /// Pushes an image of a configuration and a layer.
    async fn image(&self, repository: &str, tag: &str, layer: &[u8]) -> (String, String, String) {
        let config = self.push(repository, b"{\"architecture\":\"amd64\",\"os\":\"linux\"}").await;
        let layer_digest = self.push(repository, layer).await;
        let manifest = json!({"schemaVersion": 2, "mediaType": MEDIA,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 37},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest,
                "size": layer.len()}]})
        .to_string();
        let request = Request::put(format!("/v2/{repository}/manifests/{tag}")).header("content-type", MEDIA);
        let put = self.send(request, manifest.as_bytes()).await;
        assert_eq!(put.status, 201, "{}", put.text());
        let digest = digest(manifest.as_bytes());
        assert_eq!(put.header("location"), format!("/v2/{repository}/manifests/{digest}"));
        (digest, config, layer_digest)
    }
}

async fn add(
    world: &World,
    name: &str,
    personality: &str,
    upstream: UpstreamSpec,
) -> Result<HostInfo, RegistryError> {
    let spec = HostSpec {
        name: name.into(),
        personality: personality.into(),
        accounts: vec![account("dev", "s3cret")],
        upstream: Some(upstream),
        ..HostSpec::default()
    };
    world.registry.add_host(spec).await
}

fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[tokio::test]
async fn what_is_pushed_here_is_there_and_what_is_there_is_pulled_here() {
    // The real one wants passwords, or tokens of its service.
    for there in ["distribution", "harbor"] {
        let scene = Scene::new(there, "distribution").await;
        let layer: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let (manifest, config, blob) = scene.image("robot/app", "1", &layer).await;
        let direct = scene.behind.registry.pull_log().since(0);
        assert!(direct.iter().any(|entry| entry.identity.as_deref() == Some("robot") && entry.status == 201));

        let pulled = scene.ask("GET", "/v2/robot/app/manifests/1").await;
        assert_eq!((pulled.status.as_u16(), digest(&pulled.body)), (200, manifest.clone()));
        assert_eq!(
            (pulled.header("docker-content-digest"), pulled.header("content-type")),
            (&*manifest, MEDIA)
        );
        let head = scene.ask("HEAD", "/v2/robot/app/manifests/1").await;
        assert_eq!(head.header("content-length"), pulled.body.len().to_string());
        let whole = scene.ask("GET", &format!("/v2/robot/app/blobs/{blob}")).await;
        assert!(whole.body == layer, "{}", whole.status);
        let range = Request::get(format!("/v2/robot/app/blobs/{blob}")).header("range", "bytes=10-19");
        let part = scene.send(range, b"").await;
        assert_eq!((part.status.as_u16(), &part.body[..]), (206, &layer[10..20]));
        assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", layer.len()));
        let known = Request::get(format!("/v2/robot/app/blobs/{blob}"))
            .header("if-none-match", whole.header("etag").to_owned());
        assert_eq!(scene.send(known, b"").await.status, 304);

        let mount = format!("/v2/robot/other/blobs/uploads/?mount={config}&from=robot/app");
        let mounted = scene.ask("POST", &mount).await;
        assert_eq!((mounted.status.as_u16(), mounted.header("docker-content-digest")), (201, &*config));
        scene.image("robot/app", "2", b"another layer").await;
        let page = scene.ask("GET", "/v2/robot/app/tags/list?n=1").await;
        assert_eq!(page.json()["tags"], json!(["1"]));
        assert_eq!(page.header("link"), "</v2/robot/app/tags/list?last=1&n=1>; rel=\"next\"");
        let log = scene.front.registry.pull_log().since(0);
        let last_pull =
            log.iter().rfind(|entry| entry.path.ends_with("/manifests/1") && entry.method == "GET");
        let entry = last_pull.unwrap();
        assert_eq!((entry.identity.as_deref(), entry.digest.as_ref()), (Some("dev"), Some(&manifest)));
        assert_eq!(entry.bytes, pulled.body.len() as u64);

        let gone = scene.ask("DELETE", &format!("/v2/robot/app/manifests/{manifest}")).await;
        assert_eq!(gone.status, 202);
        assert_eq!(scene.ask("GET", "/v2/robot/app/manifests/1").await.status, 404);
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_words_of_the_front() {
    let scene = Scene::new("distribution", "harbor").await;
    scene.image("dev/app", "1", b"a layer of some length").await;
    let unknown = scene.ask("GET", "/v2/dev/app/manifests/9").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["errors"][0]["message"], "artifact dev/app:9 not found");
    let blob = scene.ask("GET", &format!("/v2/dev/app/blobs/{}", digest(b"nothing"))).await;
    assert_eq!((blob.status.as_u16(), &blob.json()["errors"][0]["code"]), (404, &json!("BLOB_UNKNOWN")));
    // Who may not ask here is not asked for there.
    let before = scene.behind.registry.pull_log().last();
    let stranger = scene.front.ask(&local(&scene.here), "GET", "/v2/dev/app/manifests/1", "").await;
    assert!(stranger.status == 401 && stranger.header("www-authenticate").contains("/service/token"));
    let wrong =
        scene.front.ask(&local(&scene.here), "GET", "/v2/dev/app/manifests/1", &basic("dev", "x")).await;
    assert_eq!((wrong.status.as_u16(), scene.behind.registry.pull_log().last()), (401, before));
    // What makes no sense is told as the upstream tells it.
    let nonsense = Request::put("/v2/dev/app/manifests/1").header("content-type", MEDIA);
    let nonsense = scene.send(nonsense, b"{}").await;
    assert_eq!(
        (nonsense.status.as_u16(), &nonsense.json()["errors"][0]["code"]),
        (400, &json!("MANIFEST_INVALID"))
    );
    let begun = scene.ask("POST", "/v2/dev/app/blobs/uploads/").await;
    let place = format!("{}?digest={}", begun.header("location"), digest(b"one"));
    let other = scene.send(Request::put(&place), b"another").await;
    assert_eq!((other.status.as_u16(), &other.json()["errors"][0]["code"]), (400, &json!("DIGEST_INVALID")));
}

#[tokio::test]
async fn the_quota_is_that_of_the_front_and_anybody_may_pull_from_a_hub() {
    let scene = Scene::new("distribution", "docker-hub").await;
    let call = Call { to: scene.here.address, name: None, node: None };
    let token = async |login: &str, action: &str| {
        let (_, at): &(String, SocketAddr) = scene.here.token_host.as_ref().unwrap();
        let call = Call { to: *at, name: None, node: None };
        let path = format!("/token?service=registry.docker.io&scope=repository:library/app:{action}");
        let reply = scene.front.ask(&call, "GET", &path, login).await;
        format!("Bearer {}", reply.json()["token"].as_str().unwrap())
    };
    let push = token(&basic("dev", "s3cret"), "pull,push").await;
    let (config, manifest) = (
        b"{}",
        json!({"schemaVersion": 2, "mediaType": MEDIA,
        "config": {"mediaType": "x/y", "digest": digest(b"{}"), "size": 2}, "layers": []})
        .to_string(),
    );
    let put = async |path: &str, media: &str, body: &[u8], token: &str| {
        let method = if path.contains("uploads") { Request::post(path) } else { Request::put(path) };
        let request = method.header("content-type", media).header("authorization", token);
        scene.front.send(&call, request, body).await.status.as_u16()
    };
    let blob = format!("/v2/library/app/blobs/uploads/?digest={}", digest(config));
    assert_eq!(put(&blob, "application/octet-stream", config, &push).await, 201);
    assert_eq!(put("/v2/library/app/manifests/1", MEDIA, manifest.as_bytes(), &push).await, 201);

    let anonymous = token("", "pull,push").await;
    assert_eq!(put("/v2/library/app/manifests/2", MEDIA, manifest.as_bytes(), &anonymous).await, 401);
    let pull =
        async |method: &str| scene.front.ask(&call, method, "/v2/library/app/manifests/1", &anonymous).await;
    let first = pull("GET").await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit-remaining")), (200, "99;w=21600"));
    for _ in 1..100 {
        assert_eq!(pull("GET").await.status, 200);
    }
    let refused = pull("GET").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(pull("HEAD").await.status, 200, "looking is free");
    // What the personality has of its own is not asked for there.
    assert_eq!(
        scene.front.registry.add_host(HostSpec::usual("docker-hub").unwrap()).await.unwrap().name,
        "registry-1.docker.io"
    );
}

#[tokio::test]
async fn faults_strike_in_front_and_what_breaks_there_breaks_here() {
    let scene = Scene::new("distribution", "distribution").await;
    let layer = vec![7_u8; 2_000_000];
    let (_, config, blob) = scene.image("a/b", "1", &layer).await;
    let set = |rules| scene.front.registry.set_faults("f.example", rules).unwrap();
    let (config, blob) = (format!("/v2/a/b/blobs/{config}"), format!("/v2/a/b/blobs/{blob}"));
    assert_eq!(scene.ask("GET", "/v2/a/b/manifests/1").await.status, 200);
    let on = |part| Scope { part: Some(part), ..Scope::default() };
    set(vec![
        FaultRule::new("truncated").on(on(Part::Config)),
        FaultRule::new("corrupt").on(on(Part::Layer)),
    ]);
    assert_eq!(scene.ask("GET", &config).await.body.len(), 18, "half of it");
    let corrupt = scene.ask("GET", &blob).await.body;
    assert!(corrupt.len() == layer.len() && corrupt != layer && corrupt[..layer.len() - 1] == layer[1..]);
    set(vec![FaultRule::new("status").with("status", &"503").on(on(Part::Manifest))]);
    let before = scene.behind.registry.pull_log().last();
    assert_eq!(scene.ask("GET", "/v2/a/b/manifests/1").await.status, 503);
    assert_eq!(scene.behind.registry.pull_log().last(), before, "nothing was asked there");
    set(Vec::new());

    let there = |rule| scene.behind.registry.set_faults("u.example", vec![rule]).unwrap();
    let front = local(&scene.here);
    for (rule, least) in [
        (FaultRule::new("wrong-length"), 500_000),
        // A reset may overtake what was sent before it.
        (FaultRule::new("reset-midway").with("after-bytes", &1_000_000), 0),
    ] {
        there(rule.on(on(Part::Blob)));
        let request = Request::get(&blob).header("authorization", basic("dev", "s3cret"));
        let broken = scene.front.try_send(&front, request).await.err();
        assert!(broken.is_some_and(|length| length >= least), "it broke off after {broken:?}");
    }
    there(FaultRule::new("status").with("status", &"500"));
    let failing = scene.ask("GET", "/v2/a/b/tags/list").await;
    assert_eq!(failing.status, 502);
    assert!(failing.text().contains("it answers 500 Internal Server Error"), "{}", failing.text());
    there(FaultRule::new("abuse-limit"));
    let limited = scene.ask("GET", "/v2/a/b/tags/list").await;
    assert_eq!((limited.status.as_u16(), limited.header("retry-after")), (429, "60"));
}

#[tokio::test]
async fn an_upstream_that_cannot_be_used_is_told_as_what_it_is() {
    let scene = Scene::new("distribution", "distribution").await;
    scene.image("a/b", "1", b"a layer of some length").await;
    let authority = Some(scene.behind.authority.pem().to_owned());
    let url = scene.there.url.clone();
    let right = UpstreamSpec { url: url.clone(), login: Some(robot()), authority };
    let strange = UpstreamSpec { authority: Some(scene.front.authority.pem().to_owned()), ..right.clone() };
    let wrong = UpstreamSpec { login: Some(account("robot", "wrong")), ..right.clone() };
    let anonymous = UpstreamSpec { login: None, ..right.clone() };
    for (name, spec, status, says) in [
        ("strange.example", strange, 502, "the upstream registry https://127.0.0.1:"),
        ("wrong.example", wrong, 403, "DENIED"),
        ("anonymous.example", anonymous, 403, "DENIED"),
    ] {
        let info = add(&scene.front, name, "distribution", spec).await.unwrap();
        let path = "/v2/a/b/manifests/1";
        let reply = scene.front.ask(&local(&info), "GET", path, &basic("dev", "s3cret")).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert!(reply.text().contains(says), "{name}: {}", reply.text());
        assert!(!reply.text().contains("wrong\""), "no password is told");
    }
    scene.behind.stop.cancel();
    scene.behind.registry.stopped().await;
    let down = scene.ask("GET", "/v2/a/b/manifests/1").await;
    let error: Value = down.json()["errors"][0].clone();
    let message = error["message"].as_str().unwrap();
    assert_eq!((down.status.as_u16(), &error["code"]), (502, &json!("UNAVAILABLE")));
    assert!(message.starts_with(&format!("the upstream registry {url} cannot be used: ")), "{message}");
    assert!(message.contains("refused"), "{message}");
    assert_eq!(scene.ask("HEAD", "/v2/a/b/manifests/1").await.status, 502);
    let upload = scene.send(Request::post("/v2/a/b/blobs/uploads/"), b"much").await;
    assert_eq!(upload.status, 502);
    assert_eq!(scene.ask("GET", "/v2/").await.status, 200, "the front itself is there");
}

#[tokio::test]
async fn what_is_no_upstream_is_refused_before_anything_is_served() {
    let world = World::held();
    let spec = |url: &str| UpstreamSpec { url: url.into(), login: None, authority: None };
    for (url, says) in [
        ("r.example", "is no URL"),
        ("ftp://r.example", "neither http://HOST nor https://HOST"),
        ("https://me:secret@r.example", "has a log-in in it"),
        ("https://r.example/v2/", "more than a host"),
        ("https://r.example/?x", "more than a host"),
    ] {
        let error = add(&world, "f.example", "distribution", spec(url)).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
    }
    let authority = Some("no certificate".into());
    let error =
        add(&world, "f.example", "harbor", UpstreamSpec { authority, ..spec("https://r.example") }).await;
    assert!(error.unwrap_err().to_string().contains("authority"));
    assert!(world.registry.host_names().is_empty());
}
