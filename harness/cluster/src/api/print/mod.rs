//! Tables: which columns a kind has is data (`columns.yaml`), what is in them is in `cells` and, by what the kinds are
//! about, in the modules beside it.

mod age;
mod cells;
mod network;
mod pod;
mod policy;
mod storage;

use std::{collections::BTreeMap, sync::LazyLock};

use pulldrill_clock::{Clock, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    release::{Release, Span},
    resources::Resource,
};

static COLUMNS: LazyLock<BTreeMap<String, Vec<Column>>> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("columns.yaml")).unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded table of columns cannot be read");
        BTreeMap::new()
    })
});

/// One column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    #[serde(default = "string", rename = "type")]
    kind: String,
    #[serde(default)]
    format: String,
    cell: String,
    #[serde(default)]
    none: String,
    #[serde(default)]
    number: bool,
    #[serde(default)]
    wide: bool,
    since: Option<u32>,
    until: Option<u32>,
}

fn string() -> String {
    "string".into()
}

/// Makes the rows of one resource.
pub(super) struct Printer<'a> {
    columns: Vec<&'a Column>,
    context: cells::Context,
    pods: bool,
}

impl Printer<'_> {
    /// A printer for the objects of a resource.
    pub(super) fn new(resource: &Resource, clock: &Clock, release: Release) -> Self {
        let columns = COLUMNS.get(&resource.store).or_else(|| COLUMNS.get("default"));
        let here = |column: &&Column| Span::new(column.since, column.until).has(release);
        let columns = columns.into_iter().flatten().filter(here);
        Self {
            columns: columns.collect(),
            context: cells::Context { now: clock.shown_now(), release },
            pods: resource.store == "pods",
        }
    }

    /// The column definitions.
    pub(super) fn columns(&self) -> Value {
        let column = |c: &&Column| {
            json!({"name": c.name, "type": c.kind, "format": c.format, "description": "",
                "priority": i32::from(c.wide)})
        };
        self.columns.iter().map(column).collect()
    }

    /// The cells of one object's row.
    pub(super) fn cells(&self, object: &Value) -> Vec<Value> {
        self.columns.iter().map(|column| self.cell(column, object)).collect()
    }

    fn cell(&self, column: &Column, object: &Value) -> Value {
        if !column.cell.starts_with('.') {
            return cells::cell(&column.cell, object, &self.context);
        }
        let found = column.cell.split('.').skip(1).fold(object, |value, field| &value[field]);
        let number = column.number || column.kind == "integer";
        match found {
            Value::Null if number => json!(0),
            Value::Null => column.none.as_str().into(),
            Value::String(text) if text.is_empty() => column.none.as_str().into(),
            Value::Number(shown) if !number => shown.to_string().into(),
            other => other.clone(),
        }
    }

    /// What a row says about itself: that a pod has ended.
    pub(super) fn conditions(&self, object: &Value) -> Value {
        if !self.pods {
            return Value::Null;
        }
        let (reason, message) = match object["status"]["phase"].as_str() {
            Some("Succeeded") => ("Succeeded", "The pod has completed successfully."),
            Some("Failed") => ("Failed", "The pod failed."),
            _ => return Value::Null,
        };
        json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}])
    }
}

/// The first few of many, and how many more there are.
fn some_of(all: impl Iterator<Item = String>, none: &str) -> String {
    const SHOWN: usize = 3;
    let all: Vec<String> = all.collect();
    let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(",");
    match all.len() {
        0 => none.to_owned(),
        count if count > SHOWN => format!("{shown} + {} more...", count - SHOWN),
        _ => shown,
    }
}

/// A time in an object.
fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
