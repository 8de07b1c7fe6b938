//! What clients see of each personality, over real TLS: challenges, bodies, quotas, tokens.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "personalities/hub.rs"]
mod hub;

use common::{Call, World, basic, local};
use pulldrill_clock::SignedDuration;
use pulldrill_registry::{Access, Account, HostSpec, ImageSpec, RepositorySpec};

const HUB: &str = "registry-1.docker.io";
const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";

async fn hub_token(world: &World, to: std::net::SocketAddr, repository: &str, authorization: &str) -> String {
    let call = Call { to, name: Some("auth.docker.io"), node: None };
    let path = format!(
        "/token?scope=repository%3A{}%3Apull&service=registry.docker.io",
        repository.replace('/', "%2F")
    );
    let reply = world.ask(&call, "GET", &path, authorization).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let json = reply.json();
    assert_eq!(json["expires_in"], 300);
    assert_eq!(json["token"], json["access_token"]);
    format!("Bearer {}", json["token"].as_str().unwrap())
}

#[tokio::test]
async fn docker_hub_challenges_counts_and_refuses() {
    let world = World::held();
    let info = world.host(HUB, "docker-hub", &[("library/postgres", Access::Anonymous)]).await;
    world.registry.push_image(HUB, "library/postgres", Some("15"), &ImageSpec::default()).unwrap();
    let (token_name, token_address) = info.token_host.clone().unwrap();
    assert_eq!(token_name, "auth.docker.io");
    let node = Call { to: info.address, name: Some(HUB), node: Some(("node-1", [203, 0, 113, 7].into())) };
    let path = "/v2/library/postgres/manifests/15";

    let refused = world.ask(&node, "GET", path, "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/postgres:pull\""
    );
    assert_eq!(
        refused.json(),
        serde_json::json!({"errors":[{"code":"UNAUTHORIZED","message":"authentication required",
            "detail":[{"Type":"repository","Class":"","Name":"library/postgres","Action":"pull"}]}]})
    );
    assert_eq!(refused.header("docker-ratelimit-source"), "203.0.113.7");
    assert_eq!(refused.header("docker-distribution-api-version"), "registry/2.0");
    assert_eq!(refused.header("strict-transport-security"), "max-age=31536000");
    let here = world.ask(&local(&info), "GET", path, "").await;
    assert!(here.header("www-authenticate").contains(&format!("realm=\"https://{token_address}/token\"")));

    let token = hub_token(&world, token_address, "library/postgres", "").await;
    for n in 0..100 {
        let head = world.ask(&node, "HEAD", path, &token).await;
        assert_eq!(head.header("ratelimit-limit"), "100;w=21600");
        assert_eq!(head.header("ratelimit-remaining"), format!("{};w=21600", 100 - n));
        assert_eq!(world.ask(&node, "GET", path, &token).await.status, 200);
    }
    assert_eq!(world.ask(&node, "HEAD", path, &token).await.status, 200);
    let spent = world.ask(&node, "GET", path, &token).await;
    assert_eq!(spent.status, 429);
    assert_eq!(
        spent.json(),
        serde_json::json!({"errors":[{"code":"TOOMANYREQUESTS","message":
            "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]})
    );
    let elsewhere =
        Call { to: info.address, name: Some(HUB), node: Some(("node-9", [203, 0, 113, 8].into())) };
    assert_eq!(world.ask(&elsewhere, "GET", path, &token).await.status, 200);

    let user = hub_token(&world, token_address, "library/postgres", &basic("dev", "s3cret")).await;
    let pulled = world.ask(&node, "GET", path, &user).await;
    assert_eq!((pulled.status.as_u16(), pulled.header("ratelimit-remaining")), (200, "199;w=21600"));
    let served = world.registry.pull_log().served("node-1", HUB, "library/postgres", world.clock.now());
    assert_eq!(served.last().unwrap().identity.as_deref(), Some("dev"));

    world.clock.advance(SignedDuration::from_secs(299)).await;
    assert_eq!(world.ask(&node, "HEAD", path, &token).await.status, 200);
    world.clock.advance(SignedDuration::from_secs(1)).await;
    let stale = world.ask(&node, "HEAD", path, &token).await;
    assert_eq!(stale.status, 401);
    assert!(stale.header("www-authenticate").ends_with("error=\"invalid_token\""));
    world.clock.advance(SignedDuration::from_secs(21_299)).await;
    let token = hub_token(&world, token_address, "library/postgres", "").await;
    assert_eq!(world.ask(&node, "GET", path, &token).await.status, 429);
    world.clock.advance(SignedDuration::from_secs(1)).await;
    assert_eq!(world.ask(&node, "GET", path, &token).await.status, 200);
    world.registry.exhaust(HUB, [203, 0, 113, 7].into()).unwrap();
    assert_eq!(world.ask(&node, "GET", path, &token).await.status, 429);
}

#[tokio::test]
async fn docker_hub_tokens_are_for_what_one_may_see() {
    let world = World::held();
    let info = world.host(HUB, "docker-hub", &[("acme/private", Access::Users(vec!["dev".into()]))]).await;
    world.registry.push_image(HUB, "acme/private", Some("1"), &ImageSpec::default()).unwrap();
    let (_, to) = info.token_host.clone().unwrap();
    for repository in ["acme/private", "library/missing"] {
        let token = hub_token(&world, to, repository, "").await;
        let reply = world.ask(&local(&info), "HEAD", &format!("/v2/{repository}/manifests/1"), &token).await;
        assert_eq!(reply.status, 401);
        assert!(reply.header("www-authenticate").ends_with("error=\"insufficient_scope\""));
    }
    let wrong = Call { to, name: None, node: None };
    let reply = world.ask(&wrong, "GET", "/token?service=registry.docker.io", &basic("dev", "no")).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text()),
        (401, r#"{"details":"incorrect username or password"}"#)
    );
    let form = "grant_type=password&username=dev&password=s3cret&service=registry.docker.io&client_id=containerd-client&scope=repository%3Aacme%2Fprivate%3Apull";
    let reply = world.send(&wrong, http::Request::post("/token"), form.as_bytes()).await;
    let token = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
    let found = world.ask(&local(&info), "GET", "/v2/acme/private/manifests/1", &token).await;
    assert_eq!(found.status, 200);
    let missing = world.ask(&local(&info), "GET", "/v2/acme/private/manifests/2", &token).await;
    assert_eq!(missing.json()["errors"][0]["detail"], "unknown tag=2");
    let preview = hub_token(&world, to, "ratelimitpreview/test", "").await;
    let reply =
        world.ask(&local(&info), "HEAD", "/v2/ratelimitpreview/test/manifests/latest", &preview).await;
    assert_eq!((reply.status.as_u16(), reply.header("ratelimit-remaining")), (200, "100;w=21600"));
}

#[tokio::test]
async fn ecr_tokens_end_after_exactly_twelve_hours_of_lab_time() {
    let world = World::held();
    let info = world.host(ECR, "ecr", &[("payments-api", Access::Authenticated)]).await;
    world.registry.push_image(ECR, "payments-api", Some("v1"), &ImageSpec::default()).unwrap();
    let call = Call { to: info.address, name: Some(ECR), node: None };
    let refused = world.ask(&call, "GET", "/v2/payments-api/manifests/v1", "").await;
    assert_eq!((refused.status.as_u16(), refused.text()), (401, "Not Authorized\n"));
    assert_eq!(
        refused.header("www-authenticate"),
        format!("Basic realm=\"https://{ECR}/\",service=\"ecr.amazonaws.com\"")
    );
    assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
    for (user, status) in [("AWS", 400), ("somebody", 401)] {
        let nonsense = basic(user, "no token");
        let refused = world.ask(&call, "GET", "/v2/payments-api/manifests/v1", &nonsense).await;
        assert_eq!(refused.status, status, "{}", refused.text());
    }
    let token = world.registry.issue_token(ECR).unwrap();
    assert_eq!(token.expires_at, world.clock.now() + SignedDuration::from_hours(12));
    let good = basic(&token.username, &token.password);
    let ask = async |path: &str| world.ask(&call, "GET", path, &good).await;
    assert_eq!(ask("/v2/payments-api/manifests/v1").await.status, 200);
    let missing = ask("/v2/payments-api/manifests/v9").await;
    assert_eq!(missing.json()["errors"][0]["message"], "Requested image not found");
    let unknown = ask("/v2/nothing/manifests/v9").await;
    assert_eq!(
        unknown.json()["errors"][0]["message"],
        "The repository with name 'nothing' does not exist in the registry with id '123456789012'"
    );
    assert_eq!(world.registry.credentials(ECR, "AWS", &token.password), Some(Some(token.expires_at)));
    world.clock.advance(SignedDuration::from_secs(12 * 3600 - 1)).await;
    assert_eq!(ask("/v2/payments-api/manifests/v1").await.status, 200);
    world.clock.advance(SignedDuration::from_secs(1)).await;
    let expired = ask("/v2/payments-api/manifests/v1").await;
    assert_eq!(expired.status, 403);
    assert_eq!(
        expired.json(),
        serde_json::json!({"errors":[{"code":"DENIED","message":
            "Your authorization token has expired. Reauthenticate and try again."}]})
    );
    assert_eq!(world.registry.credentials(ECR, "AWS", &token.password), None);
    let logged = world.registry.pull_log().since(0);
    assert!(logged.iter().all(|entry| !format!("{entry:?}").contains(&token.password)));
    assert_eq!(logged.last().unwrap().identity, None, "an expired token is nobody's");
}

#[tokio::test]
async fn harbor_and_artifact_registry_have_their_ways() {
    let world = World::held();
    let harbor = world.host("harbor.example", "harbor", &[("team/app", Access::Authenticated)]).await;
    let path = "/v2/team/app/manifests/1";
    let call = Call { to: harbor.address, name: Some("harbor.example"), node: None };
    let refused = world.ask(&call, "GET", path, "").await;
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"https://harbor.example/service/token\",service=\"harbor-registry\",scope=\"repository:team/app:pull\""
    );
    let words = "unauthorized to access repository: team/app, action: pull: unauthorized to access repository: team/app, action: pull";
    assert_eq!(refused.json()["errors"][0]["message"], words);
    let looked = world.ask(&call, "HEAD", path, "").await;
    assert_eq!(looked.header("www-authenticate"), refused.header("www-authenticate"));
    let scope = "scope=repository:team/app:pull";
    let lenient = format!("/service/token?service=harbor-registry&{scope}");
    let empty = world.ask(&call, "GET", &lenient, &basic("dev", "wrong")).await;
    assert_eq!(empty.status, 200);
    let token = format!("Bearer {}", empty.json()["token"].as_str().unwrap());
    let denied = world.ask(&call, "GET", path, &token).await;
    assert_eq!((denied.status.as_u16(), denied.header("www-authenticate")), (401, "Basic realm=\"harbor\""));
    let good = world.ask(&call, "GET", &lenient, &basic("dev", "s3cret")).await;
    let token = format!("Bearer {}", good.json()["token"].as_str().unwrap());
    let missing = world.ask(&call, "GET", path, &token).await;
    assert_eq!(
        missing.text(),
        r#"{"errors":[{"code":"NOT_FOUND","message":"artifact team/app:1 not found"}]}"#
    );
    let offline = format!("{lenient}&offline_token=true");
    let kept = world.ask(&call, "GET", &offline, &basic("dev", "s3cret")).await;
    assert!(kept.json()["refresh_token"].is_null(), "nobody could use it here");
    let other = format!("/service/token?service=other&{scope}");
    assert!(world.ask(&call, "GET", &other, "").await.text().contains("Unable to handle service: other"));
    assert_eq!(world.ask(&call, "POST", &lenient, "").await.status, 405);

    let google =
        world.host("eu-docker.pkg.dev", "artifact-registry", &[("p/r/i", Access::Authenticated)]).await;
    let call = Call { to: google.address, name: Some("eu-docker.pkg.dev"), node: None };
    let base = world.ask(&call, "GET", "/v2/", "").await;
    assert_eq!(base.header("www-authenticate"), "Bearer realm=\"https://eu-docker.pkg.dev/v2/token\"");
    let path = "/v2/token?scope=repository:p/r/i:pull&service=eu-docker.pkg.dev";
    assert_eq!(world.ask(&call, "GET", path, "").await.status, 403);
    let failed = world.ask(&call, "GET", path, &basic("dev", "no")).await;
    assert_eq!(
        (failed.status.as_u16(), failed.json()["errors"][0]["message"].as_str()),
        (401, Some("authentication failed"))
    );
    assert_eq!(world.ask(&call, "POST", path, "").await.status, 404);
    assert_eq!(world.ask(&call, "GET", path, &basic("dev", "s3cret")).await.json()["expires_in"], 43_200);
    let bad = world.ask(&call, "GET", "/v2/p/r/i/manifests/1", "Bearer nonsense").await;
    assert_eq!((bad.status.as_u16(), bad.header("www-authenticate")), (401, ""));
}

/// A token of a host's own token service, for that repository.
async fn token(world: &World, call: &Call<'_>, path: &str, repository: &str, authorization: &str) -> String {
    let path = format!("{path}&scope=repository:{repository}:pull");
    let reply = world.ask(call, "GET", &path, authorization).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let json = reply.json();
    assert_eq!(json.as_object().unwrap().len(), 1, "nothing but the token: {json}");
    format!("Bearer {}", json["token"].as_str().unwrap())
}

#[tokio::test]
async fn ghcr_gives_strangers_no_token_and_users_one_for_nothing() {
    let world = World::held();
    let dev = || Access::Users(vec!["dev".into()]);
    let others = Access::Users(vec!["other".into()]);
    let repositories = [("lab/private", dev()), ("lab/public", Access::Anonymous), ("lab/theirs", others)];
    let info = world.host("ghcr.io", "ghcr", &repositories).await;
    for (repository, _) in &repositories {
        world.registry.push_image("ghcr.io", repository, Some("1"), &ImageSpec::default()).unwrap();
    }
    let call = Call { to: info.address, name: Some("ghcr.io"), node: None };
    let ask = async |path: &str, authorization: &str| world.ask(&call, "GET", path, authorization).await;
    let base = ask("/v2/", "").await;
    assert_eq!(base.status, 401);
    let challenge =
        "Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\",scope=\"repository:user/image:pull\"";
    assert_eq!(base.header("www-authenticate"), challenge);
    let refused = ask("/v2/lab/private/manifests/1", "").await;
    assert_eq!(refused.text(), r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#);
    assert!(refused.header("www-authenticate").ends_with("scope=\"repository:lab/private:pull\""));
    // What is private and what is not there look alike.
    let service = "/token?service=ghcr.io";
    for repository in ["lab/private", "lab/missing", "nobody/missing"] {
        let denied = ask(&format!("{service}&scope=repository:{repository}:pull"), "").await;
        let words =
            r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
        assert_eq!((denied.status.as_u16(), denied.text()), (403, words), "{repository}");
    }
    let public = token(&world, &call, service, "lab/public", "").await;
    assert_eq!(ask("/v2/lab/public/manifests/1", &public).await.status, 200);
    let tag = ask("/v2/lab/public/manifests/2", &public).await;
    assert_eq!((tag.status.as_u16(), &tag.json()["errors"][0]["code"]), (404, &"MANIFEST_UNKNOWN".into()));
    // An expired token of one's own, even for what everybody may have.
    for scope in ["&scope=repository:lab/public:pull", ""] {
        let denied = ask(&format!("{service}{scope}"), &basic("dev", "ghp_expired")).await;
        let words = r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#;
        assert_eq!((denied.status.as_u16(), denied.text()), (403, words));
    }
    let good = basic("dev", "s3cret");
    let mine = token(&world, &call, service, "lab/private", &good).await;
    assert_eq!(ask("/v2/lab/private/manifests/1", &mine).await.status, 200);
    let theirs = token(&world, &call, service, "lab/theirs", &good).await;
    let denied = ask("/v2/lab/theirs/manifests/1", &theirs).await;
    assert_eq!(denied.status, 403);
    assert_eq!(denied.json()["errors"][0]["message"], "permission_denied: read_package");
    let missing = token(&world, &call, service, "lab/missing", &good).await;
    assert_eq!(ask("/v2/lab/missing/manifests/1", &missing).await.status, 404);
    assert_eq!(world.ask(&call, "POST", service, "").await.status, 405);
    let digest = world.registry.resolve("ghcr.io", "lab/private", "1").unwrap();
    let scope = "&scope=repository:lab/private:*";
    let all = ask(&format!("{service}{scope}"), &good).await;
    let all = format!("Bearer {}", all.json()["token"].as_str().unwrap());
    let kept = world.ask(&call, "DELETE", &format!("/v2/lab/private/manifests/{digest}"), &all).await;
    assert_eq!((kept.status.as_u16(), &kept.json()["errors"][0]["code"]), (405, &"UNSUPPORTED".into()));
}

#[tokio::test]
async fn quay_has_robots_and_remembers_tags() {
    let world = World::held();
    let robot = Account { username: "lab+ci".into(), password: "TOKEN".into() };
    let repository = |name: &str, pull: Access| RepositorySpec {
        name: name.into(),
        pull,
        push: Access::Users(vec!["lab+ci".into()]),
    };
    let spec = HostSpec {
        name: "quay.io".into(),
        personality: "quay".into(),
        accounts: vec![robot, Account { username: "dev".into(), password: "s3cret".into() }],
        repositories: vec![
            repository("lab/private", Access::Users(vec!["lab+ci".into()])),
            repository("lab/public", Access::Anonymous),
        ],
        ..HostSpec::default()
    };
    let info = world.registry.add_host(spec).await.unwrap();
    for name in ["lab/private", "lab/public"] {
        world.registry.push_image("quay.io", name, Some("1"), &ImageSpec::default()).unwrap();
    }
    let call = Call { to: info.address, name: Some("quay.io"), node: None };
    let ask = async |path: &str, authorization: &str| world.ask(&call, "GET", path, authorization).await;
    let base = ask("/v2/", "").await;
    assert_eq!((base.status.as_u16(), base.text()), (401, "true"));
    let challenge = "Bearer realm=\"https://quay.io/v2/auth\",service=\"quay.io\"";
    assert_eq!(base.header("www-authenticate"), challenge);
    assert_eq!(ask("/v2/lab/public/manifests/1", "").await.status, 200, "without any token");
    let unauthorized = r#"{"errors":[{"code":"UNAUTHORIZED","detail":{},"message":"access to the requested resource is not authorized"}]}"#;
    let service = "/v2/auth?service=quay.io";
    let nothing = token(&world, &call, service, "lab/private", "").await;
    for authorization in ["", &nothing, "Bearer nonsense", &basic("lab+ci", "TOKEN")] {
        let refused = ask("/v2/lab/private/manifests/1", authorization).await;
        assert_eq!((refused.status.as_u16(), refused.text()), (401, unauthorized), "{authorization}");
        let scoped = format!("{challenge},scope=\"repository:lab/private:pull\"");
        assert_eq!(refused.header("www-authenticate"), scoped);
    }
    for (login, message) in [
        (basic("lab+ci", "no"), "Could not find robot with username: lab+ci and supplied password."),
        (basic("dev", "no"), "Invalid Username or Password"),
    ] {
        let refused = ask(&format!("{service}&scope=repository:lab/public:pull"), &login).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["message"]),
            (401, &message.into())
        );
    }
    assert_eq!(ask(service, "").await.text(), unauthorized);
    let odd = ask(&format!("{service}&scope=registry:catalog:*"), "").await;
    assert_eq!((odd.status.as_u16(), &odd.json()["errors"][0]["code"]), (400, &"INVALID_REQUEST".into()));
    let robot = basic("lab+ci", "TOKEN");
    let login = ask(service, &robot).await;
    let login = format!("Bearer {}", login.json()["token"].as_str().unwrap());
    assert_eq!(ask("/v2/", &login).await.text(), "true");
    let good = token(&world, &call, service, "lab/private", &robot).await;
    assert_eq!(ask("/v2/lab/private/manifests/1", &good).await.status, 200);
    let never = ask("/v2/lab/private/manifests/2", &good).await;
    let words = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","detail":{},"message":"manifest unknown"}]}"#;
    assert_eq!((never.status.as_u16(), never.text()), (404, words));
    assert!(world.registry.remove_tag("quay.io", "lab/private", "1").unwrap());
    let gone = ask("/v2/lab/private/manifests/1", &good).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["errors"][0]["code"]), (404, &"TAG_EXPIRED".into()));
    let words = "Tag 1 was deleted or has expired. To pull, revive via time machine";
    assert_eq!(gone.json()["errors"][0]["message"], words);
    world.registry.push_image("quay.io", "lab/private", Some("3"), &ImageSpec::default()).unwrap();
    let third = "/v2/lab/private/manifests/3";
    let refused = world.ask(&call, "DELETE", third, "").await;
    let scoped = format!("{challenge},scope=\"repository:lab/private:pull,push\"");
    assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (401, scoped.as_str()));
    let writer = ask(&format!("{service}&scope=repository:lab/private:pull,push"), &robot).await;
    let writer = format!("Bearer {}", writer.json()["token"].as_str().unwrap());
    assert_eq!(world.ask(&call, "DELETE", third, &good).await.status, 401, "whoever may only pull");
    assert_eq!(world.ask(&call, "DELETE", third, &writer).await.status, 202, "whoever may push");
    world.clock.advance(SignedDuration::from_secs(3_600)).await;
    assert_eq!(ask("/v2/lab/private/manifests/1", &good).await.status, 401);
}
