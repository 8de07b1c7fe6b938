//! Reading many objects: selectors, revisions, pages.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    Reply, Server, dispatch::Asked, list_body, negotiate, negotiate::Form, options::Query, reply,
    route::Target, transform, transform::Writer,
};
use crate::{
    api::{Errors, FieldSelector, Selector, Status, convert},
    go, go_json,
    store::{Key, StoreError, Stored},
};

/// Which objects a list or a watch is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    labels: Selector,
    fields: FieldSelector,
    namespace: Option<String>,
    name: Option<String>,
}

impl Filter {
    /// What the path and the query say.
    ///
    /// # Errors
    /// 400 for a broken selector, and for what is no number, whether it is of use here or not.
    pub(super) fn of(target: &Target, query: &Query) -> Result<Self, Status> {
        query.number("limit")?;
        query.number("timeoutSeconds")?;
        Ok(Self {
            labels: Selector::parse(query.text("labelSelector"))?,
            fields: FieldSelector::parse(query.text("fieldSelector"), &target.resource)?,
            namespace: target.namespace.clone(),
            name: target.name.clone(),
        })
    }

    /// Whether an object is meant.
    pub(super) fn matches(&self, object: &Stored) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.name, &object.key().name)
            && is(&self.namespace, &object.key().namespace)
            && (self.labels.is_empty() || self.labels.matches(&object.labels()))
            && (self.fields.is_empty() || self.fields.matches(&object.peek()))
    }

    fn is_selective(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty()
    }
}

/// `GET` of a collection.
pub(super) fn list(server: &Server, asked: &Asked, target: &Target) -> Result<Reply, Status> {
    let form = negotiate::form(&asked.headers)?;
    let filter = Filter::of(target, &asked.query)?;
    let page = Page::of(&asked.query)?;
    check_match(&asked.query)?;
    let (objects, revision) = read(server, target, &page, &asked.query)?;
    let mut objects: Vec<_> = objects.into_iter().filter(|o| filter.matches(o)).collect();
    if let Some(after) = &page.after {
        objects.retain(|o| o.key() > after);
    }
    let mut meta = json!({"resourceVersion": revision.to_string()});
    if let Some(limit) = page.limit.filter(|limit| *limit < objects.len()) {
        let rest = objects.len() - limit;
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            meta["continue"] = token(i64::try_from(revision).unwrap_or(LATEST), last.key()).into();
        }
        if !filter.is_selective() {
            meta["remainingItemCount"] = rest.into();
        }
    }
    let writer = Writer::new(server, target, form, &asked.query);
    Ok(write(&writer, &meta, objects))
}

fn write(writer: &Writer<'_>, meta: &Value, objects: Vec<Arc<Stored>>) -> Reply {
    let (resource, version) = (&writer.target.resource, writer.target.version.as_str());
    let shown = || objects.iter().map(|o| convert::shown(resource, version, o)).collect::<Vec<_>>();
    match writer.form {
        Form::Table(form) => reply::json(200, &writer.table(form, meta, shown().iter().map(|o| &**o), true)),
        Form::Metadata(form) => {
            let items: Vec<Value> = shown().iter().map(|o| transform::metadata(form, o)).collect();
            let kind = "PartialObjectMetadataList";
            reply::json(200, &json!({"kind": kind, "apiVersion": form, "metadata": meta, "items": items}))
        }
        Form::Object => {
            let kind = format!("{}List", resource.kind);
            list_body::write(&kind, &resource.api_version(version), meta, items(writer, objects))
        }
    }
}

/// The objects as they stand in a list: the bytes of the store, where they are what is wanted.
fn items(writer: &Writer<'_>, objects: Vec<Arc<Stored>>) -> Vec<Arc<Stored>> {
    let (resource, version) = (&writer.target.resource, writer.target.version.as_str());
    if convert::is_stored_form(resource, version) {
        return objects;
    }
    let converted = |object: Arc<Stored>| {
        let value = convert::outgoing(resource, version, object.value()).into_owned();
        Arc::new(Stored::unstored(object.with(value)))
    };
    objects.into_iter().map(converted).collect()
}

/// Which part of a list is wanted.
#[derive(Debug, Default)]
struct Page {
    limit: Option<usize>,
    /// The revision and the last key of the page before.
    revision: Option<u64>,
    after: Option<Key>,
}

impl Page {
    fn of(query: &Query) -> Result<Self, Status> {
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        // A list from the cache is always whole.
        let whole = query.text("resourceVersion") == "0";
        let limit = limit.filter(|_| !whole).map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let text = query.text("continue");
        if text.is_empty() {
            return Ok(Self { limit, ..Self::default() });
        }
        let (revision, after) = read_token(text)?;
        if !matches!(query.text("resourceVersion"), "" | "0") {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Status::bad_request(message));
        }
        Ok(Self { limit, revision, after: Some(after) })
    }
}

/// What stands for the present revision in a token.
const LATEST: i64 = -1;

fn token(revision: i64, last: &Key) -> String {
    let start = format!("{}/{}", last.namespace, last.name);
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start}).to_string())
}

/// The revision of the pages before, unless the present one will do, and the key of the last object on them.
fn read_token(text: &str) -> Result<(Option<u64>, Key), Status> {
    let bad =
        |why: String| Status::bad_request(format!("invalid continue token: continue key is not valid{why}"));
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| bad(format!(": {}", go::illegal_base64(&error, text.len()))))?;
    let token: Value =
        serde_json::from_slice(&bytes).map_err(|e| bad(format!(": {}", go_json::error(&bytes, &e))))?;
    let version = &token["v"];
    if version != "meta.k8s.io/v1" {
        let version = version.as_str().unwrap_or_default();
        return Err(bad(format!(": server does not recognize this encoded version {version}")));
    }
    let revision = match token["rv"].as_i64() {
        None | Some(0) => {
            return Err(bad(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)".into()));
        }
        Some(revision) => u64::try_from(revision).ok(),
    };
    let start = token["start"].as_str().unwrap_or_default();
    if start.is_empty() {
        return Err(bad(": encoded start key empty (version meta.k8s.io/v1)".into()));
    }
    match start.split_once('/') {
        Some((namespace, name))
            if !name.contains('/') && !matches!(name, "." | "..") && !matches!(namespace, "." | "..") =>
        {
            Ok((revision, Key::new(namespace, name)))
        }
        _ => Err(bad(format!(": {start}"))),
    }
}

/// A revision in a query. Empty means none.
///
/// # Errors
/// What is wrong with it. What becomes of that differs between lists and watches.
pub(super) fn revision(query: &Query) -> Result<Option<u64>, String> {
    let text = query.text("resourceVersion");
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        )
    })
}

/// The objects, before selectors, and the revision that they are of.
fn read(
    server: &Server,
    target: &Target,
    page: &Page,
    query: &Query,
) -> Result<(Vec<Arc<Stored>>, u64), Status> {
    let store = server.api.store();
    let (name, namespace) = (target.resource.store.as_str(), target.namespace.as_deref());
    let at = |revision: u64| {
        store.list_at(name, namespace, revision).map(|objects| (objects, revision)).map_err(|error| {
            match error {
                StoreError::Compacted(_) => {
                    Status::expired("The resourceVersion for the provided list is too old.")
                }
                other => Status::internal(other.to_string()),
            }
        })
    };
    match (&page.after, page.revision) {
        (None, _) => {}
        (Some(_), None) => return Ok(store.list(name, namespace)),
        (Some(_), Some(revision)) if revision > store.revision() => {
            return Err(Status::new(500, "", "etcdserver: mvcc: required revision is a future revision"));
        }
        (Some(last), Some(revision)) => {
            return at(revision).map_err(|status| if status.code == 410 { too_old(last) } else { status });
        }
    }
    let wanted =
        revision(query).map_err(|why| Status::bad_request(format!("invalid resource version: {why}")))?;
    if let Some(wanted) = wanted.filter(|r| *r > 0) {
        let current = store.revision();
        if wanted > current {
            return Err(too_large(wanted, current));
        }
        if query.text("resourceVersionMatch") == "Exact" {
            return at(wanted);
        }
    }
    Ok(store.list(name, namespace))
}

/// 410 for a page of a list whose revision is gone, with the way on.
fn too_old(last: &Key) -> Status {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                   list without the continue parameter, or use the continue token in this response to retrieve the \
                   remainder of the results. Continuing with the provided token results in an inconsistent list - \
                   objects that were created, modified, or deleted between the time the first chunk was returned and \
                   now may show up in the list.";
    Status::expired(message).or_go_on_with(token(LATEST, last))
}

fn too_large(wanted: u64, current: u64) -> Status {
    let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
    let mut status = Status::new(504, "Timeout", message);
    status.details = json!({"causes": [{"reason": "ResourceVersionTooLarge",
        "message": "Too large resource version"}], "retryAfterSeconds": 1});
    status
}

/// The rules about `resourceVersionMatch` on lists.
fn check_match(query: &Query) -> Result<(), Status> {
    let (version, how) = (query.text("resourceVersion"), query.text("resourceVersionMatch"));
    let mut errors = Errors::default();
    match how {
        "" => {}
        "Exact" | "NotOlderThan" if version.is_empty() => errors.forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        "Exact" if version == "0" => errors.forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        "Exact" | "NotOlderThan" => {}
        other => {
            errors.unsupported("resourceVersionMatch", &other.into(), &["Exact", "NotOlderThan", ""]);
        }
    }
    invalid_list_options(errors)
}

/// 422 on the options of a list or watch.
pub(super) fn invalid_list_options(errors: Errors) -> Result<(), Status> {
    let errors = errors.into_vec();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &errors))
}
