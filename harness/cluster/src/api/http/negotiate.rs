//! In which form a client wants its answer.

use http::{HeaderMap, header};

use crate::api::Status;

/// The other media type that objects are written in.
pub(super) const YAML: &str = "application/yaml";

/// What real servers write as well, and this one only reads.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The forms that an object or a list can be asked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Object,
    /// As rows of a table, of `meta.k8s.io/v1` or `v1beta1`.
    Table(&'static str),
    /// Its metadata only, of `meta.k8s.io/v1` or `v1beta1`.
    Metadata(&'static str),
}

/// One alternative of an Accept header.
pub(super) struct Alternative<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Alternative<'a> {
    /// A parameter, empty when it is not there.
    pub(super) fn parameter(&self, name: &str) -> &'a str {
        self.parameters.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| *v)
    }

    /// Whether it asks for JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.media, "application/json" | "application/*" | "*/*")
    }

    /// Whether it asks for YAML.
    fn is_yaml(&self) -> bool {
        self.media == YAML
    }

    /// Whether it is of a media type.
    pub(super) fn is(&self, media: &str) -> bool {
        self.media == media
    }
}

/// The alternatives of the Accept header, as the client ordered them.
pub(super) fn alternatives(headers: &HeaderMap) -> Vec<Alternative<'_>> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
    let parts = values.flat_map(|v| v.split(',')).map(str::trim).filter(|p| !p.is_empty());
    parts
        .map(|part| {
            let mut pieces = part.split(';').map(str::trim);
            let media = pieces.next().unwrap_or_default();
            let parameters = pieces.filter_map(|p| p.split_once('=')).map(|(n, v)| (n.trim(), v.trim()));
            Alternative { media, parameters: parameters.collect() }
        })
        .collect()
}

/// The form of objects that a client prefers among those that the server has.
///
/// # Errors
/// 406.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Status> {
    let alternatives = alternatives(headers);
    if alternatives.is_empty() {
        return Ok(Form::Object);
    }
    let written = alternatives.iter().filter(|a| a.is_json() || a.is_yaml());
    written.clone().find_map(form_of).ok_or_else(|| refused(&alternatives, &["application/json", YAML]))
}

/// The form of objects that a client prefers for a watch, whose events are written in JSON only.
///
/// # Errors
/// 406.
pub(super) fn stream_form(headers: &HeaderMap) -> Result<Form, Status> {
    let alternatives = alternatives(headers);
    if alternatives.is_empty() {
        return Ok(Form::Object);
    }
    let written = alternatives.iter().filter(|a| a.is_json());
    written
        .clone()
        .find_map(form_of)
        .ok_or_else(|| refused(&alternatives, &["application/json;stream=watch"]))
}

/// Types that no handler writes are refused before one is found, and in other words than what the handler refuses.
fn refused(alternatives: &[Alternative<'_>], written: &[&str]) -> Status {
    let handled = |a: &Alternative<'_>| a.is_json() || a.is_yaml() || a.is(PROTOBUF);
    if alternatives.iter().any(handled) { Status::accepts_only(written) } else { Status::not_acceptable() }
}

/// Whether a client prefers YAML to JSON.
pub(super) fn prefers_yaml(headers: &HeaderMap) -> bool {
    let alternatives = alternatives(headers);
    let mut written = alternatives.iter().filter(|a| a.is_json() || a.is_yaml());
    written.find(|a| form_of(a).is_some()).is_some_and(Alternative::is_yaml)
}

fn form_of(alternative: &Alternative<'_>) -> Option<Form> {
    let version = match alternative.parameter("v") {
        "v1" => Some("meta.k8s.io/v1"),
        "v1beta1" => Some("meta.k8s.io/v1beta1"),
        _ => None,
    };
    match alternative.parameter("as") {
        "" => Some(Form::Object),
        "Table" => version.map(Form::Table),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => version.map(Form::Metadata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        headers
    }

    fn of(accept: &str) -> Option<Form> {
        form(&headers(accept)).ok()
    }

    #[test]
    fn the_first_form_that_is_known_is_taken() {
        assert_eq!(form(&HeaderMap::new()).unwrap(), Form::Object);
        assert_eq!(of("application/json, */*"), Some(Form::Object));
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), Some(Form::Object));
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(of(kubectl), Some(Form::Table("meta.k8s.io/v1")));
        let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        assert_eq!(of(metadata), Some(Form::Metadata("meta.k8s.io/v1")));
        assert_eq!(of("application/yaml"), Some(Form::Object));
        for (accept, told) in [
            (PROTOBUF, "only the following media types are accepted: application/json, application/yaml"),
            (
                "application/json;as=Nonsense;v=v1",
                "only the following media types are accepted: application/json, application/yaml",
            ),
            (
                "text/x",
                "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                 application/vnd.kubernetes.protobuf",
            ),
        ] {
            assert_eq!(form(&headers(accept)).unwrap_err().message, told, "{accept}");
        }
    }

    #[test]
    fn watches_are_written_in_json() {
        let told = "only the following media types are accepted: application/json;stream=watch";
        for accept in ["application/yaml", "application/vnd.kubernetes.protobuf;stream=watch"] {
            assert_eq!(stream_form(&headers(accept)).unwrap_err().message, told, "{accept}");
        }
        assert_eq!(stream_form(&headers("application/json;stream=watch")), Ok(Form::Object));
        assert_eq!(stream_form(&HeaderMap::new()), Ok(Form::Object));
    }

    #[test]
    fn yaml_is_preferred_by_who_names_it_first() {
        assert!(prefers_yaml(&headers("application/yaml")));
        assert!(prefers_yaml(&headers("application/json;as=Nonsense, application/yaml, application/json")));
        for other in ["application/json, application/yaml", "*/*", "application/yaml;as=Nonsense"] {
            assert!(!prefers_yaml(&headers(other)), "{other}");
        }
    }
}
