//! Objects in the form that a client asked for: as they are, as rows, or as metadata.

use serde_json::{Value, json};

use super::{Server, negotiate::Form, options::Query, route::Target};
use crate::{
    api::{convert, print},
    store::Stored,
};

/// What accompanies each row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    Nothing,
    /// The metadata.
    Metadata,
    /// The whole object.
    Object,
}

/// How the objects of one answer are written.
pub(super) struct Writer<'a> {
    server: &'a Server,
    /// What was asked for.
    pub(super) target: &'a Target,
    /// The form.
    pub(super) form: Form,
    include: Include,
}

impl<'a> Writer<'a> {
    /// A writer for what a client asked.
    pub(super) fn new(server: &'a Server, target: &'a Target, form: Form, query: &Query) -> Self {
        let include = match query.text("includeObject") {
            "None" => Include::Nothing,
            "Object" => Include::Object,
            _ => Include::Metadata,
        };
        Self { server, target, form, include }
    }

    /// One object.
    pub(super) fn object(&self, object: &Stored) -> Value {
        let object = convert::shown(&self.target.resource, &self.target.version, object);
        match self.form {
            Form::Object => object.into_owned(),
            Form::Metadata(version) => metadata(version, &object),
            Form::Table(version) => {
                let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                self.table(version, &meta, std::iter::once(&*object), true)
            }
        }
    }

    /// One object as bytes; those of the store are used where they are what is wanted.
    pub(super) fn bytes(&self, object: &Stored) -> bytes::Bytes {
        let same = convert::is_stored_form(&self.target.resource, &self.target.version);
        if self.form == Form::Object && same {
            return object.bytes();
        }
        self.object(object).to_string().into()
    }

    /// A table of objects that have the right version already.
    pub(super) fn table<'o>(
        &self,
        version: &str,
        meta: &Value,
        objects: impl Iterator<Item = &'o Value>,
        columns: bool,
    ) -> Value {
        let printer = print::Printer::new(&self.target.resource, self.server.clock(), self.server.release());
        let rows: Vec<Value> = objects.map(|object| self.row(&printer, version, object)).collect();
        let columns = if columns { printer.columns() } else { Value::Null };
        json!({"kind": "Table", "apiVersion": version, "metadata": meta, "columnDefinitions": columns, "rows": rows})
    }

    fn row(&self, printer: &print::Printer<'_>, version: &str, object: &Value) -> Value {
        let shown = match self.include {
            Include::Nothing => Value::Null,
            Include::Metadata => metadata(version, object),
            Include::Object => object.clone(),
        };
        // Cells are those of the stored form, whatever version was asked for.
        let (resource, spoken) = (&self.target.resource, &self.target.version);
        let cells = if convert::is_stored_form(resource, spoken) {
            printer.cells(object)
        } else {
            printer.cells(&convert::incoming(resource, spoken, object.clone()))
        };
        let mut row = json!({"cells": cells, "object": shown});
        let conditions = printer.conditions(object);
        if !conditions.is_null() {
            row["conditions"] = conditions;
        }
        row
    }

    /// The marker that the initial events of a watch have all been sent.
    pub(super) fn bookmark(&self, revision: u64, initial_end: bool) -> Value {
        let resource = &self.target.resource;
        let mut object = json!({"kind": resource.kind, "apiVersion": resource.api_version(&self.target.version),
            "metadata": {"resourceVersion": revision.to_string()}});
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        match self.form {
            Form::Object => object,
            Form::Metadata(version) => metadata(version, &object),
            Form::Table(version) => {
                let meta = json!({"resourceVersion": revision.to_string()});
                let shown = metadata(version, &object);
                json!({"kind": "Table", "apiVersion": version, "metadata": meta, "columnDefinitions": null,
                    "rows": [{"cells": [], "object": shown}]})
            }
        }
    }
}

/// The metadata of an object, as an object of its own kind.
pub(super) fn metadata(version: &str, object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": object["metadata"]})
}
