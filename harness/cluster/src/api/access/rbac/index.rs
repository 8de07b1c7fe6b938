//! Roles and bindings, arranged so that a question costs as much as there are bindings of those who ask.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use serde_json::Value;

use super::rule::Rule;
use crate::{
    api::{
        User,
        access::attributes::quoted,
        json::{items, text},
    },
    store::{Change, Event, Key, Stored},
};

/// The store's names of what is read here.
pub(super) const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
pub(super) const ROLES: &str = "roles.rbac.authorization.k8s.io";
pub(super) const CLUSTER_ROLE_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";
pub(super) const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

/// All roles and bindings. Keys of what belongs to the cluster have no namespace.
#[derive(Debug, Default)]
pub(super) struct Index {
    roles: HashMap<Key, Arc<[Rule]>>,
    bindings: HashMap<Key, Arc<Binding>>,
    /// By namespace; the empty one is the whole cluster.
    scopes: HashMap<String, Scope>,
}

/// The bindings of one namespace by whom they are for; each with its name and the place of the subject.
#[derive(Debug, Default)]
struct Scope {
    users: HashMap<String, Grants>,
    groups: HashMap<String, Grants>,
}

type Grants = BTreeMap<String, Grant>;

#[derive(Clone, Debug)]
struct Grant {
    binding: Arc<Binding>,
    /// Which of the binding's subjects it is.
    subject: usize,
}

/// A RoleBinding or a ClusterRoleBinding.
#[derive(Debug)]
pub(super) struct Binding {
    key: Key,
    role_kind: String,
    role_name: String,
    subjects: Vec<Subject>,
}

/// Whom a binding is for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    kind: SubjectKind,
    name: String,
    /// As reasons of decisions name it.
    described: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubjectKind {
    User,
    Group,
}

/// One role that somebody has, and through what; as the authorizer visits them.
#[derive(Debug)]
pub(super) struct Held<'a> {
    binding: &'a Binding,
    subject: usize,
    /// The role's rules; nothing when there is no such role.
    pub(super) rules: Option<&'a Arc<[Rule]>>,
}

impl Subject {
    fn read(subject: &Value, namespace: &str) -> Option<Self> {
        let (kind, name) = (text(&subject["kind"]), text(&subject["name"]));
        let described = format!("{kind} {}", quoted(name));
        match kind {
            "User" => Some(Self { kind: SubjectKind::User, name: name.to_owned(), described }),
            "Group" => Some(Self { kind: SubjectKind::Group, name: name.to_owned(), described }),
            "ServiceAccount" => {
                let own = text(&subject["namespace"]);
                let namespace = if own.is_empty() { namespace } else { own };
                let described = format!("{kind} {}", quoted(&format!("{name}/{namespace}")));
                let name = User::service_account(namespace, name).name;
                (!namespace.is_empty()).then_some(Self { kind: SubjectKind::User, name, described })
            }
            _ => None,
        }
    }
}

impl Binding {
    fn read(key: Key, object: &Value) -> Self {
        let subjects = items(&object["subjects"]).iter();
        let subjects = subjects.filter_map(|s| Subject::read(s, &key.namespace)).collect();
        let role = &object["roleRef"];
        Self { subjects, role_kind: text(&role["kind"]).into(), role_name: text(&role["name"]).into(), key }
    }

    /// The key of the role it refers to; a binding of the whole cluster can't refer to a namespace's.
    fn role(&self) -> Option<Key> {
        let namespace = match self.role_kind.as_str() {
            "ClusterRole" => "",
            _ if self.key.namespace.is_empty() => return None,
            _ => self.key.namespace.as_str(),
        };
        Some(Key::new(namespace, self.role_name.as_str()))
    }
}

impl Held<'_> {
    /// What is wrong with a binding whose role is missing.
    pub(super) fn missing(&self) -> String {
        let kind = self.binding.role_kind.to_lowercase();
        format!("{kind}.rbac.authorization.k8s.io {} not found", quoted(&self.binding.role_name))
    }
}

/// As reasons name it: `ClusterRoleBinding "b" of ClusterRole "r" to User "u"`.
impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Binding { key, role_kind, role_name, subjects } = self.binding;
        let (kind, name) = if key.namespace.is_empty() {
            ("ClusterRoleBinding", key.name.clone())
        } else {
            ("RoleBinding", format!("{}/{}", key.name, key.namespace))
        };
        let to = subjects.get(self.subject).map(|s| s.described.as_str()).unwrap_or_default();
        write!(f, "{kind} {} of {role_kind} {} to {to}", quoted(&name), quoted(role_name))
    }
}

impl Index {
    /// Takes in one object of one of the four resources.
    pub(super) fn set(&mut self, resource: &str, object: &Stored) {
        let key = object.key();
        match resource {
            ROLES | CLUSTER_ROLES => {
                drop(self.roles.insert(key.clone(), Rule::read_all(object.value()).into()));
            }
            ROLE_BINDINGS | CLUSTER_ROLE_BINDINGS => {
                self.unbind(key);
                self.bind(Arc::new(Binding::read(key.clone(), object.value())));
            }
            _ => {}
        }
    }

    /// Takes in what happened to an object.
    pub(super) fn follow(&mut self, event: &Event) {
        match (event.change, &*event.resource) {
            (Change::Deleted, ROLES | CLUSTER_ROLES) => drop(self.roles.remove(&event.key)),
            (Change::Deleted, ROLE_BINDINGS | CLUSTER_ROLE_BINDINGS) => self.unbind(&event.key),
            (Change::Deleted, _) => {}
            (_, resource) => self.set(resource, &event.object),
        }
    }

    fn bind(&mut self, binding: Arc<Binding>) {
        let scope = self.scopes.entry(binding.key.namespace.clone()).or_default();
        for (place, subject) in binding.subjects.iter().enumerate() {
            let grants = scope.of_mut(subject.kind).entry(subject.name.clone()).or_default();
            let grant = || Grant { binding: binding.clone(), subject: place };
            grants.entry(binding.key.name.clone()).or_insert_with(grant);
        }
        self.bindings.insert(binding.key.clone(), binding);
    }

    fn unbind(&mut self, key: &Key) {
        let Some(binding) = self.bindings.remove(key) else { return };
        let Some(scope) = self.scopes.get_mut(&key.namespace) else { return };
        for subject in &binding.subjects {
            let subjects = scope.of_mut(subject.kind);
            if let Some(grants) = subjects.get_mut(&subject.name) {
                grants.remove(&key.name);
                if grants.is_empty() {
                    subjects.remove(&subject.name);
                }
            }
        }
        if scope.users.is_empty() && scope.groups.is_empty() {
            self.scopes.remove(&key.namespace);
        }
    }

    /// Everything that a user holds in a namespace: first in the whole cluster, then in it; by the names of
    /// the bindings, each once.
    pub(super) fn held<'a>(&'a self, user: &User, namespace: &str) -> Vec<Held<'a>> {
        let mut held = Vec::new();
        for namespace in ["", namespace].into_iter().take(if namespace.is_empty() { 1 } else { 2 }) {
            let Some(scope) = self.scopes.get(namespace) else { continue };
            let of_groups = user.groups.iter().filter_map(|group| scope.groups.get(group));
            let grants = scope.users.get(&user.name).into_iter().chain(of_groups).flat_map(BTreeMap::values);
            let mut grants: Vec<&Grant> = grants.collect();
            grants.sort_by_key(|grant| (&grant.binding.key.name, grant.subject));
            grants.dedup_by_key(|grant| &grant.binding.key.name);
            held.extend(grants.into_iter().map(|grant| Held {
                binding: &grant.binding,
                subject: grant.subject,
                rules: grant.binding.role().and_then(|role| self.roles.get(&role)),
            }));
        }
        held
    }

    /// The rules of a role.
    pub(super) fn rules(&self, role: &Key) -> Option<Arc<[Rule]>> {
        self.roles.get(role).cloned()
    }
}

impl Scope {
    fn of_mut(&mut self, kind: SubjectKind) -> &mut HashMap<String, Grants> {
        match kind {
            SubjectKind::User => &mut self.users,
            SubjectKind::Group => &mut self.groups,
        }
    }
}
