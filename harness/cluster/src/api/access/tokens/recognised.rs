//! Reading back a token that was made before the process was started again: its signature proves that it is one, and its
//! claims say what it was made with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use pulldrill_clock::Timestamp;
use pulldrill_tls::Signer;
use serde_json::Value;

use super::{Bound, ISSUER, Issued, LEGACY_ISSUER, Token};
use crate::{api::json::text, store::Key};

/// The longest text that is looked at; real tokens have about a thousand characters.
const LONGEST: usize = 16 * 1024;

/// The resources that tokens are bound to.
const BOUND: [&str; 3] = ["pods", "secrets", "nodes"];

/// What a token was made with; `None` when it is not one of this key.
pub(super) fn read(token: &str, key: &Signer) -> Option<Issued> {
    if token.len() > LONGEST {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (_, payload) = message.split_once('.')?;
    if !key.verifies(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?) {
        return None;
    }
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    match claims["iss"].as_str()? {
        ISSUER => bound(&claims),
        LEGACY_ISSUER => of_secret(&claims),
        _ => None,
    }
}

fn bound(claims: &Value) -> Option<Issued> {
    let about = &claims["kubernetes.io"];
    let namespace = about["namespace"].as_str()?;
    let account = &about["serviceaccount"];
    let bound = BOUND.into_iter().find_map(|resource| {
        let object = &about[resource.trim_end_matches('s')];
        let key = Key::new(if resource == "nodes" { "" } else { namespace }, object["name"].as_str()?);
        let node = &about["node"];
        let node = (resource == "pods")
            .then(|| Some((node["name"].as_str()?.to_owned(), node["uid"].as_str()?.to_owned())))
            .flatten();
        Some(Bound { resource, key, uid: text(&object["uid"]).to_owned(), node })
    });
    let audiences = claims["aud"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let expires = Timestamp::from_second(claims["exp"].as_i64()?).ok()?;
    Some(Issued {
        token: Token {
            account: Key::new(namespace, account["name"].as_str()?),
            uid: account["uid"].as_str()?.to_owned(),
            bound,
            audiences,
            expires: Some(expires),
        },
        id: claims["jti"].as_str().map(str::to_owned),
    })
}

fn of_secret(claims: &Value) -> Option<Issued> {
    let claim = |name: &str| claims[format!("kubernetes.io/serviceaccount/{name}").as_str()].as_str();
    let namespace = claim("namespace")?;
    let secret = Key::new(namespace, claim("secret.name")?);
    Some(Issued {
        token: Token {
            account: Key::new(namespace, claim("service-account.name")?),
            uid: claim("service-account.uid")?.to_owned(),
            bound: Some(Bound { resource: "secrets", key: secret, uid: String::new(), node: None }),
            audiences: vec![ISSUER.to_owned()],
            expires: None,
        },
        id: None,
    })
}

#[cfg(test)]
mod tests {
    use pulldrill_clock::Clock;

    use super::*;
    use crate::api::access::tokens::Issuer;

    fn tokens() -> Vec<Token> {
        let account = Key::new("ns", "robot");
        let token = |bound| Token {
            account: account.clone(),
            uid: "u-1".into(),
            bound,
            audiences: vec![ISSUER.to_owned(), "other".into()],
            expires: Timestamp::from_second(2_000_000_000).ok(),
        };
        let key = |resource| if resource == "nodes" { Key::new("", "x") } else { Key::new("ns", "x") };
        let bound =
            |resource: &'static str| Bound { resource, key: key(resource), uid: "u-2".into(), node: None };
        let node = Some(("node-1".to_owned(), "u-3".to_owned()));
        let on_node = Bound { node, ..bound("pods") };
        [None, Some(bound("pods")), Some(on_node), Some(bound("secrets")), Some(bound("nodes"))]
            .map(token)
            .into()
    }

    #[tokio::test]
    async fn what_was_issued_is_read_back_and_nothing_else() {
        let (issuer, clock) = (Issuer::default(), Clock::live());
        for token in tokens() {
            let text = issuer.issue(token.clone(), &clock, true).unwrap();
            let key = issuer.key().unwrap();
            let read = read(&text, key).unwrap();
            assert_eq!(read.token, token);
            assert!(read.id.is_some());
            assert_eq!(super::read(&text, &Signer::new().unwrap()), None, "another's signature");
            let (head, signature) = text.rsplit_once('.').unwrap();
            let other = issuer.issue(Token { uid: "u-9".into(), ..token }, &clock, true).unwrap();
            let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
            assert_eq!(super::read(&forged, key), None, "a signature of something else");
            assert_eq!(super::read(head, key), None);
        }
        for bad in ["", ".", "..", "a.b.c", &"x".repeat(100_000)] {
            assert_eq!(read(bad, issuer.key().unwrap()), None, "{bad:.20}");
        }
        let secret = Key::new("ns", "robot-token");
        let text = issuer.issue_for_secret(Key::new("ns", "robot"), "u-1", &secret, clock.now()).unwrap();
        let read = read(&text, issuer.key().unwrap()).unwrap();
        assert_eq!((read.token.account, read.token.bound.unwrap().key), (Key::new("ns", "robot"), secret));
    }
}
