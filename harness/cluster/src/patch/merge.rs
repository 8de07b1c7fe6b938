//! JSON merge patch (RFC 7386): objects are merged, everything else is replaced, null removes.

use serde_json::Value;

use super::PatchError;
use crate::go;

/// Merges the patch into the object.
///
/// # Errors
/// When the patch is no object: an API object can't be replaced by something else.
pub fn merge(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(PatchError::Malformed(format!("error decoding patch: {}", go::not_a_map(patch))));
    }
    let mut object = original.clone();
    json_patch::merge(&mut object, patch);
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_replaced_and_nulls_remove() {
        let account = json!({"secrets": [{"name": "a"}], "metadata": {"labels": {"x": "1", "y": "2"}}});
        let patch = json!({"secrets": [{"name": "b"}], "metadata": {"labels": {"x": null}}});
        let merged = merge(&account, &patch).unwrap();
        assert_eq!(merged, json!({"secrets": [{"name": "b"}], "metadata": {"labels": {"y": "2"}}}));
        let error = merge(&account, &json!([])).unwrap_err();
        let text = "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}";
        assert_eq!((error.code(), error.to_string().as_str()), (400, text));
    }
}
