//! The HTTP side: a listener per host, and one exchange per request. What is asked for is [`route`]'s, who asks
//! is [`auth`]'s; the other modules answer.

pub(crate) mod auth;
pub(crate) mod blobs;
mod body;
mod ecr_api;
mod exchange;
mod front;
pub(crate) mod harbor;
mod listener;
mod lists;
mod manifests;
mod refusals;
pub(crate) mod route;
pub(crate) mod shared_port;
pub(crate) mod sigv4;
mod sts;
mod token_service;
pub(crate) mod uploads;

pub(crate) use listener::{Listener, Role};

use http::Response;

use crate::failure::Failure;

/// An answer.
pub(crate) type Answer = Response<body::Body>;
/// An answer, or a refusal that still has to be put into words.
pub(crate) type Outcome = Result<Answer, Failure>;
