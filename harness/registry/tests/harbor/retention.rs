//! Rules about tags: those that stay, and artifacts that are not kept.

use pulldrill_clock::SignedDuration;
use serde_json::{Value, json};

use crate::{HOST, Harbor, common::local, login};

const GUEST: (&str, &str) = ("guest", "guest-Passw0rd");

fn selectors(decoration: &str, pattern: &str) -> Value {
    json!([{"kind": "doublestar", "decoration": decoration, "pattern": pattern, "extras": "{\"untagged\":true}"}])
}

fn policy(project: i64, keep: i64, tags: &str) -> Value {
    json!({
        "algorithm": "or",
        "rules": [{
            "disabled": false, "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": keep},
            "tag_selectors": selectors("matches", tags),
            "scope_selectors": {"repository": selectors("repoMatches", "**")},
        }],
        "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": ""}},
        "scope": {"level": "project", "ref": project},
    })
}

/// Makes a policy; gives its path.
async fn made(harbor: &Harbor, body: &Value) -> String {
    let made = harbor.ok("keeper", "POST", "/retentions", Some(body)).await;
    assert_eq!(made.status, 201);
    made.header("location").strip_prefix("/api/v2.0").unwrap().to_owned()
}

/// Runs a policy; gives the path of the run.
async fn run(harbor: &Harbor, policy: &str, dry: bool) -> String {
    let path = format!("{policy}/executions");
    let run = harbor.ok("keeper", "POST", &path, Some(&json!({"dry_run": dry}))).await;
    assert_eq!(run.status, 201);
    run.header("location").strip_prefix("/api/v2.0").unwrap().to_owned()
}

#[tokio::test]
async fn retention_deletes_a_live_image_and_both_logs_tell() {
    let harbor = Harbor::new().await;
    let mut digests = Vec::new();
    for tag in ["1", "2", "3"] {
        digests.push(harbor.push("team/app", tag, tag));
        harbor.world.clock.advance(SignedDuration::from_hours(1)).await;
    }
    harbor.push("team/other", "1", "other");
    let team = harbor.project("team").await;
    let path = made(&harbor, &policy(team, 1, "**")).await;
    let id = path.rsplit_once('/').unwrap().1;
    assert_eq!(harbor.get("/projects/team").await["metadata"]["retention_id"], id);
    let shown = harbor.get(&path).await;
    assert_eq!(shown["scope"], json!({"level": "project", "ref": team}));
    assert_eq!(shown["rules"][0]["params"], json!({"latestPushedK": 1}));

    let dry = run(&harbor, &path, true).await;
    assert_eq!(harbor.status(Some(GUEST), "team/app", "1").await, 200, "nothing is gone yet");
    let tasks = harbor.get(&format!("{dry}/tasks?sort=repository")).await;
    assert_eq!(
        (&tasks[0]["repository"], &tasks[0]["total"], &tasks[0]["retained"]),
        (&"app".into(), &3.into(), &1.into())
    );
    let log = harbor.ok("keeper", "GET", &format!("{dry}/tasks/{}", tasks[0]["id"]), None).await;
    assert!(
        log.text().contains("Dry Run: true") && log.text().matches("| DEL\n").count() == 2,
        "{}",
        log.text()
    );

    run(&harbor, &path, false).await;
    for (tag, status) in [("1", 404), ("2", 404), ("3", 200)] {
        assert_eq!(harbor.status(Some(GUEST), "team/app", tag).await, status, "{tag}");
    }
    assert_eq!(harbor.status(Some(GUEST), "team/app", &digests[0]).await, 404, "nor by digest");
    let runs = harbor.get(&format!("{path}/executions")).await;
    assert_eq!(runs.as_array().unwrap().len(), 2);
    assert_eq!((&runs[0]["status"], &runs[0]["dry_run"]), (&"Success".into(), &false.into()));
    let log = harbor.world.registry.pull_log().since(0);
    let gone: Vec<_> = log.iter().filter(|entry| entry.status == 202).collect();
    assert_eq!(gone.len(), 2);
    assert_eq!(gone[0].identity.as_deref(), Some("harbor-jobservice"));
    assert_eq!((gone[0].repository.as_deref(), gone[0].host.as_str()), (Some("team/app"), HOST));
    assert!(digests[..2].iter().all(|digest| gone.iter().any(|entry| entry.digest.as_ref() == Some(digest))));
    let audit = harbor.get("/projects/team/logs?q=operation%3Ddelete").await;
    let audit = audit.as_array().unwrap();
    assert_eq!(audit.len(), 2, "each once");
    assert!(audit.iter().all(|entry| entry["username"] == "harbor-jobservice"), "{audit:?}");
    assert!(audit.iter().any(|entry| entry["resource"] == "team/app:1"));
    // The run itself is in the log under the name of whoever ordered it.
    let ordered = log.iter().rfind(|entry| entry.path.ends_with("/executions") && entry.method == "POST");
    assert_eq!(ordered.unwrap().identity.as_deref(), Some("keeper"));

    harbor.ok("keeper", "DELETE", &path, None).await;
    assert!(harbor.get("/projects/team").await["metadata"]["retention_id"].is_null());
}

#[tokio::test]
async fn a_schedule_deletes_by_itself_when_its_lab_time_has_come() {
    let harbor = Harbor::new().await;
    for tag in ["1", "2"] {
        harbor.push("team/app", tag, tag);
        harbor.world.clock.advance(SignedDuration::from_secs(1)).await;
    }
    let team = harbor.project("team").await;
    let hourly = |keep: i64, cron: &str| {
        let mut policy = policy(team, keep, "**");
        policy["trigger"]["settings"]["cron"] = cron.into();
        policy
    };
    let there = async || {
        let first = harbor.status(Some(GUEST), "team/app", "1").await;
        (first, harbor.status(Some(GUEST), "team/app", "2").await)
    };
    let path = made(&harbor, &hourly(1, "0 0 * * * *")).await;
    assert_eq!(there().await, (200, 200), "its time has not come");
    harbor.world.clock.advance(SignedDuration::from_hours(1)).await;
    assert_eq!(there().await, (404, 200));
    let runs = harbor.get(&format!("{path}/executions")).await;
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]["trigger"]), (1, &"SCHEDULE".into()));
    let log = harbor.world.registry.pull_log().since(0);
    let gone = log.iter().find(|entry| entry.status == 202).unwrap();
    assert_eq!((gone.identity.as_deref(), gone.reference.as_deref()), (Some("harbor-jobservice"), Some("1")));

    // One that is changed runs as it says now, one that is gone not at all.
    harbor.ok("keeper", "PUT", &path, Some(&hourly(0, ""))).await;
    harbor.world.clock.advance(SignedDuration::from_hours(3)).await;
    assert_eq!(there().await, (404, 200), "nothing runs without a schedule");
    harbor.ok("keeper", "PUT", &path, Some(&hourly(0, "0 0 * * * *"))).await;
    harbor.ok("keeper", "DELETE", &path, None).await;
    harbor.world.clock.advance(SignedDuration::from_hours(3)).await;
    assert_eq!(there().await, (404, 200), "a policy that is gone deletes nothing");
    let path = made(&harbor, &hourly(5, "0 0 * * * *")).await;
    harbor.world.clock.advance(SignedDuration::from_hours(3)).await;
    let runs = harbor.get(&format!("{path}/executions")).await;
    assert_eq!(runs.as_array().unwrap().len(), 3, "again and again");
}

#[tokio::test]
async fn nothing_may_be_kept_and_what_is_immutable_stays() {
    let harbor = Harbor::new().await;
    let digest = harbor.push("team/app", "release-1", "one");
    harbor.push("team/app", "dev", "two");
    let rule = json!({
        "disabled": false, "action": "immutable", "template": "immutable_template", "priority": 0,
        "tag_selectors": selectors("matches", "release-*"),
        "scope_selectors": {"repository": selectors("repoMatches", "**")},
    });
    let rules = "/projects/team/immutabletagrules";
    let made_rule = harbor.ok("keeper", "POST", rules, Some(&rule)).await;
    assert_eq!(made_rule.status, 201);
    assert_eq!(harbor.refused("keeper", "POST", rules, Some(&rule)).await.0, 409);
    let shown = harbor.get(rules).await;
    assert_eq!(shown[0]["tag_selectors"][0]["pattern"], "release-*");

    // Neither pushed to again, nor deleted in any way.
    let call = local(&harbor.info);
    let manifest = harbor.world.ask(&call, "GET", "/v2/team/app/manifests/release-1", &login("keeper")).await;
    let put = http::Request::put("/v2/team/app/manifests/release-1")
        .header("authorization", login("keeper"))
        .header("content-type", manifest.header("content-type").to_owned());
    let refused = harbor.world.send(&call, put, &manifest.body).await;
    let words = "Failed to process request due to 'app:release-1' configured as immutable.";
    assert_eq!(refused.status, 412);
    assert_eq!(refused.json(), json!({"errors": [{"code": "PRECONDITION", "message": words}]}));
    let path = format!("/v2/team/app/manifests/{digest}");
    let refused = harbor.world.ask(&call, "DELETE", &path, &login("keeper")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["message"]), (412, &words.into()));
    let stays = "the tag release-1 configured as immutable, cannot be deleted";
    for path in ["/artifacts/release-1", "/artifacts/release-1/tags/release-1", ""] {
        let path = format!("/projects/team/repositories/app{path}");
        assert_eq!(harbor.refused("keeper", "DELETE", &path, None).await, (412, stays.into()), "{path}");
    }
    let status = "/projects/team/repositories/app/artifacts/release-1?with_immutable_status=true";
    assert_eq!(harbor.get(status).await["tags"][0]["immutable"], true);

    let team = harbor.project("team").await;
    let path = made(&harbor, &policy(team, 0, "**")).await;
    run(&harbor, &path, false).await;
    assert_eq!(harbor.status(Some(GUEST), "team/app", "dev").await, 404, "nothing was to be kept");
    assert_eq!(harbor.status(Some(GUEST), "team/app", "release-1").await, 200);

    let mut off = shown[0].clone();
    off["disabled"] = true.into();
    harbor.ok("keeper", "PUT", &format!("{rules}/{}", off["id"]), Some(&off)).await;
    run(&harbor, &path, false).await;
    assert_eq!(harbor.status(Some(GUEST), "team/app", "release-1").await, 404);
    harbor.ok("keeper", "DELETE", &format!("{rules}/{}", off["id"]), None).await;
    assert_eq!(harbor.get(rules).await, json!([]));
}

#[tokio::test]
async fn policies_that_make_no_sense_are_refused() {
    let harbor = Harbor::new().await;
    let team = harbor.project("team").await;
    let good = policy(team, 3, "**");
    let changed = |pointer: &str, to: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = to;
        body
    };
    let rule = good["rules"][0].clone();
    for (body, status) in [
        (changed("/rules/0/template", "whatever".into()), 400),
        (changed("/rules", json!(vec![rule.clone(); 16])), 400),
        (changed("/rules", json!([rule, rule])), 409),
        (changed("/scope/level", "system".into()), 400),
        (changed("/scope/ref", 99.into()), 400),
        (changed("/rules", "all".into()), 400),
        (changed("/trigger/settings/cron", "0 0 * * *".into()), 400),
        (changed("/trigger/settings/cron", "1 0 0 * * *".into()), 400),
        (changed("/trigger/settings/cron", "0 61 * * * *".into()), 400),
    ] {
        assert_eq!(harbor.refused("admin", "POST", "/retentions", Some(&body)).await.0, status, "{body}");
    }
    assert_eq!(harbor.refused("guest", "POST", "/retentions", Some(&good)).await.0, 403);
    assert_eq!(harbor.refused("", "POST", "/retentions", Some(&good)).await.0, 401);
    let path = made(&harbor, &good).await;
    let twice = harbor.refused("keeper", "POST", "/retentions", Some(&good)).await;
    assert!(twice.0 == 400 && twice.1.contains("already has retention policy"), "{twice:?}");
    harbor.ok("keeper", "PUT", &path, Some(&policy(team, 7, "v*"))).await;
    assert_eq!(harbor.get(&path).await["rules"][0]["params"]["latestPushedK"], 7);
    let stop = harbor
        .refused("keeper", "PATCH", &format!("{path}/executions/9"), Some(&json!({"action": "stop"})))
        .await;
    assert_eq!(stop.0, 404);
    assert_eq!(harbor.refused("keeper", "GET", "/retentions/77", None).await.0, 404);
    let metadata = harbor.get("/retentions/metadatas").await;
    assert_eq!(metadata["templates"][0]["rule_template"], "latestPushedK");
}
