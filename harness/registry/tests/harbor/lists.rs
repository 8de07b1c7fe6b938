//! Pages, order and what else every list has, and what a Harbor says of itself.

use serde_json::json;

use crate::Harbor;

#[tokio::test]
async fn lists_have_pages_and_say_where_the_others_are() {
    let harbor = Harbor::new().await;
    for number in 10..35 {
        let body = json!({"project_name": format!("p{number}")});
        harbor.ok("admin", "POST", "/projects", Some(&body)).await;
    }
    let page = async |query: &str| {
        let reply = harbor.ok("admin", "GET", &format!("/projects?{query}"), None).await;
        let list = reply.json();
        let first = list[0]["name"].as_str().unwrap_or_default().to_owned();
        let total = reply.header("x-total-count").to_owned();
        (list.as_array().unwrap().len(), first, total, reply.header("link").to_owned())
    };
    let (count, first, total, link) = page("").await;
    assert_eq!((count, first.as_str(), total.as_str()), (10, "library", "27"));
    assert_eq!(link, r#"</api/v2.0/projects?page=2&page_size=10>; rel="next""#);
    let (count, first, _, link) = page("page=2&page_size=20&name=p").await;
    assert_eq!((count, first.as_str()), (5, "p30"));
    assert_eq!(link, r#"</api/v2.0/projects?name=p&page=1&page_size=20>; rel="prev""#);
    let (_, _, _, link) = page("page=2&page_size=5").await;
    let both = r#"</api/v2.0/projects?page=1&page_size=5>; rel="prev" , </api/v2.0/projects?page=3&page_size=5>; rel="next""#;
    assert_eq!(link, both);
    assert_eq!(page("page=99999999999&page_size=100").await.0, 0);
    assert_eq!(page("page_size=0").await.0, 27, "all at once");
    assert_eq!(page("sort=-name").await.1, "team");
    assert_eq!(page("sort=-project_id&page_size=1").await.1, "p34");
    for (query, status, message) in [
        ("page=one", 422, "page in query must be of type int64: \"one\""),
        ("page_size=101", 422, "page_size in query should be less than or equal to 100"),
        ("page_size=-5", 422, "page_size in query should be greater than or equal to 0"),
        ("q=nothing", 400, "the query string must contain \"=\" and the key/value cannot be empty"),
        ("q=name%3D%7Bx", 400, "invalid query string value: {x"),
    ] {
        let refused = harbor.refused("admin", "GET", &format!("/projects?{query}"), None).await;
        assert_eq!(refused, (status, message.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_harbor_tells_of_itself_and_of_whoever_asks() {
    let harbor = Harbor::new().await;
    let ping = harbor.ok("", "GET", "/ping", None).await;
    assert_eq!((ping.text(), ping.header("content-type")), ("Pong", "text/plain"));
    assert!(
        ping.header("docker-distribution-api-version").is_empty() && ping.header("x-request-id").len() == 36
    );
    let health = harbor.ok("", "GET", "/health", None).await.json();
    assert_eq!(health["status"], "healthy");
    assert!(health["components"].as_array().unwrap().contains(&json!({"name": "core", "status": "healthy"})));
    let version = harbor.world.ask(&crate::common::local(&harbor.info), "GET", "/api/version", "").await;
    assert_eq!(version.json(), json!({"version": "v2.0"}));
    let stranger = harbor.ok("", "GET", "/systeminfo", None).await.json();
    assert_eq!(stranger, json!({"auth_mode": "db_auth", "self_registration": false}));
    let known = harbor.get("/systeminfo").await;
    assert!(known["harbor_version"].as_str().unwrap().starts_with("v2."));
    assert_eq!(known["registry_url"], harbor.info.address.to_string());
    let me = harbor.get("/users/current").await;
    assert_eq!(
        (&me["username"], &me["user_id"], &me["sysadmin_flag"]),
        (&"admin".into(), &1.into(), &true.into())
    );
    let other = harbor.ok("guest", "GET", "/users/current", None).await.json();
    assert_eq!((&other["username"], &other["sysadmin_flag"]), (&"guest".into(), &false.into()));
    assert_eq!(harbor.refused("", "GET", "/users/current", None).await, (401, "unauthorized".into()));
    let statistics = harbor.get("/statistics").await;
    assert_eq!(statistics["total_project_count"], 2);
}
