//! What listens in containers: so far one program that answers every HTTP request with its name.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::duplex;

use crate::streams::{Dialed, PIPE};

/// A connection to a server that answers 200.
pub(crate) fn dial(greeting: Bytes) -> Dialed {
    let (near, far) = duplex(PIPE);
    let service = service_fn(move |_: Request<Incoming>| {
        let mut answer = Response::new(Full::new(greeting.clone()));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let serve = async move {
        let _ended_badly =
            http1::Builder::new().half_close(true).serve_connection(TokioIo::new(far), service).await;
    };
    (near, Box::pin(serve))
}
