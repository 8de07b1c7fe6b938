//! The hash in the names of ReplicaSets and ControllerRevisions.
//!
//! Real ones hash the printed form of an internal type, so values differ between releases; what matters is
//! that the same template always gives the same hash and that it uses the usual letters.

use serde_json::Value;

use super::json::pruned;

/// What the decimal digits of a hash are written with.
const LETTERS: &[u8; 10] = b"456789bcdf";

/// The hash of a template, different for another collision count.
pub(crate) fn template_hash(template: &Value, collisions: i64) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    feed(pruned(template).to_string().as_bytes());
    if collisions != 0 {
        feed(&collisions.to_le_bytes());
    }
    hash.to_string().bytes().map(|digit| char::from(LETTERS[usize::from(digit - b'0')])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_template_gives_the_same_letters_and_another_gives_others() {
        let template =
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"image": "a:1"}]}});
        let same = json!({"spec": {"containers": [{"image": "a:1"}]}, "metadata": {"creationTimestamp": null, "labels": {"app": "a"}}});
        let hash = template_hash(&template, 0);
        assert_eq!(hash, template_hash(&same, 0));
        assert_ne!(hash, template_hash(&template, 1));
        assert_ne!(hash, template_hash(&json!({"spec": {}}), 0));
        assert!((1..=10).contains(&hash.len()) && hash.bytes().all(|b| LETTERS.contains(&b)), "{hash}");
    }
}
