//! What people type: curl and jq, as they stand in guides and threads, but for the host, the port and the authority.

use std::process::Output;

use pulldrill_clock::Clock;
use serde_json::Value;

use crate::{
    Harbor,
    common::{World, program},
};

/// A shell with nothing of the user's own around it, in which `HARBOR` is the host and curl trusts it.
struct Shell {
    folder: tempfile::TempDir,
    harbor: Harbor,
}

impl Shell {
    async fn open() -> Option<Self> {
        for name in ["curl", "jq", "sh"] {
            program(name)?;
        }
        let harbor = Harbor::with(World::with(Clock::live())).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), harbor.world.authority.pem()).unwrap();
        Some(Self { folder, harbor })
    }

    async fn try_run(&self, script: &str) -> Output {
        let mut command = tokio::process::Command::new("sh");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(["-euc", script])
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("HARBOR", self.harbor.info.address.to_string())
            .env("PASSWORD", "admin-Passw0rd")
            .env("CURL_CA_BUNDLE", self.folder.path().join("ca.pem"))
            .current_dir(self.folder.path())
            .kill_on_drop(true);
        command.output().await.unwrap()
    }

    async fn run(&self, script: &str) -> String {
        let output = self.try_run(script).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}\n{}{said}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_are_listed_made_and_refreshed_by_curl() {
    let Some(shell) = Shell::open().await else { return };
    shell.harbor.push("team/app", "1", "app");
    let made = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" -X POST -H "Content-Type: application/json" \
               "https://${HARBOR}/api/v2.0/robots" -d '{
                 "name": "deploy", "duration": 30, "description": "for the cluster", "disable": false,
                 "level": "project",
                 "permissions": [{"kind": "project", "namespace": "team",
                   "access": [{"resource": "repository", "action": "pull"},
                              {"resource": "repository", "action": "push"}]}]
               }' | tee robot.json | jq -r '.name + " " + .secret'"#,
        )
        .await;
    let (name, secret) = made.split_once(' ').unwrap();
    assert_eq!(name, "robot$team+deploy");
    assert_eq!(shell.harbor.status(Some((name, secret)), "team/app", "1").await, 200);
    let listed = shell
        .run(
            r#"id=$(curl -s -u "admin:${PASSWORD}" "https://${HARBOR}/api/v2.0/projects/team" | jq .project_id)
               curl -s -u "admin:${PASSWORD}" \
                 "https://${HARBOR}/api/v2.0/robots?q=Level%3Dproject%2CProjectID%3D${id}" \
               | jq -r '.[] | "\(.id) \(.name) \(.expires_at) \(.disable)"'"#,
        )
        .await;
    assert!(listed.contains(" robot$team+deploy ") && listed.ends_with(" false"), "{listed}");
    let expired = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" "https://${HARBOR}/api/v2.0/robots?page_size=100" \
               | jq '[.[] | select(.expires_at != -1 and .expires_at < now)] | length'"#,
        )
        .await;
    assert_eq!(expired, "0");
    let refreshed = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" -X PATCH "https://${HARBOR}/api/v2.0/robots/$(jq .id robot.json)" \
               -H "Content-Type: application/json" -d '{"secret": ""}' | jq -r .secret"#,
        )
        .await;
    assert_eq!(shell.harbor.status(Some((name, secret)), "team/app", "1").await, 401);
    assert_eq!(shell.harbor.status(Some((name, &refreshed)), "team/app", "1").await, 200);
    let code = r#"curl -s -o /dev/null -w '%{http_code}' -u "admin:${PASSWORD}""#;
    let deleted = format!(r#"{code} -X DELETE "https://${{HARBOR}}/api/v2.0/robots/$(jq .id robot.json)""#);
    assert_eq!(shell.run(&deleted).await, "200");
    assert_eq!(shell.run(&deleted).await, "404");
    // A dollar sign in double quotes is the shell's: the user that arrives is another one.
    let eaten = shell
        .run(
            r#"team=""; curl -s -u "robot$team+deploy:x" "https://${HARBOR}/v2/" -o /dev/null -w '%{http_code}'"#,
        )
        .await;
    assert_eq!(eaten, "401");
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_and_tags_are_listed_and_deleted_by_curl() {
    let Some(shell) = Shell::open().await else { return };
    for tag in ["1.0", "1.1"] {
        shell.harbor.push("team/web/api", tag, tag);
    }
    let tags = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" -H "accept: application/json" \
               "https://${HARBOR}/api/v2.0/projects/team/repositories/web%252Fapi/artifacts?page=1&page_size=100&with_tag=true" \
               | jq -r '.[].tags[].name' | sort"#,
        )
        .await;
    assert_eq!(tags, "1.0\n1.1");
    let total = shell
        .run(
            r#"curl -s -I -X GET -u "admin:${PASSWORD}" "https://${HARBOR}/api/v2.0/projects/team/repositories?page_size=1" \
               | tr -d '\r' | awk 'tolower($1) == "x-total-count:" { print $2 }'"#,
        )
        .await;
    assert_eq!(total, "1");
    let found = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" \
               "https://${HARBOR}/api/v2.0/projects/team/repositories/web%252Fapi/artifacts?q=tags%3D1.1" \
               | jq -r '.[0].digest'"#,
        )
        .await;
    let digest = shell.harbor.world.registry.resolve(crate::HOST, "team/web/api", "1.1").unwrap();
    assert_eq!(found, digest);
    let deleted = shell
        .run(
            r#"curl -sS --fail -u "admin:${PASSWORD}" -X DELETE \
               "https://${HARBOR}/api/v2.0/projects/team/repositories/web%252Fapi/artifacts/1.1"
               curl -s -u "admin:${PASSWORD}" "https://${HARBOR}/api/v2.0/audit-logs?q=operation%3Ddelete" \
               | jq -r '.[0] | .username + " " + .resource'"#,
        )
        .await;
    assert_eq!(deleted, "admin team/web/api:1.1");
    let missing = shell
        .run(
            r#"curl -s -u "admin:${PASSWORD}" \
               "https://${HARBOR}/api/v2.0/projects/team/repositories/web%252Fapi/artifacts/1.1" \
               | jq -c ."#,
        )
        .await;
    let missing: Value = serde_json::from_str(&missing).unwrap();
    assert_eq!(missing["errors"][0]["message"], "artifact team/web/api:1.1 not found");
    let health = r#"curl -sf "https://${HARBOR}/api/v2.0/health" | jq -r .status"#;
    assert_eq!(shell.run(health).await, "healthy");
}
