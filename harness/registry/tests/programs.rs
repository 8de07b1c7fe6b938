//! Other people's programs against the registry: curl, skopeo, aws. Skipped loudly where they are missing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{path::Path, process::Output};

use common::{World, program};
use pulldrill_clock::Clock;
use pulldrill_registry::{Access, AccessKey, HostSpec, ImageSpec};

const ECR: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";

/// Runs a program with nothing of the user's own around it.
async fn run(program: &Path, arguments: &[&str], home: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = tokio::process::Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(arguments).env_clear().env("PATH", path).env("HOME", home).envs(variables.iter().copied());
    command.kill_on_drop(true).output().await.unwrap()
}

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

struct Files {
    folder: tempfile::TempDir,
    authority: String,
}

fn files(world: &World) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certs");
    std::fs::create_dir(&certificates).unwrap();
    let file = certificates.join("ca.crt");
    std::fs::write(&file, world.authority.pem()).unwrap();
    Files { authority: file.to_str().unwrap().to_owned(), folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_in_and_out_with_each_personality() {
    let Some(skopeo) = program("skopeo") else { return };
    let world = World::with(Clock::live());
    let files = files(&world);
    let certificates = files.folder.path().join("certs");
    let (home, certificates) = (files.folder.path(), certificates.to_str().unwrap());
    let skopeo = async |arguments: &[&str]| run(&skopeo, arguments, home, &[]).await;
    for (name, personality) in [
        ("r.example", "distribution"),
        ("registry-1.docker.io", "docker-hub"),
        (ECR, "ecr"),
        ("harbor.example", "harbor"),
        ("eu-docker.pkg.dev", "artifact-registry"),
        ("ghcr.io", "ghcr"),
        ("quay.io", "quay"),
    ] {
        let info = world.host(name, personality, &[("dev/app", Access::Authenticated)]).await;
        let spec = ImageSpec { build: format!("app {name}"), docker: true, ..ImageSpec::default() };
        let image = world.registry.push_image(name, "dev/app", Some("1"), &spec).unwrap();
        let creds = if personality == "ecr" {
            let token = world.registry.issue_token(name).unwrap();
            format!("{}:{}", token.username, token.password)
        } else {
            "dev:s3cret".to_owned()
        };
        let source = format!("docker://{}/dev/app:1", info.address);
        let found = skopeo(&["inspect", "--cert-dir", certificates, "--creds", &creds, &source]).await;
        let found: serde_json::Value = serde_json::from_str(&text(&found)).unwrap();
        assert_eq!(found["Digest"], image.manifest_digest, "{personality}");
        let refused = skopeo(&["inspect", "--cert-dir", certificates, "--no-creds", &source]).await;
        assert!(!refused.status.success(), "{personality} let a stranger in");
        let folder = format!("dir:{}/{personality}", home.display());
        text(
            &skopeo(&[
                "--insecure-policy",
                "copy",
                "--src-cert-dir",
                certificates,
                "--src-creds",
                &creds,
                &source,
                &folder,
            ])
            .await,
        );
        let target = format!("docker://{}/dev/app:2", info.address);
        let copied = skopeo(&[
            "--insecure-policy",
            "copy",
            "--format",
            "oci",
            "--dest-cert-dir",
            certificates,
            "--dest-creds",
            &creds,
            &folder,
            &target,
        ])
        .await;
        text(&copied);
        let rewritten = world.registry.resolve(name, "dev/app", "2").unwrap();
        let content = world.registry.content_of(&rewritten).unwrap();
        assert_eq!(content.diff_ids, image.diff_ids, "{personality}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_reads_tags_and_rate_limits() {
    let Some(curl) = program("curl") else { return };
    let world = World::with(Clock::live());
    let files = files(&world);
    let info = world.host("r.example", "distribution", &[("payments-api", Access::Authenticated)]).await;
    world.registry.push_image("r.example", "payments-api", Some("v1"), &ImageSpec::default()).unwrap();
    let curl = async |arguments: &[&str]| {
        let mut all = vec!["-s", "--cacert", &files.authority];
        all.extend(arguments);
        text(&run(&curl, &all, files.folder.path(), &[]).await)
    };
    let url = format!("{}/v2/payments-api/tags/list", info.url);
    assert_eq!(curl(&["-u", "dev:s3cret", &url]).await, r#"{"name":"payments-api","tags":["v1"]}"#);
    assert!(curl(&[&format!("{}/v2/", info.url)]).await.contains("UNAUTHORIZED"));
    let hub = world.host("registry-1.docker.io", "docker-hub", &[]).await;
    world.registry.exhaust("registry-1.docker.io", [127, 0, 0, 1].into()).unwrap();
    let Some(_jq) = program("jq") else { return };
    // As Docker's documentation has it, but for the hosts.
    let check = format!(
        r#"TOKEN=$(curl "https://{}/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull" | jq -r .token)
curl --head -H "Authorization: Bearer $TOKEN" https://{}/v2/ratelimitpreview/test/manifests/latest
"#,
        hub.token_host.clone().unwrap().1,
        hub.address
    );
    let variables = [("CURL_CA_BUNDLE", files.authority.as_str())];
    let check =
        async || text(&run(Path::new("/bin/sh"), &["-c", &check], files.folder.path(), &variables).await);
    let head = check().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for line in [
        "ratelimit-limit: 100;w=21600",
        "ratelimit-remaining: 0;w=21600",
        "docker-ratelimit-source: 127.0.0.1",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    let door = serde_json::json!([{ "fault": "abuse-limit", "with": { "retry-after": 7 } }]);
    world.registry.set_faults("registry-1.docker.io", serde_json::from_value(door).unwrap()).unwrap();
    let head = check().await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 7"), "{head}");
    assert!(!head.contains("ratelimit-"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_gets_passwords_and_describes_images() {
    let Some(aws) = program("aws") else { return };
    let world = World::with(Clock::live());
    let files = files(&world);
    let info = world.host(ECR, "ecr", &[("payments-api", Access::Authenticated)]).await;
    world.registry.push_image(ECR, "payments-api", Some("v1"), &ImageSpec::default()).unwrap();
    let api = format!("https://{}", info.token_host.clone().unwrap().1);
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_CA_BUNDLE", files.authority.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_PAGER", ""),
    ];
    let aws = async |endpoint: &str, arguments: &[&str]| {
        let mut all = vec!["ecr", "--region", "ap-south-1", "--endpoint-url", endpoint];
        all.extend(arguments);
        run(&aws, &all, files.folder.path(), &variables).await
    };
    let password = text(&aws(&api, &["get-login-password"]).await);
    assert!(matches!(world.registry.credentials(ECR, "AWS", password.trim()), Some(Some(_))));
    let query =
        ["describe-images", "--repository-name", "payments-api", "--query", "imageDetails[*].imageTags"];
    let tags = text(&aws(&info.url, &[&query[..], &["--output", "json"]].concat()).await);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&tags).unwrap(), serde_json::json!([["v1"]]));
    text(&aws(&api, &["create-repository", "--repository-name", "new"]).await);
    let all = text(
        &aws(
            &api,
            &["describe-repositories", "--query", "repositories[].repositoryName", "--output", "text"],
        )
        .await,
    );
    assert_eq!(all.split_whitespace().collect::<Vec<_>>(), ["new", "payments-api"]);
    text(&aws(&api, &["list-images", "--repository-name", "payments-api"]).await);
    text(
        &aws(&api, &["batch-get-image", "--repository-name", "payments-api", "--image-ids", "imageTag=v1"])
            .await,
    );
    tags_stay_what_they_are(&world, &aws, &api).await;
    let arguments = ["sts", "--region", "ap-south-1", "--endpoint-url", &api, "get-caller-identity"];
    let me = text(&run(&program("aws").unwrap(), &arguments, files.folder.path(), &variables).await);
    let me: serde_json::Value = serde_json::from_str(&me).unwrap();
    assert_eq!(me["Account"], "123456789012");
    assert_eq!(me["Arn"], "arn:aws:sts::123456789012:assumed-role/node/lab");
    let missing = aws(&api, &["describe-images", "--repository-name", "nope"]).await;
    assert!(String::from_utf8_lossy(&missing.stderr).contains("RepositoryNotFoundException"));
}

/// With tags that are immutable, nothing can be pushed to one that is there, neither by a client nor by the owner.
async fn tags_stay_what_they_are(world: &World, aws: &impl AsyncFn(&str, &[&str]) -> Output, api: &str) {
    let put = ["put-image-tag-mutability", "--repository-name", "payments-api", "--image-tag-mutability"];
    let set = text(&aws(api, &[&put[..], &["IMMUTABLE"]].concat()).await);
    let set: serde_json::Value = serde_json::from_str(&set).unwrap();
    assert_eq!(set["imageTagMutability"], "IMMUTABLE");
    let ask = ["describe-repositories", "--query", "repositories[].[repositoryName,imageTagMutability]"];
    let told = text(&aws(api, &[&ask[..], &["--output", "text"]].concat()).await);
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["new", "MUTABLE", "payments-api", "IMMUTABLE"]);
    let host = world.registry.host_info(ECR).unwrap();
    let token = world.registry.issue_token(ECR).unwrap();
    let basic = common::basic("AWS", &token.password);
    let manifest = world.ask(&common::local(&host), "GET", "/v2/payments-api/manifests/v1", &basic).await;
    let push = async |tag: &str| {
        let request = http::Request::put(format!("/v2/payments-api/manifests/{tag}"))
            .header("content-type", manifest.header("content-type").to_owned())
            .header("authorization", &basic);
        world.send(&common::local(&host), request, &manifest.body).await
    };
    assert_eq!(push("v2").await.status, 201);
    for tag in ["v1", "v2"] {
        let refused = push(tag).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["code"]),
            (400, &"TAG_INVALID".into())
        );
        let message = refused.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        let words =
            format!("The image tag '{tag}' already exists in the 'payments-api' repository and cannot");
        assert!(message.starts_with(&words), "{message}");
    }
    let owner = world.registry.push_image(ECR, "payments-api", Some("v1"), &ImageSpec::default());
    assert!(owner.unwrap_err().to_string().contains("immutable"));
    text(&aws(api, &[&put[..], &["MUTABLE"]].concat()).await);
    assert_eq!(push("v1").await.status, 201);
    let wrong = aws(api, &[&put[..], &["SOMETIMES"]].concat()).await;
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("imageTagMutability"), "{wrong:?}");
    let create = ["create-repository", "--repository-name", "fixed", "--image-tag-mutability", "IMMUTABLE"];
    assert!(text(&aws(api, &create).await).contains("IMMUTABLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_told_of_wrong_keys() {
    let Some(aws) = program("aws") else { return };
    let world = World::with(Clock::live());
    let files = files(&world);
    let key = AccessKey { id: "AKIDEXAMPLE".into(), secret: "right".into() };
    let spec = HostSpec {
        name: ECR.into(),
        personality: "ecr".into(),
        access_keys: vec![key],
        ..HostSpec::default()
    };
    let info = world.registry.add_host(spec).await.unwrap();
    let call = async |id: &str, secret: &str, region: &str| {
        let variables = [
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_CA_BUNDLE", files.authority.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let arguments = ["ecr", "--region", region, "--endpoint-url", &info.url, "get-login-password"];
        let output = run(&aws, &arguments, files.folder.path(), &variables).await;
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (fine, said) = call("AKIDEXAMPLE", "right", "ap-south-1").await;
    assert!(fine, "{said}");
    for (id, secret, region, told) in [
        ("AKIDEXAMPLE", "wrong", "ap-south-1", "(InvalidSignatureException)"),
        ("AKIDOTHER", "right", "ap-south-1", "(UnrecognizedClientException)"),
        ("AKIDEXAMPLE", "right", "us-east-1", "Credential should be scoped to a valid region"),
    ] {
        let (fine, said) = call(id, secret, region).await;
        assert!(!fine && said.contains(told), "{said}");
    }
}
