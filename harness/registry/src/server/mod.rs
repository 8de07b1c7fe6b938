//! The HTTP side: a listener per host, and one exchange per request. What is asked for is [`route`]'s, who asks
//! is [`auth`]'s; the other modules answer.

mod auth;
mod blobs;
mod ecr_api;
mod exchange;
mod listener;
mod lists;
pub(crate) mod manifests;
mod route;
mod token_service;
pub(crate) mod uploads;

pub(crate) use listener::{Listener, Role};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::failure::Failure;

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;
/// An answer, or a refusal that still has to be put into words.
pub(crate) type Outcome = Result<Answer, Failure>;
