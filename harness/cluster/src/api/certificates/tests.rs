//! What a request may say, in the words that 1.20.2 was seen to use; and what each signer signs.

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::*;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
    and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

fn pem(user: &str, group: &str, names: &[&str]) -> String {
    let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
}

fn complaints(spec: &Value, strict: bool, legacy: bool) -> Vec<String> {
    let mut errors = Errors::default();
    validate::certificates::spec(spec, strict, legacy, &mut errors);
    errors.into_vec().iter().map(ToString::to_string).collect()
}

#[test]
fn names_of_signers_are_a_domain_and_a_path() {
    let request = STANDARD.encode(pem("bob", "devs", &[]));
    let whole = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    let short = "should be a domain with at least two segments separated by dots";
    let long = "x".repeat(64);
    for (name, why) in [
        ("a.b/c.d", String::new()),
        ("kubernetes.io/nope", String::new()),
        ("foo", format!("Invalid value: \"foo\": {whole}")),
        ("a.b/c/d", format!("Invalid value: \"a.b/c/d\": {whole}")),
        ("foo/bar", format!("Invalid value: \"foo\": {short}")),
        ("A.b/c", format!("Invalid value: \"A.b\": validating label \"A\": {LABEL}")),
        ("a..b/c", format!("Invalid value: \"a..b\": validating label \"\": {LABEL}")),
        (
            &format!("{long}.b/c"),
            format!(
                "Invalid value: \"{long}.b\": validating label \"{long}\": must be no more than 63 characters"
            ),
        ),
    ] {
        let spec = json!({"request": request, "usages": ["client auth"], "signerName": name});
        let wanted = if why.is_empty() { vec![] } else { vec![format!("spec.signerName: {why}")] };
        assert_eq!(complaints(&spec, true, true), wanted, "{name}");
    }
}

#[test]
fn what_is_missing_is_told_in_the_words_of_the_release() {
    let no_request = "PEM block type must be CERTIFICATE REQUEST";
    assert_eq!(
        complaints(&json!({}), true, true),
        [
            &format!("spec.request: Invalid value: []byte(nil): {no_request}"),
            "spec.usages: Required value: usages must be provided",
            "spec.signerName: Required value: signerName must be provided",
        ]
    );
    let spec = json!({"request": STANDARD.encode("abc"), "usages": ["foo", "foo"], "signerName": LEGACY});
    let old = complaints(&spec, false, true);
    assert_eq!(old, [format!("spec.request: Invalid value: []byte{{0x61, 0x62, 0x63}}: {no_request}")]);
    let new = complaints(&spec, true, false);
    assert_eq!(new[0], format!("spec.request: Invalid value: \"YWJj\": {no_request}"));
    assert!(
        new[1].starts_with(
            "spec.usages[0]: Unsupported value: \"foo\": supported values: \"any\", \"cert sign\""
        )
    );
    assert_eq!(new[3], "spec.usages[1]: Duplicate value: \"foo\"");
    assert!(new[4].ends_with("the legacy signerName is not allowed via this API version"));
}

#[test]
fn kubelets_may_leave_out_what_their_keys_cant_do() {
    let read = |pem: String| CertificateRequest::from_pem(pem.as_bytes()).unwrap();
    let serving = read(pem("system:node:n1", "system:nodes", &["n1"]));
    let check = |signer: &str, usages: &[&str], minor: u32| {
        signers::check(signer, &serving, usages, Release::minor(minor)).unwrap()
    };
    let without = ["server auth", "digital signature"];
    let with = ["server auth", "digital signature", "key encipherment"];
    let why = "usages did not match [digital signature key encipherment server auth]";
    assert_eq!(check(KUBELET_SERVING, &with, 20), Ok(()));
    assert_eq!(check(KUBELET_SERVING, &without, 20), Err(why.to_owned()));
    assert_eq!(check(KUBELET_SERVING, &without, 36), Ok(()));
    assert_eq!(check(KUBELET_CLIENT, &with, 36), Err("DNS subjectAltNames are not allowed".to_owned()));
    assert_eq!(signers::check("a.b/c", &serving, &with, Release::minor(36)), None);
}

#[test]
fn the_first_version_finds_the_signer_by_itself() {
    let found = |pem: String, usages: Value| {
        let mut request = json!({"spec": {"request": STANDARD.encode(pem), "usages": usages}});
        of_first_version(&mut request);
        text(&request["spec"]["signerName"]).to_owned()
    };
    let node = |names: &[&str]| pem("system:node:n1", "system:nodes", names);
    let usages = |purpose: &str| json!(["digital signature", "key encipherment", purpose]);
    assert_eq!(found(node(&[]), usages("client auth")), KUBELET_CLIENT);
    assert_eq!(found(node(&["n1"]), usages("server auth")), KUBELET_SERVING);
    assert_eq!(found(node(&[]), json!(["client auth"])), LEGACY);
    assert_eq!(found(pem("bob", "devs", &[]), json!([])), LEGACY);
    assert_eq!(found("nonsense".to_owned(), json!([])), LEGACY);
}
