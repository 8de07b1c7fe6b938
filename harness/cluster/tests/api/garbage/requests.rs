//! Whole requests: a route, a method, a query, headers and a body, each of which may be what it should, or not.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use pulldrill_clock::seed::Rng;
use pulldrill_cluster::schema::Schema;
use rand::{RngExt, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{protobuf, routes::Route, values};

pub(super) const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];

const QUERIES: [&str; 62] = [
    "watch=true",
    "watch=1&timeoutSeconds=1",
    "watch=true&allowWatchBookmarks=true&resourceVersion=1",
    "watch=true&resourceVersion=x",
    "watch=true&resourceVersion=99999999999",
    "watch=x",
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&watch=1",
    "sendInitialEvents=x",
    "allowWatchBookmarks=%00",
    "timeoutSeconds=-1",
    "timeoutSeconds=9223372036854775807",
    "timeout=1s",
    "timeout=x",
    "limit=1",
    "limit=-1",
    "limit=99999999999999999999",
    "limit=x",
    "continue=e30",
    "continue=%00",
    "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vLi4ifQ",
    "resourceVersion=0",
    "resourceVersion=-1",
    "resourceVersion=99999999999",
    "resourceVersion=18446744073709551615",
    "resourceVersion=x",
    "resourceVersionMatch=Exact",
    "resourceVersionMatch=x",
    "labelSelector=a%20in%20(",
    "labelSelector=!a,,b=c",
    "labelSelector=app=a",
    "labelSelector=a%3E1,b%3C%C3%A9",
    "fieldSelector=metadata.name%3Da",
    "fieldSelector=x%3Dy",
    "fieldSelector=%5C",
    "fieldSelector=status.phase!%3D%5C,,spec.nodeName",
    "dryRun=All",
    "dryRun=x",
    "fieldManager=%0a",
    "fieldManager=a",
    "fieldValidation=Strict",
    "fieldValidation=Ignore",
    "fieldValidation=x",
    "force=true",
    "force=x",
    "propagationPolicy=Foreground",
    "propagationPolicy=Orphan",
    "propagationPolicy=x",
    "gracePeriodSeconds=0",
    "gracePeriodSeconds=-1",
    "gracePeriodSeconds=9223372036854775807",
    "orphanDependents=x",
    "includeObject=Object",
    "includeObject=x",
    "verbose",
    "container=c&stdin=true&stdout=true&command=sh&command=",
    "container=%00&tty=true&stderr=1",
    "follow=true",
    "tailLines=-1&sinceSeconds=0",
    "sinceTime=x&limitBytes=x&timestamps=x&previous=x",
    "sinceSeconds=9223372036854775807&tailLines=9223372036854775807",
    "ports=1&ports=x&ports=99999",
    "%=%&=&&;",
];

const MEDIA: [&str; 6] =
    ["text/plain", "", "application/json; charset=\"", "application/cbor", "application/yaml", "*/*"];

const ACCEPT: [&str; 12] = [
    "application/json",
    "*/*",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=x;v=x",
    "application/vnd.kubernetes.protobuf",
    "application/yaml",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    ";;,,;=,\t",
];

const HEADERS: [(&str, &str); 14] = [
    ("accept-encoding", "gzip"),
    ("accept-encoding", "x;q=y"),
    ("if-none-match", "\"x\""),
    ("impersonate-user", "system:serviceaccount:default:a"),
    ("impersonate-user", ""),
    ("impersonate-group", "system:masters"),
    ("impersonate-uid", "1"),
    ("impersonate-extra-a%", "b"),
    ("authorization", "Bearer a.b.c"),
    ("authorization", "Basic x"),
    ("expect", "x"),
    ("content-encoding", "gzip"),
    ("kubectl-command", "\u{1}"),
    ("user-agent", "/"),
];

/// What makes a connection one of another protocol.
const UPGRADES: [&[(&str, &str)]; 4] = [
    &[("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", "v4.channel.k8s.io")],
    &[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("sec-websocket-protocol", "v5.channel.k8s.io"),
    ],
    &[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x")],
    &[("connection", "Upgrade"), ("upgrade", "x")],
];

const BODIES: [&str; 24] = [
    "",
    "{",
    "{}",
    "[]",
    "null",
    "0",
    "\"x\"",
    "k8s\u{0}",
    "k8s\u{0}\u{a}\u{4}\u{a}\u{2}v1",
    r#"{"metadata":{"name":5,"labels":[],"annotations":{"a":{}},"ownerReferences":"x","finalizers":{}}}"#,
    r#"{"metadata":{"name":"a","name":"b"},"metadata":{}}"#,
    r#"{"metadata":{"generateName":"a-","resourceVersion":"1","uid":"x","managedFields":[{"manager":1}]}}"#,
    r#"{"metadata":{"managedFields":[{"manager":"a","operation":"Apply","fieldsV1":{"f:":{"k:{":{}}}}]}}"#,
    r#"{"spec":null,"status":null,"metadata":null}"#,
    r#"[{"op":"add","path":"/metadata/labels/~2","value":1},{"op":"test","path":"","value":{}}]"#,
    r#"[{"op":"replace","path":"","value":null}]"#,
    r#"[{"op":"move","from":"/metadata","path":"/spec"},{"op":"copy","from":"/spec","path":"/spec/x"}]"#,
    r#"[{"op":"remove","path":"/"},{"op":"x"}]"#,
    r#"{"$patch":"delete","spec":{"containers":[{"$patch":"replace"},{"name":null}],"$retainKeys":["x",1]}}"#,
    r#"{"spec":{"$setElementOrder/containers":[{"name":"z"},7],"containers":[{"name":"c","$patch":"delete"}]}}"#,
    r#"{"spec":{"replicas":1e400},"a":18446744073709551616}"#,
    "a: [b\n- c: &x {<<: *x}\n",
    "a: &a [*a, *a]\n---\nb: !!binary x\n",
    "\u{feff}{\"kind\":\"\\ud800\"}",
];

/// What makes requests.
pub(super) struct Maker<'a> {
    pub(super) schema: &'a Schema,
    pub(super) rng: Rng,
}

/// A request, and what of it is worth showing.
pub(super) struct Made {
    pub(super) request: Request<Full<Bytes>>,
    pub(super) shown: String,
}

impl Maker<'_> {
    /// A request to a route. `None` when it would be none that can be sent.
    pub(super) fn make(&mut self, route: &Route, method: &Method) -> Option<Made> {
        let name = if self.rng.random_bool(0.7) { "a" } else { "b" };
        let mut path = route.path(&mut self.rng, name);
        for _ in 0..[0, 0, 0, 1, 1, 2, 3].choose(&mut self.rng).copied()? {
            path += if path.contains('?') { "&" } else { "?" };
            path += QUERIES.choose(&mut self.rng)?;
        }
        let (mut media, mut body) = self.body(route, method, name);
        if media == "application/apply-patch+yaml" && self.rng.random_bool(0.9) {
            path += if path.contains('?') { "&fieldManager=a" } else { "?fieldManager=a" };
        }
        if self.rng.random_bool(0.03) {
            media = MEDIA.choose(&mut self.rng)?;
        }
        if !body.is_empty() && self.rng.random_bool(0.05) {
            let at = self.rng.random_range(0..body.len());
            body[at] = self.rng.random();
        }
        let mut shown = format!("{method} {path} {media}");
        let mut request = Request::builder()
            .method(method)
            .uri(&path)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, media);
        if self.rng.random_bool(0.5) {
            let accept = ACCEPT.choose(&mut self.rng)?;
            request = request.header(header::ACCEPT, *accept);
            shown += &format!(" accept {accept}");
        }
        let more: &[_] = match self.rng.random_range(0..20) {
            0 => UPGRADES.choose(&mut self.rng)?,
            1 | 2 => std::slice::from_ref(HEADERS.choose(&mut self.rng)?),
            _ => &[],
        };
        for (name, value) in more {
            request = request.header(*name, *value);
            shown += &format!(" {name}: {value}");
        }
        shown += &format!(" {}", String::from_utf8_lossy(&body));
        Some(Made { request: request.body(Full::new(body.into())).ok()?, shown })
    }

    /// An object of the route's kind: a good one with a bad place, or one by chance.
    fn object(&mut self, route: &Route, name: &str) -> Value {
        let (schema, rng) = (self.schema, &mut self.rng);
        let mut object = values::good(&route.kind);
        if let Some(definition) = schema.kind(&route.api_version, &route.kind)
            && rng.random_bool(0.3)
        {
            let other = values::of_definition(rng, schema, definition, 0);
            for (field, value) in other.as_object().into_iter().flatten() {
                if object.get(field).is_none() || rng.random_bool(0.5) {
                    object[field] = value.clone();
                }
            }
        }
        let metadata = match rng.random_range(0..12) {
            0 => json!({"generateName": "g-"}),
            1 => json!({"name": name, "namespace": values::text(rng), "labels": {"app": values::text(rng)}}),
            2 => {
                json!({"name": name, "finalizers": [values::text(rng)], "resourceVersion": values::text(rng)})
            }
            3 => object["metadata"].clone(),
            _ => json!({"name": name, "labels": {"app": "a"}}),
        };
        object["metadata"] = metadata;
        object["apiVersion"] = route.api_version.as_str().into();
        object["kind"] = route.kind.as_str().into();
        for _ in 0..[0, 0, 1, 1, 2].choose(rng).copied().unwrap_or_default() {
            values::disturb(rng, &mut object);
        }
        object
    }

    fn body(&mut self, route: &Route, method: &Method, name: &str) -> (&'static str, Vec<u8>) {
        if self.rng.random_bool(0.08) {
            let media = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
            let media = if *method == Method::PATCH { &PATCHES[..] } else { &media[..] };
            let body = BODIES.choose(&mut self.rng).copied().unwrap_or_default();
            return (media.choose(&mut self.rng).copied().unwrap_or_default(), body.into());
        }
        match *method {
            Method::PATCH => self.patch(route, name),
            Method::POST | Method::PUT => {
                let object = self.object(route, name);
                match self.rng.random_range(0..4) {
                    0 => {
                        let body = protobuf::body(self.schema, &route.api_version, &route.kind, &object);
                        ("application/vnd.kubernetes.protobuf", body)
                    }
                    1 => ("application/yaml", object.to_string().into()),
                    _ => ("application/json", object.to_string().into()),
                }
            }
            Method::DELETE if self.rng.random_bool(0.5) => {
                let options = self.schema.kind("v1", "DeleteOptions");
                let options = options.map(|d| values::of_definition(&mut self.rng, self.schema, d, 0));
                ("application/json", options.unwrap_or_default().to_string().into())
            }
            _ => ("application/json", Vec::new()),
        }
    }

    fn patch(&mut self, route: &Route, name: &str) -> (&'static str, Vec<u8>) {
        let media = PATCHES.choose(&mut self.rng).copied().unwrap_or_default();
        let object = self.object(route, name);
        let patch = if media == PATCHES[0] {
            Value::Array((0..self.rng.random_range(1..3)).map(|_| self.operation(&object)).collect())
        } else {
            object
        };
        (media, patch.to_string().into())
    }

    /// One operation of a JSON patch, on a place that the object may have.
    fn operation(&mut self, object: &Value) -> Value {
        let rng = &mut self.rng;
        let (mut path, mut place) = (String::new(), object);
        while rng.random_bool(0.8) {
            let next = match place {
                Value::Object(fields) => fields.iter().nth(rng.random_range(0..fields.len().max(1))),
                _ => None,
            };
            let Some((field, inner)) = next else { break };
            path += &format!("/{}", field.replace('~', "~0").replace('/', "~1"));
            place = inner;
        }
        if place.is_array() || rng.random_bool(0.1) {
            path += ["/0", "/-", "/1", "/99999999999999999999", "/~", "/x"]
                .choose(rng)
                .copied()
                .unwrap_or_default();
        }
        let op = ["add", "add", "add", "replace", "test", "remove", "copy", "move", "x"]
            .choose(rng)
            .copied()
            .unwrap_or_default();
        let value = if rng.random_bool(0.8) { place.clone() } else { values::junk(rng) };
        json!({"op": op, "path": path, "from": "/metadata/labels", "value": value})
    }
}

const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
