//! Giving rights away, acting as others, and tokens: below HTTP, on a held clock.

use http::{HeaderMap, HeaderName, HeaderValue};
use pulldrill_clock::Timestamp;
use serde_json::json;

use super::*;
use crate::{
    api::{ApiOptions, DeleteOptions, WriteOptions},
    release::Release,
    store::{Key, Store},
};

const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
const CLUSTER_ROLE_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";
const ROLES: &str = "roles.rbac.authorization.k8s.io";
const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

fn world(guarded: bool) -> Access {
    let clock = pulldrill_clock::Clock::held_at(Timestamp::from_second(1_750_000_000).unwrap());
    let options = ApiOptions { guarded, ..ApiOptions::default() };
    let access = Access::new(Arc::new(Api::with_options(Arc::new(Store::new(1000)), clock, options)));
    for (resource, object) in first_objects(Release::minor(36)) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        access.create(&User::controller("test"), resource, &namespace, object).unwrap();
    }
    access
}

impl Access {
    fn create(&self, who: &User, resource: &str, namespace: &str, object: Value) -> Result<(), Status> {
        self.api.create(who, resource, namespace, object, &WriteOptions::default()).map(drop)
    }

    fn bind(&self, role: &str, namespace: &str, user: &str) {
        let resource = if namespace.is_empty() { CLUSTER_ROLE_BINDINGS } else { ROLE_BINDINGS };
        let binding = json!({"metadata": {"name": format!("{user}-{role}")},
            "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": user}]});
        self.create(&User::controller("test"), resource, namespace, binding).unwrap();
    }

    fn act(&self, user: &User, headers: &[(&str, &[u8])]) -> Result<User, Status> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        self.authenticate(Certified::User(user.clone()), &map).map(|requester| requester.user)
    }
}

fn message(result: Result<(), Status>) -> String {
    result.map_or_else(|status| status.message, |()| "ok".to_owned())
}

fn alice() -> User {
    User::named("alice", &["system:authenticated"])
}

fn role(name: &str, verbs: &[&str], resources: &[&str]) -> Value {
    json!({"metadata": {"name": name}, "rules": [{"verbs": verbs, "apiGroups": [""], "resources": resources}]})
}

fn binding(role_kind: &str, role: &str) -> Value {
    json!({"metadata": {"name": "b"}, "roleRef": {"kind": role_kind, "name": role},
        "subjects": [{"kind": "User", "name": "bob"}]})
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let access = world(false);
    access.bind("admin", "x", "alice");
    let create = |resource, object| message(access.create(&alice(), resource, "x", object));
    assert_eq!(create(ROLES, role("pods", &["get", "list"], &["pods"])), "ok");
    assert_eq!(
        create(ROLES, role("quotas", &["get", "update", "delete"], &["resourcequotas", "pods"])),
        "roles.rbac.authorization.k8s.io \"quotas\" is forbidden: user \"alice\" (groups=[\"system:authenticated\"]) is attempting \
         to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"resourcequotas\"], Verbs:[\"update\" \
         \"delete\"]}"
    );
    assert_eq!(create(ROLE_BINDINGS, binding("ClusterRole", "view")), "ok");
    let refused =
        access.create(&alice(), ROLE_BINDINGS, "x", binding("ClusterRole", "cluster-admin")).unwrap_err();
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.message,
        "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"alice\" (groups=[\"system:authenticated\"]) is attempting \
         to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n\
         {NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"
    );
    assert_eq!(
        refused.details,
        json!({"kind": "rolebindings", "group": "rbac.authorization.k8s.io", "name": "b"})
    );
    for (kind, missing) in [("ClusterRole", "clusterroles"), ("Role", "roles")] {
        let refused = access.create(&alice(), ROLE_BINDINGS, "x", binding(kind, "gone")).unwrap_err();
        assert_eq!(
            (refused.code, refused.message),
            (404, format!("{missing}.rbac.authorization.k8s.io \"gone\" not found"))
        );
    }
    // Changes are judged like new ones, but for what only the garbage collector reads.
    let change = |field: &str, value: Value| {
        let key = Key::new("x", "pods");
        message(access.api.modify(&alice(), ROLES, &key, None, |role| role[field] = value.clone()).map(drop))
    };
    let more = json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["nodes"]}]);
    assert!(change("rules", more).contains("is attempting to grant RBAC permissions not currently held"));
    assert_eq!(change("rules", json!([])), "ok");
    let masters = User::controller("test");
    access.create(&masters, ROLES, "x", role("big", &["*"], &["nodes"])).unwrap();
    let touch = |meta: Value| {
        let key = Key::new("x", "big");
        message(
            access
                .api
                .modify(&alice(), ROLES, &key, None, |role| {
                    for (field, value) in meta.as_object().unwrap() {
                        role["metadata"][field.as_str()] = value.clone();
                    }
                })
                .map(drop),
        )
    };
    assert_eq!(touch(json!({"finalizers": ["a.example/b"]})), "ok");
    assert!(touch(json!({"labels": {"a": "b"}})).contains("not currently held"));
}

#[test]
fn escalate_and_bind_are_rights_of_their_own() {
    let access = world(false);
    let masters = User::controller("test");
    let rule = |verb: &str, resource: &str, names: &[&str]| {
        json!({"metadata": {"name": verb}, "rules": [{"verbs": [verb], "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": [resource], "resourceNames": names}]})
    };
    access.create(&masters, CLUSTER_ROLES, "", rule("bind", "clusterroles", &["view"])).unwrap();
    access.bind("bind", "x", "alice");
    let bind =
        |name: &str| message(access.create(&alice(), ROLE_BINDINGS, "x", binding("ClusterRole", name)));
    assert_eq!(bind("view"), "ok");
    assert!(bind("edit").contains("not currently held"));
    access.create(&masters, CLUSTER_ROLES, "", rule("escalate", "roles", &[])).unwrap();
    let create = || message(access.create(&alice(), ROLES, "x", role("all", &["*"], &["*"])));
    assert!(create().contains("not currently held"));
    access.bind("escalate", "x", "alice");
    assert_eq!(create(), "ok");
}

#[test]
fn gathering_rules_needs_all_rights() {
    let access = world(false);
    let gathers = json!({"metadata": {"name": "g"}, "rules": [], "aggregationRule": {"clusterRoleSelectors":
        [{"matchLabels": {"a": "b"}}]}});
    assert_eq!(
        message(access.create(&alice(), CLUSTER_ROLES, "", gathers.clone())),
        "clusterroles.rbac.authorization.k8s.io \"g\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    );
    access.bind("cluster-admin", "", "alice");
    assert_eq!(message(access.create(&alice(), CLUSTER_ROLES, "", gathers)), "ok");
}

#[test]
fn acting_as_somebody_needs_the_right_to_each_name() {
    let access = world(false);
    let admin = User::named("admin", &["system:masters"]);
    let act = |headers: &[(&str, &[u8])]| access.act(&admin, headers).unwrap();
    let groups = |headers: &[(&str, &[u8])]| act(headers).groups;
    assert_eq!(act(&[]).name, "admin");
    assert_eq!(groups(&[("impersonate-user", b"bob")]), ["system:authenticated"]);
    assert_eq!(
        groups(&[("impersonate-user", b"bob"), ("impersonate-group", b"a"), ("impersonate-group", b"b")]),
        ["a", "b", "system:authenticated"]
    );
    assert_eq!(groups(&[("impersonate-user", b"system:anonymous")]), ["system:unauthenticated"]);
    assert_eq!(
        groups(&[("impersonate-user", b"system:serviceaccount:x:sa")]),
        ["system:serviceaccounts", "system:serviceaccounts:x", "system:authenticated"]
    );
    let full = act(&[
        ("impersonate-user", b"bob"),
        ("impersonate-uid", b"u-1"),
        ("impersonate-extra-a.example%2fScopes", b"x"),
        ("impersonate-extra-a.example%2fScopes", b"y"),
    ]);
    assert_eq!(
        (full.uid.as_str(), &full.extra["a.example/scopes"]),
        ("u-1", &vec!["x".to_owned(), "y".to_owned()])
    );
    assert_eq!(act(&[("impersonate-user", b"b\xffb")]).name, "b\u{fffd}b");

    let masters = User::controller("test");
    let grant = json!({"metadata": {"name": "as-bob"}, "rules": [
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"]},
        {"verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"]}]});
    access.create(&masters, CLUSTER_ROLES, "", grant).unwrap();
    access.bind("as-bob", "", "alice");
    let refusal = |headers: &[(&str, &[u8])]| access.act(&alice(), headers).unwrap_err();
    assert_eq!(
        access
            .act(&alice(), &[("impersonate-user", b"bob"), ("impersonate-extra-scopes", b"v")])
            .unwrap()
            .name,
        "bob"
    );
    for (headers, message) in [
        (
            vec![("impersonate-user", b"carol".as_slice())],
            r#"users "carol" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope"#,
        ),
        (
            vec![("impersonate-user", b"bob".as_slice()), ("impersonate-group", b"system:masters")],
            r#"groups "system:masters" is forbidden: User "alice" cannot impersonate resource "groups" in API group "" at the cluster scope"#,
        ),
        (
            vec![("impersonate-user", b"bob".as_slice()), ("impersonate-extra-other", b"v")],
            r#"userextras.authentication.k8s.io "v" is forbidden: User "alice" cannot impersonate resource "userextras/other" in API group "authentication.k8s.io" at the cluster scope"#,
        ),
        (
            vec![("impersonate-user", b"bob".as_slice()), ("impersonate-uid", b"7")],
            r#"uids.authentication.k8s.io "7" is forbidden: User "alice" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope"#,
        ),
        (
            vec![("impersonate-user", b"system:serviceaccount:x:sa".as_slice())],
            r#"serviceaccounts "sa" is forbidden: User "alice" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "x""#,
        ),
    ] {
        let refused = refusal(&headers);
        assert_eq!((refused.code, refused.message.as_str()), (403, message));
    }
    let senseless = refusal(&[("impersonate-group", b"system:masters")]);
    assert_eq!(
        (senseless.code, senseless.message.as_str()),
        (500, "requested [{Group  system:masters    }] without impersonating a user")
    );
    // Whoever acts as a service account of the namespace has its rights, as `edit` says.
    access.bind("edit", "x", "alice");
    let account = access.act(&alice(), &[("impersonate-user", b"system:serviceaccount:x:sa")]).unwrap();
    assert_eq!(account.name, "system:serviceaccount:x:sa");
}

#[test]
fn evidence_is_guarded_from_every_role() {
    for guarded in [true, false] {
        let access = world(guarded);
        access.bind("cluster-admin", "", "alice");
        let may = |verb, group, resource, name| {
            access.opinion(&alice(), &Attributes { verb, group, resource, name, ..Attributes::default() }).0
        };
        assert!(may("get", "", "nodes", ""));
        assert_eq!(may("update", "", "nodes", "n"), !guarded);
        assert_eq!(may("impersonate", "", "groups", "system:masters"), !guarded);
        assert!(may("impersonate", "", "groups", "others"));
        let status =
            Attributes { verb: "patch", resource: "pods", subresource: "status", ..Attributes::default() };
        assert_eq!(access.opinion(&alice(), &status).0, !guarded);
    }
}

#[test]
fn tokens_are_good_as_long_as_what_they_hang_on() {
    let access = world(false);
    let masters = User::controller("test");
    let api = &access.api;
    let account = || {
        access.create(&masters, "serviceaccounts", "x", json!({"metadata": {"name": "sa"}})).unwrap();
        api.get("serviceaccounts", &Key::new("x", "sa")).unwrap().meta("uid").to_owned()
    };
    let uid = account();
    access.create(&masters, "secrets", "x", json!({"metadata": {"name": "s"}})).unwrap();
    let secret = api.get("secrets", &Key::new("x", "s")).unwrap().meta("uid").to_owned();
    let issue = |uid: &str, bound: bool, seconds: i64| {
        let bound = bound.then(|| Bound {
            resource: "secrets",
            key: Key::new("x", "s"),
            uid: secret.clone(),
            node: None,
        });
        let expires = Some(api.clock().now() + pulldrill_clock::seconds(seconds));
        let token = Token {
            account: Key::new("x", "sa"),
            uid: uid.to_owned(),
            bound,
            audiences: vec![ISSUER.into()],
            expires,
        };
        api.issuer().issue(token, api.clock(), true).unwrap()
    };
    let (plain, bound, short) = (issue(&uid, false, 3600), issue(&uid, true, 3600), issue(&uid, false, 0));
    let user = access.bearer(&plain).unwrap().user;
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("system:serviceaccount:x:sa", uid.as_str()));
    assert!(user.extra["authentication.kubernetes.io/credential-id"][0].starts_with("JTI="));
    assert!(access.bearer(&bound).is_ok());
    let invalidated = "[invalid bearer token, service account token has been invalidated]";
    assert_eq!(
        access.bearer(&short).unwrap_err(),
        "[invalid bearer token, service account token has expired]"
    );
    // Not a letter of a token may differ.
    let other = plain.replace(".e", ".f");
    for wrong in ["", "nonsense", "a.b.c", &plain[..plain.len() - 1], &other] {
        assert_eq!(access.bearer(wrong).unwrap_err(), "invalid bearer token");
    }
    let delete = |resource: &str, name: &str| {
        api.delete(&masters, resource, &Key::new("x", name), &DeleteOptions::default()).unwrap();
    };
    delete("secrets", "s");
    assert_eq!(access.bearer(&bound).unwrap_err(), invalidated);
    assert!(access.bearer(&plain).is_ok());
    delete("serviceaccounts", "sa");
    assert_eq!(access.bearer(&plain).unwrap_err(), invalidated);
    let again = account();
    assert_eq!(access.bearer(&plain).unwrap_err(), invalidated, "a later account is another one");
    let new = issue(&again, false, 3600);
    assert!(access.bearer(&new).is_ok());
    // What has expired does not stay for ever.
    for _ in 0..3000 {
        issue(&again, false, 0);
    }
    assert!(api.issuer().len() < 2100, "{}", api.issuer().len());
    assert!(access.bearer(&new).is_ok());
}

#[test]
fn bearers_are_found_where_clients_put_them() {
    let found = |headers: &[(HeaderName, &str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        token(&map)
    };
    let authorization = |value| found(&[(header::AUTHORIZATION, value)]);
    assert_eq!(authorization("Bearer t"), Some("t".into()));
    assert_eq!(authorization(" bearer t more"), Some("t".into()));
    for none in ["", "Bearer", "Bearer ", "Basic YTpi", "t"] {
        assert_eq!(authorization(none), None, "{none:?}");
    }
    let protocols = |value| found(&[(header::SEC_WEBSOCKET_PROTOCOL, value)]);
    assert_eq!(protocols("v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.dA"), Some("t".into()));
    assert_eq!(protocols("base64url.bearer.authorization.k8s.io.!!"), Some(String::new()));
    assert_eq!(protocols("v5.channel.k8s.io"), None);
}

#[test]
fn where_nobody_decides_everybody_may_everything() {
    let clock = pulldrill_clock::Clock::held_at(Timestamp::from_second(1_750_000_000).unwrap());
    let options = ApiOptions { authorization: AuthorizationMode::AlwaysAllow, ..ApiOptions::default() };
    let access = Access::new(Arc::new(Api::with_options(Arc::new(Store::new(100)), clock, options)));
    let wanted = Attributes { verb: "delete", resource: "nodes", name: "n", ..Attributes::default() };
    assert_eq!(access.authorize(&alice(), &wanted), Ok(()));
    let rules = access.rules(&alice(), "default");
    assert_eq!(rules["resourceRules"][0], json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
    let generous = role("generous", &["*"], &["*"]);
    assert_eq!(message(access.create(&alice(), CLUSTER_ROLES, "", generous)), "ok");
}
