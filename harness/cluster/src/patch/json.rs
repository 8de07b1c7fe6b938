//! JSON patch (RFC 6902): a list of operations.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::PatchError;

/// How many operations a patch may have.
const MOST: usize = 10_000;

/// How many bytes of JSON all copies of a patch may add, or a few of them would fill the memory.
const COPIED: usize = 3 * 1024 * 1024;

/// Applies the operations in order; all or none.
///
/// # Errors
/// When the patch is no list of operations, or one of them does not fit the object.
pub fn json(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    let kind = match patch {
        Value::Array(_) => None,
        Value::Object(_) => Some("object"),
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
        Value::Null => Some("null"),
    };
    if let Some(kind) = kind {
        return Err(PatchError::Malformed(format!(
            "error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        )));
    }
    let count = patch.as_array().map_or(0, Vec::len);
    if count > MOST {
        let text = format!("The allowed maximum operations in a JSON patch is {MOST}, got {count}");
        return Err(PatchError::TooLarge(text));
    }
    let Patch(operations) = serde_json::from_value(patch.clone()).map_err(|_| PatchError::Rejected)?;
    let mut object = original.clone();
    let mut copied = 0;
    for operation in operations {
        if let PatchOperation::Copy(copy) = &operation {
            copied += object.pointer(copy.from.as_str()).map_or(0, |value| value.to_string().len());
            if copied > COPIED {
                return Err(PatchError::Rejected);
            }
        }
        json_patch::patch(&mut object, &[operation]).map_err(|_| PatchError::Rejected)?;
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json as v;

    use super::*;

    #[test]
    fn operations_change_the_object() {
        let pod = v!({"metadata": {"annotations": {"x/y": "1"}}, "spec": {"list": [1, 2]}});
        let patch = v!([{"op": "replace", "path": "/metadata/annotations/x~1y", "value": "2"},
            {"op": "add", "path": "/spec/list/-", "value": 3}, {"op": "test", "path": "/spec/list/0", "value": 1}]);
        assert_eq!(
            json(&pod, &patch).unwrap(),
            v!({"metadata": {"annotations": {"x/y": "2"}}, "spec": {"list": [1, 2, 3]}})
        );
    }

    #[test]
    fn copies_of_copies_end_somewhere() {
        let pod = v!({"a": {"b": "x".repeat(100)}});
        let double = |n: usize| v!({"op": "copy", "from": "/a", "path": format!("/a/c{n}")});
        assert!(json(&pod, &(0..3).map(double).collect()).is_ok());
        assert_eq!(json(&pod, &(0..60).map(double).collect()), Err(PatchError::Rejected));
    }

    #[test]
    fn what_does_not_fit_is_rejected() {
        let pod = v!({"metadata": {}});
        for patch in [
            v!([{"op": "add", "path": "/metadata/annotations/x", "value": "1"}]),
            v!([{"op": "remove", "path": "/metadata/name"}]),
            v!([{"op": "test", "path": "/metadata", "value": 1}]),
            v!([{"op": "jump", "path": "/metadata"}]),
        ] {
            assert_eq!(json(&pod, &patch), Err(PatchError::Rejected), "{patch}");
        }
        let many = vec![v!({"op": "test", "path": "/metadata", "value": {}}); MOST + 1];
        let error = json(&pod, &many.into()).unwrap_err();
        let text = "The allowed maximum operations in a JSON patch is 10000, got 10001";
        assert_eq!((error.code(), error.to_string().as_str()), (413, text));
        let error = json(&pod, &v!({"metadata": null})).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (
                400,
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
            )
        );
    }
}
