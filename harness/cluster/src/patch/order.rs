//! In which order the elements of a merged list come: those that the patch names in the patch's order, the others
//! in the order they had, and the two sequences woven together.

use serde_json::Value;

use super::PatchError;
use crate::go;

/// Tells elements apart: by a field of theirs, or whole.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a>(pub(super) Option<&'a str>);

impl Identity<'_> {
    pub(super) fn same(self, a: &Value, b: &Value) -> bool {
        match self.0 {
            Some(key) => a.get(key).is_some() && a.get(key) == b.get(key),
            None => a == b,
        }
    }

    pub(super) fn position(self, list: &[Value], item: &Value) -> Option<usize> {
        list.iter().position(|other| self.same(other, item))
    }
}

/// Refuses a directive about order that contradicts the list beside it: what the patch has has to be in the directive, in
/// the same order. `patch` is without what is to be deleted, `whole` with it.
///
/// # Errors
/// The server's words.
pub(super) fn check(
    patch: &[&Value],
    whole: &[Value],
    wanted: &[Value],
    id: Identity<'_>,
) -> Result<(), PatchError> {
    let keyless = |item: &&Value| id.0.is_some_and(|key| item.get(key).is_none());
    if let (Some(key), Some(item)) = (id.0, patch.iter().copied().chain(wanted).find(keyless)) {
        return Err(no_key(item, key));
    }
    let mut wanted_left = wanted.iter();
    let fits = patch.iter().all(|item| wanted_left.any(|next| id.same(next, item)));
    if fits || wanted.is_empty() {
        return Ok(());
    }
    let [patch, wanted] = [whole, wanted].map(|list| go::print(&Value::from(list)));
    Err(PatchError::Failed(format!(
        "The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{wanted}\n"
    )))
}

/// An element of a list whose elements are told apart by a key has none.
pub(super) fn no_key(item: &Value, key: &str) -> PatchError {
    PatchError::Failed(format!("map: {} does not contain declared merge key: {key}", go::print(item)))
}

/// Orders `merged`. `wanted` is the patch's order, `before` the list as it was.
///
/// An element that the patch adds comes before the next old one, so without an order given it comes first.
pub(super) fn arrange(
    merged: Vec<Value>,
    wanted: &[Value],
    before: &[Value],
    id: Identity<'_>,
) -> Vec<Value> {
    let (mut named, mut others): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| id.position(wanted, item).is_some());
    named.sort_by_key(|item| id.position(wanted, item));
    others.sort_by_key(|item| id.position(before, item));

    let mut named = named.into_iter().peekable();
    let mut others = others.into_iter().peekable();
    let mut out = Vec::new();
    while let (Some(new), Some(old)) = (named.peek(), others.peek()) {
        let old_first = match (id.position(before, old), id.position(before, new)) {
            (Some(old), Some(new)) => old < new,
            _ => false,
        };
        out.extend(if old_first { others.next() } else { named.next() });
    }
    out.extend(named);
    out.extend(others);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patched_and_other_elements_are_woven_together() {
        let list = |text: &str| text.chars().map(|c| json!(c.to_string())).collect::<Vec<_>>();
        for (merged, wanted, before, expected) in [
            ("abx", "x", "ab", "xab"),
            ("abx", "abx", "ab", "abx"),
            ("abc", "c", "abc", "abc"),
            ("abc", "ca", "abc", "bca"),
            ("abcx", "cxa", "abc", "bcxa"),
            ("", "", "abc", ""),
        ] {
            let out = arrange(list(merged), &list(wanted), &list(before), Identity(None));
            assert_eq!(out, list(expected), "{merged} {wanted} {before}");
        }
    }
}
