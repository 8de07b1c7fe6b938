//! How the cluster's components write events.
//!
//! A [`Recorder`] is one source of events with its own memory of what it has said: repetitions raise a
//! count, floods are combined and cut off. It writes through the API like everybody else; an event that
//! cannot be written is lost, as events are.

mod correlate;
mod lru;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use pulldrill_clock::{Clock, Timestamp, stamp, stamp_micros};
use serde_json::{Value, json};

use crate::{
    api::{Api, User, WriteOptions},
    dialect::{Dialect, EventForm},
    store::Key,
};
use correlate::{Correlator, Decision, Occurrence};

/// The two types of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something happened as it should.
    Normal,
    /// Something to look at.
    Warning,
}

impl Kind {
    /// The word in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// A source of events; cheap to clone, all clones have the same memory.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    api: Arc<Api>,
    clock: Clock,
    dialect: Arc<Dialect>,
    component: String,
    host: Option<String>,
    form: EventForm,
    user: User,
    memory: Mutex<Memory>,
}

struct Memory {
    correlator: Correlator,
    /// The nanosecond that the latest name was made of: names are in the order of writing.
    last_nano: i128,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.0.component)
    }
}

/// How many names are tried when another source has taken one.
const NAME_TRIES: usize = 1000;

impl Recorder {
    /// A source that writes classic events: `component` as in `kubelet`, `host` only for what runs on a node.
    #[must_use]
    pub fn new(
        api: Arc<Api>,
        clock: Clock,
        component: &str,
        host: Option<String>,
        dialect: Arc<Dialect>,
    ) -> Self {
        Self::with_form(api, clock, component, host, dialect, EventForm::Classic)
    }

    /// A source that writes in the form that the dialect's scheduler uses.
    #[must_use]
    pub fn modern(api: Arc<Api>, clock: Clock, component: &str, dialect: Arc<Dialect>) -> Self {
        let form = dialect.events.scheduler_form;
        Self::with_form(api, clock, component, None, dialect, form)
    }

    fn with_form(
        api: Arc<Api>,
        clock: Clock,
        component: &str,
        host: Option<String>,
        dialect: Arc<Dialect>,
        form: EventForm,
    ) -> Self {
        let user = match &host {
            Some(node) => User::named(format!("system:node:{node}"), &["system:nodes"]),
            None => User::controller(component),
        };
        let correlator = Correlator::new(dialect.events.spam_filter);
        let memory = Mutex::new(Memory { correlator, last_nano: 0 });
        Self(Arc::new(Inner {
            api,
            clock,
            dialect,
            component: component.to_owned(),
            host,
            form,
            user,
            memory,
        }))
    }

    /// Says that something happened to `involved` (an object as stored), or to the part of it at
    /// `field_path` (`spec.containers{app}`).
    pub fn event(&self, involved: &Value, field_path: Option<&str>, kind: Kind, reason: &str, message: &str) {
        let now = self.0.clock.now();
        let meta = &involved["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = [&involved["kind"], &meta["namespace"], &meta["name"], &meta["uid"]].map(text).join("/");
        let occurrence = Occurrence {
            object: &object,
            field_path: field_path.unwrap_or_default(),
            kind: kind.as_str(),
            reason,
            message,
        };
        let mut memory = self.0.memory.lock();
        let Some(decision) = memory.correlator.decide(occurrence, now) else { return };
        if let Some(name) = &decision.name
            && self.count_up(involved, name, &decision, now)
        {
            return;
        }
        let object = self.new_object(involved, field_path, kind, reason, &decision, now);
        if let Some(name) = self.create(&mut memory, involved, object, decision.name.as_deref()) {
            memory.correlator.written(&decision.key, &name);
        }
    }

    /// Raises the count of an event that exists. False when it has gone.
    fn count_up(&self, involved: &Value, name: &str, decision: &Decision, now: Timestamp) -> bool {
        let last = stamp(self.0.clock.shown(now));
        let key = Key::new(namespace(involved), name);
        let written = self.0.api.modify(&self.0.user, "events", &key, None, |event| {
            match self.0.form {
                EventForm::Classic => {
                    event["count"] = json!(decision.count);
                    event["lastTimestamp"] = json!(last);
                }
                EventForm::Modern => {
                    let observed = stamp_micros(self.0.clock.shown(now));
                    event["series"] = json!({"count": decision.count, "lastObservedTime": observed});
                }
            }
            event["message"] = json!(decision.message);
        });
        written.is_ok()
    }

    /// Creates the object under a free name: the wanted one, or one made of the time.
    fn create(
        &self,
        memory: &mut Memory,
        involved: &Value,
        mut object: Value,
        wanted: Option<&str>,
    ) -> Option<String> {
        let subject = involved["metadata"]["name"].as_str().unwrap_or_default();
        for attempt in 0..NAME_TRIES {
            let name = match wanted {
                Some(name) if attempt == 0 => name.to_owned(),
                _ => {
                    let now = self.0.clock.shown_now().as_nanosecond();
                    memory.last_nano = now.max(memory.last_nano + 1);
                    format!("{subject}.{:x}", memory.last_nano)
                }
            };
            object["metadata"]["name"] = json!(name);
            let spoken = (self.0.form == EventForm::Modern).then(|| "events.k8s.io/v1".to_owned());
            let options = WriteOptions { api_version: spoken, ..WriteOptions::default() };
            match self.0.api.create(&self.0.user, "events", &namespace(involved), object.clone(), &options) {
                Ok(_) => return Some(name),
                Err(status) if status.reason == "AlreadyExists" => {}
                Err(status) => {
                    tracing::debug!(%status, component = self.0.component, "event not written");
                    return None;
                }
            }
        }
        None
    }

    fn new_object(
        &self,
        involved: &Value,
        field_path: Option<&str>,
        kind: Kind,
        reason: &str,
        decision: &Decision,
        now: Timestamp,
    ) -> Value {
        let meta = &involved["metadata"];
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace(involved)},
            "involvedObject": {},
            "type": kind.as_str(),
            "reason": reason,
            "message": decision.message,
            "source": {},
        });
        let reference = [
            ("apiVersion", &involved["apiVersion"]),
            ("kind", &involved["kind"]),
            ("name", &meta["name"]),
            ("namespace", &meta["namespace"]),
            ("resourceVersion", &meta["resourceVersion"]),
            ("uid", &meta["uid"]),
        ];
        for (field, value) in reference.into_iter().filter(|(_, value)| !value.is_null()) {
            object["involvedObject"][field] = value.clone();
        }
        if let Some(path) = field_path {
            object["involvedObject"]["fieldPath"] = json!(path);
        }
        match self.0.form {
            EventForm::Classic => self.fill_classic(&mut object, decision, now),
            EventForm::Modern => self.fill_modern(&mut object, now),
        }
        object
    }

    fn fill_classic(&self, object: &mut Value, decision: &Decision, now: Timestamp) {
        let filled = self.0.dialect.events.reporting_controller;
        let host = self.0.host.as_deref();
        object["count"] = json!(decision.count);
        object["firstTimestamp"] = json!(stamp(self.0.clock.shown(decision.first)));
        object["lastTimestamp"] = json!(stamp(self.0.clock.shown(now)));
        object["eventTime"] = Value::Null;
        object["source"]["component"] = json!(self.0.component);
        if let Some(host) = host {
            object["source"]["host"] = json!(host);
        }
        object["reportingComponent"] = json!(if filled { self.0.component.as_str() } else { "" });
        object["reportingInstance"] = json!(host.filter(|_| filled).unwrap_or_default());
    }

    fn fill_modern(&self, object: &mut Value, now: Timestamp) {
        object["eventTime"] = json!(stamp_micros(self.0.clock.shown(now)));
        object["firstTimestamp"] = Value::Null;
        object["lastTimestamp"] = Value::Null;
        object["action"] = json!("Binding");
        object["reportingComponent"] = json!(self.0.component);
        object["reportingInstance"] = json!(self.0.component);
    }
}

/// Events about things without a namespace live in `default`.
fn namespace(involved: &Value) -> String {
    involved["metadata"]["namespace"].as_str().filter(|n| !n.is_empty()).unwrap_or("default").to_owned()
}
