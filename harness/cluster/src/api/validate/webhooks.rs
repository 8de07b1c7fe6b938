//! Configurations of admission webhooks.

use serde_json::Value;
use url::Url;

use crate::api::{
    invalid::{Errors, FieldPath},
    json::{items, text},
    names,
};

/// The versions of the question that real servers can put.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

const FORMAT: &str = "desired format: https://host[/path]";

/// Complaints about a configuration.
pub(super) fn configuration(object: &Value, errors: &mut Errors) {
    for (index, webhook) in items(&object["webhooks"]).iter().enumerate() {
        one(&format!("webhooks[{index}]"), webhook, errors);
    }
}

fn one(path: FieldPath<'_>, webhook: &Value, errors: &mut Errors) {
    let name = &webhook["name"];
    let mut of_name = Errors::default();
    names::check_subdomain(&format_args!("{path}.name"), name, &mut of_name);
    if of_name.is_empty() && text(name).split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        of_name.invalid(format_args!("{path}.name"), name, why);
    }
    errors.append(of_name);
    for (index, rule) in items(&webhook["rules"]).iter().enumerate() {
        for field in ["operations", "apiGroups", "apiVersions", "resources"] {
            if items(&rule[field]).is_empty() {
                errors.required(format_args!("{path}.rules[{index}].{field}"), "");
            }
        }
    }
    for (field, known) in [("failurePolicy", ["Fail", "Ignore"]), ("matchPolicy", ["Equivalent", "Exact"])] {
        if !webhook[field].is_null() && !known.contains(&text(&webhook[field])) {
            errors.unsupported(format_args!("{path}.{field}"), &webhook[field], &known);
        }
    }
    let (effects, harmless) = (&webhook["sideEffects"], ["None", "NoneOnDryRun"]);
    if effects.is_null() {
        errors.required(format_args!("{path}.sideEffects"), "must specify one of None, NoneOnDryRun");
    } else if !harmless.contains(&text(effects)) {
        errors.unsupported(format_args!("{path}.sideEffects"), effects, &harmless);
    }
    let timeout = &webhook["timeoutSeconds"];
    if timeout.as_i64().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        let why = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(format_args!("{path}.timeoutSeconds"), timeout, why);
    }
    client(&format_args!("{path}.clientConfig"), &webhook["clientConfig"], errors);
    let (field, reviews) =
        (format_args!("{path}.admissionReviewVersions"), &webhook["admissionReviewVersions"]);
    if items(reviews).is_empty() {
        errors.required(field, "must specify one of v1, v1beta1");
    } else if !items(reviews).iter().any(|version| REVIEWS.contains(&text(version))) {
        errors.invalid(field, reviews, "must include at least one of v1, v1beta1");
    }
}

fn client(path: FieldPath<'_>, client: &Value, errors: &mut Errors) {
    match (client["url"].as_str(), client["service"].is_object()) {
        (Some(url), false) => address(&format_args!("{path}.url"), url, errors),
        (None, true) => {
            for field in ["name", "namespace"] {
                if text(&client["service"][field]).is_empty() {
                    errors.required(format_args!("{path}.service.{field}"), "");
                }
            }
        }
        _ => errors.required(path, "exactly one of url or service is required"),
    }
}

fn address(field: FieldPath<'_>, address: &str, errors: &mut Errors) {
    let url = match Url::parse(address) {
        Ok(url) => url,
        Err(error) => {
            let why = format!("url must be a valid URL: {error}; {FORMAT}");
            errors.required(field, &why);
            return;
        }
    };
    let mut refuse = |what: &str, why: &str| errors.invalid(field, &what.into(), why);
    if url.scheme() != "https" {
        refuse(url.scheme(), &format!("'https' is the only allowed URL scheme; {FORMAT}"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        refuse("", &format!("host must be specified; {FORMAT}"));
    }
    if !url.username().is_empty() {
        refuse(url.username(), "user information is not permitted in the URL");
    }
    if let Some(fragment) = url.fragment() {
        refuse(fragment, "fragments are not permitted in the URL");
    }
    if let Some(query) = url.query() {
        refuse(query, "query parameters are not permitted in the URL");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn configurations_that_could_not_be_called_are_refused() {
        for (webhook, told) in [
            (
                json!({"name": "x", "clientConfig": {}}),
                vec![
                    "webhooks[0].name: Invalid value: \"x\": should be a domain with at least three segments separated by \
                     dots",
                    "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
                    "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
                    "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
                ],
            ),
            (
                json!({"name": "x.y.z", "clientConfig": {"url": "http://a"}, "sideEffects": "Some",
                    "admissionReviewVersions": ["v3"]}),
                vec![
                    "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
                    "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired \
                     format: https://host[/path]",
                    "webhooks[0].admissionReviewVersions: Invalid value: [\"v3\"]: must include at least one of v1, v1beta1",
                ],
            ),
            (
                json!({"name": "x.y.z", "clientConfig": {"url": "https://a?b"}, "sideEffects": "None",
                    "admissionReviewVersions": ["v1"], "timeoutSeconds": 40, "failurePolicy": "X", "matchPolicy": "Y",
                    "rules": [{"operations": [], "apiGroups": ["*"]}]}),
                vec![
                    "webhooks[0].rules[0].operations: Required value",
                    "webhooks[0].rules[0].apiVersions: Required value",
                    "webhooks[0].rules[0].resources: Required value",
                    "webhooks[0].failurePolicy: Unsupported value: \"X\": supported values: \"Fail\", \"Ignore\"",
                    "webhooks[0].matchPolicy: Unsupported value: \"Y\": supported values: \"Equivalent\", \"Exact\"",
                    "webhooks[0].timeoutSeconds: Invalid value: 40: the timeout value must be between 1 and 30 seconds",
                    "webhooks[0].clientConfig.url: Invalid value: \"b\": query parameters are not permitted in the URL",
                ],
            ),
        ] {
            let mut errors = Errors::default();
            configuration(&json!({"webhooks": [webhook]}), &mut errors);
            let found: Vec<_> = errors.into_vec().iter().map(ToString::to_string).collect();
            assert_eq!(found, told);
        }
    }
}
