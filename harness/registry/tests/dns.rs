//! The DNS server's sockets: UDP and TCP, good questions and noise.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::Ipv4Addr, time::Duration};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType, rdata::A},
};
use pulldrill_clock::real;
use pulldrill_registry::{Dns, Names};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use tokio_util::sync::CancellationToken;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 25, 7, 9);
/// Longer than anything here takes, on a busy machine.
const AGES: Duration = Duration::from_secs(60);

fn ask(name: &str) -> Message {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    question
}

async fn over_udp(socket: &UdpSocket, question: &Message) -> Message {
    socket.send(&question.to_vec().unwrap()).await.unwrap();
    let mut buffer = [0; 2048];
    loop {
        let length = real::timeout(AGES, socket.recv(&mut buffer)).await.unwrap().unwrap();
        let reply = Message::from_vec(&buffer[..length]).unwrap();
        if reply.metadata.id == question.metadata.id {
            return reply;
        }
    }
}

async fn over_tcp(stream: &mut TcpStream, question: &Message) -> Message {
    let message = question.to_vec().unwrap();
    stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
    stream.write_all(&message).await.unwrap();
    let mut reply = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut reply).await.unwrap();
    Message::from_vec(&reply).unwrap()
}

#[tokio::test]
async fn both_sockets_answer_and_survive_noise() {
    let (names, stop) = (Names::default(), CancellationToken::new());
    let dns = Dns::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = dns.address();
    let task = tokio::spawn(dns.serve(names.clone(), stop.clone()));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(address).await.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();

    let missing = over_udp(&socket, &ask("r.example.")).await;
    assert_eq!(missing.metadata.response_code, ResponseCode::NXDomain);
    names.set("r.example", ADDRESS).unwrap();
    for noise in [&b""[..], b"x", &[0xff; 12], &[0; 4096], &[0xc0; 600]] {
        socket.send(noise).await.unwrap();
    }
    let mut noisy = TcpStream::connect(address).await.unwrap();
    noisy.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
    assert_eq!(real::timeout(AGES, noisy.read(&mut [0])).await.unwrap().unwrap(), 0, "noise is hung up on");

    let found = over_udp(&socket, &ask("r.example.")).await;
    assert_eq!(found.answers[0].data, RData::A(A(ADDRESS)));
    for _ in 0..2 {
        let found = over_tcp(&mut stream, &ask("R.example.")).await;
        assert_eq!(found.answers[0].data, RData::A(A(ADDRESS)));
    }
    stop.cancel();
    task.await.unwrap();
    assert_eq!(real::timeout(AGES, stream.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
}
