//! The question that is put to a webhook, and its answer: `AdmissionReview` of `admission.k8s.io`.

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_clock::secret;
use serde_json::{Value, json};

use super::{Call, rules};
use crate::{
    api::{
        Status, User,
        json::{items, text},
    },
    go, go_json,
    patch::apply::gvk,
    release::Release,
};

/// Since this minor version it is told that an answer was there, but no good.
const NEWER_WORDS: u32 = 22;

/// Reasons that programs know.
const REASONS: [&str; 13] = [
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotFound",
    "ServiceUnavailable",
    "TooManyRequests",
    "Unauthorized",
];

/// What a webhook says.
pub(super) enum Verdict {
    /// The write may go on, with these changes (a JSON patch).
    Allowed(Option<Value>),
    /// It may not.
    Denied(Status),
}

/// A question.
pub(super) struct Request {
    /// As it is sent.
    pub(super) body: String,
    api_version: &'static str,
    uid: String,
    webhook: String,
}

impl Request {
    /// The question about a write, in the newest version that the webhook understands.
    pub(super) fn new(call: &Call<'_>, object: &Value, webhook: &Value) -> Self {
        let uid = secret::uid();
        let resource = call.resource;
        let version = resource.stored_in.rsplit('/').next().unwrap_or_default();
        let kind = json!({"group": resource.group, "version": version, "kind": resource.kind});
        let plural = json!({"group": resource.group, "version": version, "resource": resource.plural});
        let mut request = json!({"uid": uid, "kind": kind, "resource": plural, "requestKind": kind,
            "requestResource": plural, "operation": call.operation, "userInfo": user(call.who), "object": object,
            "oldObject": call.old, "dryRun": call.dry_run, "options": options(call)});
        for (field, value) in [
            ("name", text(&rules::newest(call, object)["metadata"]["name"])),
            ("namespace", rules::namespace(call, object)),
            ("subResource", call.subresource.unwrap_or_default()),
            ("requestSubResource", call.subresource.unwrap_or_default()),
        ] {
            if !value.is_empty() {
                request[field] = value.into();
            }
        }
        let understands =
            |version: &str| items(&webhook["admissionReviewVersions"]).iter().any(|v| v == version);
        let api_version = if !understands("v1") && understands("v1beta1") {
            "admission.k8s.io/v1beta1"
        } else {
            "admission.k8s.io/v1"
        };
        let review = json!({"kind": "AdmissionReview", "apiVersion": api_version, "request": request});
        Self { body: review.to_string(), api_version, uid, webhook: text(&webhook["name"]).to_owned() }
    }

    /// What an answer means.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn verdict(&self, answer: &[u8], release: Release) -> Result<Verdict, String> {
        let read: Result<Value, _> = serde_json::from_slice(answer);
        let review = match read {
            Ok(review @ Value::Object(_)) => review,
            Ok(other) => return Err(no_kind(&go::not_a(&other, go::KIND_OF))),
            Err(error) => return Err(no_kind(&go_json::error(answer, &error))),
        };
        let invalid = |why: String| {
            if release.since(NEWER_WORDS) { format!("received invalid webhook response: {why}") } else { why }
        };
        let (kind, version) = (text(&review["kind"]), text(&review["apiVersion"]));
        if kind != "AdmissionReview" || version != self.api_version {
            let wanted = gvk(self.api_version, "AdmissionReview");
            return Err(invalid(format!(
                "expected webhook response of {wanted}, got {}",
                gvk(version, kind)
            )));
        }
        let response = &review["response"];
        if !response.is_object() {
            return Err(invalid("webhook response was absent".into()));
        }
        let uid = text(&response["uid"]);
        if uid != self.uid && self.api_version == "admission.k8s.io/v1" {
            return Err(invalid(format!("expected response.uid={:?}, got {uid:?}", self.uid)));
        }
        if response["allowed"] != true {
            return Ok(Verdict::Denied(denied(&self.webhook, &response["status"])));
        }
        let (patch, kind) = (text(&response["patch"]), text(&response["patchType"]));
        match (patch.is_empty(), kind) {
            (true, "") => return Ok(Verdict::Allowed(None)),
            (false, "") if self.api_version == "admission.k8s.io/v1" => {
                return Err(invalid("webhook returned response.patch but not response.patchType".into()));
            }
            (true, _) => {
                return Err(invalid("webhook returned response.patchType but not response.patch".into()));
            }
            (false, "JSONPatch" | "") => {}
            (false, other) => {
                return Err(invalid(format!("webhook returned invalid response.patchType of {other:?}")));
            }
        }
        let changes =
            STANDARD.decode(patch).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        match changes {
            Some(changes @ Value::Array(_)) => Ok(Verdict::Allowed(Some(changes))),
            _ => Err(invalid("webhook returned a response.patch that is no JSON patch".into())),
        }
    }
}

fn no_kind(why: &str) -> String {
    format!("couldn't get version/kind; json parse error: {why}")
}

fn user(who: &User) -> Value {
    let mut info = json!({"username": who.name, "groups": who.groups});
    if !who.uid.is_empty() {
        info["uid"] = who.uid.as_str().into();
    }
    if !who.extra.is_empty() {
        info["extra"] = json!(who.extra);
    }
    info
}

fn options(call: &Call<'_>) -> Value {
    let kind = match call.operation {
        "CREATE" => "CreateOptions",
        "DELETE" => "DeleteOptions",
        _ => "UpdateOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if call.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    if let Some(manager) = call.manager {
        options["fieldManager"] = manager.into();
    }
    options
}

/// A refusal in the words of the webhook, which has to be one whatever code it has.
fn denied(webhook: &str, said: &Value) -> Status {
    let (message, reason) = (text(&said["message"]), text(&said["reason"]));
    let denied = format!("admission webhook {webhook:?} denied the request");
    let message = match (message, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = said["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    let known = REASONS.into_iter().find(|known| *known == reason).unwrap_or_default();
    let mut status = Status::new(code, known, message);
    status.details = said["details"].clone();
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            body: String::new(),
            api_version: "admission.k8s.io/v1",
            uid: "u".into(),
            webhook: "a.b.c".into(),
        }
    }

    fn of(response: &Value, minor: u32) -> Result<Verdict, String> {
        let review =
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
        request().verdict(review.to_string().as_bytes(), Release::minor(minor))
    }

    #[test]
    fn refusals_are_in_the_words_of_the_webhook() {
        let begin = "admission webhook \"a.b.c\" denied the request";
        for (said, code, reason, told) in [
            (Value::Null, 400, "", " without explanation"),
            (json!({"message": "no", "code": 200}), 400, "", ": no"),
            (json!({"reason": "Because"}), 400, "", ": Because"),
            (json!({"code": 403, "reason": "Forbidden", "message": "no"}), 403, "Forbidden", ": no"),
            (json!({"code": 70000}), 400, "", " without explanation"),
        ] {
            let Ok(Verdict::Denied(status)) = of(&json!({"uid": "u", "allowed": false, "status": said}), 36)
            else {
                panic!("{said}");
            };
            assert_eq!(
                (status.code, status.reason, status.message),
                (code, reason, format!("{begin}{told}"))
            );
        }
    }

    #[test]
    fn answers_that_are_none() {
        for (response, told) in [
            (json!({"uid": "x"}), "expected response.uid=\"u\", got \"x\""),
            (Value::Null, "webhook response was absent"),
            (
                json!({"uid": "u", "allowed": true, "patch": "W10="}),
                "webhook returned response.patch but not response.patchType",
            ),
            (
                json!({"uid": "u", "allowed": true, "patchType": "JSONPatch"}),
                "webhook returned response.patchType but not response.patch",
            ),
            (
                json!({"uid": "u", "allowed": true, "patchType": "X", "patch": "W10="}),
                "webhook returned invalid response.patchType of \"X\"",
            ),
            (
                json!({"uid": "u", "allowed": true, "patchType": "JSONPatch", "patch": "!"}),
                "webhook returned a response.patch that is no JSON patch",
            ),
        ] {
            assert_eq!(of(&response, 20).err(), Some(told.to_owned()), "{response}");
            assert_eq!(of(&response, 36).err(), Some(format!("received invalid webhook response: {told}")));
        }
        let release = Release::minor(20);
        for (answer, told) in [
            ("{}", "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind="),
            (
                "hello",
                "couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value",
            ),
        ] {
            assert_eq!(request().verdict(answer.as_bytes(), release).err().as_deref(), Some(told));
        }
        let text = request().verdict(b"\"x\"", release).err().unwrap();
        assert!(
            text.contains("json: cannot unmarshal string into Go value of type struct { APIVersion string"),
            "{text}"
        );
    }

    #[test]
    fn changes_come_as_a_patch() {
        let patch = STANDARD.encode("[{\"op\":\"remove\",\"path\":\"/a\"}]");
        let response = json!({"uid": "u", "allowed": true, "patchType": "JSONPatch", "patch": patch});
        let Ok(Verdict::Allowed(Some(changes))) = of(&response, 36) else { panic!("refused") };
        assert_eq!(changes[0]["path"], "/a");
        assert!(matches!(of(&json!({"uid": "u", "allowed": true}), 36), Ok(Verdict::Allowed(None))));
    }
}
