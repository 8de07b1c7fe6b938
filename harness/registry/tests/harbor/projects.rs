//! Projects, and who may pull from them.

use serde_json::{Value, json};

use crate::{HOST, Harbor};

#[tokio::test]
async fn a_public_project_is_pulled_by_everybody_and_a_private_one_is_not() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    assert_eq!(harbor.status(None, "team/app", "1").await, 401);
    assert_eq!(harbor.status(Some(("stranger", "stranger-Passw0rd")), "team/app", "1").await, 401);
    assert_eq!(harbor.status(Some(("guest", "guest-Passw0rd")), "team/app", "1").await, 200);
    let open = |public: &str| json!({"metadata": {"public": public}});
    harbor.ok("admin", "PUT", "/projects/team", Some(&open("true"))).await;
    assert_eq!(harbor.status(None, "team/app", "1").await, 200);
    // As clients do: those who look first are sent for a token; those who get it at once need none.
    let call = crate::common::Call { to: harbor.info.address, name: Some(HOST), node: None };
    let path = "/v2/team/app/manifests/1";
    let looked = harbor.world.ask(&call, "HEAD", path, "").await;
    assert_eq!(looked.status, 401);
    assert!(looked.header("www-authenticate").starts_with("Bearer realm="));
    assert_eq!(harbor.world.ask(&call, "GET", path, "").await.status, 200);
    harbor.ok("admin", "PUT", "/projects/team", Some(&open("false"))).await;
    assert_eq!(harbor.status(None, "team/app", "1").await, 401);
    let refused = harbor.world.ask(&call, "GET", path, "").await;
    let words = "unauthorized to access repository: team/app, action: pull: unauthorized to access repository: team/app, action: pull";
    assert_eq!(refused.json()["errors"][0]["message"], words);
    assert!(refused.header("www-authenticate").starts_with("Bearer realm="), "nobody has logged in");
    let nowhere = crate::login("guest");
    let unknown = harbor.world.ask(&call, "GET", "/v2/nowhere/app/manifests/1", &nowhere).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(
        unknown.json()["errors"][0]["message"],
        "project nowhere not found: project nowhere not found"
    );
    assert_eq!(unknown.header("www-authenticate"), "");
}

#[tokio::test]
async fn projects_are_made_found_and_deleted() {
    let harbor = Harbor::new().await;
    let body = json!({"project_name": "new", "metadata": {"public": "false"}, "storage_limit": -1});
    let made = harbor.ok("keeper", "POST", "/projects", Some(&body)).await;
    assert_eq!(made.status, 201);
    let id = made.header("location").rsplit_once('/').unwrap().1.to_owned();
    let shown = harbor.ok("keeper", "GET", &format!("/projects/{id}"), None).await.json();
    assert_eq!(shown["name"], "new");
    assert_eq!((&shown["owner_name"], &shown["repo_count"]), (&"keeper".into(), &0.into()));
    assert_eq!(shown["metadata"], json!({"public": "false"}));
    assert_eq!(shown["current_user_role_id"], 1);
    assert_eq!(harbor.api("keeper", "HEAD", "/projects?project_name=new", None).await.status, 200);
    assert_eq!(harbor.api("admin", "HEAD", "/projects?project_name=newer", None).await.status, 404);
    assert_eq!(harbor.api("", "HEAD", "/projects?project_name=new", None).await.status, 401);
    let again = harbor.refused("keeper", "POST", "/projects", Some(&body)).await;
    assert_eq!(again, (409, "The project named new already exists".into()));
    // Whoever made it pushes to it without being asked who they are in any repository.
    let call = crate::common::local(&harbor.info);
    let path = "/v2/new/app/blobs/uploads/";
    assert_eq!(harbor.world.ask(&call, "POST", path, &crate::login("keeper")).await.status, 202);
    assert_eq!(harbor.world.ask(&call, "POST", path, &crate::login("guest")).await.status, 401);
    harbor.push("new/app", "1", "app");
    assert_eq!(harbor.get("/projects/new").await["repo_count"], 1);
    let full = harbor.refused("keeper", "DELETE", "/projects/new", None).await;
    let words = "precondition failed: the project contains repositories, can not be deleted";
    assert_eq!(full, (412, words.into()));
    assert_eq!(harbor.get("/projects/new/_deletable").await["message"], words[21..]);
    harbor.ok("keeper", "DELETE", "/projects/new/repositories/app", None).await;
    harbor.ok("keeper", "DELETE", "/projects/new", None).await;
    assert_eq!(harbor.refused("admin", "GET", "/projects/new", None).await.0, 404);
    assert_eq!(harbor.refused("keeper", "GET", "/projects/new", None).await, (403, "forbidden".into()));
    assert_eq!(harbor.world.ask(&call, "POST", path, &crate::login("keeper")).await.status, 401);
}

#[tokio::test]
async fn everybody_sees_what_is_theirs_and_what_is_open() {
    let harbor = Harbor::new().await;
    harbor.push("team/app", "1", "app");
    let names = async |user: &str, query: &str| -> Vec<String> {
        let list = harbor.ok(user, "GET", &format!("/projects{query}"), None).await.json();
        list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("", "").await, ["library"]);
    assert_eq!(names("guest:wrong", "").await, ["library"], "a wrong password is nobody's");
    assert_eq!(names("stranger", "").await, ["library"]);
    assert_eq!(names("guest", "").await, ["library", "team"]);
    assert_eq!(names("guest", "?public=false").await, ["team"]);
    assert_eq!(names("admin", "?name=tea").await, ["team"]);
    assert_eq!(names("admin", "?q=name%3Dlibrary").await, ["library"]);
    assert_eq!(names("admin", "?owner=nobody").await, Vec::<String>::new());
    for (user, method, path, status) in [
        ("stranger", "GET", "/projects/team", 403),
        ("", "GET", "/projects/team", 401),
        ("", "GET", "/projects/library", 200),
        ("guest", "GET", "/projects/team", 200),
        ("guest", "PUT", "/projects/team", 403),
        ("keeper", "DELETE", "/projects/team", 403),
        ("guest", "GET", "/projects/team/repositories", 200),
        ("stranger", "GET", "/projects/team/repositories", 403),
        ("guest", "DELETE", "/projects/team/repositories/app", 403),
        ("guest", "GET", "/projects/team/logs", 403),
        ("keeper", "GET", "/projects/team/logs", 200),
    ] {
        let body: Option<Value> = (method == "PUT").then(|| json!({"metadata": {"public": "true"}}));
        let reply = harbor.api(user, method, path, body.as_ref()).await;
        assert_eq!(reply.status, status, "{user} {method} {path}: {}", reply.text());
    }
    let repositories = harbor.ok("", "GET", "/repositories", None).await;
    assert_eq!((repositories.json(), repositories.header("x-total-count")), (json!([]), "0"));
    assert_eq!(harbor.get("/repositories").await[0]["name"], "team/app");
}

#[tokio::test]
async fn a_robot_of_a_project_makes_none_and_bad_projects_are_refused() {
    let harbor = Harbor::new().await;
    let robot =
        harbor.ok("admin", "POST", "/robots", Some(&crate::robot("ci", "project", "team", &["pull"]))).await;
    let robot = robot.json();
    let robot = format!("{}:{}", robot["name"].as_str().unwrap(), robot["secret"].as_str().unwrap());
    let body = |name: &str| json!({"project_name": name});
    let refused = harbor.refused(&robot, "POST", "/projects", Some(&body("x"))).await;
    assert_eq!(refused, (403, "Only system level robot can create project".into()));
    let me = harbor.refused(&robot, "GET", "/users/current", None).await;
    assert_eq!(me, (412, "get current user not available for security context: robot".into()));
    for (body, status) in [
        (body(""), 400),
        (body("Upper"), 400),
        (body("a/b"), 400),
        (body(&"a".repeat(256)), 400),
        (json!({"project_name": "a", "metadata": {"public": "maybe"}}), 400),
        (json!({"project_name": "a", "registry_id": 7}), 404),
        (json!({"project_name": 7}), 400),
        (json!([]), 400),
    ] {
        assert_eq!(harbor.refused("admin", "POST", "/projects", Some(&body)).await.0, status, "{body}");
    }
    assert_eq!(harbor.refused("", "POST", "/projects", Some(&json!({"project_name": "a"}))).await.0, 401);
    let linked = json!({"metadata": {"retention_id": "9"}});
    assert_eq!(harbor.refused("admin", "PUT", "/projects/team", Some(&linked)).await.0, 400);
}
