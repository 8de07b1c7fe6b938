//! Which objects each owner has, and which of a namespace have none: one index for all workload controllers of a cluster,
//! since several have children of the same kind. It goes by events; what is read by it has to be looked at again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    json::text,
    meta::{controller_of, namespace},
};
use crate::store::{Change, Event, Key};

/// The index, shared.
#[derive(Clone, Default)]
pub(crate) struct Ownership(Arc<Mutex<HashMap<Arc<str>, Children>>>);

/// The objects of one resource.
#[derive(Default)]
struct Children {
    by_owner: HashMap<Owner, BTreeSet<Key>>,
    /// Whose each of them is, since which revision.
    owner_of: HashMap<Key, (Owner, u64)>,
    /// Which event was the latest.
    latest: Option<(u64, Change)>,
}

/// Who manages an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// The one with this uid.
    Uid(String),
    /// Nobody, in this namespace.
    Nobody(String),
}

impl Ownership {
    /// Takes note of an event, the first time that it is shown one.
    pub(crate) fn observe(&self, event: &Event) {
        self.0.lock().entry(event.resource.clone()).or_default().observe(event);
    }

    /// The keys of an owner's objects.
    pub(crate) fn keys(&self, resource: &str, owner: &Owner) -> Vec<Key> {
        let all = self.0.lock();
        let keys = all.get(resource).and_then(|children| children.by_owner.get(owner));
        keys.into_iter().flatten().cloned().collect()
    }
}

impl Children {
    fn observe(&mut self, event: &Event) {
        // Several controllers are shown it, one after the other.
        if self.latest.replace((event.revision, event.change)) == Some((event.revision, event.change)) {
            return;
        }
        let known = self.owner_of.get(&event.key);
        if event.change == Change::Deleted {
            if let Some((owner, _)) = self.owner_of.remove(&event.key) {
                self.let_go(&owner, &event.key);
            }
            return;
        }
        if known.is_some_and(|(_, revision)| *revision == event.revision) {
            return;
        }
        let child = event.object.value();
        let owner = match controller_of(child) {
            Some(reference) => Owner::Uid(text(&reference["uid"]).to_owned()),
            None => Owner::Nobody(namespace(child).to_owned()),
        };
        let before = self.owner_of.insert(event.key.clone(), (owner.clone(), event.revision));
        match before {
            Some((before, _)) if before == owner => return,
            Some((before, _)) => self.let_go(&before, &event.key),
            None => {}
        }
        self.by_owner.entry(owner).or_default().insert(event.key.clone());
    }

    fn let_go(&mut self, owner: &Owner, key: &Key) {
        if let Some(keys) = self.by_owner.get_mut(owner) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_owner.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::Stored;

    /// An event of a pod, at a revision.
    fn event(name: &str, owner: Option<&str>, change: Change, revision: u64) -> Event {
        let owners = owner.map(|uid| json!([{"uid": uid, "kind": "Job", "name": "j", "controller": true}]));
        let pod = json!({"metadata": {"name": name, "namespace": "ns",
            "ownerReferences": owners.unwrap_or(Value::Null)}});
        let key = Key::new("ns", name);
        let object = Arc::new(Stored::unstored(pod));
        Event { revision, resource: "pods".into(), key, change, object, previous: None }
    }

    #[test]
    fn objects_change_hands_and_go() {
        let ownership = Ownership::default();
        let of = |owner: Option<&str>| {
            let owner = owner.map_or(Owner::Nobody("ns".into()), |uid| Owner::Uid(uid.into()));
            let keys = ownership.keys("pods", &owner);
            keys.into_iter().map(|key| key.name).collect::<Vec<_>>().join(" ")
        };
        for (name, owner, change, revision, mine, nobodys) in [
            ("b", None, Change::Added, 1, "", "b"),
            ("a", Some("1"), Change::Added, 2, "a", "b"),
            ("b", Some("1"), Change::Modified, 3, "a b", ""),
            // Shown again, to another controller.
            ("b", Some("1"), Change::Modified, 3, "a b", ""),
            ("a", None, Change::Modified, 4, "b", "a"),
            ("a", None, Change::Deleted, 5, "b", ""),
            ("a", None, Change::Deleted, 5, "b", ""),
            ("b", Some("1"), Change::Deleted, 6, "", ""),
            // Made anew under the same name.
            ("b", Some("2"), Change::Added, 7, "", ""),
        ] {
            ownership.observe(&event(name, owner, change, revision));
            assert_eq!((&*of(Some("1")), &*of(None)), (mine, nobodys), "{revision}");
        }
        assert_eq!(of(Some("2")), "b");
        assert_eq!(ownership.keys("jobs.batch", &Owner::Uid("2".into())), []);
    }
}
