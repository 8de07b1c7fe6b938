//! How an object is written with the owners of its fields, which are kept beside it.

use serde_json::{Map, Value};

use crate::{json_writer, managed::ManagedFields};

/// What an object is comes first in it, as from real servers: [`Stored::item`](super::Stored::item) counts on it.
const FIRST: [&str; 2] = ["kind", "apiVersion"];

/// Writes an object with its `metadata.managedFields`; where what comes after its kind and version begins, from the start of it.
pub(super) fn write(to: &mut Vec<u8>, object: &Value, managed: &ManagedFields) -> usize {
    let start = to.len();
    let Some(fields) = object.as_object() else {
        json_writer::value(to, object);
        return 0;
    };
    to.push(b'{');
    for name in FIRST {
        if let Some(value) = fields.get(name) {
            json_writer::field(to, name, value);
        }
    }
    let rest = to.len() - start;
    for (name, value) in fields.iter().filter(|(name, _)| !FIRST.contains(&name.as_str())) {
        match value {
            Value::Object(fields) if name == "metadata" && !managed.is_empty() => {
                json_writer::name(to, name);
                metadata(to, fields, managed);
                to.push(b',');
            }
            value => json_writer::field(to, name, value),
        }
    }
    json_writer::end(to, b'}');
    // Nothing may follow: then that is the end.
    rest.min(to.len() - start - 1)
}

fn metadata(to: &mut Vec<u8>, fields: &Map<String, Value>, managed: &ManagedFields) {
    to.push(b'{');
    for (name, value) in fields {
        json_writer::field(to, name, value);
    }
    json_writer::name(to, "managedFields");
    managed.write(to);
    json_writer::end(to, b'}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_it_is_comes_first_and_owners_are_in_its_metadata() {
        let mut object =
            json!({"apiVersion": "v1", "a": 1, "kind": "Pod", "metadata": {"name": "p"}, "spec": {}});
        let told = |object: &Value, managed: &ManagedFields| {
            let mut written = Vec::from("before");
            let rest = write(&mut written, object, managed);
            let all = String::from_utf8(written).unwrap().split_off("before".len());
            (all[..rest].to_owned(), all)
        };
        let nobody = ManagedFields::default();
        let head = r#"{"kind":"Pod","apiVersion":"v1","#.to_owned();
        let all = format!("{head}{}", r#""a":1,"metadata":{"name":"p"},"spec":{}}"#);
        assert_eq!(told(&object, &nobody), (head, all));
        assert_eq!(told(&json!({}), &nobody), ("{".to_owned(), "{}".to_owned()));
        assert_eq!(
            told(&json!({"kind": "K"}), &nobody),
            (r#"{"kind":"K""#.to_owned(), r#"{"kind":"K"}"#.to_owned())
        );
        let entries = json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:a": {}}}]);
        let crate::managed::Claim::Entries(owners) = ManagedFields::claimed(&entries) else {
            panic!("not read")
        };
        let (_, all) = told(&object, &owners);
        object["metadata"]["managedFields"] = entries;
        assert_eq!(serde_json::from_str::<Value>(&all).unwrap(), object);
    }
}
