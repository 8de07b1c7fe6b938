//! Garbage to every port, and hostile surroundings.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Result;

use crate::support::{Lab, kubectls};

/// What a scanner or a broken client may send.
fn garbage() -> Vec<Vec<u8>> {
    vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /%00%ff/../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0u8; 4096],
        vec![0xff; 70_000],
        b"POST /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n{".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(100_000)).into_bytes(),
    ]
}

fn poke(address: SocketAddr, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    // A server may close on us at any point: all that matters is that it lives on.
    let _closed_early = stream.write_all(bytes);
    let mut answer = [0u8; 512];
    let _nothing_said = stream.read(&mut answer);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_to_every_port_changes_nothing() -> Result<()> {
    let lab = Lab::up(&[]).await?;
    for address in lab.addresses()? {
        for bytes in garbage() {
            poke(address, &bytes)?;
        }
    }
    assert_eq!(lab.pulldrill(&["status"])?.status.code(), Some(0));
    for (_, kubectl) in kubectls() {
        lab.kubectl_ok(&kubectl, &["get", "pods", "-A"])?;
    }
    let log = std::fs::read_to_string(lab.root().join("up.log"))?;
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_settings_of_the_users_shell_do_not_reach_the_lab() -> Result<()> {
    let proxy = "http://127.0.0.1:9";
    let lab = Lab::up_with(&[], |command| {
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env(name, proxy);
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy");
    })
    .await?;
    let status = crate::support::pulldrill(lab.root())
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env("ALL_PROXY", proxy)
        .arg("status")
        .output()?;
    assert_eq!(status.status.code(), Some(0), "{}", String::from_utf8_lossy(&status.stderr));
    Ok(())
}
