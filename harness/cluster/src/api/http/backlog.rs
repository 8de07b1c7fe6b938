//! What a watch has yet to send. It holds the objects that others hold as well, and puts them together piece by piece when
//! its client has taken the piece before: however many there are, no more than a piece of them is there twice.

use std::{collections::VecDeque, sync::Arc, vec::IntoIter};

use bytes::{Bytes, BytesMut};

use crate::store::{Event, Stored};

/// How many bytes a piece has, or the object with which it goes beyond that.
pub(super) const PIECE: usize = 256 * 1024;

/// What comes next.
pub(super) enum Item<'a> {
    /// An object, with the type of the event.
    Object(&'static str, &'a Stored),
    /// A change by which an object has left the selection.
    Left(&'a Event),
    /// All objects of the present state have been sent.
    StateEnds,
    /// An event that is no object's, as it is sent.
    Alone(Bytes),
}

/// What an event means to a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// News of an object, with the type of the event.
    Object(&'static str),
    /// The object has left the selection.
    Left,
}

enum Part {
    Objects(&'static str, IntoIter<Arc<Stored>>),
    Events(IntoIter<(Meaning, Arc<Event>)>),
    StateEnds,
    Alone(Bytes),
}

/// The parts that are left, in order.
#[derive(Default)]
pub(super) struct Backlog(VecDeque<Part>);

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds objects, each with this type of event.
    pub(super) fn objects(&mut self, kind: &'static str, objects: Vec<Arc<Stored>>) {
        if !objects.is_empty() {
            self.0.push_back(Part::Objects(kind, objects.into_iter()));
        }
    }

    /// Adds events.
    pub(super) fn events(&mut self, events: Vec<(Meaning, Arc<Event>)>) {
        if !events.is_empty() {
            self.0.push_back(Part::Events(events.into_iter()));
        }
    }

    /// Adds the mark that the objects of the present state are all.
    pub(super) fn state_ends(&mut self) {
        self.0.push_back(Part::StateEnds);
    }

    /// Adds an event that is no object's.
    pub(super) fn alone(&mut self, event: Bytes) {
        self.0.push_back(Part::Alone(event));
    }

    /// The next piece; `None` when nothing is left.
    pub(super) fn piece(&mut self, mut write: impl FnMut(Item<'_>, &mut BytesMut)) -> Option<Bytes> {
        let mut piece = BytesMut::with_capacity(self.room());
        while piece.len() < PIECE
            && let Some(part) = self.0.front_mut()
        {
            let more = match part {
                Part::Objects(kind, left) => {
                    left.next().map(|object| write(Item::Object(kind, &object), &mut piece)).is_some()
                }
                Part::Events(left) => match left.next() {
                    Some((Meaning::Object(kind), event)) => {
                        write(Item::Object(kind, &event.object), &mut piece);
                        true
                    }
                    Some((Meaning::Left, event)) => {
                        write(Item::Left(&event), &mut piece);
                        true
                    }
                    None => false,
                },
                Part::StateEnds => {
                    write(Item::StateEnds, &mut piece);
                    false
                }
                Part::Alone(event) => {
                    write(Item::Alone(event.clone()), &mut piece);
                    false
                }
            };
            if !more {
                self.0.pop_front();
            }
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }

    /// How much room a piece is given from the start: much where much is left.
    fn room(&self) -> usize {
        let left = self.0.front().map_or(0, |part| match part {
            Part::Objects(_, left) => left.len(),
            Part::Events(left) => left.len(),
            Part::StateEnds | Part::Alone(_) => 0,
        });
        if left > 100 { PIECE + PIECE / 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects(count: usize, size: usize) -> Vec<Arc<Stored>> {
        let object = |n: usize| {
            let value = json!({"metadata": {"name": n.to_string()}, "data": {"x": "y".repeat(size)}});
            Arc::new(Stored::unstored(value))
        };
        (0..count).map(object).collect()
    }

    fn write(item: Item<'_>, piece: &mut BytesMut) {
        match item {
            Item::Object(kind, object) => {
                piece.reserve(object.bytes().len() + kind.len());
                piece.extend_from_slice(kind.as_bytes());
                piece.extend_from_slice(&object.bytes());
            }
            Item::Left(_) => piece.extend_from_slice(b"LEFT"),
            Item::StateEnds => piece.extend_from_slice(b"END"),
            Item::Alone(event) => piece.extend_from_slice(&event),
        }
    }

    #[test]
    fn a_state_costs_no_memory_but_the_piece_that_is_being_sent() {
        let objects = objects(10_000, 3000);
        let size: usize = objects.iter().map(|object| object.bytes().len()).sum();
        let mut backlog = Backlog::default();
        let queued = allocation_counter::measure(|| {
            backlog.objects("ADDED", objects.clone());
            backlog.state_ends();
        });
        assert!(queued.bytes_max < 200_000, "{queued:?} before anything is sent");
        let (mut sent, mut pieces) = (0, 0);
        let used = allocation_counter::measure(|| {
            while let Some(piece) = backlog.piece(write) {
                assert!(piece.len() < PIECE + 4000);
                sent += piece.len();
                pieces += 1;
            }
        });
        assert_eq!(sent, size + 10_000 * "ADDED".len() + "END".len());
        assert!(used.bytes_max <= 3 * PIECE as u64 && used.count_total <= 3 * pieces + 10, "{used:?}");
        // Who takes one piece and no more holds objects that the store holds, too.
        let mut lazy = Backlog::default();
        lazy.objects("ADDED", objects);
        drop(lazy.piece(write));
        assert!(!lazy.is_empty());
    }

    #[test]
    fn everything_comes_in_order_and_only_once() {
        let mut backlog = Backlog::default();
        assert!(backlog.piece(write).is_none());
        backlog.objects("A", objects(2, 1));
        backlog.state_ends();
        backlog.alone(Bytes::from_static(b"alone"));
        let piece = String::from_utf8(backlog.piece(write).unwrap().to_vec()).unwrap();
        assert!(piece.starts_with("A{") && piece.contains("\"1\"") && piece.ends_with("ENDalone"), "{piece}");
        assert!(backlog.is_empty() && backlog.piece(write).is_none());
    }
}
