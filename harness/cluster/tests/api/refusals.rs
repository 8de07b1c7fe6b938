//! What the server says to requests that it can't read: its words are those of Go's libraries.

use http::Method;

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
    let told = "invalid continue token: invalid character 'x' looking for beginning of value";
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
    let answer = admin.ask(Method::GET, "/api/v1/pods", &[("accept", "text/x")], "").await;
    let available = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let told = format!("406: Not Acceptable\n\nAvailable representations: {available}");
    assert_eq!((answer.code, answer.message()), (406, told));
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
