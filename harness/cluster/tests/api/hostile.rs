//! Clients that don't behave.

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::World;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn garbage_on_the_port_does_no_harm() {
    let world = World::new().await;
    for garbage in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0u8; 512], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3]]
    {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _closed_either_way = stream.read_to_end(&mut rest).await;
    }
    let admin = world.admin();
    let mut stream = admin.connect().await;
    stream.write_all(b"\x00\x01\x02 nonsense\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _closed_either_way = stream.read_to_end(&mut rest).await;
    assert_eq!(admin.get("/healthz").await.code, 200);
}

#[tokio::test]
async fn a_body_that_is_too_big_is_refused() {
    let world = World::new().await;
    let admin = world.admin();
    let big = Bytes::from(vec![b'a'; 3 * 1024 * 1024 + 1]);
    let json = [("content-type", "application/json")];
    let refused = admin.ask(Method::POST, MAPS, &json, big).await;
    assert_eq!((refused.code, refused.json()["reason"].as_str()), (413, Some("RequestEntityTooLarge")));
}

#[tokio::test]
async fn odd_requests_get_clear_answers() {
    let world = World::new().await;
    let admin = world.admin();
    let deep = "[".repeat(100_000);
    for body in
        ["", "null", "[]", "\"x\"", "{}", deep.as_str(), "{\"metadata\": 5}", "{\"metadata\":{\"name\":5}}"]
    {
        let code = admin.ask(Method::POST, MAPS, &[], body.to_owned()).await.code;
        assert!((400..500).contains(&code), "{code} for {}", &body[..body.len().min(40)]);
    }
    let odd = [
        (Method::POST, "/api/v1/namespaces/default/configmaps/x"),
        (Method::DELETE, "/api/v1/namespaces"),
        (Method::PUT, MAPS),
        (Method::GET, "/api/v1/namespaces/default/configmaps/x/nonsense"),
        (Method::GET, "/api/v1/namespaces/default/configmaps/%00%ff"),
        (Method::OPTIONS, MAPS),
    ];
    for (method, path) in odd {
        let code = admin.ask(method.clone(), path, &[], "").await.code;
        assert!((400..500).contains(&code), "{method} {path}: {code}");
    }
    for kind in ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"] {
        for body in [
            json!(null),
            json!([1]),
            json!("x"),
            json!({"metadata": null}),
            json!({"spec": {"template": []}}),
        ] {
            let path = "/api/v1/namespaces/default?fieldManager=x";
            let code = admin.patch(path, kind, &body).await.code;
            assert!(code < 600, "{kind} {body}: {code}");
        }
    }
    assert_eq!(admin.get("/healthz").await.code, 200);
}

#[tokio::test]
async fn the_server_has_another_name_than_its_authority() {
    let world = World::new().await;
    let stream = world.stranger().connect().await;
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).unwrap();
    assert_ne!(leaf.subject(), leaf.issuer());
}
