//! Requests that make no sense: every path by every method, with bodies, headers and queries of all kinds, at the same time. Whatever
//! comes is answered, and never as if something had broken.

use http::Request;
use pulldrill_clock::seed;
use rand::RngExt;
use serde_json::json;

use crate::{Harbor, common::local, login, robot};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const PATHS: [&str; 30] = [
    "",
    "/",
    "/ping",
    "/health",
    "/systeminfo",
    "/users/current",
    "/projects",
    "/projects/",
    "/projects/team",
    "/projects/-1",
    "/projects/99999999999999999999",
    "/projects/team/repositories",
    "/projects/team/repositories/app",
    "/projects/team/repositories/%252F%252F",
    "/projects/%00/repositories/%ff",
    "/projects/team/repositories/app/artifacts",
    "/projects/team/repositories/app/artifacts/1",
    "/projects/team/repositories/app/artifacts/sha256:0",
    "/projects/team/repositories/app/artifacts/1/tags",
    "/projects/team/repositories/app/artifacts/1/tags/%2e%2e",
    "/robots",
    "/robots/1",
    "/robots/-9223372036854775808",
    "/retentions",
    "/retentions/1",
    "/retentions/1/executions",
    "/retentions/1/executions/1/tasks/1",
    "/projects/team/immutabletagrules",
    "/projects/team/immutabletagrules/1",
    "/audit-logs",
];
const BODIES: [&str; 12] = [
    "",
    "{}",
    "[]",
    "null",
    "0",
    "\"\"",
    "{\"name\":",
    "{\"id\":1e999}",
    "{\"scope\":{\"level\":\"project\",\"ref\":2}}",
    "{\"rules\":[{\"template\":\"latestPushedK\",\"params\":{\"latestPushedK\":-1e300}}],\"scope\":{\"level\":\"project\",\"ref\":2}}",
    "{\"name\":\"\\u0000\",\"secret\":\"\\ud800\"}",
    "\u{feff}{}",
];
const QUERIES: [&str; 8] = [
    "",
    "?page=-1",
    "?page_size=18446744073709551616",
    "?q=%3D%3D",
    "?q=tags%3D%5B~%5D",
    "?sort=,-,",
    "?with_tag=perhaps",
    "?q=%ff&page=1&page=2",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_is_answered() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    let mut chance = seed::rng(1, "nonsense");
    for round in 0..500 {
        let mut pick = |count: usize| chance.random_range(0..count);
        let (method, path) = (METHODS[pick(METHODS.len())], PATHS[pick(PATHS.len())]);
        let (body, query) = (BODIES[pick(BODIES.len())], QUERIES[pick(QUERIES.len())]);
        let mut request = Request::builder().method(method).uri(format!("/api/v2.0{path}{query}"));
        request = match pick(5) {
            0 => request,
            1 => request.header("authorization", "Basic ====").header("x-request-id", "mine"),
            2 => request.header("authorization", login("guest")).header("x-is-resource-name", "maybe"),
            _ => request.header("authorization", login("admin")),
        };
        if pick(6) > 0 {
            request = request.header("content-type", "application/json");
        }
        let reply = harbor.world.send(&local(&harbor.info), request, body.as_bytes()).await;
        let status = reply.status.as_u16();
        assert!(status < 500, "{round}: {method} {path}{query} {body}: {status} {}", reply.text());
        if status >= 400 && method != "HEAD" {
            assert!(reply.json()["errors"][0]["code"].is_string(), "{method} {path}: {}", reply.text());
        }
    }
    harbor.ok("admin", "GET", "/projects", None).await;
}

#[tokio::test]
async fn a_body_has_to_be_json_and_of_a_size() {
    let harbor = Harbor::new().await;
    let body = robot("ci", "project", "team", &["pull"]).to_string();
    let send = async |media: &str, body: &[u8]| {
        let mut request = Request::post("/api/v2.0/robots").header("authorization", login("admin"));
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        harbor.world.send(&local(&harbor.info), request, body).await
    };
    // What curl says of -d when it is told nothing else.
    let form = send("application/x-www-form-urlencoded", body.as_bytes()).await;
    assert_eq!(form.status, 415);
    let words =
        "unsupported media type \"application/x-www-form-urlencoded\", only [application/json] are allowed";
    assert_eq!(form.json()["errors"][0]["message"], words);
    assert_eq!(send("", body.as_bytes()).await.status, 415);
    assert_eq!(send("application/json; charset=utf-8", body.as_bytes()).await.status, 201);
    assert_eq!(send("application/json", &vec![b' '; (1 << 20) + 1]).await.status, 413);
    let method = harbor.api("admin", "DELETE", "/robots", None).await;
    assert_eq!((method.status.as_u16(), method.header("allow")), (405, "GET,POST"));
    assert_eq!(method.json()["errors"][0]["message"], "method DELETE is not allowed, but [GET,POST] are");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_the_same_name_one_gets_it() {
    let harbor = std::sync::Arc::new(Harbor::new().await);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let harbor = harbor.clone();
        all.spawn(async move {
            let robot = robot("ci", "project", "team", &["pull"]);
            let project = json!({"project_name": "one"});
            let robot = harbor.api("admin", "POST", "/robots", Some(&robot)).await.status.as_u16();
            (robot, harbor.api("admin", "POST", "/projects", Some(&project)).await.status.as_u16())
        });
    }
    let all = all.join_all().await;
    let made = |of: fn(&(u16, u16)) -> u16| all.iter().filter(|both| of(both) == 201).count();
    assert_eq!((made(|both| both.0), made(|both| both.1)), (1, 1), "{all:?}");
    assert!(all.iter().all(|both| [201, 409].contains(&both.0) && [201, 409].contains(&both.1)), "{all:?}");
}
