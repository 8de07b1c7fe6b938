//! Requests for certificates (`pkg/apis/certificates/validation`).

use pulldrill_tls::{CertificateRequest, check_chain, usages};
use serde_json::{Value, json};

use crate::api::{
    certificates::LEGACY,
    invalid::{Errors, FieldPath},
    json::{bytes, items, text},
    names,
};

/// Conditions that are true or absent, and never taken back.
const LASTING: [&str; 3] = ["Approved", "Denied", "Failed"];

/// The shortest time that may be asked for, in seconds.
const SHORTEST: i64 = 600;

/// How long the parts of a signer's name may be.
const LONGEST_DOMAIN: usize = 253;
const LONGEST_PATH: usize = 253 + 1 + 63;

/// Complains about what is asked for. The first version of the API was less `strict`; `legacy` releases show bytes as Go
/// does.
pub(in crate::api) fn spec(spec: &Value, strict: bool, legacy: bool, errors: &mut Errors) {
    let request = &spec["request"];
    if let Err(error) = CertificateRequest::from_pem(&bytes(request)) {
        let shown = if legacy { go_bytes(request) } else { request.to_string() };
        errors.invalid_shown("spec.request", &shown, &error.to_string());
    }
    let wanted = items(&spec["usages"]);
    if wanted.is_empty() {
        errors.required("spec.usages", "usages must be provided");
    }
    let signer = &spec["signerName"];
    if strict {
        check_usages(wanted, errors);
    }
    if strict && signer == LEGACY {
        errors.invalid(
            "spec.signerName",
            signer,
            "the legacy signerName is not allowed via this API version",
        );
    } else {
        signer_name(&"spec.signerName", signer, legacy, errors);
    }
    if let Some(seconds) = spec["expirationSeconds"].as_i64().filter(|seconds| *seconds < SHORTEST) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid("spec.expirationSeconds", &json!(seconds), why);
    }
}

/// The bytes of a field as Go's `%#v` prints them.
fn go_bytes(value: &Value) -> String {
    if value.is_null() {
        return "[]byte(nil)".to_owned();
    }
    let bytes: Vec<String> = bytes(value).iter().map(|byte| format!("0x{byte:x}")).collect();
    format!("[]byte{{{}}}", bytes.join(", "))
}

fn check_usages(wanted: &[Value], errors: &mut Errors) {
    let known = usages();
    for (at, usage) in wanted.iter().enumerate().filter(|(_, usage)| !known.contains(&text(usage))) {
        errors.unsupported(format_args!("spec.usages[{at}]"), usage, &known);
    }
    for (at, usage) in wanted.iter().enumerate().filter(|(at, usage)| wanted[..*at].contains(usage)) {
        errors.duplicate(format_args!("spec.usages[{at}]"), usage);
    }
}

/// Complains about a name of a signer: a domain, a slash and a path.
fn signer_name(field: FieldPath<'_>, name: &Value, legacy: bool, errors: &mut Errors) {
    let text = text(name);
    if text.is_empty() {
        return errors.required(field, if legacy { "signerName must be provided" } else { "" });
    }
    let parts: Vec<&str> = text.split('/').collect();
    let [domain, path] = parts.as_slice() else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return errors.invalid(field, name, why);
    };
    if domain.len() > LONGEST_DOMAIN {
        errors.too_long(field, &format!("may not be more than {LONGEST_DOMAIN} bytes"));
    }
    let labels: Vec<&str> = domain.split('.').collect();
    for label in &labels {
        label_of(field, label, domain, names::check_label, errors);
    }
    if labels.len() < 2 {
        let why = "should be a domain with at least two segments separated by dots";
        errors.invalid(field, &(*domain).into(), why);
    }
    if path.len() > LONGEST_PATH {
        errors.too_long(field, &format!("may not be more than {LONGEST_PATH} bytes"));
    }
    for label in path.split('.') {
        label_of(field, label, path, names::check_subdomain, errors);
    }
}

/// Complains about one word between the dots of a part.
fn label_of(
    field: FieldPath<'_>,
    label: &str,
    part: &str,
    check: impl Fn(FieldPath<'_>, &Value, &mut Errors),
    errors: &mut Errors,
) {
    let mut found = Errors::default();
    check(field, &label.into(), &mut found);
    for error in found.into_vec() {
        let told = format!("Invalid value: {}: ", Value::from(label));
        let why = error.message.strip_prefix(&told).unwrap_or(&error.message);
        errors.invalid(field, &part.into(), &format!("validating label {label:?}: {why}"));
    }
}

/// Complains about a new status: what it says, and what it takes back or adds that is not for it to say.
pub(in crate::api) fn decision(subresource: &str, old: &Value, new: &Value, errors: &mut Errors) {
    conditions(items(&new["conditions"]), errors);
    let has = |status: &Value, kind: &str| items(&status["conditions"]).iter().any(|c| c["type"] == kind);
    let certificate = text(&new["certificate"]);
    if !certificate.is_empty()
        && let Err(why) = check_chain(&bytes(&new["certificate"]))
    {
        errors.invalid("status.certificate", &"<certificate data>".into(), &why);
    }
    let field = "status.conditions";
    for kind in LASTING.into_iter().filter(|kind| has(old, kind) && !has(new, kind)) {
        errors.forbidden(field, &format!("updates may not remove a condition of type {kind:?}"));
    }
    if subresource != "approval" {
        for kind in ["Approved", "Denied"].into_iter().filter(|kind| has(new, kind) && !has(old, kind)) {
            errors.forbidden(field, &format!("updates may not add a condition of type {kind:?}"));
        }
        let of_kind = |status: &Value, kind: &str| -> Vec<Value> {
            items(&status["conditions"]).iter().filter(|c| c["type"] == kind).cloned().collect()
        };
        let differ =
            |kind: &&str| has(new, kind) && has(old, kind) && of_kind(old, kind) != of_kind(new, kind);
        for kind in ["Approved", "Denied"].into_iter().filter(differ) {
            errors.forbidden(field, &format!("updates may not modify a condition of type {kind:?}"));
        }
    }
    let before = text(&old["certificate"]);
    if !before.is_empty() && before != certificate {
        errors.forbidden("status.certificate", "updates may not modify existing certificate content");
    }
}

fn conditions(conditions: &[Value], errors: &mut Errors) {
    let mut decided = [false, false];
    for (at, condition) in conditions.iter().enumerate() {
        let field = |name: &str| format!("status.conditions[{at}].{name}");
        let kind = text(&condition["type"]);
        if kind.is_empty() {
            errors.required(field("type"), "");
        }
        let allowed: &[&str] =
            if LASTING.contains(&kind) { &["True"] } else { &["False", "True", "Unknown"] };
        match text(&condition["status"]) {
            "" => errors.required(field("status"), ""),
            status if !allowed.contains(&status) => {
                errors.unsupported(field("status"), &condition["status"], allowed);
            }
            _ => {}
        }
        if conditions[..at].iter().any(|other| other["type"] == condition["type"]) {
            errors.duplicate(field("type"), &condition["type"]);
        }
        for (seen, own) in decided.iter_mut().zip(["Approved", "Denied"]) {
            *seen |= kind == own;
        }
        if decided == [true, true] && matches!(kind, "Approved" | "Denied") {
            let why = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(field("type"), &condition["type"], why);
        }
    }
}
