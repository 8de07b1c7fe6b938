//! What can be asked of a resource, verb by verb, as data: method, action, parameters, body.

use crate::release::Span;

/// What a request carries in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Object,
    Patch,
    DeleteOptions,
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Object,
    List,
    Status,
}

/// One operation on a collection or on an object.
#[derive(Debug)]
pub(super) struct Operation {
    /// The verb that the resource must take.
    pub(super) verb: &'static str,
    /// On an object, not on the collection.
    pub(super) named: bool,
    /// The HTTP method as OpenAPI writes it.
    pub(super) method: &'static str,
    /// `x-kubernetes-action`.
    pub(super) action: &'static str,
    pub(super) body: Body,
    pub(super) answer: Answer,
    /// Query parameters.
    pub(super) parameters: &'static [&'static str],
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        verb: "list",
        named: false,
        method: "get",
        action: "list",
        body: Body::None,
        answer: Answer::List,
        parameters: &[
            "allowWatchBookmarks",
            "continue",
            "fieldSelector",
            "labelSelector",
            "limit",
            "pretty",
            "resourceVersion",
            "resourceVersionMatch",
            "sendInitialEvents",
            "timeoutSeconds",
            "watch",
        ],
    },
    Operation {
        verb: "create",
        named: false,
        method: "post",
        action: "post",
        body: Body::Object,
        answer: Answer::Object,
        parameters: &["dryRun", "fieldManager", "fieldValidation", "pretty"],
    },
    Operation {
        verb: "deletecollection",
        named: false,
        method: "delete",
        action: "deletecollection",
        body: Body::DeleteOptions,
        answer: Answer::Status,
        parameters: &["dryRun", "fieldSelector", "labelSelector", "propagationPolicy"],
    },
    Operation {
        verb: "get",
        named: true,
        method: "get",
        action: "get",
        body: Body::None,
        answer: Answer::Object,
        parameters: &["pretty"],
    },
    Operation {
        verb: "update",
        named: true,
        method: "put",
        action: "put",
        body: Body::Object,
        answer: Answer::Object,
        parameters: &["dryRun", "fieldManager", "fieldValidation", "pretty"],
    },
    Operation {
        verb: "patch",
        named: true,
        method: "patch",
        action: "patch",
        body: Body::Patch,
        answer: Answer::Object,
        parameters: &["dryRun", "fieldManager", "fieldValidation", "force", "pretty"],
    },
    Operation {
        verb: "delete",
        named: true,
        method: "delete",
        action: "delete",
        body: Body::DeleteOptions,
        answer: Answer::Status,
        parameters: &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"],
    },
];

/// Which releases have a query parameter. Clients take `fieldValidation` for the promise that the server does it.
pub(super) fn parameter_span(name: &str) -> Span {
    match name {
        "fieldValidation" => Span::since(25),
        "sendInitialEvents" => Span::since(27),
        _ => Span::default(),
    }
}

/// The type of a query parameter.
pub(super) fn parameter_type(name: &str) -> &'static str {
    match name {
        "allowWatchBookmarks" | "force" | "orphanDependents" | "sendInitialEvents" | "watch" => "boolean",
        "gracePeriodSeconds" | "limit" | "timeoutSeconds" => "integer",
        _ => "string",
    }
}

/// The bodies that a PATCH may have.
pub(super) const PATCH_TYPES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];
