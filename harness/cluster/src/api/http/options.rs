//! The query of a request.

use serde_json::Value;

use crate::api::{Errors, Status, json};

/// The query, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query.
    pub(super) fn new(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Gives a name one value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(n, _)| n != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// A value, empty when it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The query as it is written in a path.
    pub(super) fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        let said = self.text(name);
        !said.is_empty() && said != "0" && !said.eq_ignore_ascii_case("false")
    }

    /// A number.
    ///
    /// # Errors
    /// 400 for something else.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        let Some(text) = self.get(name).filter(|t| !t.is_empty()) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
    }

    /// Whether the request is a dry run.
    ///
    /// # Errors
    /// 422 for a value that is not `All`.
    pub(super) fn dry_run(&self, kind: &str) -> Result<bool, Status> {
        dry_run(self.0.iter().filter(|(n, _)| n == "dryRun").map(|(_, v)| v.as_str()), kind)
    }
}

/// Judges values of `dryRun`, of a query or a body.
pub(super) fn dry_run<'a>(values: impl Iterator<Item = &'a str>, kind: &str) -> Result<bool, Status> {
    let values: Vec<&str> = values.filter(|v| !v.is_empty()).collect();
    if values.iter().any(|v| *v != "All") {
        let mut errors = Errors::default();
        errors.unsupported("dryRun", &Value::from(values), &["All"]);
        return Err(Status::invalid_kind("meta.k8s.io", kind, "", &errors.into_vec()));
    }
    Ok(!values.is_empty())
}

/// How strict a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// Unknown fields are dropped silently.
    Ignore,
    /// Unknown fields are dropped with a warning.
    Warn,
    /// Unknown fields are refused.
    Strict,
}

impl FieldValidation {
    /// What a query asks for.
    ///
    /// # Errors
    /// 422 for an unknown value.
    pub(super) fn of(query: &Query, kind: &str) -> Result<Self, Status> {
        match query.text("fieldValidation") {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            other => {
                let mut errors = Errors::default();
                errors.unsupported("fieldValidation", &other.into(), &["", "Ignore", "Strict", "Warn"]);
                Err(Status::invalid_kind("meta.k8s.io", kind, "", &errors.into_vec()))
            }
        }
    }

    /// What becomes of complaints about a body.
    ///
    /// # Errors
    /// All of them together.
    pub(super) fn judge(self, complaints: &[String], warnings: &mut Vec<String>) -> Result<(), String> {
        match self {
            Self::Strict if !complaints.is_empty() => {
                return Err(format!("strict decoding error: {}", complaints.join(", ")));
            }
            Self::Warn => warnings.extend(complaints.iter().flat_map(|complaint| lines(complaint))),
            Self::Strict | Self::Ignore => {}
        }
        Ok(())
    }
}

/// A complaint as warnings, of which none has more than a line (`parseYAMLWarnings` of apiserver).
fn lines(complaint: &str) -> Vec<String> {
    match complaint.strip_prefix("yaml: unmarshal errors:\n") {
        Some(lines) => lines.lines().map(|line| line.trim().to_owned()).collect(),
        None => vec![complaint.to_owned()],
    }
}

/// What a `DeleteOptions` body and the query of a deletion say together.
pub(super) fn delete_options(query: &Query, body: &Value) -> Result<crate::api::DeleteOptions, Status> {
    let in_body = json::items(&body["dryRun"]).iter().map(json::text);
    let dry_run = query.dry_run("DeleteOptions")? || dry_run(in_body, "DeleteOptions")?;
    let word = |field: &str| {
        let value = body[field].as_str().or_else(|| query.get(field));
        value.filter(|v| !v.is_empty()).map(str::to_owned)
    };
    let orphans = body["orphanDependents"].as_bool().map(|yes| if yes { "Orphan" } else { "Background" });
    let policy = word("propagationPolicy");
    if let (Some(_), Some(policy)) = (orphans, &policy) {
        let mut errors = Errors::default();
        let why = "orphanDependents and deletionPropagation cannot be both set";
        errors.invalid("propagationPolicy", &policy.as_str().into(), why);
        return Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &errors.into_vec()));
    }
    Ok(crate::api::DeleteOptions {
        grace_period_seconds: match body["gracePeriodSeconds"].as_i64() {
            Some(seconds) => Some(seconds),
            None => query.number("gracePeriodSeconds")?,
        },
        propagation_policy: policy.or_else(|| orphans.map(str::to_owned)),
        uid: body["preconditions"]["uid"].as_str().map(str::to_owned),
        resource_version: body["preconditions"]["resourceVersion"].as_str().map(str::to_owned),
        dry_run,
    })
}
