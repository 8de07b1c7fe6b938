//! Robot accounts: names, rights, secrets, and their ends.

use pulldrill_clock::SignedDuration;
use serde_json::{Value, json};

use crate::{HOST, Harbor, common::World, robot, spec};

/// Makes a robot; gives what is told of it.
async fn made(harbor: &Harbor, body: &Value) -> Value {
    let reply = harbor.ok("admin", "POST", "/robots", Some(body)).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    assert_eq!(reply.header("location"), format!("/api/v2.0/robots/{}", made["id"]));
    made
}

/// A body that makes a robot for so many days.
fn lasting(name: &str, days: i64) -> Value {
    let mut body = robot(name, "project", "team", &["pull"]);
    body["duration"] = days.into();
    body
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

#[tokio::test]
async fn a_robot_may_what_it_was_given_where_it_was_given() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    harbor.push("other/app", "1", "other");
    let own = made(&harbor, &robot("deploy", "project", "team", &["pull"])).await;
    assert_eq!(own["name"], "robot$team+deploy");
    let wide = made(&harbor, &robot("reader", "system", "*", &["pull"])).await;
    assert_eq!(wide["name"], "robot$reader");
    let (own, wide) =
        ((text(&own, "name"), text(&own, "secret")), (text(&wide, "name"), text(&wide, "secret")));
    for (login, repository, status) in [
        (own, "team/app", 200),
        (own, "other/app", 401),
        (wide, "team/app", 200),
        (wide, "other/app", 200),
        ((own.0, "wrong"), "team/app", 401),
        (("deploy", own.1), "team/app", 401),
        // Without the dollar sign and what follows, as shells leave it.
        (("robot+deploy", own.1), "team/app", 401),
    ] {
        assert_eq!(harbor.status(Some(login), repository, "1").await, status, "{login:?} {repository}");
    }
    // By password at the registry itself as well, and nothing but what was given.
    let call = crate::common::local(&harbor.info);
    let direct = crate::common::basic(own.0, own.1);
    let ask = async |method: &str, path: &str| harbor.world.ask(&call, method, path, &direct).await.status;
    assert_eq!(ask("GET", "/v2/team/app/manifests/1").await, 200);
    assert_eq!(ask("POST", "/v2/team/app/blobs/uploads/").await, 401);
    assert_eq!(ask("DELETE", "/v2/team/app/manifests/1").await, 401);
    let log = harbor.world.registry.pull_log().since(0);
    assert!(log.iter().any(|entry| entry.identity.as_deref() == Some(own.0) && entry.status == 200));
    assert!(log.iter().all(|entry| !format!("{entry:?}").contains(own.1)), "secrets are in no log");
}

#[tokio::test]
async fn a_robot_ends_on_its_day_of_lab_time_and_when_it_is_disabled() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    let body = lasting("week", 7);
    let made_now = made(&harbor, &body).await;
    let shown = harbor.get(&format!("/robots/{}", made_now["id"])).await;
    assert_eq!(shown["expires_at"], made_now["expires_at"]);
    assert_eq!(shown["expires_at"].as_i64().unwrap(), harbor.world.clock.now().as_second() + 7 * 86_400);
    let login = (text(&made_now, "name"), text(&made_now, "secret"));
    harbor.world.clock.advance(SignedDuration::from_secs(7 * 86_400 - 1)).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 200);
    assert!(matches!(harbor.world.registry.credentials(HOST, login.0, login.1), Some(Some(_))));
    harbor.world.clock.advance(SignedDuration::from_secs(1)).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 401);
    assert_eq!(harbor.world.registry.credentials(HOST, login.0, login.1), None);

    let body = lasting("forever", -1);
    let forever = made(&harbor, &body).await;
    assert_eq!(forever["expires_at"], -1);
    let login = (text(&forever, "name"), text(&forever, "secret"));
    harbor.world.clock.advance(SignedDuration::from_hours(24 * 400)).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 200);
    let path = format!("/robots/{}", forever["id"]);
    let mut shown = harbor.get(&path).await;
    shown["disable"] = true.into();
    harbor.ok("admin", "PUT", &path, Some(&shown)).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 401);
    shown["disable"] = false.into();
    harbor.ok("admin", "PUT", &path, Some(&shown)).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 200);
    shown["name"] = "robot$renamed".into();
    let refused = harbor.refused("admin", "PUT", &path, Some(&shown)).await;
    assert_eq!(refused, (400, "cannot update the level or name of robot".into()));
    harbor.ok("admin", "DELETE", &path, None).await;
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 401);
    let gone = format!("robot {} not found", forever["id"]);
    assert_eq!(harbor.refused("admin", "GET", &path, None).await, (404, gone));
}

#[tokio::test]
async fn secrets_are_refreshed_and_the_old_ones_are_good_for_nothing() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    let robot = made(&harbor, &robot("ci", "project", "team", &["pull", "push"])).await;
    let (name, old) = (text(&robot, "name"), text(&robot, "secret"));
    let path = format!("/robots/{}", robot["id"]);
    let new = harbor.ok("admin", "PATCH", &path, Some(&json!({"secret": ""}))).await.json();
    let new = text(&new, "secret").to_owned();
    assert_eq!(harbor.status(Some((name, old)), "team/app", "1").await, 401);
    assert_eq!(harbor.status(Some((name, &new)), "team/app", "1").await, 200);
    let chosen = harbor.ok("admin", "PATCH", &path, Some(&json!({"secret": "Chosen-by-0ne"}))).await;
    assert_eq!(chosen.json(), json!({}), "what was sent is not told again");
    assert_eq!(harbor.status(Some((name, "Chosen-by-0ne")), "team/app", "1").await, 200);
    assert_eq!(harbor.status(Some((name, &new)), "team/app", "1").await, 401);
    let weak = harbor.refused("admin", "PATCH", &path, Some(&json!({"secret": "weak"}))).await;
    assert!(weak.0 == 400 && weak.1.contains("1 uppercase letter"), "{weak:?}");
    let shown = harbor.get(&path).await;
    assert!(shown["secret"].is_null(), "{shown}");
}

#[tokio::test]
async fn an_account_with_the_name_of_a_robot_is_one() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    let robots = harbor.get("/robots").await;
    assert_eq!(robots[0]["name"], "robot$ci");
    assert_eq!(
        robots[0]["permissions"],
        json!([{"kind": "project", "namespace": "team", "access": [{"resource": "repository", "action": "pull"}]}])
    );
    let old = ("robot$ci", "robot$ci-Passw0rd");
    assert_eq!(harbor.status(Some(old), "team/app", "1").await, 200);
    let path = format!("/robots/{}", robots[0]["id"]);
    let new = harbor.ok("admin", "PATCH", &path, Some(&json!({}))).await.json();
    assert_eq!(harbor.status(Some(old), "team/app", "1").await, 401, "the account's password counts no more");
    assert_eq!(harbor.status(Some((old.0, text(&new, "secret"))), "team/app", "1").await, 200);
    let mut changed = harbor.get(&path).await;
    changed["permissions"][0]["access"][0]["action"] = "push".into();
    harbor.ok("admin", "PUT", &path, Some(&changed)).await;
    assert_eq!(harbor.status(Some((old.0, text(&new, "secret"))), "team/app", "1").await, 401);
    harbor.ok("admin", "DELETE", &path, None).await;
    assert_eq!(harbor.get("/robots").await, json!([]));
}

#[tokio::test]
async fn who_may_do_what_with_robots() {
    let harbor = Harbor::new().await;
    let team = harbor.project("team").await;
    let of_team = format!("/robots?q=Level%3Dproject%2CProjectID%3D{team}");
    let body = robot("ci", "project", "team", &["pull"]);
    for (user, method, path, status) in [
        ("", "GET", "/robots", 401),
        ("stranger:wrong", "GET", "/robots", 401),
        ("stranger", "GET", "/robots", 403),
        ("keeper", "GET", "/robots", 403),
        ("keeper", "GET", of_team.as_str(), 200),
        ("guest", "GET", &of_team, 403),
        ("keeper", "POST", "/robots", 403),
        ("", "POST", "/robots", 401),
    ] {
        let body = (method == "POST").then_some(&body);
        assert_eq!(harbor.api(user, method, path, body).await.status, status, "{user} {method} {path}");
    }
    // A robot that makes robots gives them nothing that it has not.
    let mut maker = robot("maker", "system", "team", &["pull"]);
    let rights = json!([{"kind": "system", "namespace": "/", "access": [{"resource": "robot", "action": "create"}]},
        {"kind": "project", "namespace": "team", "access": [{"resource": "repository", "action": "pull"}]}]);
    maker["permissions"] = rights;
    let maker = made(&harbor, &maker).await;
    let maker = format!("{}:{}", text(&maker, "name"), text(&maker, "secret"));
    let more = robot("more", "system", "*", &["pull"]);
    assert_eq!(harbor.api(&maker, "POST", "/robots", Some(&more)).await.status, 403);
    let less = robot("less", "system", "team", &["pull"]);
    assert_eq!(harbor.api(&maker, "POST", "/robots", Some(&less)).await.status, 201);
}

#[tokio::test]
async fn requests_for_robots_that_make_no_sense_are_refused_in_harbors_words() {
    let harbor = Harbor::new().await;
    let good = robot("ci", "project", "team", &["pull"]);
    harbor.ok("admin", "POST", "/robots", Some(&good)).await;
    let changed = |pointer: &str, to: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = to;
        body
    };
    let access = "/permissions/0/access";
    for (body, status, message) in [
        (good.clone(), 409, "robot account 2:team+ci already exists"),
        (
            changed("/name", "CI".into()),
            400,
            "robot name is not in lower case or contains illegal characters",
        ),
        (
            changed("/name", "a+b".into()),
            400,
            "robot name is not in lower case or contains illegal characters",
        ),
        (changed("/duration", (-2).into()), 400, "bad request error duration input: -2"),
        (changed("/level", "host".into()), 400, "bad request error level input: host"),
        (changed("/permissions", json!([])), 400, "bad request empty permission"),
        (changed(access, json!([])), 400, "bad request empty access"),
        (changed("/permissions/0/kind", "host".into()), 400, "unknown robot kind"),
        (
            changed("/permissions/0/access/0/action", "fly".into()),
            400,
            "bad request permission: repository:fly",
        ),
        (changed("/permissions/0/namespace", "nowhere".into()), 404, "project nowhere not found"),
    ] {
        let refused = harbor.refused("admin", "POST", "/robots", Some(&body)).await;
        assert_eq!(refused, (status, message.to_owned()), "{body}");
    }
    let none = harbor.refused("admin", "POST", "/robots", None).await;
    assert_eq!(none, (422, "robot in body is required".into()));
    let number = harbor.refused("admin", "GET", "/robots/one", None).await;
    assert_eq!(number.0, 422);
    let typed = changed("/duration", "long".into());
    let typed = harbor.refused("admin", "POST", "/robots", Some(&typed)).await;
    assert!(
        typed.0 == 400 && typed.1.starts_with("parsing robot body from \"\" failed, because "),
        "{typed:?}"
    );
}

#[tokio::test]
async fn robots_and_projects_are_there_after_a_restart() {
    let harbor = Harbor::with(World::on_disk()).await;
    harbor.push("team/app", "1", "app");
    let body = json!({"project_name": "new", "metadata": {"public": "true"}});
    harbor.ok("admin", "POST", "/projects", Some(&body)).await;
    let robot = made(&harbor, &robot("ci", "project", "team", &["pull"])).await;
    let kept = std::fs::read_to_string(harbor.world.data().join(format!("apis/{HOST}.json"))).unwrap();
    assert!(!kept.contains(text(&robot, "secret")), "no secret is written down");
    let world = harbor.world.restarted().await;
    let info = world.registry.add_host(spec()).await.unwrap();
    let harbor = Harbor { world, info };
    let login = (text(&robot, "name"), text(&robot, "secret"));
    assert_eq!(harbor.status(Some(login), "team/app", "1").await, 200);
    assert_eq!(harbor.get("/projects/new").await["metadata"]["public"], "true");
    let next = made(&harbor, &crate::robot("two", "project", "team", &["pull"])).await;
    assert!(next["id"].as_i64() > robot["id"].as_i64(), "numbers are not given twice");
}
