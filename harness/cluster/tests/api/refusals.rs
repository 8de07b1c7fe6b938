//! What the server says to requests that it can't read: its words are those of Go's libraries.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use pulldrill_clock::SignedDuration;
use serde_json::json;

use crate::world::{Answer, Client, World};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn send(client: &Client, method: Method, path: &str, media: &str, body: &str) -> Answer {
    client.ask(method, path, &[("content-type", media)], body.to_owned()).await
}

#[tokio::test]
async fn what_is_no_json_is_told_in_gos_words() {
    let world = World::new().await;
    let admin = world.admin();
    let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json \
                        parse error: ";
    for (body, told) in [
        ("", "unexpected end of JSON input (<empty>)"),
        ("{\"kind\": \"Config", "unexpected end of JSON input ({\"kind\": \"Config)"),
        ("x", "invalid character 'x' looking for beginning of value (78)"),
        (
            "{\"metadata\": {\"name\": \"a\",}, \"data\": {}}",
            "invalid character '}' looking for beginning of object key string ({\"metadata\": {\"name\": \"a\",}, \" ...)",
        ),
        (
            "[]",
            "json: cannot unmarshal array into Go value of type struct { APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" } (5b5d)",
        ),
    ] {
        let answer = send(&admin, Method::POST, CONFIG_MAPS, "application/json", body).await;
        assert_eq!((answer.code, answer.message()), (400, format!("{unrecognized}{told}")), "{body}");
    }
    // Nothing is an object without a name.
    assert_eq!(send(&admin, Method::POST, CONFIG_MAPS, "application/json", "null").await.code, 422);
    let path = format!("{CONFIG_MAPS}/kube-root-ca.crt");
    while admin.get(&path).await.code == 404 {
        tokio::task::yield_now().await;
    }
    for (kind, body, told) in [
        ("json-patch", "[", "error decoding patch: unexpected end of JSON input"),
        (
            "merge-patch",
            "{x",
            "error decoding patch: invalid character 'x' looking for beginning of object key string",
        ),
        ("strategic-merge-patch", "{]", "invalid character ']' looking for beginning of object key string"),
    ] {
        let answer = send(&admin, Method::PATCH, &path, &format!("application/{kind}+json"), body).await;
        assert_eq!((answer.code, answer.message().as_str()), (400, told), "{kind}");
    }
    let answer = admin.get(&format!("{CONFIG_MAPS}?limit=1&continue=eA")).await;
    let told = "invalid continue token: continue key is not valid: invalid character 'x' looking for beginning of value";
    assert_eq!((answer.code, answer.message().as_str()), (400, told));
}

#[tokio::test]
async fn fields_that_are_there_twice_are_refused_or_warned_about() {
    let world = World::new().await;
    let admin = world.admin();
    let body = r#"{"metadata": {"name": "a", "name": "b"}, "data": {"k": "1", "k": "2"}, "dta": {}}"#;
    let at = |how: &str| format!("{CONFIG_MAPS}?fieldValidation={how}");
    let strict = send(&admin, Method::POST, &at("Strict"), "application/json", body).await;
    let told = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \
                \"dta\", duplicate field \"metadata.name\", duplicate field \"data.k\"";
    assert_eq!((strict.code, strict.message().as_str()), (400, told));
    let warned = send(&admin, Method::POST, &at("Warn"), "application/json", body).await;
    let warnings: Vec<_> = warned.headers.get_all("warning").iter().map(|w| w.to_str().unwrap()).collect();
    assert_eq!(warned.code, 201);
    assert_eq!(
        warnings[1..],
        ["299 - \"duplicate field \\\"metadata.name\\\"\"", "299 - \"duplicate field \\\"data.k\\\"\"",]
    );
    // The last one counts.
    assert_eq!(warned.json()["metadata"]["name"], "b");
    assert_eq!(warned.json()["data"]["k"], "2");
    let body = r#"{"data": {"k": "3"}, "data": {"k": "4"}}"#;
    let (path, media) = (format!("{CONFIG_MAPS}/b"), "application/merge-patch+json");
    let strict = send(&admin, Method::PATCH, &format!("{path}?fieldValidation=Strict"), media, body).await;
    assert_eq!(strict.code, 422);
    assert!(
        strict.message().ends_with("strict decoding error: duplicate field \"data\""),
        "{}",
        strict.message()
    );
    let ignored = send(&admin, Method::PATCH, &format!("{path}?fieldValidation=Ignore"), media, body).await;
    assert_eq!((ignored.code, ignored.headers.get("warning")), (200, None));
    assert_eq!(ignored.json()["data"]["k"], "4");
}

#[tokio::test]
async fn revisions_and_forms_that_there_are_not() {
    let world = World::new().await;
    let admin = world.admin();
    let why = "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax";
    let list = admin.get("/api/v1/pods?resourceVersion=abc").await;
    assert_eq!((list.code, list.message()), (400, format!("invalid resource version: {why}")));
    let watch = admin.get("/api/v1/pods?resourceVersion=abc&watch=1").await;
    assert_eq!((watch.code, watch.message().as_str()), (500, why));
    let future = admin.get("/api/v1/pods?resourceVersion=99999999").await;
    let current = future.message();
    let current = current.strip_prefix("Timeout: Too large resource version: 99999999, current: ").unwrap();
    assert!(current.parse::<u64>().unwrap() > 0);
    assert_eq!((future.code, future.json()["reason"].as_str()), (504, Some("Timeout")));
    let details = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1});
    assert_eq!(future.json()["details"], details);
}

#[tokio::test]
async fn forms_that_there_are_not() {
    let world = World::new().await;
    let admin = world.admin();
    let get = async |path: &str, accept: &str| admin.ask(Method::GET, path, &[("accept", accept)], "").await;
    let available = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let only = "only the following media types are accepted: application/json";
    let protobuf = "application/vnd.kubernetes.protobuf";
    let (list, watch) = ("/api/v1/pods", "/api/v1/pods?watch=1");
    for (path, accept, told) in [
        (list, "text/x", format!("406: Not Acceptable\n\nAvailable representations: {available}")),
        (list, protobuf, format!("{only}, application/yaml")),
        ("/api/v1/namespaces/default", protobuf, format!("{only}, application/yaml")),
        (watch, &format!("{protobuf};stream=watch"), format!("{only};stream=watch")),
    ] {
        let answer = get(path, accept).await;
        assert_eq!((answer.code, answer.json()["reason"].as_str()), (406, Some("NotAcceptable")), "{accept}");
        assert_eq!(answer.json()["message"], told, "{accept}");
    }
    assert_eq!(get(watch, "application/yaml").await.code, 406);
    assert_eq!(get(list, &format!("{protobuf}, application/json")).await.json()["kind"], "PodList");
    let review =
        json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let headers = [("accept", protobuf), ("content-type", "application/json")];
    assert_eq!(admin.ask(Method::POST, path, &headers, review.to_string()).await.code, 406);
}

#[tokio::test]
async fn objects_lists_and_refusals_come_in_yaml_for_who_wants_it() {
    let world = World::new().await;
    let admin = world.admin();
    let get = async |path: &str| {
        let answer = admin.ask(Method::GET, path, &[("accept", "application/yaml")], "").await;
        assert_eq!(answer.headers["content-type"], "application/yaml", "{path}");
        assert_eq!(answer.headers["content-length"], answer.body.len().to_string(), "{path}");
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let object = get("/api/v1/namespaces/default").await;
    assert!(object.starts_with("apiVersion: v1\nkind: Namespace\nmetadata:\n"), "{object}");
    assert!(get("/api/v1/namespaces").await.contains("\nkind: NamespaceList\n"));
    assert!(get("/api/v1/namespaces/ghost").await.contains("namespaces \"ghost\" not found"));
    let version = admin.ask(Method::GET, "/version", &[("accept", "application/yaml")], "").await;
    assert_eq!(version.headers["content-type"], "application/json");
}

#[tokio::test]
async fn selectors_that_are_none() {
    let world = World::new().await;
    let admin = world.admin();
    for (query, told) in [
        ("labelSelector=a%3Db+c", "found 'c', expected: ',' or 'end of string'"),
        ("labelSelector=%3Dx", "found '=', expected: !, identifier, or 'end of string'"),
        (
            "fieldSelector=spec.x%3D1",
            "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        ("limit=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
    ] {
        for watch in ["", "&watch=1"] {
            let answer = admin.get(&format!("{CONFIG_MAPS}?{query}{watch}")).await;
            assert_eq!((answer.code, answer.message().as_str()), (400, told), "{query}{watch}");
            assert_eq!(answer.json()["reason"], "BadRequest");
        }
    }
    let all = admin.get("/api/v1/namespaces?limit=-1").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn tokens_of_pages_that_are_none_or_too_old() {
    let world = World::new().await;
    let admin = world.admin();
    let token = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let start = "(version meta.k8s.io/v1)";
    let v1 = "\"v\":\"meta.k8s.io/v1\"";
    for (token, told) in [
        ("!".to_owned(), "illegal base64 data at input byte 0".to_owned()),
        (token("{\"v\":\"x\"}"), "server does not recognize this encoded version x".to_owned()),
        (token(&format!("{{{v1}}}")), format!("incorrect encoded start resourceVersion {start}")),
        (token(&format!("{{{v1},\"rv\":1}}")), format!("encoded start key empty {start}")),
        (token(&format!("{{{v1},\"rv\":1,\"start\":\"a/../b\"}}")), "a/../b".to_owned()),
    ] {
        let answer = admin.get(&format!("/api/v1/namespaces?limit=1&continue={token}")).await;
        let told = format!("invalid continue token: continue key is not valid: {told}");
        assert_eq!((answer.code, answer.message()), (400, told), "{token}");
    }
    let first = admin.get("/api/v1/namespaces?limit=1").await.json();
    let next =
        format!("/api/v1/namespaces?limit=1&continue={}", first["metadata"]["continue"].as_str().unwrap());
    let both = admin.get(&format!("{next}&resourceVersion=7")).await;
    let told = "specifying resource version is not allowed when using continue";
    assert_eq!((both.code, both.message().as_str()), (400, told));
    world.cluster.store().shift_times(SignedDuration::from_hours(1));
    let late = admin.get(&next).await;
    assert_eq!((late.code, late.json()["reason"].as_str()), (410, Some("Expired")));
    assert!(late.message().ends_with(
        "objects that were created, modified, or deleted between the time the first \
                                      chunk was returned and now may show up in the list."
    ));
    let on = late.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = admin.get(&format!("/api/v1/namespaces?continue={on}")).await.json();
    let names: Vec<_> =
        rest["items"].as_array().unwrap().iter().map(|n| n["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["kube-node-lease", "kube-public", "kube-system"]);
    assert!(rest["metadata"].get("continue").is_none());
    let future = token(&format!("{{{v1},\"rv\":99999999,\"start\":\"/a\"}}"));
    let answer = admin.get(&format!("/api/v1/namespaces?continue={future}")).await;
    let told = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!((answer.code, answer.message().as_str()), (500, told));
}

#[tokio::test]
async fn requests_have_names_and_objects_have_no_heads() {
    let world = World::new().await;
    let admin = world.admin();
    let (one, other) = (admin.get("/version").await, admin.get("/api/v1/namespaces/ghost").await);
    let id = |answer: &Answer| answer.headers["audit-id"].to_str().unwrap().to_owned();
    assert!(id(&one).len() == 36 && id(&other).len() == 36 && id(&one) != id(&other));
    let named = admin.ask(Method::GET, "/healthz", &[("audit-id", "mine")], "").await;
    assert_eq!(id(&named), "mine");
    for path in ["/api/v1/namespaces", "/api/v1/namespaces/default", "/apis", "/version"] {
        assert_eq!(admin.ask(Method::HEAD, path, &[], "").await.code, 405, "{path}");
    }
    let head = admin.ask(Method::HEAD, "/livez", &[], "").await;
    assert_eq!(
        (head.code, &head.headers["content-length"], head.body.len()),
        (200, &"2".parse().unwrap(), 0)
    );
    let old = World::of(
        pulldrill_clock::Clock::live(),
        pulldrill_cluster::Parts::All,
        "k8s-1.20-containerd-1.7",
        &[],
    )
    .await;
    assert!(old.admin().get("/version").await.headers.get("audit-id").is_none());
}

#[tokio::test]
async fn every_part_of_the_health_can_be_asked_for() {
    let world = World::new().await;
    let admin = world.admin();
    let text = async |path: &str| {
        let answer = admin.get(path).await;
        (answer.code, String::from_utf8(answer.body.to_vec()).unwrap())
    };
    for path in ["/livez", "/livez/ping", "/readyz/ping", "/healthz/etcd", "/readyz/shutdown", "/healthz/"] {
        assert_eq!(text(path).await, (200, "ok".to_owned()), "{path}");
    }
    for path in ["/livez/shutdown", "/livez/x", "/readyz/poststarthook"] {
        assert_eq!(text(path).await.0, 404, "{path}");
    }
    let (_, told) = text("/readyz?verbose&exclude=etcd&exclude=x").await;
    assert!(told.starts_with("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n"), "{told}");
    let end = "[+]shutdown ok\nwarn: some health checks cannot be excluded: no matches for \"x\"\nreadyz check passed\n";
    assert!(told.ends_with(end), "{told}");
    let paths = admin.get("/").await.json()["paths"].clone();
    assert!(paths.as_array().unwrap().contains(&"/livez/poststarthook/crd-informer-synced".into()));
    assert!(paths.as_array().unwrap().contains(&"/readyz".into()));
    // Whom nobody knows gets the whole only.
    assert_eq!(world.stranger().get("/livez").await.code, 200);
    assert_eq!(world.stranger().get("/livez/ping").await.code, 403);
}

#[tokio::test]
async fn what_is_no_metadata_is_refused_whatever_the_kind() {
    let world = World::new().await;
    let admin = world.admin();
    let resources = world.cluster.api().resources().all();
    let mut asked = 0;
    for resource in resources.iter().filter(|resource| resource.allows("create") && resource.allows("patch"))
    {
        let (api_version, kind) = (resource.api_version(&resource.versions[0]), resource.kind.as_str());
        let root = if resource.group.is_empty() { "/api" } else { "/apis" };
        let namespace = if resource.namespaced { "/namespaces/default" } else { "" };
        let path = format!("{root}/{api_version}{namespace}/{}", resource.plural);
        for metadata in [json!(1.5), json!("a"), json!([{"name": "a"}]), json!(true)] {
            let body = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}).to_string();
            let made = send(&admin, Method::POST, &path, "application/json", &body).await;
            assert_eq!(made.code, 400, "{kind}: {}", made.message());
            let named = format!("{path}/a?fieldManager=kubectl");
            let applied = send(&admin, Method::PATCH, &named, "application/apply-patch+yaml", &body).await;
            // Of kinds whose types are known, real servers take it for a failure of their own.
            assert!([400, 500].contains(&applied.code), "{kind}: {}", applied.message());
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}
