//! Pushing manifests.

use http::Request;
use serde_json::json;

use crate::{INDEX, MANIFEST, Open, code, digest, on_each_store};

on_each_store!(
    a_manifest_is_stored_exactly_as_it_came,
    the_type_of_a_manifest_is_what_its_client_says,
    a_manifest_whose_parts_are_missing_is_refused,
    a_subject_need_not_be_there,
    manifests_have_a_largest_size,
    nonsense_is_refused,
    a_tag_moves_to_what_was_pushed_last,
);

async fn a_manifest_is_stored_exactly_as_it_came(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    let text = format!("\t{}  \r\n", serde_json::to_string_pretty(&image).unwrap());
    let pushed = open.put_as("a/b", "1", MANIFEST, text.as_bytes()).await;
    assert_eq!(pushed.status, 201);
    assert_eq!(pushed.header("docker-content-digest"), digest(text.as_bytes()));
    assert_eq!(open.ask("GET", pushed.header("location")).await.text(), text);
    let by_digest = open.put_as("a/b", &digest(text.as_bytes()), MANIFEST, text.as_bytes()).await;
    assert_eq!(by_digest.status, 201);
    assert_eq!(by_digest.header("docker-content-digest"), digest(text.as_bytes()));
    let refused = open.put("a/b", &digest(b"another"), &image).await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "DIGEST_INVALID"));
}

async fn the_type_of_a_manifest_is_what_its_client_says(open: &Open) {
    let mut image = open.image("a/b", b"layer").await;
    let with_parameters = format!("{MANIFEST}; charset=utf-8");
    let pushed = open.put_as("a/b", "1", &with_parameters, image.to_string().as_bytes()).await;
    assert_eq!(pushed.status, 201);
    let pulled = open.ask("GET", "/v2/a/b/manifests/1").await;
    assert_eq!(pulled.header("content-type"), MANIFEST, "parameters are no part of it");
    let refused = open.put_as("a/b", "2", INDEX, image.to_string().as_bytes()).await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "MANIFEST_INVALID"));
    // Who says nothing has it in the manifest; or it is what it looks like.
    let put = Request::put("/v2/a/b/manifests/3");
    assert_eq!(open.send(put, image.to_string().as_bytes()).await.status, 201);
    image.as_object_mut().unwrap().remove("mediaType");
    let put = Request::put("/v2/a/b/manifests/4");
    assert_eq!(open.send(put, image.to_string().as_bytes()).await.status, 201);
    let index = json!({"schemaVersion": 2, "manifests": []}).to_string();
    assert_eq!(open.send(Request::put("/v2/a/b/manifests/5"), index.as_bytes()).await.status, 201);
    for (tag, media) in [("3", MANIFEST), ("4", MANIFEST), ("5", INDEX)] {
        let pulled = open.ask("GET", &format!("/v2/a/b/manifests/{tag}")).await;
        assert_eq!(pulled.header("content-type"), media, "{tag}");
    }
}

async fn a_manifest_whose_parts_are_missing_is_refused(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    open.blob("c", b"{}").await;
    let refused = open.put("c", "1", &image).await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 1, "the configuration is there");
    assert_eq!(open.status("/v2/c/manifests/1").await, 404);
    let nothing = open.put("d", "1", &image).await;
    assert_eq!(nothing.json()["errors"].as_array().unwrap().len(), 2, "one for each");
    let descriptor = |digest: &str| json!({"mediaType": MANIFEST, "digest": digest, "size": 2});
    let index =
        |digest: &str| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(digest)]});
    let refused = open.put("a/b", "2", &index(&digest(b"nowhere"))).await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    let image = open.put("a/b", "1", &image).await;
    assert_eq!(open.put("a/b", "2", &index(image.header("docker-content-digest"))).await.status, 201);
    assert_eq!(open.put("a/b", "3", &index(&digest(b"layer"))).await.status, 201, "build caches list blobs");
    let foreign = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(&digest(b"{}")), "layers": [
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": digest(b"foreign"),
            "size": 7, "urls": ["https://elsewhere.example/layer"]}]});
    assert_eq!(open.put("a/b", "4", &foreign).await.status, 201, "that one is elsewhere by design");
    let empty = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(&digest(b"{}")), "layers": []});
    assert_eq!(open.put("a/b", "5", &empty).await.status, 201);
}

async fn a_subject_need_not_be_there(open: &Open) {
    let mut note = open.image("a/b", b"note").await;
    let subject = digest(b"to be pushed later");
    note["subject"] = json!({"mediaType": MANIFEST, "digest": subject, "size": 18});
    let pushed = open.put("a/b", "note", &note).await;
    assert_eq!((pushed.status.as_u16(), pushed.header("oci-subject")), (201, subject.as_str()));
    note.as_object_mut().unwrap().remove("subject");
    assert_eq!(open.put("a/b", "plain", &note).await.header("oci-subject"), "");
}

async fn manifests_have_a_largest_size(open: &Open) {
    let mut image = open.image("a/b", b"layer").await;
    image["annotations"] = json!({"padding": ""});
    let padding = (4 << 20) - image.to_string().len();
    image["annotations"]["padding"] = "x".repeat(padding).into();
    assert_eq!(image.to_string().len(), 4 << 20);
    assert_eq!(open.put("a/b", "1", &image).await.status, 201);
    assert_eq!(open.ask("GET", "/v2/a/b/manifests/1").await.body.len(), 4 << 20);
    image["annotations"]["padding"] = "x".repeat(padding + 1).into();
    assert_eq!(open.put("a/b", "2", &image).await.status, 413);
    assert_eq!(open.status("/v2/a/b/manifests/2").await, 404);
}

async fn nonsense_is_refused(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    let mut old = image.clone();
    old["schemaVersion"] = 1.into();
    let mut without = image.clone();
    without["layers"][0].as_object_mut().unwrap().remove("digest");
    let (old, without) = (old.to_string(), without.to_string());
    for body in ["", "{", "[]", "null", "{}", "\u{0}", &old, &without, &"[".repeat(100_000)] {
        let refused = open.put_as("a/b", "1", MANIFEST, body.as_bytes()).await;
        let start: String = body.chars().take(20).collect();
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "MANIFEST_INVALID"), "{start}");
    }
    for media in ["text/plain", "application/vnd.docker.distribution.manifest.v1+prettyjws", "", "*/*"] {
        let refused = open.put_as("a/b", "1", media, image.to_string().as_bytes()).await;
        assert_eq!(refused.status, 400, "{media}");
    }
    assert_eq!(open.status("/v2/a/b/manifests/1").await, 404);
}

async fn a_tag_moves_to_what_was_pushed_last(open: &Open) {
    let (first, second) = (open.image("a/b", b"first").await, open.image("a/b", b"second").await);
    let first = open.put("a/b", "1", &first).await.header("docker-content-digest").to_owned();
    let second = open.put("a/b", "1", &second).await.header("docker-content-digest").to_owned();
    assert_eq!(open.ask("HEAD", "/v2/a/b/manifests/1").await.header("docker-content-digest"), second);
    assert_eq!(open.status(&format!("/v2/a/b/manifests/{first}")).await, 200, "it is still there");
}
