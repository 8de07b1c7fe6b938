//! Deleting tags, manifests and blobs.

use http::Request;
use pulldrill_registry::Access;

use crate::{
    Open, code,
    common::{World, basic, local},
    digest, on_each_store,
};

on_each_store!(tags_manifests_and_blobs_are_deleted, where_nothing_is_deleted_that_is_said,);

async fn tags_manifests_and_blobs_are_deleted(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    for tag in ["1", "2", "3"] {
        open.put("a/b", tag, &image).await;
    }
    let manifest = format!("/v2/a/b/manifests/{}", digest(image.to_string().as_bytes()));
    let blob = format!("/v2/a/b/blobs/{}", digest(b"layer"));
    assert_eq!(open.ask("DELETE", "/v2/a/b/manifests/1").await.status, 202);
    assert_eq!(open.status("/v2/a/b/manifests/1").await, 404);
    assert_eq!(open.status(&manifest).await, 200, "a tag is not what it points at");
    assert_eq!(open.ask("DELETE", &manifest).await.status, 202);
    for gone in [&manifest, "/v2/a/b/manifests/2", "/v2/a/b/manifests/3"] {
        assert_eq!(open.status(gone).await, 404, "{gone}");
    }
    assert_eq!(open.ask("DELETE", &blob).await.status, 202);
    assert_eq!(open.status(&blob).await, 404);
    for (path, says) in [
        ("/v2/a/b/manifests/1", "MANIFEST_UNKNOWN"),
        (manifest.as_str(), "MANIFEST_UNKNOWN"),
        (&blob, "BLOB_UNKNOWN"),
        (&manifest.replace("a/b", "no/where"), "MANIFEST_UNKNOWN"),
        (&blob.replace("a/b", "no/where"), "BLOB_UNKNOWN"),
    ] {
        let refused = open.ask("DELETE", path).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (404, says), "{path}");
    }
    let again = open.put("a/b", "1", &image).await;
    assert_eq!(code(&again), "MANIFEST_BLOB_UNKNOWN", "its layer has gone");
    open.blob("a/b", b"layer").await;
    assert_eq!(open.put("a/b", "1", &image).await.status, 201, "what was deleted can come again");
    assert_eq!(open.ask("GET", &blob).await.text(), "layer");
}

async fn where_nothing_is_deleted_that_is_said(open: &Open) {
    let world: &World = &open.world;
    let name = "registry-1.docker.io";
    let info = world.host(name, "docker-hub", &[("dev/app", Access::Anonymous)]).await;
    let image = world.registry.push_image(name, "dev/app", Some("1"), &Default::default()).unwrap();
    let (token_host, token_address) = info.token_host.clone().unwrap();
    let call = crate::common::Call { to: token_address, name: Some(&token_host), node: None };
    let path = "/token?service=registry.docker.io&scope=repository:dev/app:pull,push,delete";
    let token = world.ask(&call, "GET", path, &basic("dev", "s3cret")).await.json();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    for path in [
        "/v2/dev/app/manifests/1".to_owned(),
        format!("/v2/dev/app/manifests/{}", image.manifest_digest),
        format!("/v2/dev/app/blobs/{}", image.config_digest),
    ] {
        let delete = Request::delete(&path).header("authorization", &bearer);
        let refused = world.send(&local(&info), delete, b"").await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (405, "UNSUPPORTED"), "{path}");
        assert_eq!(world.ask(&local(&info), "HEAD", &path, &bearer).await.status, 200, "{path}");
    }
}
