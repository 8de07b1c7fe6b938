//! The paths of a resource and the operations on them, for either version of OpenAPI.

use serde_json::{Map, Value, json};

use super::{
    definitions::{Style, full_name, kind_name},
    operations::{Answer, Body, OPERATIONS, Operation, PATCH_TYPES, parameter_span, parameter_type},
};
use crate::{
    release::Release,
    resources::ResourceInfo,
    schema::{Schema, descriptions},
};

/// Adds the paths of one resource.
pub(super) fn add(paths: &mut Map<String, Value>, resource: &ResourceInfo, style: Style, release: Release) {
    let root = resource.root();
    let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("/{root}{scope}/{}", resource.plural);
    for (named, path) in [(false, collection.clone()), (true, format!("{collection}/{{name}}"))] {
        let mut item = Map::new();
        for operation in OPERATIONS.iter().filter(|operation| operation.named == named) {
            if resource.verbs.iter().any(|verb| verb == operation.verb) {
                item.insert(operation.method.into(), describe(operation, resource, style, release));
            }
        }
        if item.is_empty() {
            continue;
        }
        let mut parameters = Vec::new();
        if resource.namespaced {
            parameters.push(parameter("namespace", "path", style));
        }
        if named {
            parameters.push(parameter("name", "path", style));
        }
        if !parameters.is_empty() {
            item.insert("parameters".into(), parameters.into());
        }
        paths.insert(path, item.into());
    }
}

fn parameter(name: &str, place: &str, style: Style) -> Value {
    let ty = parameter_type(name);
    let text = descriptions::of("parameters", name);
    let mut out = match style {
        Style::V2 => json!({"name": name, "in": place, "description": text, "type": ty, "uniqueItems": true}),
        Style::V3 => {
            json!({"name": name, "in": place, "description": text, "schema": {"type": ty, "uniqueItems": true}})
        }
    };
    if place == "path" {
        out["required"] = true.into();
    }
    out
}

fn describe(operation: &Operation, resource: &ResourceInfo, style: Style, release: Release) -> Value {
    let kind = style.reference(&kind_name(resource));
    let meta = |name: &str| style.reference(&full_name(&format!("meta.v1.{name}")));
    let answer = match operation.answer {
        Answer::Object => kind.clone(),
        Answer::Status => meta("Status"),
        Answer::List => {
            let list = ResourceInfo { kind: format!("{}List", resource.kind), ..resource.clone() };
            match Schema::embedded().kind(&list.api_version(), &list.kind) {
                Some(_) => style.reference(&kind_name(&list)),
                None => json!({"type": "object"}),
            }
        }
    };
    let body = match operation.body {
        Body::None => None,
        Body::Object => Some(kind),
        Body::Patch => Some(meta("Patch")),
        Body::DeleteOptions => Some(meta("DeleteOptions")),
    };
    let accepted: &[&str] = if operation.body == Body::Patch { PATCH_TYPES } else { &["application/json"] };
    let known = operation.parameters.iter().filter(|name| parameter_span(name).has(release));
    let mut parameters: Vec<Value> = known.map(|name| parameter(name, "query", style)).collect();
    let mut out = json!({
        "operationId": operation_id(operation, resource),
        "tags": [resource.root().replace(['/', '.'], "_")],
        "description": sentence(operation, resource),
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": resource.group_version_kind(),
    });
    match style {
        Style::V2 => {
            if let Some(schema) = body {
                let required = operation.body != Body::DeleteOptions;
                parameters
                    .push(json!({"name": "body", "in": "body", "required": required, "schema": schema}));
            }
            out["consumes"] = json!(accepted);
            out["produces"] = json!(["application/json"]);
            out["responses"] = json!({"200": {"description": "OK", "schema": answer}});
        }
        Style::V3 => {
            if let Some(schema) = body {
                let content: Map<_, _> =
                    accepted.iter().map(|ty| ((*ty).to_owned(), json!({"schema": schema}))).collect();
                out["requestBody"] = json!({ "content": content });
            }
            let content = json!({"application/json": {"schema": answer}});
            out["responses"] = json!({"200": {"description": "OK", "content": content}});
        }
    }
    out["parameters"] = parameters.into();
    out
}

/// `patchAppsV1NamespacedDeployment`: unique, since programs are generated from it.
fn operation_id(operation: &Operation, resource: &ResourceInfo) -> String {
    let verb = match operation.action {
        "get" => "read",
        "post" => "create",
        "put" => "replace",
        "deletecollection" => "deleteCollection",
        action => action,
    };
    let group = resource.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
    let scope = if resource.namespaced { "Namespaced" } else { "" };
    format!("{verb}{}{}{scope}{}", capital(group), capital(&resource.version), resource.kind)
}

fn sentence(operation: &Operation, resource: &ResourceInfo) -> String {
    let kind = &resource.kind;
    match operation.action {
        "list" => format!("Lists or watches objects of kind {kind}."),
        "post" => format!("Creates an object of kind {kind}."),
        "get" => format!("Reads one object of kind {kind}."),
        "put" => format!("Replaces one object of kind {kind}."),
        "patch" => format!("Changes some fields of one object of kind {kind}."),
        "delete" => format!("Deletes one object of kind {kind}."),
        _ => format!("Deletes all selected objects of kind {kind}."),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
