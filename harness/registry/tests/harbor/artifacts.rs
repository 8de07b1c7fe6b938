//! Artifacts and tags: what is shown of them, and how they go.

use serde_json::{Value, json};

use crate::{
    HOST, Harbor,
    common::{ACCEPT, local},
    login,
};

const APP: &str = "/projects/team/repositories/app";

#[tokio::test]
async fn artifacts_are_shown_with_their_tags_and_what_became_of_them() {
    let harbor = Harbor::new().await;
    let first = harbor.push("team/app", "1", "one");
    harbor.world.clock.advance(pulldrill_clock::SignedDuration::from_secs(60)).await;
    let second = harbor.push("team/app", "2", "two");
    harbor.push("team/app", "latest", "two");
    assert_eq!(harbor.status(Some(("guest", "guest-Passw0rd")), "team/app", "1").await, 200);
    let list = harbor.get(&format!("{APP}/artifacts?with_tag=true")).await;
    let digests: Vec<&str> =
        list.as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap()).collect();
    assert_eq!(digests, [second.as_str(), first.as_str()], "the last one first");
    let one = harbor.get(&format!("{APP}/artifacts/1")).await;
    assert_eq!(one["digest"], first);
    assert_eq!(one["type"], "IMAGE");
    assert_eq!(one["tags"][0]["name"], "1");
    assert_eq!(one["tags"][0]["artifact_id"], one["id"]);
    assert_eq!((&one["labels"], &one["references"]), (&Value::Null, &Value::Null));
    assert_eq!(one["push_time"], "2030-03-17T17:46:40.000Z");
    assert_eq!(one["pull_time"], "2030-03-17T17:47:40.000Z");
    assert_eq!(one["extra_attrs"]["os"], "linux");
    assert!(one["size"].as_i64().unwrap() > 0);
    assert_eq!(list[0]["pull_time"], "0001-01-01T00:00:00.000Z", "never");
    assert_eq!(harbor.get(&format!("{APP}/artifacts/{second}")).await["id"], list[0]["id"]);
    let repository = harbor.get(APP).await;
    assert_eq!(
        (&repository["name"], &repository["artifact_count"], &repository["pull_count"]),
        (&"team/app".into(), &2.into(), &1.into())
    );
    let tags = harbor.get(&format!("{APP}/artifacts/{second}/tags")).await;
    let names: Vec<&Value> = tags.as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    assert_eq!(names, ["2", "latest"]);
    for (query, count) in [
        ("q=tags%3Dlatest", 1),
        ("q=tags=~a", 1),
        ("q=tags%3D*", 2),
        ("q=tags%3Dnil", 0),
        ("q=tags%3D%7B1%202%7D", 2),
        ("q=tags%3D(2%20latest)", 1),
        ("q=type%3DIMAGE", 2),
        ("q=digest%3Dnone", 0),
    ] {
        let found = harbor.ok("admin", "GET", &format!("{APP}/artifacts?{query}"), None).await;
        assert_eq!(found.json().as_array().unwrap().len(), count, "{query}");
        assert_eq!(found.header("x-total-count"), count.to_string(), "{query}");
    }
    let bare = harbor.get(&format!("{APP}/artifacts?with_tag=false")).await;
    assert_eq!(bare[0]["tags"], Value::Null);
}

#[tokio::test]
async fn what_is_not_there_is_missed_in_harbors_words() {
    let harbor = Harbor::new().await;
    let digest = harbor.push("team/app", "1", "one");
    let other = format!("sha256:{}", "0".repeat(64));
    for (path, message) in [
        (format!("{APP}/artifacts/2"), "artifact team/app:2 not found".to_owned()),
        (format!("{APP}/artifacts/{other}"), format!("artifact team/app@{other} not found")),
        ("/projects/team/repositories/nope".into(), "repository team/nope not found".into()),
        ("/projects/team/repositories/nope/artifacts/1".into(), "repository team/nope not found".into()),
        ("/projects/nope/repositories".into(), "project nope not found".into()),
        ("/projects/99".into(), "project 99 not found".into()),
        ("/nothing".into(), "path /api/v2.0/nothing was not found".into()),
    ] {
        assert_eq!(harbor.refused("admin", "GET", &path, None).await, (404, message), "{path}");
    }
    let tag = format!("{APP}/artifacts/{digest}/tags/2");
    let refused = harbor.refused("keeper", "DELETE", &tag, None).await;
    assert_eq!(refused, (404, "tag 2 attached to artifact 1 not found".into()));
    // Of a repository that is not there the list is empty, as it is of one with nothing in it.
    assert_eq!(harbor.get("/projects/team/repositories/nope/artifacts").await, json!([]));
}

#[tokio::test]
async fn slashes_of_names_are_encoded_twice() {
    let harbor = Harbor::new().await;
    harbor.push("team/web/api", "1", "api");
    let found = harbor.get("/projects/team/repositories/web%252Fapi/artifacts").await;
    assert_eq!(found[0]["repository_name"], "team/web/api");
    let href = found[0]["addition_links"]["build_history"]["href"].as_str().unwrap();
    assert!(href.contains("/repositories/web%252Fapi/artifacts/sha256:"), "{href}");
    let once = harbor.refused("admin", "GET", "/projects/team/repositories/web%2Fapi/artifacts", None).await;
    let words = "path /api/v2.0/projects/team/repositories/web/api/artifacts was not found";
    assert_eq!(once, (404, words.into()));
    harbor.ok("admin", "DELETE", "/projects/team/repositories/web%252Fapi", None).await;
    assert_eq!(harbor.get("/projects/team/repositories").await, json!([]));
}

#[tokio::test]
async fn tags_come_and_go_and_artifacts_go_with_them_or_stay() {
    let harbor = Harbor::new().await;
    let digest = harbor.push("team/app", "1", "one");
    let tags = format!("{APP}/artifacts/1/tags");
    assert_eq!(harbor.ok("keeper", "POST", &tags, Some(&json!({"name": "stable"}))).await.status, 201);
    let guest = ("guest", "guest-Passw0rd");
    assert_eq!(harbor.status(Some(guest), "team/app", "stable").await, 200);
    let twice = harbor.refused("keeper", "POST", &tags, Some(&json!({"name": "stable"}))).await;
    assert_eq!(twice, (409, "tag stable already exists under the repository 1".into()));
    let odd = harbor.refused("keeper", "POST", &tags, Some(&json!({"name": "a b"}))).await;
    assert_eq!(odd.0, 400);
    assert_eq!(harbor.refused("guest", "POST", &tags, Some(&json!({"name": "x"}))).await.0, 403);
    harbor.ok("keeper", "DELETE", &format!("{tags}/1"), None).await;
    let missing = harbor.pull(Some(guest), "team/app", "1").await;
    assert_eq!(
        (missing.status.as_u16(), missing.text()),
        (404, r#"{"errors":[{"code":"NOT_FOUND","message":"artifact team/app:1 not found"}]}"#)
    );
    assert_eq!(harbor.status(Some(guest), "team/app", &digest).await, 200, "the artifact is still there");
    harbor.ok("keeper", "DELETE", &format!("{APP}/artifacts/stable"), None).await;
    for reference in ["stable", &digest] {
        assert_eq!(harbor.status(Some(guest), "team/app", reference).await, 404);
    }
    // The evidence: in the pull log, and in Harbor's own.
    let log = harbor.world.registry.pull_log().since(0);
    let deleted = log.iter().rfind(|entry| entry.method == "DELETE").unwrap();
    assert_eq!(deleted.identity.as_deref(), Some("keeper"));
    assert_eq!(deleted.repository.as_deref(), Some("team/app"));
    assert_eq!((deleted.reference.as_deref(), &deleted.digest), (Some("stable"), &Some(digest)));
    let audit = harbor.get("/projects/team/logs?q=operation%3Ddelete").await;
    assert_eq!(audit[0]["resource"], "team/app:stable");
    assert_eq!((&audit[0]["username"], &audit[0]["resource_type"]), (&"keeper".into(), &"artifact".into()));
    assert_eq!(audit[1]["resource"], "team/app:1");
    let pulls = harbor.get("/audit-logs?q=operation%3Dpull,username%3Dguest").await;
    assert_eq!(pulls.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_index_is_one_artifact_and_its_parts_go_with_it() {
    let harbor = Harbor::new().await;
    let images = ["one", "two"].map(|build| harbor.push("team/app", build, build));
    let call = local(&harbor.info);
    let mut entries = Vec::new();
    for (digest, architecture) in images.iter().zip(["amd64", "arm64"]) {
        let path = format!("/v2/team/app/manifests/{digest}");
        let manifest = harbor.world.ask(&call, "GET", &path, &login("keeper")).await;
        entries.push(json!({
            "mediaType": manifest.header("content-type"), "digest": digest, "size": manifest.body.len(),
            "platform": {"os": "linux", "architecture": architecture},
        }));
        harbor
            .ok(
                "keeper",
                "DELETE",
                &format!("{APP}/artifacts/{digest}/tags/{}", ["one", "two"][entries.len() - 1]),
                None,
            )
            .await;
    }
    let media = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media, "manifests": entries}).to_string();
    let request = http::Request::put("/v2/team/app/manifests/both")
        .header("authorization", login("keeper"))
        .header("accept", ACCEPT)
        .header("content-type", media);
    assert_eq!(harbor.world.send(&call, request, index.as_bytes()).await.status, 201);
    let list = harbor.get(&format!("{APP}/artifacts")).await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list[0]["references"][1]["platform"]["architecture"], "arm64");
    assert_eq!(list[0]["references"][0]["child_digest"], images[0]);
    harbor.ok("keeper", "DELETE", &format!("{APP}/artifacts/both"), None).await;
    for digest in images {
        assert!(harbor.world.registry.resolve(HOST, "team/app", &digest).is_err(), "nobody else has it");
    }
    assert_eq!(harbor.get(&format!("{APP}/artifacts")).await, json!([]));
}
