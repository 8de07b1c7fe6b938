//! What Docker Hub alone has: profiles of its limits, the limit of requests beside that of pulls, personal access tokens.

use http::Request;
use http_body_util::Full;
use pulldrill_clock::SignedDuration;
use pulldrill_registry::{
    Access, Account, HostInfo, HostSpec, ImageSpec, PersonalToken, RegistryError, RepositorySpec, TokenScope,
    limit_profiles,
};

use super::{
    HUB,
    common::{Call, Reply, World, basic, line, local},
    hub_token,
};

const PATH: &str = "/v2/library/postgres/manifests/15";

fn repository(name: &str, pull: Access) -> RepositorySpec {
    RepositorySpec { name: name.into(), pull, push: Access::Authenticated }
}

/// A Docker Hub with one public and one private repository.
async fn hub(world: &World, spec: HostSpec) -> HostInfo {
    let accounts = vec![Account { username: "dev".into(), password: "s3cret".into() }];
    let repositories =
        vec![repository("library/postgres", Access::Anonymous), repository("dev/app", Access::Authenticated)];
    let base = HostSpec { name: HUB.into(), personality: "docker-hub".into(), ..spec };
    let info = world.registry.add_host(HostSpec { accounts, repositories, ..base }).await.unwrap();
    for (repository, tag) in [("library/postgres", "15"), ("dev/app", "1")] {
        world.registry.push_image(HUB, repository, Some(tag), &ImageSpec::default()).unwrap();
    }
    info
}

fn tokens_of(info: &HostInfo) -> Call<'static> {
    Call { to: info.token_host.as_ref().unwrap().1, name: None, node: None }
}

#[tokio::test]
async fn each_profile_has_its_numbers_and_its_words() {
    const OLD: &str = "You have reached your pull rate limit. You may increase the limit by authenticating and \
        upgrading: https://www.docker.com/increase-rate-limit";
    const NOW: &str =
        "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
    for (profile, anonymous, user, words) in [
        ("docker-hub", "100;w=21600", "200;w=21600", NOW),
        ("docker-hub-2020", "100;w=21600", "200;w=21600", OLD),
        ("docker-hub-2020-paid", "100;w=21600", "5000;w=86400", OLD),
        ("docker-hub-announced-2025", "10;w=3600", "100;w=3600", NOW),
        ("docker-hub-paid", "100;w=21600", "", NOW),
    ] {
        assert!(limit_profiles().any(|known| known == profile));
        let world = World::held();
        let info = hub(&world, HostSpec { limits: Some(profile.into()), ..HostSpec::default() }).await;
        let to = tokens_of(&info).to;
        for (login, limit) in [(String::new(), anonymous), (basic("dev", "s3cret"), user)] {
            let token = hub_token(&world, to, "library/postgres", &login).await;
            let head = world.ask(&local(&info), "HEAD", PATH, &token).await;
            assert_eq!((head.status.as_u16(), head.header("ratelimit-limit")), (200, limit), "{profile}");
            assert_eq!(head.header("ratelimit-remaining"), limit, "{profile}: HEAD is free");
            let source = head.header("docker-ratelimit-source");
            assert_eq!(source == "127.0.0.1", login.is_empty(), "{profile}: {source}");
        }
        world.registry.exhaust(HUB, [127, 0, 0, 1].into()).unwrap();
        let token = hub_token(&world, to, "library/postgres", "").await;
        let spent = world.ask(&local(&info), "GET", PATH, &token).await;
        assert_eq!(spent.status, 429);
        assert!(spent.header("ratelimit-remaining").starts_with("0;w="), "{profile}");
        let error = serde_json::json!({ "code": "TOOMANYREQUESTS", "message": words });
        assert_eq!(spent.json(), serde_json::json!({ "errors": [error] }), "{profile}");
    }
    let world = World::held();
    let host = HostSpec { limits: Some("docker-hub-1999".into()), ..HostSpec::usual("docker-hub").unwrap() };
    let refused = world.registry.add_host(host).await.unwrap_err();
    assert!(refused.to_string().contains("docker-hub-announced-2025"), "{refused}");
}

#[tokio::test]
async fn who_has_no_token_is_not_told_of_a_quota() {
    let world = World::held();
    let info = hub(&world, HostSpec::default()).await;
    for login in ["", "Bearer nonsense"] {
        let refused = world.ask(&local(&info), "HEAD", PATH, login).await;
        assert_eq!((refused.status.as_u16(), refused.header("ratelimit-limit")), (401, ""));
        assert_eq!(refused.header("docker-ratelimit-source"), "127.0.0.1");
    }
}

/// Asks over one connection, again and again, until it is refused; how often it was answered.
async fn until_refused(world: &World, info: &HostInfo, token: &str) -> u32 {
    let mut sender = line(world.authority.pem(), info.address).await;
    for n in 0..10_000 {
        let request = Request::head(PATH).header("host", HUB).header("authorization", token);
        let answer = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        if answer.status() == 429 {
            return n;
        }
        assert_eq!(answer.status(), 200);
        sender.ready().await.unwrap();
    }
    panic!("nobody minds ten thousand requests");
}

#[tokio::test]
async fn who_asks_too_much_is_sent_away_in_plain_words() {
    let world = World::held();
    let info = hub(&world, HostSpec { limits: Some("docker-hub-2020".into()), ..HostSpec::default() }).await;
    let to = tokens_of(&info).to;
    let token = hub_token(&world, to, "library/postgres", &basic("dev", "s3cret")).await;
    // The token was the first request of this minute.
    assert_eq!(until_refused(&world, &info, &token).await, 2_999);
    world.clock.advance(SignedDuration::from_secs(18)).await;
    let refused = world.ask(&local(&info), "GET", PATH, &token).await;
    assert_eq!((refused.status.as_u16(), refused.text()), (429, "Too Many Requests (HAP429)\n"));
    assert_eq!((refused.header("retry-after"), refused.header("content-type")), ("42", "text/plain"));
    for absent in ["ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source", "www-authenticate"] {
        assert_eq!(refused.header(absent), "", "{absent}");
    }
    // At every door, but only those of this address.
    assert_eq!(world.ask(&tokens_of(&info), "GET", "/token", "").await.status, 429);
    let elsewhere = Call { node: Some(("node-2", [203, 0, 113, 9].into())), ..local(&info) };
    assert_eq!(world.ask(&elsewhere, "HEAD", PATH, &token).await.status, 200);
    world.clock.advance(SignedDuration::from_secs(42)).await;
    let again = world.ask(&local(&info), "HEAD", PATH, &token).await;
    assert_eq!(again.header("ratelimit-remaining"), "200;w=21600", "no pull was counted");
}

#[tokio::test]
async fn personal_access_tokens_are_good_for_what_they_say() {
    let world = World::held();
    let now = world.clock.now();
    let personal = |name: &str, scope, expires_at| PersonalToken {
        username: "dev".into(),
        token: format!("dckr_pat_{name}"),
        scope,
        expires_at,
    };
    let end = now + SignedDuration::from_hours(1);
    let personal_tokens = vec![
        personal("admin", TokenScope::Admin, None),
        personal("write", TokenScope::Write, Some(end)),
        personal("read", TokenScope::Read, None),
        personal("public", TokenScope::PublicRead, None),
    ];
    let info = hub(&world, HostSpec { personal_tokens, ..HostSpec::default() }).await;
    let ask = async |name: &str, repository: &str, actions: &str| {
        let path = format!("/token?service=registry.docker.io&scope=repository:{repository}:{actions}");
        world.ask(&tokens_of(&info), "GET", &path, &basic("dev", &format!("dckr_pat_{name}"))).await
    };
    let bearer = |reply: &Reply| format!("Bearer {}", reply.json()["token"].as_str().unwrap());
    let app = "/v2/dev/app/manifests/1";
    for (name, actions, token) in [
        ("admin", "pull,push", 200),
        ("admin", "*", 200),
        ("write", "pull,push", 200),
        ("write", "delete", 401),
        ("read", "pull", 200),
        ("read", "pull,push", 401),
        ("public", "pull,push", 401),
    ] {
        let reply = ask(name, "dev/app", actions).await;
        assert_eq!(reply.status, token, "{name} {actions}");
        if token == 401 {
            assert_eq!(reply.text(), r#"{"details":"access token has insufficient scopes"}"#);
        } else {
            let pulled = world.ask(&local(&info), "GET", app, &bearer(&reply)).await;
            assert_eq!(pulled.status, 200, "{name} {actions}");
            assert_eq!(world.registry.pull_log().since(0).last().unwrap().identity.as_deref(), Some("dev"));
        }
    }
    let public = bearer(&ask("public", "library/postgres", "pull").await);
    assert_eq!(world.ask(&local(&info), "GET", PATH, &public).await.status, 200);
    let hidden = bearer(&ask("public", "dev/app", "pull").await);
    assert_eq!(world.ask(&local(&info), "GET", app, &hidden).await.status, 401);
    // What a read-only token pushes is refused, whatever it got its bearer token for.
    let read = bearer(&ask("read", "dev/app", "pull").await);
    let push = Request::post("/v2/dev/app/blobs/uploads/").header("authorization", &read);
    assert_eq!(world.send(&local(&info), push, b"").await.status, 401);
    let (kept, lasting) = ("offline_token=true&", "access_type=offline&");
    let offline = format!("/token?{kept}service=registry.docker.io");
    let login = world.ask(&tokens_of(&info), "GET", &offline, &basic("dev", "dckr_pat_read")).await;
    assert_eq!((login.status.as_u16(), &login.json()["refresh_token"]), (200, &serde_json::Value::Null));
    let form = format!("{lasting}grant_type=password&username=dev&password=dckr_pat_read&client_id=x");
    let login = world.send(&tokens_of(&info), Request::post("/token"), form.as_bytes()).await;
    assert_eq!((login.status.as_u16(), &login.json()["refresh_token"]), (200, &serde_json::Value::Null));
    assert_eq!(ask("nonsense", "dev/app", "pull").await.status, 401);
    assert_eq!(world.registry.credentials(HUB, "dev", "dckr_pat_write"), Some(Some(end)));
    assert_eq!(world.registry.credentials(HUB, "dev", "dckr_pat_read"), Some(None));
    world.clock.advance(SignedDuration::from_hours(1)).await;
    assert_eq!(
        ask("write", "dev/app", "pull").await.text(),
        r#"{"details":"personal access token is expired"}"#
    );
    assert_eq!(world.registry.credentials(HUB, "dev", "dckr_pat_write"), None);
    let other =
        HostSpec { personal_tokens: vec![personal("x", TokenScope::Read, None)], ..HostSpec::default() };
    let other = HostSpec { name: "r.example".into(), personality: "distribution".into(), ..other };
    assert!(matches!(world.registry.add_host(other).await, Err(RegistryError::NoPersonalTokens(_))));
}
