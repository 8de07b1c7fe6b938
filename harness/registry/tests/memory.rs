//! A large blob costs no memory, on its way in and on its way out. A test of its own process: others would be counted.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{World, local};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// How large the blob is, and how much memory it may cost.
const SIZE: usize = 96 << 20;
const COST: usize = 32 << 20;
const PIECE: usize = 1 << 20;

/// The most memory that this process has had, in bytes.
fn most() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_comes_and_goes_by_pieces() {
    let world = World::on_disk();
    let info = world.host("r.example", "distribution", &[]).await;
    world.registry.set_accounts("r.example", Vec::new()).unwrap();
    let piece: Vec<u8> = (0..PIECE).map(|n| (n % 251) as u8).collect();
    let mut hash = Sha256::new();
    (0..SIZE / PIECE).for_each(|_| hash.update(&piece));
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let before = most();

    let config = pulldrill_tls::client_config(&[world.authority.pem()]).unwrap();
    let connect = async || {
        let socket = tokio::net::TcpStream::connect(local(&info).to).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        BufReader::new(tokio_rustls::TlsConnector::from(config.clone()).connect(name, socket).await.unwrap())
    };
    let head = async |stream: &mut BufReader<_>| {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            match line.trim_end() {
                "" => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    };
    let mut stream = connect().await;
    let post = format!(
        "POST /v2/a/blobs/uploads/?digest=sha256:{hex} HTTP/1.1\r\nhost: x\r\ncontent-length: {SIZE}\r\n\r\n"
    );
    stream.write_all(post.as_bytes()).await.unwrap();
    for _ in 0..SIZE / PIECE {
        stream.write_all(&piece).await.unwrap();
    }
    stream.flush().await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer[0].contains("201"), "{answer:?}");

    let mut stream = connect().await;
    let get = format!("GET /v2/a/blobs/sha256:{hex} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let answer = head(&mut stream).await;
    assert!(
        answer.iter().any(|line| line.eq_ignore_ascii_case(&format!("content-length: {SIZE}"))),
        "{answer:?}"
    );
    let mut read = vec![0; PIECE];
    for n in 0..SIZE / PIECE {
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(read, piece, "piece {n}");
    }
    let cost = most() - before;
    assert!(cost < COST, "{} MiB for a blob of {} MiB", cost >> 20, SIZE >> 20);
}
