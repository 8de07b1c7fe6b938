//! Moving the times that an object shows into the past.
//!
//! Only times that the cluster itself wrote are moved: metadata, status, and the fields of Events and
//! Leases. A time that a user wrote (an annotation of a template, say) is part of the desired state.

use jiff::Timestamp;
use pulldrill_clock::{SignedDuration, stamp, stamp_micros};
use serde_json::Value;

/// Moves every such time in `object` back by `by`.
pub fn shift_times(object: &mut Value, by: SignedDuration) {
    let keep_spec = object["kind"] != "Lease";
    let Some(fields) = object.as_object_mut() else { return };
    for (name, value) in fields {
        match name.as_str() {
            "spec" if keep_spec => {}
            "data" | "stringData" | "message" => {}
            "metadata" => {
                for (field, value) in value.as_object_mut().into_iter().flatten() {
                    if !matches!(field.as_str(), "annotations" | "labels") {
                        shift_field(field, value, by);
                    }
                }
            }
            _ => shift_field(name, value, by),
        }
    }
}

fn shift_field(name: &str, value: &mut Value, by: SignedDuration) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(n, v)| shift_field(n, v, by)),
        Value::Array(items) => items.iter_mut().for_each(|v| shift_field(name, v, by)),
        Value::String(text) if is_time_field(name) => {
            if let Some(moved) = moved(text, by) {
                *text = moved;
            }
        }
        _ => {}
    }
}

fn is_time_field(name: &str) -> bool {
    name.ends_with("Time")
        || name.ends_with("Timestamp")
        || matches!(name, "time" | "startedAt" | "finishedAt")
}

/// The same form (whole seconds, or microseconds as in `eventTime`) at an earlier time.
fn moved(text: &str, by: SignedDuration) -> Option<String> {
    let time = text.parse::<Timestamp>().ok()?.checked_sub(by).ok()?;
    let written = if text.contains('.') { stamp_micros } else { stamp };
    Some(written(time))
}
