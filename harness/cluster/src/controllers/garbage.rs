//! The garbage collector: what becomes of objects whose owners go.
//!
//! - An object all of whose owners are gone is deleted.
//! - An owner deleted in the **foreground** waits (finalizer `foregroundDeletion`) until the dependents that
//!   block it are gone.
//! - An owner deleted as an **orphan**'s parent waits (finalizer `orphan`) until its dependents have let it go.
//!
//! Objects are looked at by uid: the engine's key is `("", uid)`.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{
    deps::Deps,
    json::{items, text},
    meta::{deleting, remove_owner, uid},
    timers::Timers,
};
use crate::{
    api::Status,
    engine::{Context, Controller, Queue},
    store::{Change, Event, Key},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Where an object is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    resource: String,
    key: Key,
}

/// Collects garbage.
pub(crate) struct Garbage {
    deps: Deps,
    /// Every object that has dependents, is one, or is going.
    places: HashMap<String, Place>,
    dependents: HashMap<String, BTreeSet<Place>>,
    owners: HashMap<Place, Vec<String>>,
    timers: Timers,
}

impl Garbage {
    /// A collector that has seen nothing yet.
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            deps,
            places: HashMap::new(),
            dependents: HashMap::new(),
            owners: HashMap::new(),
            timers: Timers::default(),
        }
    }

    fn index(&mut self, place: &Place, object: Option<&Value>) {
        for owner in self.owners.remove(place).unwrap_or_default() {
            if let Some(dependents) = self.dependents.get_mut(&owner) {
                dependents.remove(place);
                if dependents.is_empty() {
                    self.dependents.remove(&owner);
                }
            }
        }
        let Some(object) = object else { return };
        let owners: Vec<String> = references(object).iter().map(|r| text(&r["uid"]).to_owned()).collect();
        for owner in &owners {
            self.dependents.entry(owner.clone()).or_default().insert(place.clone());
        }
        if !owners.is_empty() {
            self.owners.insert(place.clone(), owners);
        }
    }

    /// The object of this uid, if it is still there.
    fn find(&self, uid_wanted: &str) -> Option<(&Place, Value)> {
        let place = self.places.get(uid_wanted)?;
        let object = self.deps.get(&place.resource, &place.key)?;
        (uid(object.value()) == uid_wanted).then(|| (place, object.value().clone()))
    }

    fn dependents_of(&self, owner: &str) -> Vec<(Place, Value)> {
        let places = self.dependents.get(owner).into_iter().flatten();
        places
            .filter_map(|place| {
                let object = self.deps.get(&place.resource, &place.key)?;
                let depends = references(object.value()).iter().any(|r| r["uid"] == owner);
                depends.then(|| (place.clone(), object.value().clone()))
            })
            .collect()
    }

    fn look_at(&self, uid: &str) -> Result<(), Status> {
        let Some((place, object)) = self.find(uid) else {
            // The owner is gone: its dependents are looked at one by one.
            return self
                .dependents_of(uid)
                .iter()
                .try_for_each(|(place, object)| self.collect(place, object));
        };
        if deleting(&object) {
            if has_finalizer(&object, ORPHAN) {
                return self.let_go(place, &object);
            }
            if has_finalizer(&object, FOREGROUND) {
                return self.take_along(place, &object);
            }
        }
        self.collect(place, &object)
    }

    /// Deletes an object that has had owners and has none that lives; forgets the dead ones of several.
    fn collect(&self, place: &Place, object: &Value) -> Result<(), Status> {
        let (alive, dead): (Vec<&Value>, Vec<&Value>) =
            references(object).iter().partition(|r| self.find(text(&r["uid"])).is_some());
        if dead.is_empty() {
            return Ok(());
        }
        if alive.is_empty() {
            return if deleting(object) { Ok(()) } else { self.deps.delete(&place.resource, object) };
        }
        let change = |object: &mut Value| dead.iter().for_each(|r| remove_owner(object, text(&r["uid"])));
        self.deps.edit(&place.resource, &place.key, change).map(drop)
    }

    /// Orphans: the dependents forget their owner, then it may go.
    fn let_go(&self, place: &Place, owner: &Value) -> Result<(), Status> {
        for (dependent, _) in self.dependents_of(uid(owner)) {
            self.deps.edit(&dependent.resource, &dependent.key, |object| remove_owner(object, uid(owner)))?;
        }
        self.drop_finalizer(place, ORPHAN)
    }

    /// Foreground: the dependents go first, those that block before their owner.
    fn take_along(&self, place: &Place, owner: &Value) -> Result<(), Status> {
        let mut blocked = false;
        for (dependent, object) in self.dependents_of(uid(owner)) {
            let blocks = |r: &Value| r["uid"] == uid(owner) && r["blockOwnerDeletion"] == true;
            blocked |= references(&object).iter().any(blocks);
            let others = references(&object).iter().filter(|r| r["uid"] != uid(owner));
            if others.filter(|r| self.find(text(&r["uid"])).is_some()).count() > 0 {
                self.deps.edit(&dependent.resource, &dependent.key, |o| remove_owner(o, uid(owner)))?;
            } else if !deleting(&object) {
                let policy =
                    if self.dependents.contains_key(uid(&object)) { "Foreground" } else { "Background" };
                self.deps.delete_as(&dependent.resource, &object, policy)?;
            }
        }
        if blocked { Ok(()) } else { self.drop_finalizer(place, FOREGROUND) }
    }

    fn drop_finalizer(&self, place: &Place, finalizer: &str) -> Result<(), Status> {
        let dropped = self.deps.edit(&place.resource, &place.key, |object| {
            if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
                finalizers.retain(|f| f != finalizer);
            }
        });
        match dropped {
            Err(status) if status.code != 404 => Err(status),
            _ => Ok(()),
        }
    }
}

fn references(object: &Value) -> &[Value] {
    items(&object["metadata"]["ownerReferences"])
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    items(&object["metadata"]["finalizers"]).iter().any(|f| f == finalizer)
}

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "generic-garbage-collector"
    }

    fn observe(&mut self, event: &Event, queue: &mut Queue) {
        // Events are many, own nothing and are owned by nobody.
        if &*event.resource == "events" {
            return;
        }
        let place = Place { resource: event.resource.to_string(), key: event.key.clone() };
        let object = event.object.value();
        let node = uid(object).to_owned();
        if event.change == Change::Deleted {
            self.index(&place, None);
            self.places.remove(&node);
            if self.dependents.contains_key(&node) {
                queue.add(Key::new("", &node));
            }
            // An owner that waits for its dependents has one fewer.
            references(object).iter().for_each(|r| queue.add(Key::new("", text(&r["uid"]))));
            return;
        }
        self.places.insert(node.clone(), place.clone());
        let known = self.owners.contains_key(&place);
        self.index(&place, Some(object));
        let owned = !references(object).is_empty();
        // After a gap everything comes as added: an owner may have gone unseen.
        if owned && (!known || event.change == Change::Added) || deleting(object) {
            queue.add(Key::new("", node));
        }
    }

    fn reconcile(&mut self, key: &Key, context: &Context) {
        let outcome = self.look_at(&key.name);
        self.timers.outcome(key, &outcome, context);
    }
}
