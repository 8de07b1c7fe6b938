//! The distribution protocol over real TLS: push and pull in every way, lists, errors, and garbage.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "protocol/crowd.rs"]
mod crowd;

use common::{World, basic, local};
use http::Request;
use pulldrill_registry::{Access, HostInfo, ImageSpec};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(data: &[u8]) -> String {
    let hex: String = Sha256::digest(data).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

async fn open(world: &World) -> HostInfo {
    let info = world.host("r.example", "distribution", &[("a/b", Access::Anonymous)]).await;
    world.registry.set_accounts("r.example", Vec::new()).unwrap();
    info
}

/// Pushes a blob and gives its descriptor.
async fn put_blob(world: &World, info: &HostInfo, body: &[u8]) -> serde_json::Value {
    let post = Request::post(format!("/v2/a/b/blobs/uploads/?digest={}", digest(body)))
        .header("authorization", basic("dev", "s3cret"));
    assert_eq!(world.send(&local(info), post, body).await.status, 201);
    serde_json::json!({"mediaType": "application/octet-stream", "digest": digest(body), "size": body.len()})
}

/// Pushes a manifest and gives its digest.
async fn put_manifest(world: &World, info: &HostInfo, tag: &str, manifest: &serde_json::Value) -> String {
    let body = manifest.to_string();
    let media = manifest["mediaType"].as_str().unwrap();
    let put = Request::put(format!("/v2/a/b/manifests/{tag}"))
        .header("authorization", basic("dev", "s3cret"))
        .header("content-type", media);
    assert_eq!(world.send(&local(info), put, body.as_bytes()).await.status, 201);
    digest(body.as_bytes())
}

#[tokio::test]
async fn an_image_contains_what_its_layers_are_whatever_its_manifest_says() {
    use serde_json::json;
    let world = World::held();
    let info = world.host("r.example", "distribution", &[("a/b", Access::Anonymous)]).await;
    let spec = ImageSpec { build: "app 1".into(), ..ImageSpec::default() };
    let right = world.registry.push_image("r.example", "a/b", Some("1"), &spec).unwrap();
    let manifest = world
        .ask(&local(&info), "GET", &format!("/v2/a/b/manifests/{}", right.manifest_digest), "")
        .await
        .json();
    let other = put_blob(&world, &info, b"another program").await;

    let mut again = manifest.clone();
    again["annotations"] = json!({"pushed": "by somebody else"});
    let content = |digest: &str| world.registry.content_of(digest);
    let again = put_manifest(&world, &info, "again", &again).await;
    assert_eq!(content(&again).unwrap().diff_ids, right.diff_ids, "the same image in other words");

    for (tag, layers) in [("swapped", json!([other])), ("none", json!([]))] {
        let mut forged = manifest.clone();
        forged["layers"] = layers;
        let forged = put_manifest(&world, &info, tag, &forged).await;
        assert_eq!(content(&forged), None, "{tag}");
    }

    let config = put_blob(
        &world,
        &info,
        json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(b"another program")]}})
        .to_string()
        .as_bytes(),
    )
    .await;
    let wrong = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [other]});
    let wrong = put_manifest(&world, &info, "wrong", &wrong).await;
    assert_eq!(content(&wrong).unwrap().diff_ids, [digest(b"another program")], "not every layer is packed");
    // A node takes the entry without a platform: so that is what the index contains.
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": MANIFEST, "digest": right.manifest_digest, "size": 1,
            "platform": {"os": "linux", "architecture": "arm64"}},
        {"mediaType": MANIFEST, "digest": wrong, "size": 1}]});
    let index = put_manifest(&world, &info, "index", &index).await;
    assert_eq!(content(&index), content(&wrong));
}

#[tokio::test]
async fn blobs_are_pushed_in_every_way_and_read_back() {
    let world = World::held();
    let info = open(&world).await;
    let call = local(&info);
    let post = |query: &str| Request::post(format!("/v2/new/blobs/uploads/{query}"));

    let single = world.send(&call, post(&format!("?digest={}", digest(b"one"))), b"one").await;
    assert_eq!(single.status, 201);
    assert_eq!(single.header("docker-content-digest"), digest(b"one"));

    let begun = world.send(&call, post(""), b"").await;
    assert_eq!(begun.status, 202);
    let place = begun.header("location").to_owned();
    let put = Request::put(format!("{place}?digest={}", digest(b"two")));
    assert_eq!(world.send(&call, put, b"two").await.status, 201);
    assert_eq!(world.ask(&call, "GET", &place, "").await.status, 404, "a finished upload is gone");

    let begun = world.send(&call, post(""), b"").await;
    let place = begun.header("location").to_owned();
    let piece = |range: &str| Request::patch(place.clone()).header("content-range", range.to_owned());
    let first = world.send(&call, piece("0-2"), b"abc").await;
    assert_eq!((first.status.as_u16(), first.header("range")), (202, "0-2"));
    assert_eq!(world.send(&call, piece("9-11"), b"xyz").await.status, 416);
    assert_eq!(world.ask(&call, "GET", &place, "").await.header("range"), "0-2");
    assert_eq!(world.send(&call, piece("3-5"), b"def").await.status, 202);
    let put = Request::put(format!("{place}?digest={}", digest(b"abcdef!")));
    assert_eq!(world.send(&call, put, b"!").await.status, 201);

    let wrong = world.send(&call, post(&format!("?digest={}", digest(b"x"))), b"y").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["errors"][0]["code"].as_str()),
        (400, Some("DIGEST_INVALID"))
    );

    let path = format!("/v2/new/blobs/{}", digest(b"abcdef!"));
    assert_eq!(world.ask(&call, "GET", &path, "").await.text(), "abcdef!");
    assert_eq!(world.ask(&call, "HEAD", &path, "").await.header("content-length"), "7");
    let part = world.send(&call, Request::get(&path).header("range", "bytes=2-4"), b"").await;
    assert_eq!(
        (part.status.as_u16(), part.text(), part.header("content-range")),
        (206, "cde", "bytes 2-4/7")
    );
    assert_eq!(world.send(&call, Request::get(&path).header("range", "bytes=7-"), b"").await.status, 416);

    let elsewhere = format!("/v2/a/b/blobs/{}", digest(b"one"));
    assert_eq!(world.ask(&call, "GET", &elsewhere, "").await.status, 404, "repositories are apart");
    world.registry.set_accounts("r.example", vec![account()]).unwrap();
    let mount = Request::post(format!("/v2/a/b/blobs/uploads/?mount={}&from=new", digest(b"one")));
    let mounted = world.send(&call, mount.header("authorization", basic("dev", "s3cret")), b"").await;
    assert_eq!(mounted.status, 201);
    assert_eq!(world.ask(&call, "GET", &elsewhere, "").await.text(), "one");
    let mount = Request::post(format!("/v2/a/b/blobs/uploads/?mount={}&from=new", digest(b"none")));
    let refused = world.send(&call, mount.header("authorization", basic("dev", "s3cret")), b"").await;
    assert_eq!(refused.status, 202, "what cannot be mounted has to be sent");
}

fn account() -> pulldrill_registry::Account {
    pulldrill_registry::Account { username: "dev".into(), password: "s3cret".into() }
}

#[tokio::test]
async fn manifests_are_checked_listed_referred_to_and_deleted() {
    let world = World::held();
    let info = open(&world).await;
    let call = local(&info);
    let config = br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let put = |tag: &str| Request::put(format!("/v2/new/manifests/{tag}")).header("content-type", MANIFEST);
    let body = serde_json::json!({"schemaVersion":2,"mediaType":MANIFEST,"layers":[],
        "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":digest(config),"size":config.len()}});
    let body = body.to_string();
    let early = world.send(&call, put("v1"), body.as_bytes()).await;
    assert_eq!(
        early.json(),
        serde_json::json!({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":digest(config)}]})
    );
    let post = Request::post(format!("/v2/new/blobs/uploads/?digest={}", digest(config)));
    assert_eq!(world.send(&call, post, config).await.status, 201);
    for tag in ["v1", "v2", "v10"] {
        assert_eq!(world.send(&call, put(tag), body.as_bytes()).await.status, 201);
    }
    assert_eq!(world.send(&call, put("v1"), b"{}").await.status, 400);
    assert_eq!(world.send(&call, put(&digest(b"other")), body.as_bytes()).await.status, 400);
    let manifest = digest(body.as_bytes());
    let content = world.registry.content_of(&manifest).unwrap();
    assert_eq!((content.config_digest, content.diff_ids), (digest(config), Vec::<String>::new()));

    let page = world.ask(&call, "GET", "/v2/new/tags/list?n=2", "").await;
    assert_eq!(page.json(), serde_json::json!({"name":"new","tags":["v1","v10"]}));
    assert_eq!(page.header("link"), "</v2/new/tags/list?last=v10&n=2>; rel=\"next\"");
    let rest = world.ask(&call, "GET", "/v2/new/tags/list?last=v10&n=2", "").await;
    assert_eq!((rest.json()["tags"][0].as_str(), rest.header("link")), (Some("v2"), ""));
    assert_eq!(world.ask(&call, "GET", "/v2/new/tags/list?n=x", "").await.status, 400);
    let unknown = world.ask(&call, "GET", "/v2/nope/tags/list", "").await;
    assert_eq!(
        unknown.json(),
        serde_json::json!({"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"nope"}}]})
    );
    assert_eq!(
        world.ask(&call, "GET", "/v2/_catalog", "").await.json()["repositories"],
        serde_json::json!(["a/b", "new"])
    );

    let narrow = Request::get("/v2/new/manifests/v1")
        .header("accept", "application/vnd.docker.distribution.manifest.v2+json");
    assert!(world.send(&call, narrow, b"").await.text().contains("OCI manifest found, but accept header"));

    let mut note: serde_json::Value = serde_json::from_str(&body).unwrap();
    note["artifactType"] = "application/note".into();
    note["subject"] = serde_json::json!({"mediaType":MANIFEST,"digest":manifest,"size":body.len()});
    let pushed = world.send(&call, put("note"), note.to_string().as_bytes()).await;
    assert_eq!(pushed.header("oci-subject"), manifest);
    let path = format!("/v2/new/referrers/{manifest}");
    let of_type = |kind: &str| format!("{path}?artifactType={kind}");
    assert_eq!(world.ask(&call, "GET", &path, "").await.json()["manifests"].as_array().unwrap().len(), 1);
    let filtered = world.ask(&call, "GET", &of_type("other"), "").await;
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert!(filtered.json()["manifests"].as_array().unwrap().is_empty());

    assert_eq!(world.ask(&call, "DELETE", "/v2/new/manifests/v1", "").await.status, 202);
    assert_eq!(world.ask(&call, "GET", "/v2/new/manifests/v1", "").await.status, 404);
    assert_eq!(world.ask(&call, "GET", "/v2/new/manifests/v2", "").await.status, 200);
    assert_eq!(world.ask(&call, "DELETE", &format!("/v2/new/manifests/{manifest}"), "").await.status, 202);
    let gone = world.ask(&call, "GET", "/v2/new/manifests/v2", "").await;
    assert_eq!(gone.json()["errors"][0]["code"], "MANIFEST_UNKNOWN");
    assert!(world.registry.content_of(&manifest).is_some(), "evidence stays");
}

#[tokio::test]
async fn basic_authentication_guards_pull_and_push_and_copies_obey_it() {
    let world = World::held();
    let info = world.host("r.example", "distribution", &[("a", Access::Authenticated)]).await;
    world.host("s.example", "distribution", &[("m", Access::Anonymous)]).await;
    let two =
        ImageSpec { platforms: vec!["linux/amd64".into(), "linux/arm64".into()], ..ImageSpec::default() };
    let image = world.registry.push_image("r.example", "a", Some("1"), &two).unwrap();
    let call = local(&info);
    for wrong in ["", &basic("dev", "no"), "Basic %%%", "Bearer x", "nonsense"] {
        let refused = world.ask(&call, "HEAD", "/v2/a/manifests/1", wrong).await;
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{wrong}");
    }
    assert_eq!(world.ask(&call, "GET", "/v2/", "").await.status, 401);
    assert_eq!(world.ask(&call, "GET", "/v2/", &basic("dev", "s3cret")).await.status, 200);
    let found = world.ask(&call, "HEAD", "/v2/a/manifests/1", &basic("dev", "s3cret")).await;
    assert_eq!(found.header("docker-content-digest"), image.manifest_digest);
    assert_eq!(found.header("etag"), format!("\"{}\"", image.manifest_digest));
    assert!(world.registry.copy(("r.example", "a", "1"), ("s.example", "m", "9"), "").is_ok());
    let nobody = Access::Users(Vec::new());
    let closed =
        pulldrill_registry::RepositorySpec { name: "m".into(), pull: Access::Anonymous, push: nobody };
    world.registry.set_repository("s.example", &closed).unwrap();
    assert!(world.registry.copy(("r.example", "a", "1"), ("s.example", "m", "9"), "dev").is_err());
    assert_eq!(world.registry.resolve("s.example", "m", "9").unwrap(), image.manifest_digest);
    assert!(world.registry.copy(("r.example", "a", "none"), ("s.example", "x", "9"), "dev").is_err());
    let logged = world.registry.pull_log().since(0);
    assert!(logged.iter().any(|e| e.host == "s.example" && e.method == "PUT" && e.status == 201));
}

#[tokio::test]
async fn garbage_gets_an_answer_or_an_end_and_stopping_closes_everything() {
    let world = World::held();
    let info = open(&world).await;
    let call = local(&info);
    for path in
        ["/", "/v2", "/v2//", "/v2/A/manifests/x", "/v2/a/manifests/%00", "/v2/a/blobs/sha256:1", "/x?%ff=%"]
    {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "BREW"] {
            let reply = world.ask(&call, method, path, "Basic !!").await;
            assert!(
                reply.status.is_success() || reply.status.is_client_error(),
                "{method} {path} {}",
                reply.status
            );
        }
    }
    let huge = Request::put("/v2/new/manifests/x").header("content-type", MANIFEST);
    assert_eq!(world.send(&call, huge, &vec![b' '; 5 << 20]).await.status, 413);
    let mut raw = tokio::net::TcpStream::connect(info.address).await.unwrap();
    raw.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut end = Vec::new();
    let _reset_is_fine_too = raw.read_to_end(&mut end).await;
    assert_eq!(world.ask(&call, "GET", "/v2/", "").await.status, 200);

    let mut idle = tokio::net::TcpStream::connect(info.address).await.unwrap();
    world.stop.cancel();
    world.registry.stopped().await;
    let _reset_is_fine_too = idle.read_to_end(&mut end).await;
    assert!(tokio::net::TcpStream::connect(info.address).await.is_err());
}

#[tokio::test]
async fn a_host_can_be_taken_away_and_bad_specifications_are_told_apart() {
    let world = World::held();
    let info = open(&world).await;
    let bad = |name: &str, personality: &str, limits: Option<&str>| pulldrill_registry::HostSpec {
        name: name.into(),
        personality: personality.into(),
        limits: limits.map(str::to_owned),
        ..Default::default()
    };
    for (spec, says) in [
        (bad("r.example", "distribution", None), "already"),
        (bad("x.example", "quayside", None), "docker-hub"),
        (bad("x.example", "distribution", Some("none")), "unlimited"),
    ] {
        let error = world.registry.add_host(spec).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    world.registry.remove_host("r.example").await;
    assert!(world.registry.resolve("r.example", "a/b", "1").is_err());
    let again = open(&world).await;
    assert_ne!(info.address, again.address);
}
