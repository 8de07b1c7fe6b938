//! Laws of what reads text from strangers, tried with texts that chance makes: nothing panics, what is written is read
//! again as the same, and what is accepted is what it should be.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, prelude::*, sample::Index};
use pulldrill_clock::Timestamp;
use serde_json::{Value, json};

use crate::{
    FaultKind, FaultRule,
    digest::{Algorithm, is_digest, may_be_digest},
    failure::{self, Kind, Terms},
    image::{OCI_INDEX, OCI_MANIFEST},
    name::{is_repository, is_tag},
    personality::Personality,
    repository::Manifest,
    server::{
        auth::basic,
        blobs::part,
        route::Route,
        sigv4::{Authorization, Request},
        uploads::piece,
    },
    upstream::door::{self, challenge},
};

const NAME: &str = "[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,8}){0,3}";
const TAG: &str = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,40}";
/// Words that paths are made of, and what comes between.
const PATHISH: &str = "(/|v2|_catalog|manifests|blobs|uploads|tags|list|referrers|sha256:|[a-f0-9]{64}|%3[Aa]|%2F|\\.|:|[a-zA-Z_é]{1,3}){0,12}";
/// Texts that look like ranges.
const RANGISH: &str = "(bytes|=|-|,|/| |\\*|\\+|[0-9]{1,20}|x){0,8}";
/// What may stand in a header.
const HEADERISH: &str = "[ -~]{0,30}";

fn digest() -> impl Strategy<Value = String> {
    any::<[u8; 8]>().prop_map(|content| Algorithm::Sha256.digest(&content))
}

fn route() -> impl Strategy<Value = (String, Route)> {
    let named = |repository: String, last: String| {
        move |form: usize| {
            let (repository, last) = (repository.clone(), last.clone());
            match form {
                0 => (format!("/v2/{repository}/tags/list"), Route::Tags { repository }),
                1 => (format!("/v2/{repository}/blobs/uploads/"), Route::Uploads { repository }),
                2 => (
                    format!("/v2/{repository}/manifests/{last}"),
                    Route::Manifest { repository, reference: last },
                ),
                3 => {
                    (format!("/v2/{repository}/blobs/uploads/{last}"), Route::Upload { repository, id: last })
                }
                _ => {
                    let digest = Algorithm::Sha256.digest(last.as_bytes());
                    (format!("/v2/{repository}/blobs/{digest}"), Route::Blob { repository, digest })
                }
            }
        }
    };
    (NAME, TAG, 0usize..5).prop_map(move |(repository, last, form)| named(repository, last)(form))
}

proptest! {
    #[test]
    fn a_path_is_read_as_what_it_was_written_for((path, route) in route()) {
        prop_assert_eq!(Route::read(&path), Ok(route.clone()));
        let escaped = path.replace(':', "%3A");
        prop_assert_eq!(Route::read(&escaped), Ok(route));
    }

    #[test]
    fn what_is_read_of_any_path_has_the_names_that_it_may_have(path in PATHISH) {
        let Ok(route) = Route::read(&path) else { return Ok(()) };
        prop_assert!(route.repository().is_none_or(is_repository), "{:?}", route);
        match route {
            Route::Blob { digest, .. } => prop_assert!(is_digest(&digest)),
            Route::Referrers { digest, .. } => prop_assert!(may_be_digest(&digest)),
            Route::Manifest { reference, .. } => prop_assert!(is_tag(&reference) || reference.contains(':')),
            _ => {}
        }
    }

    #[test]
    fn a_range_that_is_accepted_lies_within_the_blob(text in RANGISH, length in prop_oneof![0u64..20, any::<u64>()]) {
        for text in [text.clone(), format!("bytes={text}")] {
            if let Some(Some((first, last))) = part(&text, length) {
                prop_assert!(first <= last && last < length, "{text}: {first}-{last} of {length}");
                prop_assert_eq!(part(&format!("bytes={first}-{last}"), length), Some(Some((first, last))));
            }
        }
    }

    #[test]
    fn a_range_that_lies_within_the_blob_is_accepted(length in 1u64.., first in any::<Index>(), last in any::<Index>()) {
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let (a, b) = (first.index(size) as u64, last.index(size) as u64);
        let (first, last) = (a.min(b), a.max(b));
        prop_assert_eq!(part(&format!("bytes={first}-{last}"), length), Some(Some((first, last))));
        prop_assert_eq!(part(&format!("bytes={first}-"), length), Some(Some((first, length - 1))));
    }

    #[test]
    fn a_piece_that_is_accepted_is_written_in_digits(text in RANGISH) {
        for text in [text.clone(), format!("bytes {text}"), format!("{text}/*")] {
            if let Some((first, last)) = piece(&text) {
                prop_assert!(first <= last);
                prop_assert_eq!(piece(&format!("{first}-{last}")), Some((first, last)));
                prop_assert_eq!(piece(&format!("bytes {first}-{last}/{last}")), Some((first, last)));
            }
        }
    }

    #[test]
    fn credentials_are_read_as_they_were_written(user in "[^:]{0,20}", password in ".{0,30}", scheme in "[Bb][Aa][Ss][Ii][Cc]") {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        prop_assert_eq!(basic(&format!("{scheme} {encoded}")), Some((user, password)));
    }

    #[test]
    fn any_header_is_credentials_or_none(text in "(Basic |Bearer |AWS4-HMAC-SHA256 |[A-Za-z0-9+/=]{0,20}|\\PC){0,6}") {
        if let Some((user, _)) = basic(&text) {
            prop_assert!(!user.contains(':'));
        }
        let _none_of_these = (Authorization::read(&text), challenge(&text));
    }

    #[test]
    fn a_challenge_is_read_as_it_was_written(realm in HEADERISH, service in HEADERISH, scope in HEADERISH) {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!(
            "Bearer realm=\"{}\",service=\"{}\",scope=\"{}\"", quoted(&realm), quoted(&service), quoted(&scope)
        );
        prop_assert_eq!(challenge(&text), Some(door::Kind::Tokens { realm, service: Some(service) }));
    }

    #[test]
    fn any_challenge_is_read_or_is_none(text in "(Bearer|Basic| |=|,|\"|\\\\|realm|service|é|x){0,14}") {
        let _read = challenge(&text);
    }

    #[test]
    fn a_manifest_refers_to_digests_only(text in "[ -~]{0,12}", digests in vec(digest(), 0..4), list in any::<bool>(), odd in 0usize..6) {
        let (media, entries) = if list { (OCI_INDEX, "manifests") } else { (OCI_MANIFEST, "layers") };
        let parts: Vec<Value> = digests.iter().map(|digest| json!({ "digest": digest, "size": 1 })).collect();
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": media, entries: parts });
        if !list {
            manifest["config"] = json!({ "digest": Algorithm::Sha256.digest(b""), "size": 2 });
        }
        let read = |body: &Value| Manifest::read(media.to_owned(), body, body.to_string().len(), Timestamp::UNIX_EPOCH);
        let all = read(&manifest).unwrap().parts;
        prop_assert_eq!(all.len(), digests.len() + usize::from(!list));
        // Anything in the place of anything.
        let wrong = [json!(null), json!(text), json!([text]), json!({ "digest": text }), json!(-1), json!([{ "digest": text }])];
        for field in ["schemaVersion", "config", "layers", "manifests", "subject", "artifactType", "annotations"] {
            let mut other = manifest.clone();
            other[field] = wrong[odd].clone();
            if let Some(read) = read(&other) {
                prop_assert!(read.parts.iter().all(|part| is_digest(part)), "{other}");
                prop_assert!(read.subject.is_none_or(|subject| may_be_digest(&subject)), "{other}");
            }
        }
    }

    #[test]
    fn a_rule_that_is_accepted_is_written_and_read_as_the_same(
        fault in 0usize..FaultKind::all().len() + 1,
        values in vec(prop_oneof!["[0-9]{1,12}", "[ -~é]{0,12}"], 0..4),
        odd in "[a-z-]{0,10}",
    ) {
        let kind = FaultKind::all().get(fault);
        let mut rule = FaultRule::new(kind.map_or(odd.as_str(), |kind| kind.name));
        for (n, value) in values.iter().enumerate() {
            let name = kind.and_then(|kind| kind.parameters.get(n)).map_or(odd.as_str(), |parameter| parameter.name);
            rule = rule.with(name, value);
        }
        let written = serde_json::to_string(&rule).unwrap();
        let read: FaultRule = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read, &rule);
        if rule.kind().is_ok() {
            prop_assert_eq!(read.values(), rule.values());
            prop_assert!(rule.values().len() >= rule.with.len());
        } else {
            let error = rule.kind().unwrap_err().to_string();
            prop_assert!(!error.is_empty());
        }
    }

    #[test]
    fn any_json_is_a_rule_or_none(text in "(\\{|\\}|\\[|\\]|\"|:|,|fault|with|on|when|status|503|true|null){0,16}") {
        if let Ok(rule) = serde_json::from_str::<FaultRule>(&text) {
            let _judged = rule.kind();
        }
    }

    #[test]
    fn a_refusal_is_one_in_whatever_it_speaks_of(name in "\\PC{0,20}", digests in vec("\\PC{0,10}", 0..3)) {
        for personality in ["distribution", "docker-hub", "ecr", "harbor", "artifact-registry", "ghcr", "quay"] {
            let personality = Personality::named(personality).unwrap();
            for kind in [Kind::ManifestUnknown, Kind::RevisionUnknown, Kind::RepositoryUnknown, Kind::NotAllowed, Kind::TooManyOfUser] {
                let pairs = ["repository", "reference", "user", "realm", "host"].map(|pair| (pair, name.clone()));
                let terms = Terms { pairs: pairs.to_vec(), digests: digests.clone(), ..Terms::default() };
                let answer = failure::answer(personality, kind, &terms);
                prop_assert!(answer.status().is_client_error());
                if answer.headers()["content-type"].to_str().unwrap().starts_with("application/json") {
                    let body: Value = serde_json::from_slice(answer.body()).unwrap();
                    prop_assert!(body["errors"][0]["code"].is_string());
                }
            }
        }
    }
}

/// A request that is signed, and the header that proves it.
#[derive(Debug, Clone)]
struct Signed {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Vec<u8>,
    header: String,
}

const SECRET: &str = "a secret of some length";

impl Signed {
    fn request(&self) -> Request<'_> {
        let Self { method, path, query, headers, body, .. } = self;
        Request { method, path, query, headers, body }
    }

    fn verifies(&self, secret: &str) -> bool {
        Authorization::read(&self.header).is_some_and(|read| read.is_of(secret, &self.request()))
    }
}

fn signed() -> impl Strategy<Value = Signed> {
    let word = "[!-~]{1,8}";
    let query = vec((word, "[ -~é]{0,8}"), 0..4);
    (query, "(/[!-~]{0,6}){1,3}", vec(any::<u8>(), 0..40), "[!-~]([ -~]{0,8}[!-~])?", "[a-z]{2}-[a-z]{4}-1")
        .prop_map(|(query, path, body, value, region)| {
            let time = "20290102T030405Z";
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", "api.example"), ("x-amz-date", time), ("x-amz-target", &value)] {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            }
            let unsigned = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20290102/{region}/ec2/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature="
            );
            let mut signed =
                Signed { method: "POST".into(), path, query, headers, body, header: unsigned.clone() };
            let read = Authorization::read(&unsigned).unwrap();
            let signature = read.signature_of(SECRET, time, &signed.request());
            signed.header = unsigned + &signature;
            signed
        })
}

/// Another letter in the place of one.
fn altered(text: &str, at: Index) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = at.index(letters.len());
    letters[at] = if letters[at] == '0' { '1' } else { '0' };
    letters.into_iter().collect()
}

proptest! {
    #[test]
    fn a_signed_request_verifies_and_nothing_that_differs(signed in signed(), at in any::<Index>(), bit in 0u8..8) {
        prop_assert!(signed.verifies(SECRET));
        prop_assert!(!signed.verifies(&altered(SECRET, at)));
        let differs = |change: &dyn Fn(&mut Signed)| {
            let mut other = signed.clone();
            change(&mut other);
            other.verifies(SECRET)
        };
        prop_assert!(!differs(&|other| other.method = "PUT".into()));
        prop_assert!(!differs(&|other| other.path = altered(&other.path, at)), "{}", altered(&signed.path, at));
        prop_assert!(!differs(&|other| other.path.push('/')));
        prop_assert!(!differs(&|other| other.query.push(("a".into(), String::new()))));
        if !signed.query.is_empty() {
            prop_assert!(!differs(&|other| other.query[at.index(signed.query.len())].1.push('0')));
            // In which order they come does not matter.
            prop_assert!(differs(&|other| other.query.reverse()));
        }
        prop_assert!(!differs(&|other| other.body.push(0)));
        if !signed.body.is_empty() {
            let flip = |other: &mut Signed| other.body[at.index(signed.body.len())] ^= 1 << bit;
            prop_assert!(!differs(&flip));
            // Not even when the client says beforehand what the body was.
            let foretold = |other: &mut Signed| {
                let said = Algorithm::Sha256.digest(&other.body).replace("sha256:", "");
                other.headers.insert("x-amz-content-sha256", said.parse().unwrap());
                flip(other);
            };
            prop_assert!(!differs(&foretold));
        }
        for name in ["host", "x-amz-date", "x-amz-target"] {
            let with_another = |other: &mut Signed| {
                let value = altered(other.headers[name].to_str().unwrap(), at);
                other.headers.insert(name, value.parse().unwrap());
            };
            prop_assert!(!differs(&with_another), "{name}");
            prop_assert!(!differs(&|other| drop(other.headers.remove(name))), "{name}");
        }
        // Of what is not signed, anything goes.
        prop_assert!(differs(&|other| drop(other.headers.insert("x-other", "1".parse().unwrap()))));
        let signature = signed.header.len() - 64;
        let (front, back) = signed.header.split_at(signature);
        prop_assert!(!differs(&|other| other.header = [front, &altered(back, at)].concat()));
        prop_assert!(!differs(&|other| other.header = front.replace("/ec2/", "/ecr/") + back));
    }
}
