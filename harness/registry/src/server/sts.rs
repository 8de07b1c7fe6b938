//! The one call of AWS's token service that people make: who am I? It is answered beside the API of an ECR-like registry,
//! and in that service's older manner: a form comes, XML goes. Signed like every other call.

use http::{Method, header};
use pulldrill_clock::secret;

use super::{
    Answer,
    ecr_api::signed,
    exchange::{Exchange, add_headers, with_status},
};
use crate::host::Host;

/// For which service requests are signed.
const SERVICE: &str = "sts";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a request is for this service rather than for the API beside it.
pub(super) fn is_for(exchange: &Exchange<'_>) -> bool {
    let form = exchange.header(header::CONTENT_TYPE).is_some_and(|media| media.starts_with(FORM));
    exchange.method == Method::POST && form && exchange.header("x-amz-target").is_none()
}

/// Answers a call.
pub(super) fn answer(exchange: &Exchange<'_>, body: &[u8]) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    if let Err((kind, message)) = signed(exchange, body, SERVICE) {
        // The same refusals have other names here.
        let code = match kind {
            "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
            "UnrecognizedClientException" => "InvalidClientTokenId",
            "InvalidSignatureException" => "SignatureDoesNotMatch",
            "IncompleteSignatureException" => "IncompleteSignature",
            other => other,
        };
        return refusal(403, code, &message);
    }
    match field("Action") {
        "GetCallerIdentity" => told(200, &identity(exchange.host)),
        other => {
            let version = field("Version");
            let message = format!("Could not find operation {other} for version {version}");
            refusal(400, "InvalidAction", &message)
        }
    }
}

/// Everybody who has the key is the node's role, as the registry's refusals call it.
fn identity(host: &Host) -> String {
    let account = &host.account;
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
         <Arn>arn:aws:sts::{account}:assumed-role/node/lab</Arn><UserId>AROAPULLDRILLEXAMPLE:lab</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult>{}</GetCallerIdentityResponse>",
        metadata()
    )
}

fn metadata() -> String {
    format!("<ResponseMetadata>{}</ResponseMetadata>", request_id())
}

fn request_id() -> String {
    format!("<RequestId>{}</RequestId>", secret::uid())
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let message = escaped(message);
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error>{}</ErrorResponse>",
        request_id()
    );
    told(status, &body)
}

fn told(status: u16, body: &str) -> Answer {
    let mut answer = with_status(status, body.to_owned(), "text/xml");
    add_headers(&mut answer, &[("cache-control", "no-store")]);
    answer
}

/// What a client has sent is text, and nothing but text.
fn escaped(text: &str) -> String {
    let fine = |character: &char| !character.is_control();
    let text: String = text.chars().filter(fine).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_is_no_markup() {
        assert_eq!(escaped("<a>&\u{0}b"), "&lt;a&gt;&amp;b");
    }
}
