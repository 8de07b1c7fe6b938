//! One request of the API, and what may be asked of it: who asks, what they may, what they sent.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use pulldrill_clock::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::{
    Client,
    harbor::{
        Harbor,
        data::Data,
        project::Project,
        rights::{Actor, Role},
    },
    host::Host,
    registry::Shared,
};

/// The moment that stands for never.
const NEVER: &str = "0001-01-01T00:00:00.000Z";

/// A request.
pub(super) struct Call {
    pub(super) host: Arc<Host>,
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    /// The host as this client reaches it.
    pub(super) own_url: String,
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer to one.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<String>,
    pub(super) media: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    /// For the pull log: the repository and the reference that were spoken of, and what was deleted or tagged.
    pub(super) about: Option<(String, Option<String>)>,
    pub(super) digest: Option<String>,
}

pub(super) type Answered = Result<Reply, Refusal>;

impl Reply {
    /// Something to read.
    pub(super) fn json(value: &Value) -> Self {
        Self { status: 200, body: Some(value.to_string()), media: super::JSON, ..Self::default() }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { status: 200, body: Some(text.into()), media: "text/plain", ..Self::default() }
    }

    /// Done.
    pub(super) fn done() -> Self {
        Self { status: 200, ..Self::default() }
    }

    /// Made, and where it is.
    pub(super) fn created(location: String) -> Self {
        Self { status: 201, headers: vec![("location", location)], ..Self::default() }
    }

    pub(super) fn about(self, repository: &str, reference: Option<&str>, digest: Option<&str>) -> Self {
        let about = Some((repository.to_owned(), reference.map(str::to_owned)));
        Self { about, digest: digest.map(str::to_owned), ..self }
    }
}

impl Call {
    pub(super) fn harbor(&self) -> Result<&Harbor, Refusal> {
        self.host.harbor.as_ref().ok_or_else(Refusal::broken)
    }

    /// The first value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is true or false.
    pub(super) fn flag(&self, name: &str, otherwise: bool) -> Result<bool, Refusal> {
        match self.parameter(name) {
            None => Ok(otherwise),
            Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
            Some(other) => {
                Err(Refusal::unprocessable(format!("{name} in query must be of type boolean: {other:?}")))
            }
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a header says `true`.
    pub(super) fn says(&self, name: &str) -> bool {
        self.header(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// What was sent, as the API calls it.
    pub(super) fn sent<T: DeserializeOwned>(&self, what: &str) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::unprocessable(format!("{what} in body is required")));
        }
        let given = self.header(header::CONTENT_TYPE.as_str()).unwrap_or("application/octet-stream");
        let media = given.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case(super::JSON) {
            return Err(Refusal::unsupported_media(media));
        }
        let unread = |error: serde_json::Error| {
            Refusal::bad_request(format!("parsing {what} body from \"\" failed, because {error}"))
        };
        serde_json::from_slice(&self.body).map_err(unread)
    }

    /// Somebody who has logged in.
    pub(super) fn authenticated(&self) -> Result<&str, Refusal> {
        self.actor.name().ok_or_else(Refusal::unauthorized)
    }

    pub(super) fn is_administrator(&self) -> bool {
        matches!(self.actor, Actor::Administrator(_))
    }

    /// Refuses whoever may not do something in the system.
    pub(super) fn require_system(&self, resource: &str, action: &str) -> Result<(), Refusal> {
        self.authenticated()?;
        let robot = matches!(&self.actor, Actor::Robot(robot)
            if robot.may(None, resource, action) == Some(true));
        if robot || self.is_administrator() { Ok(()) } else { Err(Refusal::forbidden()) }
    }

    /// The project that a path names, by name or number, for somebody who may do that there.
    pub(super) fn project(
        &self,
        data: &Data,
        name_or_id: &str,
        (resource, action): (&str, &str),
    ) -> Result<Project, Refusal> {
        let by_name = self.says("x-is-resource-name");
        let id = name_or_id.parse::<i64>().ok().filter(|_| !by_name);
        let found = match id {
            Some(id) => data.projects.get(&id),
            None => data.find_project(name_or_id),
        };
        self.permitted(found, name_or_id, (resource, action))
    }

    /// The same for a project that has been looked for.
    pub(super) fn permitted(
        &self,
        found: Option<&Project>,
        called: &str,
        right: (&str, &str),
    ) -> Result<Project, Refusal> {
        if let Some(project) = found
            && self.harbor()?.permits(&self.host, &self.actor, project, right)
        {
            return Ok(project.clone());
        }
        self.authenticated()?;
        // Whether there is a project that one may not see is not told.
        if self.is_administrator() {
            return Err(Refusal::not_found(format!("project {called} not found")));
        }
        Err(Refusal::forbidden())
    }

    /// The role that is shown of somebody.
    pub(super) fn role(&self, project: &Project) -> Option<i64> {
        let role: Option<Role> = self.harbor().ok()?.role(&self.host, &self.actor, project);
        role.map(|role| role as i64)
    }

    /// A lab time as the API writes it.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.shared.clock.shown(at).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// The same for what may never have been.
    pub(super) fn time_or_never(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(|| NEVER.to_owned(), |at| self.time(at))
    }

    /// A lab time in seconds.
    pub(super) fn seconds(&self, at: Timestamp) -> i64 {
        self.shared.clock.shown(at).as_second()
    }

    /// The number of a user; the administrator's is 1.
    pub(super) fn user_id(&self, name: &str) -> i64 {
        let accounts = self.host.accounts.read();
        let mut others = accounts.iter().filter(|account| account.username != "admin");
        let place = others.position(|account| account.username == name);
        place.and_then(|place| i64::try_from(place + 2).ok()).unwrap_or(1)
    }

    /// Where something new is, below the path that made it.
    pub(super) fn location(&self, of: impl std::fmt::Display) -> String {
        format!("{}/{of}", self.path.trim_end_matches('/'))
    }
}

/// What Go leaves out of JSON: nothing, the empty, zero and false. Fields that it keeps are named.
pub(super) fn lean(value: Value, kept: &[&str]) -> Value {
    let Value::Object(fields) = value else { return value };
    let says_something = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) => true,
        Value::Object(fields) => !fields.is_empty(),
    };
    let stays = |(name, value): &(String, Value)| kept.contains(&name.as_str()) || says_something(value);
    Value::Object(fields.into_iter().filter(stays).collect::<Map<_, _>>())
}
