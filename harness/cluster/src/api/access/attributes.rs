//! What somebody wants to do, and the words in which it is refused (`apiserver`'s `responsewriters`).

use std::fmt;

use serde_json::json;

use crate::api::{Status, User};

/// What somebody wants to do: something with a resource, or, when there is a path, with that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// The verb, for example `list`; for paths the method in small letters.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The plural name.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, empty for all or none.
    pub namespace: &'a str,
    /// The name, or empty.
    pub name: &'a str,
    /// The path of a request that is not about a resource, or empty.
    pub path: &'a str,
}

impl Attributes<'_> {
    /// Whether this is about a resource.
    #[must_use]
    pub fn is_resource(&self) -> bool {
        self.path.is_empty()
    }

    /// 403, with the reason that the authorizer gave.
    pub(in crate::api) fn forbidden(&self, user: &User, reason: &str) -> Status {
        let why = [escaped(&format!("User {} cannot {self}", quoted(&user.name))), reason.to_owned()];
        let why = why[..if reason.is_empty() { 1 } else { 2 }].join(": ");
        self.refused(&why)
    }

    /// 403 for a reason of its own.
    pub(in crate::api) fn refused(&self, why: &str) -> Status {
        if self.is_resource() {
            refused(self.group, self.resource, self.name, why)
        } else {
            refused("", "", "", why)
        }
    }
}

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, group, resource, subresource, namespace, path, .. } = self;
        if !path.is_empty() {
            return write!(f, "{verb} path {}", quoted(path));
        }
        let slash = if subresource.is_empty() { "" } else { "/" };
        let resource = quoted(&format!("{resource}{slash}{subresource}"));
        write!(f, "{verb} resource {resource} in API group {} ", quoted(group))?;
        if namespace.is_empty() {
            f.write_str("at the cluster scope")
        } else {
            write!(f, "in the namespace {}", quoted(namespace))
        }
    }
}

/// 403 about an object, or about nothing in particular.
pub(super) fn refused(group: &str, resource: &str, name: &str, why: &str) -> Status {
    let dot = if group.is_empty() { "" } else { "." };
    let message = match (resource, name) {
        ("", _) => format!("forbidden: {why}"),
        (_, "") => format!("{resource}{dot}{group} is forbidden: {why}"),
        _ => format!("{resource}{dot}{group} {} is forbidden: {why}", quoted(name)),
    };
    let mut status = Status::new(403, "Forbidden", message);
    status.details = json!({});
    for (field, value) in [("name", name), ("group", group), ("kind", resource)] {
        if !value.is_empty() {
            status.details[field] = value.into();
        }
    }
    status
}

/// A text as Go's `%q` prints it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of texts as Go's `%q` prints it.
pub(super) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|t| quoted(t.as_ref())).collect();
    format!("[{}]", texts.join(" "))
}

/// A text that does no harm where somebody takes it for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_who_what_and_where() {
        let alice = User::named("alice", &[]);
        let pods = Attributes { verb: "list", resource: "pods", namespace: "x", ..Attributes::default() };
        for (wanted, reason, message, details) in [
            (
                pods,
                "",
                r#"pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "x""#,
                json!({"kind": "pods"}),
            ),
            (
                Attributes {
                    verb: "get",
                    group: "apps",
                    resource: "deployments",
                    subresource: "scale",
                    name: "d",
                    ..pods
                },
                "",
                r#"deployments.apps "d" is forbidden: User "alice" cannot get resource "deployments/scale" in API group "apps" in the namespace "x""#,
                json!({"kind": "deployments", "group": "apps", "name": "d"}),
            ),
            (
                Attributes { resource: "nodes", namespace: "", ..pods },
                "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found",
                "nodes is forbidden: User \"alice\" cannot list resource \"nodes\" in API group \"\" at the cluster scope: \
                 RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found",
                json!({"kind": "nodes"}),
            ),
            (
                Attributes { verb: "get", path: "/metrics?<b>", ..Attributes::default() },
                "",
                r#"forbidden: User "alice" cannot get path "/metrics?&lt;b&gt;""#,
                json!({}),
            ),
        ] {
            let status = wanted.forbidden(&alice, reason);
            assert_eq!((status.code, status.message.as_str(), &status.details), (403, message, &details));
        }
    }

    #[test]
    fn texts_are_quoted_as_go_does() {
        assert_eq!(quoted("a\"\\\n\u{1b}\u{85}é"), r#""a\"\\\n\x1b\u0085é""#);
        assert_eq!(quoted_list(&["a", "b c"]), r#"["a" "b c"]"#);
        assert_eq!(quoted_list::<&str>(&[]), "[]");
    }
}
