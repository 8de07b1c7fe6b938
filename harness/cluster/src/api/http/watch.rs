//! Following changes: a stream of events, from a revision or from the present state.
//!
//! A watch holds no events of its own. It looks at the store's window whenever the client has taken what
//! there was, so a slow client costs nothing but its socket, and falls out of the window in the end. Where very many
//! follow the same resource, each gets what happened during a round of all of them in one piece.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::stream;
use pulldrill_clock::real;
use serde_json::Value;
use tokio::sync::watch::Receiver;

use super::{
    Reply, Server,
    backlog::{Backlog, Item, Meaning},
    dispatch::Asked,
    list::{Filter, invalid_list_options, revision},
    negotiate,
    negotiate::Form,
    options::Query,
    reply,
    route::Target,
    transform::Writer,
};
use crate::{
    api::{Errors, Status},
    release::Release,
    store::{Change, Event, Stored},
};

/// How often a quiet watch says how far it has come.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// Since this minor version a watch can be asked to begin with the present state and say where that ends,
const INITIAL_EVENTS: u32 = 27;
/// and since this one it does.
const WATCH_LIST: u32 = 32;

/// What each of those who follow a resource adds to a round: some times what serving it takes (encryption, and a turn of
/// the kernel's), so that between two rounds writers get on.
const TURN: Duration = Duration::from_micros(25);
/// No watch waits for its turn longer than that,
const LONGEST_ROUND: Duration = Duration::from_millis(50);
/// or at all when all have had theirs so soon.
const SHORTEST_ROUND: Duration = Duration::from_millis(1);

struct Watch {
    server: Server,
    target: Target,
    query: Query,
    form: Form,
    filter: Filter,
    bookmarks: bool,
    /// Everything up to here has been sent.
    seen: u64,
    follow: Receiver<u64>,
    /// When it last found something to send.
    served: Option<Instant>,
    backlog: Backlog,
    /// A table's columns are told once.
    columns_told: bool,
    ended: bool,
    /// Waited for at every turn, so made once.
    timeout: Waiting,
    stop: Waiting,
    bookmark_due: Waiting,
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// `GET` of a collection with `watch`.
pub(super) fn watch(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let query = &asked.query;
    let form = negotiate::stream_form(&asked.headers)?;
    let filter = Filter::of(target, query)?;
    let initial = initial_events(query, server.release())?;
    let asked = query.number("timeoutSeconds")?.filter(|s| *s > 0);
    let timeout = asked.unwrap_or_else(|| server.api.draw_watch());
    // Unlike a list, a watch takes what is no revision for a failure of its own.
    let start = revision(query).map_err(|why| Status::new(500, "", why))?.unwrap_or(0);
    let mut watch = Watch {
        follow: server.api.store().follow_resource(&target.resource.store),
        server: server.clone(),
        target: target.clone(),
        query: query.clone(),
        form,
        filter,
        bookmarks: query.flag("allowWatchBookmarks"),
        seen: start,
        served: None,
        backlog: Backlog::default(),
        columns_told: false,
        ended: false,
        timeout: Box::pin(real::sleep(Duration::from_secs(timeout.unsigned_abs()))),
        stop: Box::pin(server.stop.clone().cancelled_owned()),
        bookmark_due: Box::pin(real::sleep(BOOKMARKS)),
    };
    // A watch without a revision also begins with the present state, whatever else it asks for.
    if initial.unwrap_or(start == 0) {
        watch.present_state();
    }
    Ok(reply::stream("application/json", stream::unfold(watch, Watch::next)))
}

/// Whether the present state is to be sent first; `None` when the client does not say.
fn initial_events(query: &Query, release: Release) -> Result<Option<bool>, Status> {
    let mut errors = Errors::default();
    let how = query.text("resourceVersionMatch");
    if !release.since(INITIAL_EVENTS) {
        if !how.is_empty() {
            errors.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch");
        }
        return invalid_list_options(errors).map(|()| None);
    }
    let asked = query.get("sendInitialEvents").filter(|v| !v.is_empty());
    match asked {
        Some(_) if !release.since(WATCH_LIST) => errors.forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        ),
        Some(_) if how != "NotOlderThan" => errors.forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        None if !how.is_empty() => errors.forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        _ => {}
    }
    invalid_list_options(errors)?;
    Ok(asked.map(|_| query.flag("sendInitialEvents")))
}

impl Watch {
    /// The next piece of the stream.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if let Some(piece) = self.piece() {
                return Some((piece, self));
            }
            if self.ended {
                return None;
            }
            self.follow.mark_unchanged();
            if self.catch_up() {
                self.served = Some(real::stopwatch());
                continue;
            }
            tokio::select! {
                biased;
                () = self.stop.as_mut() => return None,
                () = self.timeout.as_mut() => {
                    self.ended = true;
                    if self.bookmarks {
                        self.mark();
                    }
                }
                changed = self.follow.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                    self.turn().await;
                }
                () = self.bookmark_due.as_mut(), if self.bookmarks => {
                    self.bookmark_due = Box::pin(real::sleep(BOOKMARKS));
                    // What happened to others has woken nobody, but it counts.
                    if !self.catch_up() {
                        self.mark();
                    }
                }
            }
        }
    }

    /// Waits until the others have had their turn as well.
    async fn turn(&mut self) {
        let Some(served) = self.served else { return };
        let followers = self.server.api.store().followers_of(&self.target.resource.store);
        if let Some(rest) = rest_of_round(followers, served.elapsed()) {
            real::sleep(rest).await;
        }
    }

    /// Puts together what is to be sent next.
    fn piece(&mut self) -> Option<Bytes> {
        let mut backlog = std::mem::take(&mut self.backlog);
        let piece = backlog.piece(|item, piece| self.write(item, piece));
        self.backlog = backlog;
        piece
    }

    fn write(&mut self, item: Item<'_>, piece: &mut BytesMut) {
        match item {
            Item::Object(kind, object) => self.object(kind, object, piece),
            Item::Left(event) => {
                let Some(previous) = &event.previous else { return };
                let mut last = previous.with(previous.value().clone());
                last.value["metadata"]["resourceVersion"] = event.revision.to_string().into();
                self.object("DELETED", &Stored::unstored(last), piece);
            }
            Item::StateEnds => frame("BOOKMARK", self.bookmark(true).as_bytes(), piece),
            Item::Alone(event) => piece.extend_from_slice(&event),
        }
    }

    /// Queues everything that has happened. True when that was anything to send.
    fn catch_up(&mut self) -> bool {
        let store = self.server.api.store().clone();
        match store.events_of(&[&self.target.resource.store], self.seen) {
            Ok((events, revision)) => {
                self.events(events);
                self.seen = self.seen.max(revision);
            }
            Err(_) => {
                // Who has tables printed never lists again, and shall see the pods grow old.
                let missed = store.missed_by_aging(self.seen);
                if let (Form::Table(_), Some(mut missed)) = (self.form, missed) {
                    missed.retain(|event| *event.resource == *self.target.resource.store);
                    self.events(missed);
                    self.all("MODIFIED");
                    return true;
                }
                let message = "too old resource version: ".to_owned()
                    + &format!("{} ({})", self.seen, store.revision());
                let status = Status::expired(message).to_object();
                self.alone("ERROR", &status.to_string());
                self.ended = true;
            }
        }
        !self.backlog.is_empty()
    }

    fn events(&mut self, events: Vec<Arc<Event>>) {
        if let Some(last) = events.last() {
            self.seen = self.seen.max(last.revision);
        }
        let meant = events.into_iter().filter_map(|event| Some((self.meaning(&event)?, event)));
        let meant = meant.collect();
        self.backlog.events(meant);
    }

    /// What an event means to this watch: an object that enters or leaves the selection is new or gone for it.
    fn meaning(&self, event: &Event) -> Option<Meaning> {
        let is = self.filter.matches(&event.object);
        let was = event.previous.as_ref().is_some_and(|p| self.filter.matches(p));
        match (event.change, was, is) {
            (Change::Added, _, true) | (Change::Modified, false, true) => Some(Meaning::Object("ADDED")),
            (Change::Modified, true, true) => Some(Meaning::Object("MODIFIED")),
            (Change::Deleted, _, true) => Some(Meaning::Object("DELETED")),
            (Change::Modified, true, false) => Some(Meaning::Left),
            _ => None,
        }
    }

    fn object(&mut self, kind: &str, object: &Stored, piece: &mut BytesMut) {
        let writer = Writer::new(&self.server, &self.target, self.form, &self.query);
        let content = match self.form {
            Form::Table(_) if self.columns_told => {
                let mut table = writer.object(object);
                table["columnDefinitions"] = Value::Null;
                table.to_string().into()
            }
            _ => writer.bytes(object),
        };
        self.columns_told = true;
        frame(kind, &content, piece);
    }

    /// Queues all objects as new ones, and the mark that they are all.
    fn present_state(&mut self) {
        self.all("ADDED");
        if self.bookmarks && self.server.release().since(WATCH_LIST) {
            self.backlog.state_ends();
        }
    }

    fn all(&mut self, kind: &'static str) {
        let store = self.server.api.store().clone();
        let (objects, revision) = store.list(&self.target.resource.store, self.target.namespace.as_deref());
        let wanted = objects.into_iter().filter(|o| self.filter.matches(o)).collect();
        self.backlog.objects(kind, wanted);
        self.seen = revision;
    }

    /// Queues an event that is no object's.
    fn alone(&mut self, kind: &str, content: &str) {
        let mut piece = BytesMut::new();
        frame(kind, content.as_bytes(), &mut piece);
        self.backlog.alone(piece.freeze());
    }

    /// What says how far it has come.
    fn bookmark(&self, initial_end: bool) -> String {
        let writer = Writer::new(&self.server, &self.target, self.form, &self.query);
        writer.bookmark(self.seen, initial_end).to_string()
    }

    fn mark(&mut self) {
        let bookmark = self.bookmark(false);
        self.alone("BOOKMARK", &bookmark);
    }
}

/// How long one of so many has to wait yet, when it was served that long ago.
fn rest_of_round(followers: usize, ago: Duration) -> Option<Duration> {
    let round = TURN.saturating_mul(u32::try_from(followers).unwrap_or(u32::MAX)).min(LONGEST_ROUND);
    round.checked_sub(ago).filter(|rest| round >= SHORTEST_ROUND && !rest.is_zero())
}

/// Writes one event.
fn frame(kind: &str, object: &[u8], piece: &mut BytesMut) {
    piece.reserve(object.len() + 64);
    piece.extend_from_slice(b"{\"type\":\"");
    piece.extend_from_slice(kind.as_bytes());
    piece.extend_from_slice(b"\",\"object\":");
    piece.extend_from_slice(object);
    piece.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_among_many_does_one_wait_and_never_long() {
        let ms = Duration::from_millis;
        assert_eq!(rest_of_round(0, ms(0)), None);
        assert_eq!(rest_of_round(39, ms(0)), None);
        assert_eq!(rest_of_round(40, ms(0)), Some(ms(1)));
        assert_eq!(rest_of_round(1000, ms(3)), Some(ms(22)));
        assert_eq!(rest_of_round(1000, ms(25)), None);
        assert_eq!(rest_of_round(1_000_000, ms(0)), Some(LONGEST_ROUND));
        assert_eq!(rest_of_round(usize::MAX, ms(49)), Some(ms(1)));
    }
}
