//! Amazon's APIs that are the lab's own and not a registry's: EC2's, as far as the nodes' firewall goes.

use axum::{
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use pulldrill_lab::{Lab, signature::Request};

use super::to_the_end;

/// A call of the EC2 API.
pub(crate) async fn ec2(
    State(lab): State<Lab>,
    method: Method,
    uri: Uri,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = to_the_end(async move {
        let request = Request {
            method: method.as_str(),
            path: uri.path(),
            query: &query,
            headers: &headers,
            body: &body,
        };
        Ok(lab.ec2(&request).await)
    });
    match answered.await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], answer.body).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}
