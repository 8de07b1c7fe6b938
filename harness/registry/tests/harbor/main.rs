//! A Harbor as its users know it: its API beside the registry, robots, projects, rules about tags, and what becomes of pulls.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod artifacts;
mod commands;
mod lists;
mod nonsense;
mod projects;
mod retention;
mod robots;

use common::{Call, Reply, World, basic, local};
use http::Request;
use pulldrill_registry::{Access, Account, HostInfo, HostSpec, ImageSpec, RepositorySpec};
use serde_json::{Value, json};

pub(crate) const HOST: &str = "harbor.example";

/// A Harbor with an administrator, somebody who looks after `team`, somebody who only pulls from it, and a stranger.
pub(crate) struct Harbor {
    pub(crate) world: World,
    pub(crate) info: HostInfo,
}

impl Harbor {
    pub(crate) async fn new() -> Self {
        Self::with(World::held()).await
    }

    pub(crate) async fn with(world: World) -> Self {
        let info = world.registry.add_host(spec()).await.unwrap();
        Self { world, info }
    }

    /// An image in a repository of `team`.
    pub(crate) fn push(&self, repository: &str, tag: &str, build: &str) -> String {
        let spec = ImageSpec { build: build.into(), ..ImageSpec::default() };
        let pushed = self.world.registry.push_image(HOST, repository, Some(tag), &spec);
        pushed.unwrap().manifest_digest
    }

    /// A call of the API, as somebody or (`""`) nobody.
    pub(crate) async fn api(&self, user: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v2.0{path}"));
        if !user.is_empty() {
            request = request.header("authorization", login(user));
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.world.send(&local(&self.info), request, text.as_bytes()).await
    }

    /// The same, where all should be well.
    pub(crate) async fn ok(&self, user: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let reply = self.api(user, method, path, body).await;
        assert!(reply.status.is_success(), "{method} {path}: {} {}", reply.status, reply.text());
        reply
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ok("admin", "GET", path, None).await.json()
    }

    /// The status and the message of a refusal.
    pub(crate) async fn refused(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, String) {
        let reply = self.api(user, method, path, body).await;
        assert_eq!(reply.header("content-type"), "application/json; charset=utf-8", "{}", reply.text());
        let error = reply.json()["errors"][0].clone();
        assert!(error["code"].is_string(), "{error}");
        (reply.status.as_u16(), error["message"].as_str().unwrap().to_owned())
    }

    /// What becomes of a pull with a token of the token service.
    pub(crate) async fn pull(&self, login: Option<(&str, &str)>, repository: &str, tag: &str) -> Reply {
        let call = Call { to: self.info.address, name: Some(HOST), node: None };
        let path = format!("/service/token?service=harbor-registry&scope=repository:{repository}:pull");
        let authorization = login.map(|(user, password)| basic(user, password)).unwrap_or_default();
        let token = self.world.ask(&call, "GET", &path, &authorization).await;
        assert_eq!(token.status, 200, "{}", token.text());
        let token = format!("Bearer {}", token.json()["token"].as_str().unwrap());
        self.world.ask(&call, "GET", &format!("/v2/{repository}/manifests/{tag}"), &token).await
    }

    pub(crate) async fn status(&self, login: Option<(&str, &str)>, repository: &str, tag: &str) -> u16 {
        self.pull(login, repository, tag).await.status.as_u16()
    }

    /// The number of a project.
    pub(crate) async fn project(&self, name: &str) -> i64 {
        self.get(&format!("/projects/{name}")).await["project_id"].as_i64().unwrap()
    }
}

/// The host of these tests.
pub(crate) fn spec() -> HostSpec {
    let account =
        |username: &str| Account { username: username.into(), password: format!("{username}-Passw0rd") };
    let users = |users: &[&str]| Access::Users(users.iter().map(ToString::to_string).collect());
    HostSpec {
        name: HOST.into(),
        personality: "harbor".into(),
        accounts: ["admin", "keeper", "guest", "stranger", "robot$ci"].map(account).into(),
        repositories: vec![RepositorySpec {
            name: "team/app".into(),
            pull: users(&["keeper", "guest", "robot$ci"]),
            push: users(&["keeper"]),
        }],
        ..HostSpec::default()
    }
}

pub(crate) fn login(user: &str) -> String {
    match user.split_once(':') {
        Some((user, password)) => basic(user, password),
        None => basic(user, &format!("{user}-Passw0rd")),
    }
}

/// A body that makes a robot which may do that in a project.
pub(crate) fn robot(name: &str, level: &str, namespace: &str, actions: &[&str]) -> Value {
    let access = actions.iter().map(|action| json!({"resource": "repository", "action": action}));
    json!({
        "name": name, "level": level, "duration": 30, "disable": false, "description": "made by a test",
        "permissions": [{"kind": "project", "namespace": namespace, "access": access.collect::<Vec<_>>()}],
    })
}
