//! In which form a client wants its answer.

use http::{HeaderMap, header};

use crate::api::Status;

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
    alternatives.iter().filter(|a| a.is_json()).find_map(form_of).ok_or_else(Status::not_acceptable)
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

    fn of(accept: &str) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        form(&headers).ok()
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
        assert_eq!(of("application/vnd.kubernetes.protobuf"), None);
        assert_eq!(of("application/json;as=Nonsense"), None);
    }
}
