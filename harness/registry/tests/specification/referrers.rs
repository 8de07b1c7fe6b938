//! What refers to a manifest.

use serde_json::{Value, json};

use crate::{INDEX, MANIFEST, Open, code, digest, on_each_store};

on_each_store!(
    what_refers_to_a_manifest_is_listed,
    a_long_list_of_referrers_comes_in_pages,
    the_tag_of_the_fallback_is_a_tag_like_any_other,
);

async fn what_refers_to_a_manifest_is_listed(open: &Open) {
    let image = open.image("a/b", b"layer").await;
    let subject = open.put("a/b", "1", &image).await.header("docker-content-digest").to_owned();
    let path = format!("/v2/a/b/referrers/{subject}");
    let none = open.ask("GET", &path).await;
    assert_eq!((none.status.as_u16(), none.header("content-type")), (200, INDEX));
    let empty = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    assert_eq!(none.json(), empty);

    let refers = json!({"mediaType": MANIFEST, "digest": subject, "size": image.to_string().len()});
    let mut typed = open.image("a/b", b"sbom").await;
    typed["artifactType"] = "application/vnd.example.sbom".into();
    typed["annotations"] = json!({"org.example.format": "json", "org.example.n": "1"});
    let mut untyped = open.image("a/b", b"note").await;
    untyped["artifactType"] = "".into();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"a": "b"}});
    let typed_index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [],
        "artifactType": "application/vnd.example.sbom"});
    let mut expected = Vec::new();
    for (manifest, artifact_type) in [
        (typed, Some("application/vnd.example.sbom")),
        (untyped, Some(crate::CONFIG)),
        (index, None),
        (typed_index, Some("application/vnd.example.sbom")),
    ] {
        let mut manifest: Value = manifest;
        manifest["subject"] = refers.clone();
        let text = manifest.to_string();
        let pushed = open.put("a/b", &digest(text.as_bytes()), &manifest).await;
        assert_eq!(pushed.header("oci-subject"), subject);
        let mut descriptor = json!({"mediaType": manifest["mediaType"], "digest": digest(text.as_bytes()), "size": text.len()});
        if let Some(artifact_type) = artifact_type {
            descriptor["artifactType"] = artifact_type.into();
        }
        if manifest["annotations"].is_object() {
            descriptor["annotations"] = manifest["annotations"].clone();
        }
        expected.push(descriptor);
    }
    expected.sort_by_key(|descriptor| descriptor["digest"].to_string());
    let all = open.ask("GET", &path).await;
    assert_eq!(all.json()["manifests"], json!(expected));
    assert_eq!(all.header("oci-filters-applied"), "");

    let filtered = open.ask("GET", &format!("{path}?artifactType=application%2Fvnd.example.sbom")).await;
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    expected.retain(|descriptor| descriptor["artifactType"] == "application/vnd.example.sbom");
    assert_eq!((expected.len(), &filtered.json()["manifests"]), (2, &json!(expected)));
    let other = open.ask("GET", &format!("{path}?artifactType=other")).await;
    assert_eq!((other.json(), other.header("oci-filters-applied")), (empty.clone(), "artifactType"));

    for digest in [&digest(b"nowhere"), "blake3:00"] {
        let unknown = open.ask("GET", &format!("/v2/a/b/referrers/{digest}")).await;
        assert_eq!((unknown.status.as_u16(), unknown.json()), (200, empty.clone()), "{digest}");
    }
    assert_eq!(open.ask("GET", &format!("/v2/no/where/referrers/{subject}")).await.json(), empty);
    for digest in ["latest", "sha256:abc", "sha256", "sha256:"] {
        let refused = open.ask("GET", &format!("/v2/a/b/referrers/{digest}")).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "DIGEST_INVALID"), "{digest}");
    }
    let gone = expected[0]["digest"].as_str().unwrap();
    assert_eq!(open.ask("DELETE", &format!("/v2/a/b/manifests/{gone}")).await.status, 202);
    assert!(!open.ask("GET", &path).await.text().contains(gone));
    // Those that refer to it outlive their subject.
    open.ask("DELETE", &format!("/v2/a/b/manifests/{subject}")).await;
    assert_eq!(open.ask("GET", &path).await.json()["manifests"].as_array().unwrap().len(), 3);
}

async fn a_long_list_of_referrers_comes_in_pages(open: &Open) {
    let mut note = open.image("a/b", b"note").await;
    let subject = digest(b"subject");
    note["subject"] = json!({"mediaType": MANIFEST, "digest": subject, "size": 7});
    note["artifactType"] = "a/b".into();
    let mut pushed = Vec::new();
    for n in 0..7 {
        note["annotations"] = json!({"padding": n.to_string().repeat(1_000_000)});
        assert_eq!(open.put("a/b", &n.to_string(), &note).await.status, 201);
        pushed.push(digest(note.to_string().as_bytes()));
    }
    pushed.sort_unstable();
    let (mut seen, mut path, mut pages) =
        (Vec::new(), format!("/v2/a/b/referrers/{subject}?artifactType=a%2Fb"), 0);
    loop {
        let page = open.ask("GET", &path).await;
        assert!(page.body.len() <= 4 << 20, "{}", page.body.len());
        assert_eq!(page.header("oci-filters-applied"), "artifactType");
        let entries = page.json()["manifests"].as_array().unwrap().clone();
        seen.extend(entries.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        let (next, relation) = link.split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        path = next.to_owned();
    }
    assert_eq!((seen, pages), (pushed, 2));
}

async fn the_tag_of_the_fallback_is_a_tag_like_any_other(open: &Open) {
    // A client that keeps the list itself, as with registries that have no list of referrers.
    let subject = digest(b"subject");
    let mut note = open.image("a/b", b"note").await;
    note["subject"] = json!({"mediaType": MANIFEST, "digest": subject, "size": 7});
    let text = note.to_string();
    open.put("a/b", &digest(text.as_bytes()), &note).await;
    let entry = json!({"mediaType": MANIFEST, "digest": digest(text.as_bytes()), "size": text.len(),
        "artifactType": crate::CONFIG});
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    let tag = subject.replace(':', "-");
    assert_eq!(open.status(&format!("/v2/a/b/manifests/{tag}")).await, 404);
    assert_eq!(open.put("a/b", &tag, &list).await.status, 201);
    let kept = open.ask("GET", &format!("/v2/a/b/manifests/{tag}")).await;
    assert_eq!((kept.header("content-type"), kept.json()), (INDEX, list.clone()));
    let listed = open.ask("GET", &format!("/v2/a/b/referrers/{subject}")).await;
    assert_eq!(listed.json(), list, "the same that the registry lists");
}
