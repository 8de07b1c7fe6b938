//! Streams into containers, with clients that speak the protocols by hand, well and badly.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt};
use http::Request;
use pulldrill_cluster::Principal;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::world::{Client, World};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

const POD: &str = "/api/v1/namespaces/default/pods/box";

/// A cluster with a running pod: `box` has programs, `web` has only its own, which answers HTTP.
pub(crate) async fn with_pod() -> World {
    let world = World::with_nodes(&["node-1"]).await;
    let busybox = json!({"architecture": "amd64", "config": {"Cmd": ["sh"]}});
    let web = json!({"architecture": "amd64", "config": {"Entrypoint": ["/web"]}});
    world.cluster.load_image("busybox:1", &busybox).unwrap();
    world.cluster.load_image("web:1", &web).unwrap();
    let admin = world.admin();
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "box"}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [
            {"name": "box", "image": "busybox:1", "command": ["sh", "-c", "echo first; echo second; sleep infinity"]},
            {"name": "web", "image": "web:1"},
            {"name": "waits", "image": "registry.example/none:1", "imagePullPolicy": "Never"}]}});
    // The service account is made by a controller.
    while admin.post("/api/v1/namespaces/default/pods", &pod).await.code != 201 {
        tokio::task::yield_now().await;
    }
    let mut watch = admin.watch("/api/v1/namespaces/default/pods?watch=true").await;
    loop {
        let (_, pod) = watch.next().await.unwrap();
        let statuses = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        if statuses.iter().filter(|s| s["state"]["running"].is_object()).count() == 2 {
            return world;
        }
    }
}

async fn websocket(client: &Client, path: &str, protocols: &str) -> Result<Socket, (u16, String)> {
    let stream = client.connect().await;
    let mut request = format!("wss://127.0.0.1{path}").into_client_request().unwrap();
    if !protocols.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            Err((answer.status().as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(other) => panic!("{other}"),
    }
}

fn exec(command: &[&str], more: &str) -> String {
    let words: String = command
        .iter()
        .map(|word| {
            format!("&command={}", url::form_urlencoded::byte_serialize(word.as_bytes()).collect::<String>())
        })
        .collect();
    format!("{POD}/exec?container=box&stdout=true&stderr=true{words}{more}")
}

/// What came on each channel until the server said goodbye.
async fn channels(socket: &mut Socket) -> [String; 4] {
    let mut all: [Vec<u8>; 4] = Default::default();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => all[usize::from(bytes[0])].extend_from_slice(&bytes[1..]),
            Message::Text(text) => {
                let channel = usize::from(text.as_bytes()[0] - b'0');
                all[channel].extend(STANDARD.decode(&text[1..]).unwrap());
            }
            _ => {}
        }
    }
    all.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn every_websocket_protocol_carries_output_errors_and_code() {
    let world = with_pod().await;
    let client = world.admin();
    let path = exec(&["sh", "-c", "echo out; echo err >&2; exit 3"], "");
    for protocol in [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v4.base64.channel.k8s.io",
        "channel.k8s.io",
        "base64.channel.k8s.io",
        "",
    ] {
        let mut socket = websocket(&client, &path, protocol).await.unwrap();
        let [_, out, err, status] = channels(&mut socket).await;
        assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"), "{protocol}");
        if protocol.starts_with('v') {
            let status: Value = serde_json::from_str(&status).unwrap();
            assert_eq!(status["details"]["causes"][0]["message"], "3", "{protocol}");
        } else {
            assert!(status.contains("exit code 3"), "{protocol}: {status}");
        }
    }
}

#[tokio::test]
async fn input_goes_in_and_ends_where_the_protocol_has_an_end() {
    let world = with_pod().await;
    let client = world.admin();
    let path = exec(&["sh", "-c", "wc -c; echo done"], "&stdin=true");
    let mut socket = websocket(&client, &path, "v5.channel.k8s.io,v4.channel.k8s.io").await.unwrap();
    for _ in 0..50 {
        socket.send(Message::binary([&[0][..], &[b'x'; 10_000]].concat())).await.unwrap();
    }
    socket.send(Message::binary(vec![255, 0])).await.unwrap();
    let [_, out, _, status] = channels(&mut socket).await;
    assert_eq!(out, "500000\ndone\n");
    assert!(status.contains("\"Success\""));
}

#[tokio::test]
async fn terminals_have_a_size() {
    let world = with_pod().await;
    let path = exec(&["sh"], "&stdin=true&tty=true");
    let mut socket = websocket(&world.admin(), &path, "v4.channel.k8s.io").await.unwrap();
    socket.send(Message::binary(b"\x04{\"Width\":91,\"Height\":17}".to_vec())).await.unwrap();
    socket.send(Message::binary(b"\x00stty size; exit\r".to_vec())).await.unwrap();
    let [_, out, err, _] = channels(&mut socket).await;
    assert!(out.contains("17 91\r\n"), "{out:?}");
    assert_eq!(err, "");
}

#[tokio::test]
async fn what_can_not_be_is_said_before_and_after_the_upgrade() {
    let world = with_pod().await;
    let client = world.admin();
    let refused = |path: &str, protocol: &'static str| {
        let (client, path) = (client.clone(), path.to_owned());
        async move { websocket(&client, &path, protocol).await.map(drop).unwrap_err() }
    };
    let choose = refused(&format!("{POD}/exec?command=ls&stdout=true"), "v5.channel.k8s.io").await;
    assert_eq!(choose.0, 400);
    assert!(
        choose.1.contains("a container name must be specified for pod box, choose one of: [box web waits]")
    );
    let none = refused(&format!("{POD}/exec?command=ls&stdout=true&container=zz"), "").await;
    assert!(none.0 == 400 && none.1.contains("container zz is not valid for pod box"));
    assert_eq!(refused("/api/v1/namespaces/default/pods/ghost/exec?stdout=true", "").await.0, 404);
    assert_eq!(refused(&format!("{POD}/exec?container=box&command=ls"), "").await.0, 400);
    assert_eq!(refused(&exec(&["ls"], ""), "v9.channel.k8s.io").await.0, 403);
    let waits = format!("{POD}/exec?command=ls&stdout=true&container=waits");
    assert_eq!(
        refused(&waits, "v4.channel.k8s.io").await,
        (500, "container not found (\"waits\")".to_owned())
    );
    let mut socket = websocket(&client, &waits, "v5.channel.k8s.io").await.unwrap();
    let status: Value = serde_json::from_str(&channels(&mut socket).await[3]).unwrap();
    let message = "Internal error occurred: unable to upgrade connection: container not found (\"waits\")";
    assert_eq!((&status["message"], &status["code"]), (&json!(message), &json!(500)));
    let plain = client.get(&exec(&["ls"], "")).await;
    assert_eq!((plain.code, plain.message().as_str()), (400, "Upgrade request required"));
    let stranger = websocket(&world.stranger(), &exec(&["ls"], ""), "v5.channel.k8s.io").await.unwrap_err();
    assert_eq!(stranger.0, 403);
    assert!(websocket(&world.client(Principal::Trainee), &exec(&["ls"], ""), "").await.is_ok());
}

#[tokio::test]
async fn endless_output_ends_with_its_reader_and_attachment_with_the_pod() {
    let world = with_pod().await;
    let client = world.admin();
    let path = exec(
        &["sh", "-c", "while true; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"],
        "",
    );
    let mut socket = websocket(&client, &path, "v5.channel.k8s.io").await.unwrap();
    let mut seen = 0;
    while seen < 300_000 {
        let message = socket.next().await.unwrap().unwrap();
        seen += message.into_data().len();
    }
    drop(socket);
    let mut attached =
        websocket(&client, &format!("{POD}/attach?container=web&stdout=true"), "v5.channel.k8s.io")
            .await
            .unwrap();
    assert_eq!(client.delete(POD).await.code, 200);
    let [_, _, _, status] = channels(&mut attached).await;
    assert!(status.contains("Success"), "{status}");
}

#[tokio::test]
async fn requests_are_handed_on_to_what_listens() {
    let world = with_pod().await;
    let admin = world.admin();
    let labels = json!({"metadata": {"labels": {"app": "box"}}});
    assert_eq!(admin.patch(POD, "merge-patch+json", &labels).await.code, 200);
    let service = |name: &str, port: &serde_json::Value| {
        json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "publishNotReadyAddresses": true, "ports": [port]}})
    };
    let services = "/api/v1/namespaces/default/services";
    for (name, port) in
        [("box", json!({"name": "web", "port": 80, "targetPort": 8080})), ("empty", json!({"port": 80}))]
    {
        assert_eq!(admin.post(services, &service(name, &port)).await.code, 201);
    }
    while admin.get("/api/v1/namespaces/default/endpoints/box").await.json()["subsets"][0]["addresses"]
        .is_null()
    {
        tokio::task::yield_now().await;
    }
    let pods = "/api/v1/namespaces/default/pods";
    for path in [
        format!("{pods}/box:8080/proxy/any/path?x=y"),
        format!("{pods}/http:box:8080/proxy"),
        format!("{services}/box:web/proxy/"),
        format!("{services}/box:80/proxy/x"),
    ] {
        let answer = admin.get(&path).await;
        assert_eq!((answer.code, &*answer.body), (200, &b"web\n"[..]), "{path}");
        assert_eq!(answer.headers["content-type"], "text/plain", "{path}");
    }
    let address = admin.get(POD).await.json()["status"]["podIP"].as_str().unwrap().to_owned();
    let node = admin.get("/api/v1/nodes/node-1").await.json()["status"]["addresses"].clone();
    let node = node[0]["address"].as_str().unwrap().to_owned();
    let refused =
        |place: &str| format!("error trying to reach service: dial tcp {place}: connect: connection refused");
    for (path, code, told) in [
        (format!("{pods}/box:81/proxy/"), 503, refused(&format!("{address}:81"))),
        (format!("{pods}/box/proxy/"), 503, refused(&format!("{address}:80"))),
        (
            format!("{pods}/https:box:8080/proxy/"),
            503,
            "error trying to reach service: http: server gave HTTP response to HTTPS client".to_owned(),
        ),
        (format!("{pods}/ghost:80/proxy/"), 404, "pods \"ghost\" not found".to_owned()),
        (format!("{pods}/box:x/proxy/"), 400, "address not allowed".to_owned()),
        (format!("{pods}/a:b:c:d/proxy/"), 400, "invalid pod request \"a:b:c:d\"".to_owned()),
        (format!("{services}/empty/proxy/"), 503, "no endpoints available for service \"empty\"".to_owned()),
        (
            format!("{services}/box:none/proxy/"),
            503,
            "no endpoints available for service \"box:none\"".to_owned(),
        ),
        (format!("{services}/a:b:c:d/proxy/"), 400, "invalid service request \"a:b:c:d\"".to_owned()),
        ("/api/v1/nodes/node-1/proxy/metrics".to_owned(), 503, refused(&format!("{node}:10250"))),
        ("/api/v1/nodes/ghost/proxy/".to_owned(), 404, "nodes \"ghost\" not found".to_owned()),
    ] {
        let answer = admin.get(&path).await;
        assert_eq!((answer.code, answer.message()), (code, told), "{path}");
    }
    assert_eq!(world.stranger().get("/api/v1/nodes/node-1/proxy/").await.code, 403);
}

#[tokio::test]
async fn ports_are_forwarded_over_channels() {
    let world = with_pod().await;
    let path = format!("{POD}/portforward?ports=8080&ports=81");
    let mut socket = websocket(&world.admin(), &path, "v4.channel.k8s.io").await.unwrap();
    let request = b"\x00GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.send(Message::binary(request.to_vec())).await.unwrap();
    let mut all: [Vec<u8>; 4] = Default::default();
    // When nobody is left to talk to, the server hangs up.
    while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
        all[usize::from(bytes[0])].extend_from_slice(&bytes[1..]);
    }
    assert!(all[0].starts_with(b"\x90\x1fHTTP/1.1 200 OK") && all[0].ends_with(b"web\n"));
    assert_eq!(all[1], 8080_u16.to_le_bytes());
    assert_eq!(all[2], 81_u16.to_le_bytes());
    let refused = String::from_utf8_lossy(&all[3][2..]).into_owned();
    assert!(
        refused.starts_with("error forwarding port 81 to pod ") && refused.contains("connection refused")
    );
    for bad in ["ports=0", "ports=x", "", &"ports=1&".repeat(200)] {
        let bad = websocket(&world.admin(), &format!("{POD}/portforward?{bad}"), "").await;
        assert_eq!(bad.unwrap_err().0, 400);
    }
}

#[tokio::test]
async fn a_reader_of_lines_waits_for_no_more_than_it_wants() {
    let world = with_pod().await;
    let path = exec(&["head", "-n", "2"], "&stdin=true");
    let mut socket = websocket(&world.admin(), &path, "v5.channel.k8s.io").await.unwrap();
    for piece in [&b"\0on"[..], b"\0e\ntwo\nthree\n"] {
        socket.send(Message::binary(piece.to_vec())).await.unwrap();
    }
    // The input stays open.
    let [_, out, err, status] = channels(&mut socket).await;
    assert_eq!((out.as_str(), err.as_str()), ("one\ntwo\n", ""));
    assert!(status.contains("Success"), "{status}");
}

/// Takes a connection over with SPDY.
async fn spdy(client: &Client, path: &str, version: &str) -> (u16, TlsStream<TcpStream>) {
    let mut stream = client.connect().await;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: {version}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let code = String::from_utf8_lossy(&head[9..12]).parse().unwrap();
    (code, stream)
}

#[tokio::test]
async fn recorded_frames_of_an_old_client_are_answered() {
    let world = with_pod().await;
    let (code, mut stream) = spdy(&world.admin(), &exec(&["cat"], "&stdin=true"), "v4.channel.k8s.io").await;
    assert_eq!(code, 101);
    // What kubectl 1.20 sends for `exec -i -- cat` with the input "some input": four streams, data, its end.
    let recorded = STANDARD.decode(include_str!("../data/spdy-exec.txt").replace('\n', "")).unwrap();
    stream.write_all(&recorded).await.unwrap();
    let mut all = Vec::new();
    let _cut_off = stream.read_to_end(&mut all).await;
    let found = |wanted: &[u8]| all.windows(wanted.len()).any(|w| w == wanted);
    assert!(found(b"some input\n"), "{}", String::from_utf8_lossy(&all));
    assert!(found(b"\"status\":\"Success\""));
    assert!(found(&[0x80, 3, 0, 7]), "no goodbye");
}

#[tokio::test]
async fn hostile_clients_end_only_their_own_connection() {
    let world = with_pod().await;
    let client = world.admin();
    assert_eq!(spdy(&client, &exec(&["ls"], ""), "v9.channel.k8s.io").await.0, 403);
    let path = exec(&["cat"], "&stdin=true");
    for bytes in [
        vec![0xff; 4096],
        b"\x80\x03\x00\x01\x00\xff\xff\xff".to_vec(),
        b"\x80\x03\x00\x01\x01\x00\x00\x0a0123456789".to_vec(),
    ] {
        let (code, mut stream) = spdy(&client, &path, "v4.channel.k8s.io").await;
        assert_eq!(code, 101);
        stream.write_all(&bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ended = stream.read_to_end(&mut rest).await;
    }
    let mut socket = websocket(&client, &path, "v5.channel.k8s.io").await.unwrap();
    for odd in [&b""[..], b"\x09x", b"\xff", b"\xff\x09", b"\x04not json", b"\x04{\"Width\":-1}", b"\x01x"] {
        socket.send(Message::binary(odd.to_vec())).await.unwrap();
    }
    socket.send(Message::text("0aGk=")).await.unwrap();
    socket.send(Message::Ping("p".into())).await.unwrap();
    socket.send(Message::binary(b"\x00fine\n".to_vec())).await.unwrap();
    socket.send(Message::binary(b"\xff\x00".to_vec())).await.unwrap();
    assert_eq!(channels(&mut socket).await[1], "fine\n");
    let mut raw = client.connect().await;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    raw.write_all(head.as_bytes()).await.unwrap();
    raw.write_all(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).await.unwrap();
    let mut rest = Vec::new();
    let _ended = raw.read_to_end(&mut rest).await;
    assert!(rest.starts_with(b"HTTP/1.1 101"));
    let request = Request::get("/readyz").header("host", "x").body(Default::default()).unwrap();
    assert_eq!(client.send(request).await.status(), 200);
}

#[tokio::test]
async fn sessions_end_with_the_server() {
    let world = with_pod().await;
    let path = exec(&["sleep", "infinity"], "");
    let mut socket = websocket(&world.admin(), &path, "v5.channel.k8s.io").await.unwrap();
    world.stop.cancel();
    while let Some(Ok(_)) = socket.next().await {}
    world.cluster.ended().await;
}

#[tokio::test]
async fn logs_are_what_was_asked_for() {
    let world = with_pod().await;
    let client = world.admin();
    let log = |query: &str| {
        let (client, path) = (client.clone(), format!("{POD}/log?container=box{query}"));
        async move {
            let answer = client.get(&path).await;
            (answer.code, String::from_utf8(answer.body.to_vec()).unwrap())
        }
    };
    assert_eq!(log("").await, (200, "first\nsecond\n".to_owned()));
    assert_eq!(log("&tailLines=1").await.1, "second\n");
    assert_eq!(log("&tailLines=0").await.1, "");
    assert_eq!(log("&limitBytes=3").await.1, "fir");
    assert_eq!(log("&limitBytes=8&follow=true").await.1, "first\nse");
    assert_eq!(log("&sinceTime=2100-01-01T00:00:00Z").await.1, "");
    assert!(log("&timestamps=true&tailLines=1").await.1.ends_with("Z second\n"));
    for (query, words) in [
        (
            "&tailLines=-1",
            "PodLogOptions \\\"box\\\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
        ),
        ("&limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("&sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            "&sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ] {
        let (code, body) = log(query).await;
        assert!(code == 422 && body.contains(words), "{query}: {code} {body}");
    }
    let (code, body) = log("&previous=true").await;
    assert!(
        code == 400
            && body.contains("previous terminated container \\\"box\\\" in pod \\\"box\\\" not found")
    );
    let waits = client.get(&format!("{POD}/log?container=waits")).await;
    assert_eq!(waits.message(), "container \"waits\" in pod \"box\" is waiting to start: ErrImageNeverPull");
}
