//! Pulls as CRI-O makes them, from a real server: requests, and the words of each failure.

use serde_json::json;

use super::super::{
    fake,
    tests::{World, world},
};

const CRIO: &str = "k8s-1.31-cri-o-1.31";
const IMAGE: &str = "registry.lab.test/team/app:1.0";
const GOOD: Option<(&str, &str)> = Some(("labuser", "goodpass"));

async fn with_image() -> World {
    let world = world(CRIO).await;
    world.fake.image("team/app", "1.0", &json!({"a": "b"}));
    world
}

#[tokio::test]
async fn a_pull_asks_first_how_to_ask() {
    let world = with_image().await;
    world.fake.rule(|asked| {
        fake::basic(asked).or_else(|| (asked.path == "/v2/").then(|| (200, Vec::new(), Vec::new())))
    });
    let image = world.pull(IMAGE, GOOD).await.unwrap();
    assert_eq!(image.labels["a"], "b");
    let asked = world.fake.asked();
    assert!(asked.iter().all(|a| a.method == "GET" && a.user_agent.starts_with("cri-o/1.31")));
    assert_eq!(asked[0].path, "/v2/");
    assert!(asked[0].authorization.is_none() && asked[1..].iter().all(|a| a.authorization.is_some()));
    assert_eq!(asked[1].path, "/v2/team/app/manifests/1.0");
    assert_eq!(asked.len(), 4, "configuration and layer follow");
}

#[tokio::test]
async fn nobody_in_particular_may_pull_what_is_open_beside_what_is_not() {
    let world = with_image().await;
    world.fake.rule(|asked| {
        let closed = asked.path == "/v2/" || asked.authorization.is_some();
        closed.then(|| fake::basic(asked)).flatten()
    });
    assert!(world.pull(IMAGE, None).await.is_ok());
}

#[tokio::test]
async fn failures_are_told_in_its_words() {
    let world = with_image().await;
    assert_eq!(
        world.refusal("registry.lab.test/team/app:9.9", None).await,
        "reading manifest 9.9 in registry.lab.test/team/app: manifest unknown"
    );
    world.fake.rule(fake::basic);
    for login in [None, Some(("labuser", "bad"))] {
        assert_eq!(
            world.refusal(IMAGE, login).await,
            "reading manifest 1.0 in registry.lab.test/team/app: authentication required"
        );
    }
    world.fake.rule(|_| Some((503, Vec::new(), Vec::new())));
    assert_eq!(
        world.refusal(IMAGE, None).await,
        "pinging container registry registry.lab.test: received unexpected HTTP status: 503 Service Unavailable"
    );
    assert_eq!(
        world.refusal("nosuch.lab.test/team/app:1.0", None).await,
        "pinging container registry nosuch.lab.test: Get \"https://nosuch.lab.test/v2/\": dial tcp: lookup \
         nosuch.lab.test on 10.96.0.10:53: no such host"
    );
    world.fake.network.add_host("timeout.lab.test", "172.31.255.15".parse().unwrap());
    assert_eq!(
        world.refusal("timeout.lab.test/team/app:1.0", None).await,
        "pinging container registry timeout.lab.test: Get \"https://timeout.lab.test/v2/\": dial tcp \
         172.31.255.15:443: i/o timeout",
        "no failure has a class"
    );
    world.fake.refuse("refused.lab.test", "172.31.255.14");
    assert_eq!(
        world.refusal("refused.lab.test/team/app:1.0", None).await,
        "RegistryUnavailable: pinging container registry refused.lab.test: Get \"https://refused.lab.test/v2/\": dial \
         tcp 172.31.255.14:443: connect: connection refused"
    );
}

#[tokio::test]
async fn docker_hub_answers_through_its_token_service() {
    let world = world(CRIO).await;
    world.fake.image("limited/app", "5.0", &json!({}));
    world.fake.rule(|asked| fake::hub(asked, "limited/"));
    assert_eq!(
        world.refusal("nosuch/app:1.0", None).await,
        "reading manifest 1.0 in docker.io/nosuch/app: requested access to the resource is denied"
    );
    assert_eq!(
        world.fake.asked()[1].path,
        "/token?scope=repository%3Anosuch%2Fapp%3Apull&service=registry.docker.io"
    );
    assert_eq!(
        world.refusal("nosuch/app:1.0", Some(("u", "p"))).await,
        "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password"
    );
    assert!(world.pull("limited/app:5.0", None).await.is_ok());
    let before = world.fake.lines().len();
    world.fake.rule(|asked| {
        fake::hub(asked, "limited/").or_else(|| {
            let body = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"That was it."}]}"#;
            asked.path.contains("/manifests/").then(|| (429, Vec::new(), body.to_vec()))
        })
    });
    assert_eq!(
        world.refusal("limited/app:5.0", None).await,
        "reading manifest 5.0 in docker.io/limited/app: toomanyrequests: That was it."
    );
    assert_eq!(world.fake.lines().len() - before, 2 + 5, "it waits and tries again four times");
}

#[tokio::test]
async fn content_and_signatures_are_looked_at() {
    let world = with_image().await;
    let made = world.fake.image("team/app", "3.0", &json!({}));
    let (path, served) = (format!("/v2/team/app/blobs/{}", made.layer), world.fake.clone());
    world.fake.rule(move |asked| {
        let (status, headers, mut body) = (asked.path == path).then(|| served.stored(asked))?;
        body[0] ^= 1;
        Some((status, headers, body))
    });
    let text = world.refusal("registry.lab.test/team/app:3.0", None).await;
    let expected = format!("Digest did not match, expected {}, got sha256:", made.layer);
    assert!(text.starts_with("writing blob: storing blob to file") && text.contains(&expected), "{text}");
    world.fake.network.demand_signatures("registry.lab.test");
    assert_eq!(
        world.refusal(IMAGE, None).await,
        "SignatureValidationFailed: Source image rejected: A signature was required, but no signature exists"
    );
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": [
        {"digest": made.digest, "platform": {"os": "linux", "architecture": "arm64"}}]});
    world.fake.manifest("team/app", "arm-only", kind, &index);
    assert_eq!(
        world.refusal("registry.lab.test/team/app:arm-only", None).await,
        "choosing image instance: no image found in image index for architecture \"amd64\", variant \"\", OS \"linux\""
    );
}
