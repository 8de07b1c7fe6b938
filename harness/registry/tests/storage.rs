//! Content on disk: it outlives the process, is what other programs can read, and what nobody needs goes away.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::BTreeSet, fs, path::Path};

use common::{Reply, World, local};
use http::Request;
use pulldrill_clock::SignedDuration;
use pulldrill_registry::{Access, HostInfo, ImageSpec, Site};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HOST: &str = "r.example:5000";

fn digest(data: &[u8]) -> String {
    let hex: String = Sha256::digest(data).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

async fn open(world: &World) -> HostInfo {
    let info = world.host(HOST, "distribution", &[("made/app", Access::Anonymous)]).await;
    world.registry.set_accounts(HOST, Vec::new()).unwrap();
    info
}

async fn get(world: &World, info: &HostInfo, path: &str) -> Reply {
    world.ask(&local(info), "GET", path, "").await
}

async fn blob(world: &World, info: &HostInfo, repository: &str, body: &[u8]) -> u16 {
    let post = Request::post(format!("/v2/{repository}/blobs/uploads/?digest={}", digest(body)));
    world.send(&local(info), post, body).await.status.as_u16()
}

/// Pushes the blobs of an image of one layer, and then its manifest.
async fn image(world: &World, info: &HostInfo, repository: &str, tag: &str, layer: &str) -> (u16, String) {
    for body in ["{}", layer] {
        assert_eq!(blob(world, info, repository, body.as_bytes()).await, 201);
    }
    let part = |body: &str| json!({"mediaType": "x", "digest": digest(body.as_bytes()), "size": body.len()});
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": part("{}"), "layers": [part(layer)],
            "annotations": {"of": repository}})
        .to_string();
    let put = Request::put(format!("/v2/{repository}/manifests/{tag}")).header("content-type", MANIFEST);
    let status = world.send(&local(info), put, manifest.as_bytes()).await.status.as_u16();
    (status, digest(manifest.as_bytes()))
}

/// The folder of a repository, as `store::disk` says.
fn layout(world: &World, repository: &str) -> std::path::PathBuf {
    world.data().join("hosts/r.example=5000").join(repository.replace('/', "+"))
}

fn file(folder: &Path, digest: &str) -> std::path::PathBuf {
    folder.join("blobs").join(digest.replace(':', "/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_again_after_a_restart() {
    let world = World::on_disk();
    let info = open(&world).await;
    let two = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    let spec = ImageSpec { build: "app 1".into(), platforms: two, ..ImageSpec::default() };
    let made = world.registry.push_image(HOST, "made/app", Some("1"), &spec).unwrap();
    let content = world.registry.content_of(&made.manifest_digest).unwrap();
    let (_, pushed) = image(&world, &info, "team/app", "2", "layer").await;
    let (_, untagged) = image(&world, &info, "team/app", "2", "younger layer").await;
    world.ask(&local(&info), "DELETE", "/v2/team/app/manifests/2", "").await;
    assert_eq!(blob(&world, &info, "only/blobs", b"no manifest yet").await, 201);
    let mount = format!("/v2/mounted/blobs/uploads/?mount={}&from=team/app", digest(b"layer"));
    assert_eq!(world.ask(&local(&info), "POST", &mount, "").await.status, 201);
    let (_, deleted) = image(&world, &info, "team/app", "gone", "deleted layer").await;
    let path = format!("/v2/team/app/manifests/{deleted}");
    assert_eq!(world.ask(&local(&info), "DELETE", &path, "").await.status, 202);
    let paths = [
        "/v2/made/app/manifests/1".to_owned(),
        format!("/v2/made/app/manifests/{}", made.manifest_digest),
        format!("/v2/team/app/manifests/{pushed}"),
        format!("/v2/team/app/manifests/{untagged}"),
        format!("/v2/made/app/blobs/{}", made.config_digest),
        "/v2/made/app/tags/list".to_owned(),
        format!("/v2/only/blobs/blobs/{}", digest(b"no manifest yet")),
        format!("/v2/mounted/blobs/{}", digest(b"layer")),
        format!("/v2/team/app/referrers/{pushed}"),
    ];
    let mut before = Vec::new();
    for path in &paths {
        let reply = get(&world, &info, path).await;
        assert_eq!(reply.status, 200, "{path}");
        before.push(reply);
    }
    let world = world.restarted().await;
    let info = open(&world).await;
    for (path, before) in paths.iter().zip(before) {
        let after = get(&world, &info, path).await;
        assert_eq!((after.status, after.body), (before.status, before.body), "{path}");
        for name in ["content-type", "docker-content-digest", "etag"] {
            assert_eq!(after.headers.get(name), before.headers.get(name), "{path}");
        }
    }
    for gone in [path, "/v2/team/app/manifests/2".into(), format!("/v2/team/app/blobs/{pushed}")] {
        assert_eq!(get(&world, &info, &gone).await.status, 404, "{gone}");
    }
    assert_eq!(world.registry.content_of(&made.manifest_digest), Some(content));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_use_a_repository_is_remembered() {
    let world = World::on_disk();
    let info = world.host(HOST, "distribution", &[]).await;
    let call = local(&info);
    let post = Request::post(format!("/v2/mine/blobs/uploads/?digest={}", digest(b"x")));
    let post = post.header("authorization", common::basic("dev", "s3cret"));
    assert_eq!(world.send(&call, post, b"x").await.status, 201);
    let world = world.restarted().await;
    let info = world.host(HOST, "distribution", &[]).await;
    let account =
        |name: &str| pulldrill_registry::Account { username: name.into(), password: "s3cret".into() };
    world.registry.set_accounts(HOST, vec![account("dev"), account("other")]).unwrap();
    let post = |user: &str| {
        Request::post("/v2/mine/blobs/uploads/").header("authorization", common::basic(user, "s3cret"))
    };
    assert_eq!(world.send(&local(&info), post("dev"), b"").await.status, 202);
    assert_eq!(world.send(&local(&info), post("other"), b"").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_restart() {
    let world = World::on_disk();
    let info = open(&world).await;
    let begun = world.ask(&local(&info), "POST", "/v2/team/app/blobs/uploads/", "").await;
    let place = begun.header("location").to_owned();
    let piece = |range: &str| Request::patch(&place).header("content-range", range.to_owned());
    assert_eq!(world.send(&local(&info), piece("0-5"), b"before").await.status, 202);
    let world = world.restarted().await;
    let info = open(&world).await;
    let status = get(&world, &info, &place).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, "0-5"));
    assert_eq!(world.send(&local(&info), piece("6-15"), b" and after").await.status, 202);
    let whole = b"before and after";
    let put = Request::put(format!("{place}?digest={}", digest(whole)));
    assert_eq!(world.send(&local(&info), put, b"").await.status, 201);
    let pulled = get(&world, &info, &format!("/v2/team/app/blobs/{}", digest(whole))).await;
    assert_eq!(pulled.body, whole[..]);
    let left: Vec<_> = walk(&world.data().join("uploads"));
    assert!(left.is_empty(), "{left:?}");
}

/// All files under a folder.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_an_image_layout_and_shares_what_others_have_too() {
    let world = World::on_disk();
    let info = open(&world).await;
    let (_, first) = image(&world, &info, "team/app", "1", "layer").await;
    image(&world, &info, "team/app", "latest", "layer").await;
    image(&world, &info, "other", "1", "layer").await;
    let folder = layout(&world, "team/app");
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(read("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
    let index = read("index.json");
    let mut tags = BTreeSet::new();
    for entry in index["manifests"].as_array().unwrap() {
        assert_eq!((&entry["mediaType"], &entry["digest"]), (&json!(MANIFEST), &json!(first)));
        assert_eq!(entry["size"], fs::metadata(file(&folder, &first)).unwrap().len());
        tags.insert(entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap());
    }
    assert_eq!(tags, ["1", "latest"].into());
    for path in walk(&folder.join("blobs")) {
        let named = path.strip_prefix(folder.join("blobs")).unwrap().to_str().unwrap().replace('/', ":");
        assert_eq!(digest(&fs::read(&path).unwrap()), named);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let layer = digest(b"layer");
        let pool = inode(&file(&world.data(), &layer));
        assert_eq!(inode(&file(&folder, &layer)), pool);
        assert_eq!(inode(&file(&layout(&world, "other"), &layer)), pool);
    }
    assert!(walk(&world.data().join("arriving")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_half_done_is_cleared_away() {
    let world = World::on_disk();
    let info = open(&world).await;
    let (_, good) = image(&world, &info, "team/app", "good", "layer").await;
    let (_, bad) = image(&world, &info, "team/app", "bad", "another layer").await;
    let (folder, data) = (layout(&world, "team/app"), world.data());
    fs::write(folder.join(".0.new"), "half an index").unwrap();
    fs::write(folder.join("blobs/sha256/.1.new"), "half a blob").unwrap();
    fs::write(data.join("arriving/2"), "half a manifest").unwrap();
    // A name that did not get into the pool, and a file that somebody has spoilt.
    fs::remove_file(file(&data, &digest(b"layer"))).unwrap();
    fs::remove_file(file(&folder, &bad)).unwrap();
    fs::write(file(&folder, &bad), "{}").unwrap();
    let world = world.restarted().await;
    let info = open(&world).await;
    let left: Vec<_> =
        walk(&data).into_iter().filter(|path| path.to_str().unwrap().contains(".new")).collect();
    assert!(left.is_empty() && walk(&data.join("arriving")).is_empty(), "{left:?}");
    assert_eq!(get(&world, &info, "/v2/team/app/tags/list").await.json()["tags"], json!(["good"]));
    assert_eq!(get(&world, &info, &format!("/v2/team/app/manifests/{good}")).await.status, 200);
    assert_eq!(get(&world, &info, &format!("/v2/team/app/manifests/{bad}")).await.status, 404);
    let layer = get(&world, &info, &format!("/v2/team/app/blobs/{}", digest(b"layer"))).await;
    assert_eq!(layer.text(), "layer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_belongs_to_one_registry_and_is_nobody_elses() {
    let refused =
        |folder: &Path| Site::default().keep_in(folder).err().map(|error| error.to_string()).unwrap();
    let world = World::on_disk();
    let busy = refused(&world.data());
    assert!(
        busy.contains("another process uses it") && busy.contains(world.data().to_str().unwrap()),
        "{busy}"
    );
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("notes.txt"), "mine").unwrap();
    assert!(refused(other.path()).contains("use an empty folder"));
    assert_eq!(walk(other.path()).len(), 1, "nothing was made there");
    assert!(refused(&other.path().join("notes.txt")).contains("notes.txt"));
    let newer = tempfile::tempdir().unwrap();
    fs::write(newer.path().join("pulldrill-registry.json"), r#"{"version":99}"#).unwrap();
    assert!(refused(newer.path()).contains("another version"));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_goes_and_what_somebody_needs_stays() {
    let world = World::on_disk();
    let info = open(&world).await;
    let (_, kept) = image(&world, &info, "team/app", "1", "kept layer").await;
    let (_, deleted) = image(&world, &info, "team/app", "2", "shared layer").await;
    image(&world, &info, "other", "1", "shared layer").await;
    blob(&world, &info, "team/app", b"forgotten").await;
    world.ask(&local(&info), "DELETE", &format!("/v2/team/app/manifests/{deleted}"), "").await;
    let collect =
        async || world.registry.collect_garbage(SignedDuration::from_hours(1)).await.unwrap().content;
    let pool = |digest: &str| file(&world.data(), digest).exists();
    assert_eq!(collect().await, 1, "the deleted manifest; a blob may lie about for a while");
    assert!(!pool(&deleted) && pool(&digest(b"forgotten")));
    world.clock.advance(SignedDuration::from_mins(50)).await;
    let touched = format!("/v2/team/app/blobs/{}", digest(b"shared layer"));
    assert_eq!(world.ask(&local(&info), "HEAD", &touched, "").await.status, 200);
    world.clock.advance(SignedDuration::from_mins(20)).await;
    assert_eq!(collect().await, 1, "what nobody has asked for");
    assert!(!pool(&digest(b"forgotten")));
    assert_eq!(get(&world, &info, &touched).await.status, 200, "somebody counts on it");
    world.clock.advance(SignedDuration::from_hours(2)).await;
    assert_eq!(collect().await, 0);
    assert_eq!(get(&world, &info, &touched).await.status, 404);
    assert!(!file(&layout(&world, "team/app"), &digest(b"shared layer")).exists());
    let elsewhere = touched.replace("team/app", "other");
    assert_eq!(get(&world, &info, &elsewhere).await.text(), "shared layer", "there it is needed");
    for digest in [digest(b"{}"), digest(b"kept layer")] {
        assert_eq!(get(&world, &info, &format!("/v2/team/app/blobs/{digest}")).await.status, 200);
    }
    assert_eq!(get(&world, &info, &format!("/v2/team/app/manifests/{kept}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn garbage_is_never_part_of_an_image_that_was_taken() {
    let world = std::sync::Arc::new(World::on_disk());
    let info = open(&world).await;
    let done = tokio_util::sync::CancellationToken::new();
    let collector = tokio::spawn({
        let (world, done) = (world.clone(), done.clone());
        async move {
            let mut collected = 0;
            while !done.is_cancelled() {
                collected += world.registry.collect_garbage(SignedDuration::ZERO).await.unwrap().content;
            }
            collected
        }
    });
    let pushers: Vec<_> = (0..4)
        .map(|pusher| {
            let (world, info) = (world.clone(), info.clone());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                // Many fail: nothing may lie about at all.
                for n in 0..40 {
                    let layer = format!("layer {}", n % 5);
                    let tag = format!("t{pusher}-{n}");
                    let (status, digest) = image(&world, &info, "team/app", &tag, &layer).await;
                    match status {
                        201 => taken.push((tag, digest, layer)),
                        status => assert_eq!(status, 400, "{tag}"),
                    }
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for pusher in pushers {
        taken.extend(pusher.await.unwrap());
    }
    done.cancel();
    collector.await.unwrap();
    // One that cannot fail, so that there is something to look at.
    let (status, digest_of_last) = image(&world, &info, "team/app", "last", "layer 0").await;
    assert_eq!(status, 201);
    taken.push(("last".into(), digest_of_last, "layer 0".into()));
    for (tag, manifest, layer) in taken {
        let pulled = get(&world, &info, &format!("/v2/team/app/manifests/{tag}")).await;
        assert_eq!(digest(&pulled.body), manifest, "{tag}");
        let path = format!("/v2/team/app/blobs/{}", digest(layer.as_bytes()));
        assert_eq!(get(&world, &info, &path).await.text(), layer, "{tag}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_pushes_at_once_all_last() {
    let world = std::sync::Arc::new(World::on_disk());
    let info = open(&world).await;
    let pushers: Vec<_> = (0..8)
        .map(|pusher| {
            let (world, info) = (world.clone(), info.clone());
            tokio::spawn(async move {
                for n in 0..6 {
                    let layer = format!("layer {pusher} {n}");
                    let (status, _) =
                        image(&world, &info, "team/app", &format!("t{pusher}-{n}"), &layer).await;
                    assert_eq!(status, 201);
                }
            })
        })
        .collect();
    for pusher in pushers {
        pusher.await.unwrap();
    }
    let list = "/v2/team/app/tags/list";
    let before = get(&world, &info, list).await.json();
    assert_eq!(before["tags"].as_array().unwrap().len(), 48);
    let world = std::sync::Arc::into_inner(world).unwrap().restarted().await;
    let info = open(&world).await;
    assert_eq!(get(&world, &info, list).await.json(), before);
    let closed = pulldrill_registry::RepositorySpec {
        name: "team/app".into(),
        pull: Access::Authenticated,
        push: Access::Authenticated,
    };
    world.registry.set_repository(HOST, &closed).unwrap();
}
