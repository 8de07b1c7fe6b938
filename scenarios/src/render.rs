//! Templates: texts and whole documents over a variant's parameters.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tera::{Context, Tera};

/// A variant's parameters, ready to be put into templates.
#[derive(Debug)]
pub(crate) struct Renderer {
    context: Context,
}

impl Renderer {
    /// A renderer that knows these names.
    pub(crate) fn new(values: &BTreeMap<String, Value>) -> Self {
        let mut context = Context::new();
        for (name, value) in values {
            context.insert(name.clone(), value);
        }
        Self { context }
    }

    /// One more name.
    pub(crate) fn define(&mut self, name: &str, value: &Value) {
        self.context.insert(name.to_owned(), value);
    }

    /// A text with its placeholders filled in; the error is the engine's, with the place.
    pub(crate) fn text(&self, template: &str) -> Result<String, String> {
        if !template.contains("{{") && !template.contains("{%") && !template.contains("{#") {
            return Ok(template.to_owned());
        }
        Tera::one_off(template, &self.context, false).map_err(|error| {
            let mut message = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                let _ = write!(message, ": {inner}");
                cause = inner.source();
            }
            message
        })
    }

    /// A document with every string in it filled in.
    pub(crate) fn document<T: Serialize + DeserializeOwned>(&self, document: &T) -> Result<T, String> {
        let mut value = serde_json::to_value(document).map_err(|error| error.to_string())?;
        self.walk(&mut value)?;
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn walk(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::String(text) => *text = self.text(text)?,
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.walk(item))?,
            Value::Object(fields) => fields.values_mut().try_for_each(|field| self.walk(field))?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn renderer() -> Renderer {
        Renderer::new(&BTreeMap::from([("ns".to_owned(), json!("video")), ("patch".to_owned(), json!(4))]))
    }

    #[test]
    fn placeholders_are_filled_in_and_shell_text_stays_as_it_is() {
        let text =
            renderer().text(r#"kubectl -n {{ ns }} set image x=y:1.{{ patch + 1 }} -p '{"a":{"b":"${C}"}}'"#);
        assert_eq!(text.unwrap(), r#"kubectl -n video set image x=y:1.5 -p '{"a":{"b":"${C}"}}'"#);
    }

    #[test]
    fn every_string_of_a_document_is_filled_in() {
        let document = json!({"a": ["{{ ns }}", 1], "b": {"c": "x-{{ ns }}"}});
        assert_eq!(
            renderer().document(&document).unwrap(),
            json!({"a": ["video", 1], "b": {"c": "x-video"}})
        );
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let error = renderer().text("{{ nobody }}").unwrap_err();
        assert!(error.contains("nobody"), "{error}");
    }
}
