//! Stand-ins for the dialect and the recorder.

use std::sync::Arc;

use pulldrill_clock::Clock;
use serde_json::{Value, json};

use super::json::stamp;
use crate::api::{Api, User, WriteOptions};

#[derive(Debug)]
pub struct Dialect {
    pub id: String,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Normal,
    Warning,
}

pub struct Recorder {
    api: Arc<Api>,
    clock: Clock,
    component: &'static str,
}

impl Recorder {
    pub fn new(api: Arc<Api>, clock: Clock, component: &'static str, _h: Option<&str>, _d: Arc<Dialect>) -> Self {
        Self { api, clock, component }
    }

    pub fn event(&self, about: &Value, _field: Option<&str>, kind: Kind, reason: &str, message: &str) {
        let m = &about["metadata"];
        let now = stamp(self.clock.shown_now());
        let ns = m["namespace"].as_str().unwrap_or("default");
        let _ = self.api.create(&User::controller(self.component), "events", ns, json!({"apiVersion":"v1","kind":"Event",
            "metadata":{"name": format!("{}.{:x}", m["name"].as_str().unwrap_or_default(), self.api.store().revision())},
            "involvedObject":{"apiVersion":about["apiVersion"],"kind":about["kind"],"name":m["name"],"namespace":m["namespace"],"uid":m["uid"],"resourceVersion":m["resourceVersion"]},
            "reason":reason,"message":message,"type":format!("{kind:?}"),"count":1,"firstTimestamp":now,"lastTimestamp":now,
            "source":{"component":self.component}}), &WriteOptions::default());
    }
}
