//! Acting as somebody else: the `Impersonate-*` headers (`WithImpersonation` of `apiserver`). Each name in
//! them is a right of its own.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::{Attributes, authorizer::authorize};
use crate::api::{Api, Status, User};

const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Whom the headers of a request name, if anybody, when the one who sends them may act as them.
///
/// # Errors
/// 403; 500 for headers that name groups, but nobody.
pub(super) fn impersonated(api: &Api, user: &User, headers: &HeaderMap) -> Result<Option<User>, Status> {
    let wanted = Wanted::read(headers);
    if wanted.user.is_empty() {
        return if wanted.nobody_in_particular() { Ok(None) } else { Err(wanted.incomplete()) };
    }
    let may = |attributes: Attributes<'_>| authorize(api, user, &attributes);
    let impersonate = Attributes { verb: "impersonate", ..Attributes::default() };
    let mut groups = wanted.groups.clone();
    match service_account(&wanted.user) {
        Some((namespace, name)) => {
            may(Attributes { resource: "serviceaccounts", namespace, name, ..impersonate })?;
            if groups.is_empty() {
                groups = User::service_account(namespace, name).groups;
            }
        }
        None => may(Attributes { resource: "users", name: &wanted.user, ..impersonate })?,
    }
    for group in &wanted.groups {
        may(Attributes { resource: "groups", name: group, ..impersonate })?;
    }
    for (key, values) in &wanted.extra {
        for name in values {
            let about = Attributes { group: AUTHENTICATION, resource: "userextras", ..impersonate };
            may(Attributes { subresource: key, name, ..about })?;
        }
    }
    if !wanted.uid.is_empty() {
        may(Attributes { group: AUTHENTICATION, resource: "uids", name: &wanted.uid, ..impersonate })?;
    }
    let anonymous = wanted.user == User::anonymous().name;
    let has = |group: &str| groups.iter().any(|g| g == group);
    if anonymous && !has(UNAUTHENTICATED) {
        groups.push(UNAUTHENTICATED.into());
    } else if !anonymous && !has(AUTHENTICATED) && !has(UNAUTHENTICATED) {
        groups.push(AUTHENTICATED.into());
    }
    Ok(Some(User { name: wanted.user, groups, uid: wanted.uid, extra: wanted.extra }))
}

/// What the headers say.
#[derive(Debug, Default)]
struct Wanted {
    user: String,
    groups: Vec<String>,
    uid: String,
    extra: BTreeMap<String, Vec<String>>,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> Self {
        let all = |name: &str| headers.get_all(name).iter().map(|v| lossy(v.as_bytes())).collect::<Vec<_>>();
        let first = |name: &str| all(name).into_iter().next().unwrap_or_default();
        let mut wanted = Self {
            user: first("impersonate-user"),
            groups: all("impersonate-group"),
            uid: first("impersonate-uid"),
            extra: BTreeMap::new(),
        };
        for name in headers.keys() {
            if let Some(key) = name.as_str().strip_prefix(EXTRA) {
                wanted.extra.entry(unescaped(key)).or_default().extend(all(name.as_str()));
            }
        }
        wanted
    }

    fn nobody_in_particular(&self) -> bool {
        self.groups.is_empty() && self.extra.is_empty() && self.uid.is_empty()
    }

    /// 500: the request makes no sense, and real servers take that for their own fault.
    fn incomplete(&self) -> Status {
        let group = self.groups.iter().map(|name| format!("{{Group  {name}    }}"));
        let extra = self.extra.iter().flat_map(|(key, values)| {
            values.iter().map(move |value| format!("{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}"))
        });
        let uid = Some(&self.uid).filter(|uid| !uid.is_empty());
        let uid = uid.map(|uid| format!("{{UID  {uid}  {AUTHENTICATION}/v1  }}"));
        let asked: Vec<String> = group.chain(extra).chain(uid).collect();
        Status::internal(format!("requested [{}] without impersonating a user", asked.join(" ")))
    }
}

/// Namespace and name in a service account's user name.
fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// A header's value; what is no UTF-8 in it is replaced.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The name of an extra field, which is a part of a header's name and so has escapes for what can't be in one.
fn unescaped(key: &str) -> String {
    let bytes = key.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |digits: &&str| *byte == b'%' && digits.bytes().all(|d| d.is_ascii_hexdigit());
        let escape = key.get(at + 1..at + 3).filter(hex);
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    lossy(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_service_accounts_and_extra_fields_are_read() {
        assert_eq!(service_account("system:serviceaccount:ns:sa"), Some(("ns", "sa")));
        for other in
            ["alice", "system:serviceaccount:ns", "system:serviceaccount::sa", "system:serviceaccount:a:b:c"]
        {
            assert_eq!(service_account(other), None, "{other}");
        }
        for (escaped, plain) in [
            ("scopes", "scopes"),
            ("a.com%2fb", "a.com/b"),
            ("100%", "100%"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(unescaped(escaped), plain);
        }
    }
}
