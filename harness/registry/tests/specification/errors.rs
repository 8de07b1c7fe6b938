//! What refusals look like.

use http::Request;

use crate::{MANIFEST, Open, common::basic, digest, on_each_store};

on_each_store!(refusals_have_the_form_and_the_codes_of_the_specification);

/// The codes that the specification knows, and those that the program has beside them which it was made from.
const CODES: [&str; 16] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
    "PAGINATION_NUMBER_INVALID",
    "TAG_INVALID",
];

async fn refusals_have_the_form_and_the_codes_of_the_specification(open: &Open) {
    let nowhere = digest(b"nowhere");
    let image = open.image("a/b", b"layer").await;
    open.put("a/b", "2", &image).await;
    let put = |path: String| Request::put(path).header("content-type", MANIFEST);
    let place = open.upload("a/b").await;
    let mut seen = Vec::new();
    for (request, status, code) in [
        (Request::get(format!("/v2/a/b/blobs/{nowhere}")), 404, "BLOB_UNKNOWN"),
        (Request::get("/v2/a/b/blobs/uploads/x"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Request::put(format!("{place}?digest={nowhere}")), 400, "DIGEST_INVALID"),
        (put(format!("/v2/a/b/manifests/{nowhere}")), 400, "DIGEST_INVALID"),
        (put("/v2/a/b/manifests/1".into()), 400, "MANIFEST_INVALID"),
        (Request::get("/v2/a/b/manifests/1"), 404, "MANIFEST_UNKNOWN"),
        (Request::get(format!("/v2/a/b/manifests/{nowhere}")), 404, "MANIFEST_UNKNOWN"),
        (Request::get("/v2/no/where/tags/list"), 404, "NAME_UNKNOWN"),
        (Request::get("/v2/a/b/tags/list?n=x"), 400, "PAGINATION_NUMBER_INVALID"),
        (Request::get("/v2/a/b/referrers/x"), 400, "DIGEST_INVALID"),
        (Request::get("/v2/").header("authorization", basic("who", "ever")), 401, "UNAUTHORIZED"),
    ] {
        let what = format!("{:?} {:?}", request.method_ref(), request.uri_ref());
        let refused = open.send(request, b"").await;
        assert_eq!(refused.status, status, "{what}: {}", refused.text());
        assert!(refused.header("content-type").starts_with("application/json"), "{what}");
        for error in refused.json()["errors"].as_array().unwrap() {
            let found = error["code"].as_str().unwrap();
            assert_eq!(found, code, "{what}");
            assert!(CODES.contains(&found), "{found}");
            assert!(found.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{found}");
            assert!(error["message"].is_string(), "{what}");
        }
        seen.push(code);
    }
    assert_eq!(seen.len(), 11);
}
