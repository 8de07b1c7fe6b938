//! Pulling: manifests, blobs, parts of blobs, and asking whether they are there.

use http::Request;
use serde_json::json;

use crate::{INDEX, MANIFEST, Open, digest, digest_512, on_each_store};

const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

on_each_store!(
    a_registry_says_that_it_is_one,
    manifests_of_every_type_are_pulled_as_they_were_pushed,
    blobs_are_pulled_whole_and_in_parts,
    what_is_there_is_told_without_its_body,
    what_is_not_there_is_not_found,
    names_tags_and_digests_are_checked,
    both_digest_algorithms_are_good,
);

async fn a_registry_says_that_it_is_one(open: &Open) {
    let base = open.ask("GET", "/v2/").await;
    assert_eq!(base.status, 200);
    assert_eq!(base.header("docker-distribution-api-version"), "registry/2.0");
}

async fn manifests_of_every_type_are_pulled_as_they_were_pushed(open: &Open) {
    let mut image = open.image("a/b", b"layer").await;
    // Nobody but its author says how the text of a manifest looks.
    for (tag, media) in [("oci", MANIFEST), ("docker", DOCKER)] {
        image["mediaType"] = media.into();
        let text = format!("\n{}\n\n", serde_json::to_string_pretty(&image).unwrap());
        let pushed = open.put_as("a/b", tag, media, text.as_bytes()).await;
        assert_eq!(pushed.status, 201);
        let list_media = if media == MANIFEST { INDEX } else { DOCKER_LIST };
        let list = json!({"schemaVersion": 2, "mediaType": list_media, "manifests": [
            {"mediaType": media, "digest": digest(text.as_bytes()), "size": text.len()}]})
        .to_string();
        let tag_of_list = format!("{tag}-list");
        assert_eq!(open.put_as("a/b", &tag_of_list, list_media, list.as_bytes()).await.status, 201);
        for (tag, media, text) in [(tag, media, &text), (&tag_of_list, list_media, &list)] {
            let digest = digest(text.as_bytes());
            for reference in [tag, &digest] {
                let pulled = open.ask("GET", &format!("/v2/a/b/manifests/{reference}")).await;
                assert_eq!(pulled.status, 200);
                assert_eq!(pulled.header("content-type"), media);
                assert_eq!(pulled.header("docker-content-digest"), digest);
                assert_eq!(pulled.text(), text);
            }
        }
    }
    let narrow = Request::get("/v2/a/b/manifests/oci").header("accept", DOCKER);
    assert_eq!(open.send(narrow, b"").await.status, 404, "not of a type that the client takes");
}

async fn blobs_are_pulled_whole_and_in_parts(open: &Open) {
    // Larger than what is read of a file at a time, and no multiple of it.
    let body: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    open.blob("a/b", &body).await;
    let digest = digest(&body);
    let path = format!("/v2/a/b/blobs/{digest}");
    let whole = open.ask("GET", &path).await;
    assert_eq!((whole.status.as_u16(), whole.header("docker-content-digest")), (200, digest.as_str()));
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), ("bytes", "700001"));
    assert_eq!(whole.body, body);
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=5-300000", 5, 300_000),
        ("bytes=600000-", 600_000, 700_000),
        ("bytes=-10", 699_991, 700_000),
        ("bytes=699999-99999999", 699_999, 700_000),
    ] {
        let part = open.send(Request::get(&path).header("range", range), b"").await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/700001"), "{range}");
        assert_eq!(part.body, body[first..=last], "{range}");
    }
    for nowhere in ["bytes=700001-", "bytes=9-1"] {
        let refused = open.send(Request::get(&path).header("range", nowhere), b"").await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("content-range")),
            (416, "bytes */700001"),
            "{nowhere}"
        );
    }
    for ignored in ["bytes=0-1,3-4", "lines=1-2"] {
        assert_eq!(open.send(Request::get(&path).header("range", ignored), b"").await.status, 200);
    }
    let etag = whole.header("etag");
    let part = |if_range: &str| Request::get(&path).header("range", "bytes=0-9").header("if-range", if_range);
    assert_eq!(open.send(part(etag), b"").await.status, 206);
    assert_eq!(open.send(part("\"another\""), b"").await.status, 200, "it would not fit what the client has");
    for known in [etag, "*", &format!("\"x\", {etag}")] {
        let again = open.send(Request::get(&path).header("if-none-match", known), b"").await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{known}");
    }
    open.blob("a/b", b"").await;
    let empty = open.ask("GET", &format!("/v2/a/b/blobs/{}", crate::digest(b""))).await;
    assert_eq!((empty.status.as_u16(), empty.header("content-length")), (200, "0"));
}

async fn what_is_there_is_told_without_its_body(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    open.put("a/b", "1", &image).await;
    open.blob("a/b", b"").await;
    let text = image.to_string();
    for (path, digest, length) in [
        ("/v2/a/b/manifests/1".to_owned(), digest(text.as_bytes()), text.len()),
        (format!("/v2/a/b/blobs/{}", digest(b"layer")), digest(b"layer"), 5),
        (format!("/v2/a/b/blobs/{}", digest(b"")), digest(b""), 0),
    ] {
        let head = open.ask("HEAD", &path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("docker-content-digest"), digest, "{path}");
        assert_eq!(head.header("content-length"), length.to_string(), "{path}");
        let get = open.ask("GET", &path).await;
        assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
    }
}

async fn what_is_not_there_is_not_found(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    let pushed = open.put("a/b", "1", &image).await;
    let manifest = pushed.header("docker-content-digest");
    let nowhere = digest(b"nowhere");
    for path in [
        "/v2/a/b/manifests/2".to_owned(),
        format!("/v2/a/b/manifests/{nowhere}"),
        format!("/v2/a/b/blobs/{nowhere}"),
        "/v2/c/manifests/1".to_owned(),
        format!("/v2/c/manifests/{manifest}"),
        format!("/v2/c/blobs/{}", digest(b"layer")),
        "/v2/c/tags/list".to_owned(),
        "/v2/a/b/blobs/uploads/0c4b2d4e-0000-4000-8000-000000000000".to_owned(),
    ] {
        for method in ["GET", "HEAD"] {
            if method == "HEAD" && path.ends_with("/list") {
                continue;
            }
            assert_eq!(open.ask(method, &path).await.status, 404, "{method} {path}");
        }
    }
}

async fn names_tags_and_digests_are_checked(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    for name in ["a--b", "a.b/c_d/e__f", &"a".repeat(255)] {
        open.image(name, b"layer").await;
        assert_eq!(open.put(name, "1", &image).await.status, 201, "{name}");
    }
    for name in ["A", "a/", "-a", "a..b", "a___b", "a%20b", "..", &"a".repeat(256)] {
        let refused = open.put(name, "1", &image).await;
        assert!(refused.status.is_client_error(), "{name}: {}", refused.status);
        let refused = open.ask("POST", &format!("/v2/{name}/blobs/uploads/")).await;
        assert!(refused.status.is_client_error(), "{name}: {}", refused.status);
    }
    for tag in ["_", "1.0-x_Y", &"t".repeat(128)] {
        assert_eq!(open.put("a/b", tag, &image).await.status, 201, "{tag}");
    }
    for tag in
        [".x", "-x", "a%20b", "a+b", &"t".repeat(129), "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e"]
    {
        let refused = open.put("a/b", tag, &image).await;
        assert!(refused.status.is_client_error(), "{tag}: {}", refused.status);
        assert!(open.ask("GET", &format!("/v2/a/b/manifests/{tag}")).await.status.is_client_error(), "{tag}");
    }
}

async fn both_digest_algorithms_are_good(open: &Open) {
    for query in ["", "?digest-algorithm=sha512"] {
        // Named early, it is hashed on the way; otherwise at the end.
        let body = format!("content {query}");
        let digest = digest_512(body.as_bytes());
        let begun = open.ask("POST", &format!("/v2/a/b/blobs/uploads/{query}")).await;
        let put = Request::put(format!("{}?digest={digest}", begun.header("location")));
        assert_eq!(open.send(put, body.as_bytes()).await.status, 201);
        let pulled = open.ask("GET", &format!("/v2/a/b/blobs/{digest}")).await;
        assert_eq!((pulled.text(), pulled.header("docker-content-digest")), (body.as_str(), digest.as_str()));
    }
    let image = open.image("a/b", b"layer").await;
    let digest = digest_512(image.to_string().as_bytes());
    let pushed = open.put("a/b", &digest, &image).await;
    assert_eq!((pulled_digest(&pushed), pushed.status.as_u16()), (digest.as_str(), 201));
    let pulled = open.ask("GET", &format!("/v2/a/b/manifests/{digest}")).await;
    assert_eq!((pulled_digest(&pulled), pulled.text()), (digest.as_str(), image.to_string().as_str()));
    let wrong = digest_512(b"another");
    assert_eq!(open.put("a/b", &wrong, &image).await.status, 400);
}

fn pulled_digest(reply: &crate::common::Reply) -> &str {
    reply.header("docker-content-digest")
}
