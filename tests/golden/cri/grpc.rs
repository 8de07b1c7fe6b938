//! A container runtime asked through its interface (CRI) as a kubelet asks: the one call that is needed, and what it
//! takes to make it. gRPC is HTTP/2 with messages after their lengths and the status in the trailers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;

use super::{Answer, Login};

/// By number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

#[derive(Clone, PartialEq, Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct AuthConfig {
    #[prost(string, tag = "1")]
    username: String,
    #[prost(string, tag = "2")]
    password: String,
}

/// Also a `RemoveImageRequest`, which has the first field only.
#[derive(Clone, PartialEq, Message)]
struct PullImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
    #[prost(message, optional, tag = "2")]
    auth: Option<AuthConfig>,
}

/// Pulls an image. What was pulled is taken away again, so that the next pull finds nothing.
pub(crate) async fn pull(socket: &Path, image: &str, login: Option<&Login>) -> Result<Answer> {
    let request = |login: Option<&Login>| PullImageRequest {
        image: Some(ImageSpec { image: image.to_owned() }),
        auth: login.map(|(username, password)| AuthConfig {
            username: username.clone(),
            password: password.clone(),
        }),
    };
    let answer = call(socket, "PullImage", &request(login)).await?;
    if answer.code == "OK" {
        let removed = call(socket, "RemoveImage", &request(None)).await?;
        ensure!(removed.code == "OK", "{image} stays: {removed:?}");
    }
    Ok(answer)
}

async fn call(socket: &Path, method: &str, message: &PullImageRequest) -> Result<Answer> {
    let stream = tokio::net::UnixStream::connect(socket).await.context("the runtime's socket")?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.context("HTTP/2")?;
    tokio::spawn(connection);
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.encoded_len().try_into()?);
    message.encode(&mut body)?;
    let request = Request::post(format!("http://localhost/runtime.v1.ImageService/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::<Bytes>::new(body.freeze()))?;
    let response = sender.send_request(request).await.with_context(|| method.to_owned())?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    // An error comes without a message, and then the head is the end as well.
    let status = |headers: &HeaderMap| {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        text("grpc-status").map(|code| (code, text("grpc-message").unwrap_or_default()))
    };
    let (code, message) =
        body.trailers().and_then(status).or_else(|| status(&head.headers)).context("no status")?;
    let code = *CODES.get(code.parse::<usize>()?).context("no such code")?;
    Ok(Answer { code: code.to_owned(), message: decoded(&message) })
}

/// Without percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = std::str::from_utf8(after.get(..2).unwrap_or_default()).ok();
        match code.filter(|_| byte == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
