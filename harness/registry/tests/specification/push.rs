//! Pushing blobs: in one request, in two, in pieces, and from another repository.

use http::Request;
use pulldrill_clock::SignedDuration;
use pulldrill_registry::{Access, Account, RepositorySpec};

use crate::{Open, code, common::basic, common::local, digest, on_each_store};

on_each_store!(
    a_blob_is_pushed_in_two_requests,
    a_blob_is_pushed_in_one_request,
    a_blob_is_pushed_in_pieces,
    a_push_that_was_cut_off_goes_on,
    pieces_out_of_order_are_refused,
    what_is_not_what_its_digest_says_is_not_stored,
    an_upload_can_be_cancelled_and_is_given_up_in_the_end,
    a_blob_is_mounted_or_else_has_to_be_sent,
    pieces_of_two_clients_are_not_mixed,
);

/// Whether there is a UUID in a text.
fn has_uuid(text: &str) -> bool {
    text.split(['/', '?', '=']).any(|part| {
        let groups: Vec<usize> = part.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && part.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    })
}

async fn a_blob_is_pushed_in_two_requests(open: &Open) {
    let begun = open.ask("POST", "/v2/a/b/blobs/uploads/").await;
    let place = begun.header("location");
    assert_eq!(begun.status, 202);
    assert!(has_uuid(place), "{place}");
    let another = open.upload("a/b").await;
    assert_ne!(place, another, "every upload is one of its own");
    let put = Request::put(format!("{place}?digest={}", digest(b"two"))).header("content-length", "3");
    let ended = open.send(put, b"two").await;
    assert_eq!(ended.status, 201);
    assert_eq!(open.ask("GET", ended.header("location")).await.text(), "two");
    assert_eq!(ended.header("docker-content-digest"), digest(b"two"));
    assert_eq!(open.status(place).await, 404, "it is over");
}

async fn a_blob_is_pushed_in_one_request(open: &Open) {
    let post = |body: &[u8]| Request::post(format!("/v2/a/b/blobs/uploads/?digest={}", digest(body)));
    let pushed = open.send(post(b"one"), b"one").await;
    assert_eq!(pushed.status, 201);
    assert_eq!(open.ask("GET", pushed.header("location")).await.text(), "one");
    assert_eq!(open.send(post(b"one"), b"one").await.status, 201, "again is fine");
    // More than is gathered before it is written.
    let large = vec![7; (3 << 20) + 5];
    let pushed = open.send(post(&large), &large).await;
    assert_eq!(pushed.status, 201);
    assert_eq!(open.ask("GET", pushed.header("location")).await.body, large);
    let malformed = open.ask("POST", "/v2/a/b/blobs/uploads/?digest=sha256:abc").await;
    assert_eq!((malformed.status.as_u16(), code(&malformed).as_str()), (400, "DIGEST_INVALID"));
}

fn piece(place: &str, range: &str) -> http::request::Builder {
    Request::patch(place).header("content-range", range).header("content-type", "application/octet-stream")
}

async fn a_blob_is_pushed_in_pieces(open: &Open) {
    for last_by_put in [false, true] {
        let body = format!("abcdefghi {last_by_put}");
        let place = open.upload("a/b").await;
        let first = open.send(piece(&place, "0-2"), b"abc").await;
        assert_eq!((first.status.as_u16(), first.header("range")), (202, "0-2"));
        let second = open.send(piece(first.header("location"), "3-5"), b"def").await;
        assert_eq!((second.status.as_u16(), second.header("range")), (202, "0-5"));
        let mut rest = body.as_bytes()[6..].to_vec();
        let range = format!("6-{}", body.len() - 1);
        let mut place = second.header("location").to_owned();
        let mut put = Request::put(format!("{place}?digest={}", digest(body.as_bytes())));
        if last_by_put {
            put = put.header("content-range", range);
        } else {
            let third = open.send(piece(&place, &range), &rest).await;
            place = third.header("location").to_owned();
            rest.clear();
            put = Request::put(format!("{place}?digest={}", digest(body.as_bytes())));
        }
        let ended = open.send(put, &rest).await;
        assert_eq!(ended.status, 201);
        assert_eq!(open.ask("GET", ended.header("location")).await.text(), body);
    }
    // As docker does it: one stream, of which nobody says how long it is.
    let place = open.upload("a/b").await;
    assert_eq!(open.send(Request::patch(&place), b"stream").await.status, 202);
    let put = Request::put(format!("{place}?digest={}", digest(b"stream")));
    assert_eq!(open.send(put, b"").await.status, 201);
}

async fn a_push_that_was_cut_off_goes_on(open: &Open) {
    let place = open.upload("a/b").await;
    let body = vec![b'x'; 3 << 20];
    {
        // Announces more than it sends, and hangs up.
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let config = pulldrill_tls::client_config(&[open.world.authority.pem()]).unwrap();
        let socket = tokio::net::TcpStream::connect(open.info.address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, socket).await.unwrap();
        let head = format!("PATCH {place} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body[..2 << 20]).await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        let _whatever_it_says = stream.read_to_end(&mut Vec::new()).await;
    }
    // Its turn is over before the next one's begins: so what is said then is how it stands.
    let held_up = open.send(piece(&place, "99999999-99999999"), b"y").await;
    assert_eq!(held_up.status, 416);
    let status = open.ask("GET", &place).await;
    assert_eq!(status.status, 204);
    let last: usize = status.header("range").strip_prefix("0-").unwrap().parse().unwrap();
    let so_far = if last == 0 { 0 } else { last + 1 };
    assert!(so_far <= 2 << 20, "{so_far}");
    let range = format!("{so_far}-{}", body.len() - 1);
    let rest = open.send(piece(status.header("location"), &range), &body[so_far..]).await;
    assert_eq!(rest.status, 202);
    let put = Request::put(format!("{}?digest={}", rest.header("location"), digest(&body)));
    assert_eq!(open.send(put, b"").await.status, 201);
}

async fn pieces_out_of_order_are_refused(open: &Open) {
    let place = open.upload("a/b").await;
    assert_eq!(open.send(piece(&place, "3-5"), b"def").await.status, 416, "the first one begins at 0");
    assert_eq!(open.send(piece(&place, "0-2"), b"abc").await.status, 202);
    for range in ["0-2", "2-4", "4-6", "9-11", "x-y", "5", "+3-5"] {
        let refused = open.send(piece(&place, range), b"def").await;
        assert_eq!((refused.status.as_u16(), refused.header("range")), (416, "0-2"), "{range}");
        assert_eq!(refused.header("location"), place);
    }
    let short = open.send(piece(&place, "3-9"), b"def").await;
    assert_eq!((short.status.as_u16(), code(&short).as_str()), (400, "SIZE_INVALID"));
    let put = Request::put(format!("{place}?digest={}", digest(b"abcdef"))).header("content-range", "4-6");
    assert_eq!(open.send(put, b"def").await.status, 416);
    let status = open.ask("GET", &place).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, "0-2"), "nothing of it was taken");
    assert_eq!(status.header("location"), place);
    let put = Request::put(format!("{place}?digest={}", digest(b"abcdef"))).header("content-range", "3-5");
    assert_eq!(open.send(put, b"def").await.status, 201);
}

async fn what_is_not_what_its_digest_says_is_not_stored(open: &Open) {
    let wanted = digest(b"wanted");
    let post = Request::post(format!("/v2/a/b/blobs/uploads/?digest={wanted}"));
    let refused = open.send(post, b"other").await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "DIGEST_INVALID"));
    let place = open.upload("a/b").await;
    let refused = open.send(Request::put(format!("{place}?digest={wanted}")), b"other").await;
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "DIGEST_INVALID"));
    for digest in [&wanted, &digest(b"other")] {
        assert_eq!(open.status(&format!("/v2/a/b/blobs/{digest}")).await, 404);
    }
    let place = open.upload("a/b").await;
    for query in ["", "?digest=sha256:abc", "?digest=md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let refused = open.send(Request::put(format!("{place}{query}")), b"wanted").await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (400, "DIGEST_INVALID"), "{query}");
    }
    let put = Request::put(format!("{place}?digest={wanted}"));
    assert_eq!(open.send(put, b"wanted").await.status, 201, "a slip of the pen costs nothing");
}

async fn an_upload_can_be_cancelled_and_is_given_up_in_the_end(open: &Open) {
    let place = open.upload("a/b").await;
    open.send(piece(&place, "0-2"), b"abc").await;
    assert_eq!(open.ask("DELETE", &place).await.status, 204);
    assert_eq!(open.status(&place).await, 404);
    assert_eq!(open.ask("DELETE", &place).await.status, 404);
    let elsewhere = place.replace("/a/b/", "/c/");
    assert_eq!(open.status(&elsewhere).await, 404);

    let forgotten = open.upload("a/b").await;
    open.send(piece(&forgotten, "0-2"), b"abc").await;
    open.world.clock.advance(SignedDuration::from_hours(20)).await;
    let fresh = open.upload("a/b").await;
    open.world.clock.advance(SignedDuration::from_hours(5)).await;
    let garbage = open.world.registry.collect_garbage(SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(garbage.uploads, 1);
    assert_eq!(open.status(&forgotten).await, 404);
    assert_eq!(open.status(&fresh).await, 204);
}

async fn a_blob_is_mounted_or_else_has_to_be_sent(open: &Open) {
    open.blob("a/b", b"shared").await;
    let mount = |digest: &str, from: &str| format!("/v2/c/blobs/uploads/?mount={digest}{from}");
    let shared = digest(b"shared");
    let mounted = open.ask("POST", &mount(&shared, "&from=a/b")).await;
    assert_eq!(mounted.status, 201);
    assert_eq!(mounted.header("docker-content-digest"), shared);
    assert_eq!(open.ask("GET", mounted.header("location")).await.text(), "shared");
    for (digest, from) in [
        (digest(b"nowhere").as_str(), "&from=a/b"),
        (&shared, "&from=no/where"),
        (&shared, "&from=Not%20A%20Name"),
        (&shared, ""),
        ("sha256:abc", "&from=a/b"),
    ] {
        let begun = open.ask("POST", &mount(digest, from)).await;
        assert_eq!(begun.status, 202, "{digest}{from}");
        let put = Request::put(format!("{}?digest={}", begun.header("location"), crate::digest(b"sent")));
        assert_eq!(open.send(put, b"sent").await.status, 201);
    }
    // What one may not pull, one can't have by mounting it either.
    let users = |names: &[&str]| Access::Users(names.iter().map(|name| (*name).to_owned()).collect());
    let registry = &open.world.registry;
    let account = |name: &str| Account { username: name.into(), password: "s3cret".into() };
    registry.set_accounts("r.example", vec![account("alice"), account("bob")]).unwrap();
    for (name, who) in [("a/b", "alice"), ("of/bob", "bob")] {
        let spec = RepositorySpec { name: name.into(), pull: users(&[who]), push: users(&[who]) };
        registry.set_repository("r.example", &spec).unwrap();
    }
    let post = Request::post(format!("/v2/of/bob/blobs/uploads/?mount={shared}&from=a/b"));
    let post = post.header("authorization", basic("bob", "s3cret"));
    assert_eq!(open.world.send(&local(&open.info), post, b"").await.status, 202);
}

async fn pieces_of_two_clients_are_not_mixed(open: &Open) {
    let place = open.upload("a/b").await;
    let (first, second) = (vec![b'a'; 2 << 20], vec![b'b'; 2 << 20]);
    let range = format!("0-{}", first.len() - 1);
    let (one, other) =
        tokio::join!(open.send(piece(&place, &range), &first), open.send(piece(&place, &range), &second));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 416], "whoever comes second is told where it stands");
    let whole = if one.status == 202 { first } else { second };
    let put = Request::put(format!("{place}?digest={}", digest(&whole)));
    assert_eq!(open.send(put, b"").await.status, 201);
}
