//! What is said in place of an answer when a fault refuses the request.

use super::{
    Answer, Outcome,
    exchange::{Exchange, Outside, add_headers, empty, with_status},
    route::Route,
};
use crate::{
    failure::{Failure, Kind},
    fault::Strike,
};

/// What something between client and registry says that nobody has asked.
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
<body><h1>Sign in to use this network</h1></body></html>\n";
/// What the door before Docker Hub says: no JSON.
const ABUSE: &str = "Too Many Requests";

/// The refusal of a fault of the table.
pub(crate) fn refuse(exchange: &Exchange<'_>, strike: &Strike, route: Option<&Route>) -> Outcome {
    let status = u16::try_from(strike.number("status")).unwrap_or(503);
    let mut answer = match strike.name {
        "rate-limit" if exchange.user.is_some() => return Err(Kind::TooManyOfUser.into()),
        "rate-limit" => return Err(Kind::TooMany.into()),
        "not-found" => return Err(Failure::from(missing(route))),
        "abuse-limit" => {
            return Ok(abuse(exchange, i64::try_from(strike.number("retry-after")).unwrap_or(0)));
        }
        "html" => with_status(status, PAGE, "text/html; charset=utf-8"),
        "dead-redirect" => {
            let place = exchange.own_url();
            let (scheme, way) = place.split_once("://").unwrap_or(("https", &place));
            let host = way.rsplit_once(':').map_or(way, |(host, _)| host);
            let port = strike.number("port");
            let location = format!("{scheme}://{host}:{port}{}", exchange.path);
            empty(307, &[("location", &location)])
        }
        _ => with_status(status, strike.text("body").to_owned(), strike.text("content-type")),
    };
    let after = strike.number("retry-after");
    if after > 0 {
        add_headers(&mut answer, &[("retry-after", &after.to_string())]);
    }
    Ok(answer)
}

/// The door before the registry says that this address asks too much, and after how many seconds it may ask again.
pub(crate) fn abuse(exchange: &Exchange<'_>, seconds: i64) -> Answer {
    let words = exchange.host.limits.abuse_refusal.unwrap_or(ABUSE);
    let mut answer = with_status(429, format!("{words}\n"), "text/plain");
    if seconds > 0 {
        add_headers(&mut answer, &[("retry-after", &seconds.to_string())]);
    }
    answer.extensions_mut().insert(Outside);
    answer
}

/// What is said of something that is not there.
fn missing(route: Option<&Route>) -> Kind {
    match route {
        Some(Route::Manifest { .. }) => Kind::ManifestUnknown,
        Some(Route::Blob { .. }) => Kind::BlobUnknown,
        Some(Route::Upload { .. }) => Kind::UploadUnknown,
        Some(route) if route.repository().is_some() => Kind::RepositoryUnknown,
        _ => Kind::NoSuchPage,
    }
}
