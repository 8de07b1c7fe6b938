//! One thing to be kept, and how a batch of them is written into the [journal](super::journal).
//!
//! A batch is its notes one after the other; a note is its kind in a byte, and its parts, each behind its length (numbers
//! are little-endian). What a damaged or hostile file says of lengths is checked against what there is.

use std::sync::Arc;

use bytes::{Buf, BufMut};

use super::{Key, Stored};

/// What a note is of, in its first byte.
const PUT: u8 = 1;
const REMOVE: u8 = 2;
const FORGET: u8 = 3;

/// Something that has to outlive the process.
pub(super) enum Note {
    /// A write of a store.
    Write(Write),
    /// The end of a cluster, with everything that it has.
    Forget(Arc<str>),
    /// Several that are kept all or none.
    Together(Vec<Self>),
}

/// One write of a store.
pub(super) struct Write {
    pub(super) cluster: Arc<str>,
    pub(super) resource: Arc<str>,
    pub(super) key: Key,
    /// Nothing, when it was removed.
    pub(super) object: Option<Arc<Stored>>,
    pub(super) revision: u64,
}

/// A [`Note`] as a journal has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted<'a> {
    Write {
        cluster: &'a str,
        resource: &'a str,
        namespace: &'a str,
        name: &'a str,
        revision: u64,
        /// Nothing, when it was removed.
        body: Option<&'a [u8]>,
    },
    Forget {
        cluster: &'a str,
    },
}

impl Note {
    /// Appends it to a batch.
    pub(super) fn encode(&self, batch: &mut Vec<u8>) {
        match self {
            Self::Write(Write { cluster, resource, key, object, revision }) => {
                batch.put_u8(if object.is_some() { PUT } else { REMOVE });
                for text in [&**cluster, resource, &key.namespace, &key.name] {
                    put(batch, text.as_bytes());
                }
                batch.put_u64_le(*revision);
                if let Some(object) = object {
                    put(batch, &object.bytes());
                }
            }
            Self::Forget(cluster) => {
                batch.put_u8(FORGET);
                put(batch, cluster.as_bytes());
            }
            // A note is never in two batches.
            Self::Together(notes) => notes.iter().for_each(|note| note.encode(batch)),
        }
    }
}

fn put(batch: &mut Vec<u8>, part: &[u8]) {
    // Objects are of a few megabytes at most.
    batch.put_u32_le(u32::try_from(part.len()).unwrap_or(u32::MAX));
    batch.put_slice(part);
}

/// Reads the notes of a batch, the first of which is at its beginning.
pub(super) fn decode(mut batch: &[u8]) -> impl Iterator<Item = Result<Noted<'_>, &'static str>> {
    std::iter::from_fn(move || {
        (!batch.is_empty()).then(|| one(&mut batch).ok_or("it has a note that is none")).inspect(|read| {
            if read.is_err() {
                batch = &[];
            }
        })
    })
}

fn one<'a>(batch: &mut &'a [u8]) -> Option<Noted<'a>> {
    let kind = batch.try_get_u8().ok()?;
    let cluster = text(batch)?;
    if kind == FORGET {
        return Some(Noted::Forget { cluster });
    }
    let (resource, namespace, name) = (text(batch)?, text(batch)?, text(batch)?);
    let revision = batch.try_get_u64_le().ok()?;
    let body = match kind {
        PUT => Some(part(batch)?),
        REMOVE => None,
        _ => return None,
    };
    Some(Noted::Write { cluster, resource, namespace, name, revision, body })
}

fn text<'a>(batch: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(part(batch)?).ok()
}

fn part<'a>(batch: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(batch.try_get_u32_le().ok()?).ok()?;
    batch.split_off(..length)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(removed: bool) -> Note {
        let key = Key::new("ns", "a");
        let body = json!({"metadata": {"name": "a", "namespace": "ns"}}).into();
        let object = Arc::new(Stored::new(key.clone(), body, 7));
        let object = (!removed).then_some(object);
        Note::Write(Write { cluster: "c".into(), resource: "pods".into(), key, object, revision: 7 })
    }

    #[test]
    fn notes_are_read_as_they_were_written() {
        let mut batch = Vec::new();
        for note in [Note::Together(vec![written(false), Note::Forget("c".into())]), written(true)] {
            note.encode(&mut batch);
        }
        let noted: Vec<_> = decode(&batch).map(Result::unwrap).collect();
        let write = |body| {
            let (cluster, resource, namespace, name) = ("c", "pods", "ns", "a");
            Noted::Write { cluster, resource, namespace, name, revision: 7, body }
        };
        let body = br#"{"metadata":{"name":"a","namespace":"ns","resourceVersion":"7"}}"#;
        assert_eq!(noted, [write(Some(body)), Noted::Forget { cluster: "c" }, write(None)]);
    }

    #[test]
    fn what_is_cut_off_or_changed_is_refused_or_another_note_but_never_a_panic() {
        let mut batch = Vec::new();
        written(false).encode(&mut batch);
        for length in 1..batch.len() {
            assert!(decode(&batch[..length]).any(|noted| noted.is_err()), "{length}");
        }
        for at in 0..batch.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut changed = batch.clone();
                changed[at] = byte;
                assert!(decode(&changed).count() <= changed.len());
            }
        }
    }
}
