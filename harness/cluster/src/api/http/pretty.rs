//! Answers for people: indented for browsers and tools like curl, and for whoever asks for it.
//!
//! As `isPrettyPrint` of `k8s.io/apiserver` has it. Watches and other streams are not.

use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{Reply, options::Query, reply};

/// How the programs are called, in their headers, that people look at answers with.
const PEOPLES: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];

/// What `strconv.ParseBool` takes for true.
const TRUE: [&str; 6] = ["1", "t", "T", "TRUE", "true", "True"];

/// Whether a client wants its answer to be indented.
pub(super) fn is_wanted(query: &Query, headers: &HeaderMap) -> bool {
    let said = query.text("pretty");
    if !said.is_empty() {
        return TRUE.contains(&said);
    }
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    PEOPLES.iter().any(|people| agent.starts_with(people))
}

/// The answer, indented when it is JSON whose length is known.
pub(super) async fn reply(answer: Reply) -> Reply {
    rewrite(answer, "application/json", indent).await
}

/// The answer in another notation, when it is JSON whose length is known.
pub(super) async fn rewrite(answer: Reply, media: &'static str, write: impl Fn(&[u8]) -> Vec<u8>) -> Reply {
    let is_json = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let is_whole =
        answer.headers().contains_key(header::CONTENT_LENGTH) || answer.body().size_hint().exact().is_some();
    if !is_json || !is_whole || answer.headers().contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // Its errors are of a type that has no values.
    let plain = body.collect().await.map(|all| all.to_bytes()).unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    Reply::from_parts(parts, reply::bytes(200, "", write(&plain)).into_body())
}

/// JSON with every field and element on a line of its own, as Go's `json.MarshalIndent` with two blanks writes it.
pub(super) fn indent(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b"  ", depth).flatten());
    };
    for &byte in plain {
        if in_text {
            out.push(byte);
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => continue,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                // What is empty stays in one piece.
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
            }
            _ if matches!(out.last(), Some(b'{' | b'[')) => line(&mut out, depth),
            _ => {}
        }
        out.push(byte);
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b':' => out.push(b' '),
            b',' => line(&mut out, depth),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_written_as_others_write_it(value in values()) {
            let indented = String::from_utf8(indent(value.to_string().as_bytes())).unwrap();
            prop_assert_eq!(indented, serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[tokio::test]
    async fn whole_answers_in_json_are_indented_and_others_stay() {
        let answer = reply(reply::json(404, &json!({"a": [1, {}]}))).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
        let text = reply(reply::text(200, "{\"a\":1}")).await.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&text[..], b"{\"a\":1}");
    }

    #[test]
    fn people_and_who_asks_for_it() {
        let agent =
            |name: &'static str| HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(name))]);
        let (none, wants) = (Query::new(""), Query::new("pretty=true"));
        assert!(is_wanted(&none, &agent("curl/8.5.0")) && is_wanted(&none, &agent("Mozilla/5.0 (X11)")));
        assert!(!is_wanted(&none, &agent("kubectl/v1.36")) && !is_wanted(&none, &HeaderMap::new()));
        assert!(is_wanted(&wants, &HeaderMap::new()));
        assert!(
            !is_wanted(&Query::new("pretty=0"), &agent("curl/8"))
                && !is_wanted(&Query::new("pretty=x"), &agent("curl/8"))
        );
    }
}
