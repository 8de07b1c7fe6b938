//! Unmodified kubectls, old and new, asking who they are and what they may; skipped loudly without them.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "the world has more than this needs")]

#[path = "api/world.rs"]
mod world;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use pulldrill_cluster::Principal;
use world::World;

/// A kubectl with a home of its own.
struct Kubectl {
    version: &'static str,
    program: PathBuf,
    home: tempfile::TempDir,
}

/// The kubectls that there are.
fn kubectls() -> Vec<Kubectl> {
    let mut found = Vec::new();
    for version in ["1_20", "1_32", "1_36"] {
        let variable = format!("PULLDRILL_TEST_KUBECTL_{version}");
        match std::env::var_os(&variable) {
            Some(program) => {
                found.push(Kubectl { version, program: program.into(), home: tempfile::tempdir().unwrap() });
            }
            None => {
                assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: set {variable}");
                let _nobody_listens = writeln!(std::io::stderr(), "SKIPPED: no kubectl: set {variable}");
            }
        }
    }
    found
}

impl Kubectl {
    fn modern(&self) -> bool {
        self.version != "1_20"
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Output and exit code, with a kubeconfig.
    fn run(&self, config: &Path, arguments: &str) -> (String, i32) {
        let output = Command::new(&self.program)
            .args(arguments.split_whitespace())
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", config)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap().trim_end().to_owned(), output.status.code().unwrap())
    }
}

async fn with_each(check: impl Fn(Kubectl, PathBuf) + Send + Copy + 'static) {
    for kubectl in kubectls() {
        let world = World::new().await;
        let config = kubectl.path("config");
        std::fs::write(&config, world.cluster.kubeconfig(Principal::Admin)).unwrap();
        tokio::task::spawn_blocking(move || check(kubectl, config)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_made_asked_for_and_used() {
    with_each(|kubectl, admin| {
        let run = |arguments: &str| kubectl.run(&admin, arguments);
        for (arguments, output, code) in [
            ("create namespace work", "namespace/work created", 0),
            ("-n work create role r1 --verb=get,list --resource=pods", "role.rbac.authorization.k8s.io/r1 created", 0),
            ("-n work create rolebinding rb1 --role=r1 --user=alice", "rolebinding.rbac.authorization.k8s.io/rb1 created", 0),
            ("create clusterrole nodes --verb=get --resource=nodes", "clusterrole.rbac.authorization.k8s.io/nodes created", 0),
            (
                "create clusterrolebinding nodes --clusterrole=nodes --group=devs",
                "clusterrolebinding.rbac.authorization.k8s.io/nodes created",
                0,
            ),
            ("auth can-i list pods", "yes", 0),
            ("-n work auth can-i list pods --as=alice", "yes", 0),
            ("-n work auth can-i create deployments --as=alice", "no", 1),
            ("-n default auth can-i list pods --as=alice", "no", 1),
            ("auth can-i get nodes/n --as=bob --as-group=devs -q", "", 0),
            ("auth can-i get /healthz --as=bob --as-group=system:authenticated", "yes", 0),
            ("auth can-i get /metrics --as=bob --as-group=system:authenticated", "no", 1),
            ("-n work get pods --as=alice", "No resources found in work namespace.", 0),
            (
                "get nodes --as=alice",
                "Error from server (Forbidden): nodes is forbidden: User \"alice\" cannot list resource \"nodes\" in API group \"\" \
                 at the cluster scope",
                1,
            ),
            (
                "-n work delete pod p --as=alice",
                "Error from server (Forbidden): pods \"p\" is forbidden: User \"alice\" cannot delete resource \"pods\" in API \
                 group \"\" in the namespace \"work\"",
                1,
            ),
            (
                "get --raw /metrics --as=alice",
                "Error from server (Forbidden): forbidden: User \"alice\" cannot get path \"/metrics\"",
                1,
            ),
        ] {
            let (said, ended) = run(arguments);
            // The newer kubectl warns about resources that have no namespace, and names warnings first.
            let said = said.lines().filter(|line| !line.starts_with("Warning:")).collect::<Vec<_>>().join("\n");
            assert_eq!((said.trim(), ended), (output, code), "{}: {arguments}", kubectl.version);
        }
        let (refused, code) = run("-n work create role r2 --verb=delete --resource=pods --as=alice");
        assert!(
            code == 1
                && refused.ends_with(
                    "roles.rbac.authorization.k8s.io is forbidden: User \"alice\" cannot create resource \"roles\" in API group \
                     \"rbac.authorization.k8s.io\" in the namespace \"work\""
                ),
            "{refused}"
        );
        // Nobody gives what they do not have.
        run("-n work create rolebinding admins --clusterrole=admin --user=alice");
        let (refused, code) = run("-n work create rolebinding all --clusterrole=cluster-admin --user=bob --as=alice");
        assert!(
            code == 1
                && refused.ends_with(
                    "is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], \
                     Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"
                ),
            "{refused}"
        );
        run("-n work delete rolebinding admins");
        let (list, code) = run("auth can-i --list --as=alice -n work");
        assert_eq!(code, 0, "{list}");
        for row in [
            "pods                                            []                                      []               [get list]",
            "selfsubjectaccessreviews.authorization.k8s.io",
            "[/api/*]",
        ] {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert!(list.lines().any(|line| words(line).starts_with(&words(row)) || line.contains(row)), "{row}\n{list}");
        }
        assert!(!list.contains("*.*"), "{list}");
        assert!(run("auth can-i --list").0.contains("*.*"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_reconciled_and_described() {
    with_each(|kubectl, admin| {
        let file = kubectl.path("roles.yaml");
        let role = |verbs: &str| {
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: r, namespace: default}}\nrules:\n- \
                 {{apiGroups: [\"\"], resources: [pods], verbs: [{verbs}]}}\n"
            )
        };
        for (verbs, rule) in [("get", "[get]"), ("list", "[get list]")] {
            std::fs::write(&file, role(verbs)).unwrap();
            let (said, code) = kubectl.run(&admin, &format!("auth reconcile -f {}", file.display()));
            assert_eq!(code, 0, "{}: {said}", kubectl.version);
            let (described, _) = kubectl.run(&admin, "describe role r");
            let row = described.lines().last().unwrap().replace("[] ", "").replace(' ', "");
            // What is there is kept, and what is missing added.
            assert!(row.starts_with("pods") && row.ends_with(&rule.replace(' ', "")), "{described}");
        }
        let (described, _) = kubectl.run(&admin, "describe clusterrole view");
        assert!(described.contains("kubernetes.io/bootstrapping=rbac-defaults"), "{described}");
        let (changed, code) = kubectl.run(
            &admin,
            r#"patch clusterrolebinding system:discovery --type=merge -p {"roleRef":{"name":"view"}}"#,
        );
        assert!(code == 1 && changed.contains("cannot change roleRef"), "{changed}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_a_kubeconfig_that_may_little() {
    with_each(|kubectl, admin| {
        let run = |arguments: &str| {
            let (said, code) = kubectl.run(&admin, arguments);
            assert_eq!(code, 0, "{}: {arguments}: {said}", kubectl.version);
            said
        };
        run("create serviceaccount robot");
        run("create role pods --verb=list --resource=pods");
        run("create rolebinding pods --role=pods --serviceaccount=default:robot");
        let token = if kubectl.modern() {
            let (refused, code) = kubectl.run(&admin, "create token robot --duration=1m");
            assert_eq!(code, 1);
            assert!(refused.contains("may not specify a duration less than 10 minutes"), "{refused}");
            run("create token robot --duration=10m")
        } else {
            // It can't ask by itself, but can post what it is given.
            let file = kubectl.path("request.json");
            std::fs::write(&file, "{}").unwrap();
            let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
            let answer = run(&format!("create --raw {path} -f {}", file.display()));
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            answer["status"]["token"].as_str().unwrap().to_owned()
        };
        assert_eq!(token.split('.').count(), 3);
        let text = std::fs::read_to_string(&admin).unwrap();
        let users = text.find("users:").unwrap();
        let robot = format!(
            "{}users:\n- name: robot\n  user:\n    token: {token}\ncontexts:\n- name: pulldrill\n  context:\n    cluster: \
             pulldrill\n    user: robot\n",
            &text[..users]
        );
        let config = kubectl.path("robot");
        std::fs::write(&config, robot).unwrap();
        assert_eq!(kubectl.run(&config, "get pods"), ("No resources found in default namespace.".to_owned(), 0));
        let (refused, code) = kubectl.run(&config, "get secrets");
        assert_eq!(
            (refused.as_str(), code),
            (
                "Error from server (Forbidden): secrets is forbidden: User \"system:serviceaccount:default:robot\" cannot list \
                 resource \"secrets\" in API group \"\" in the namespace \"default\"",
                1
            )
        );
        assert_eq!(kubectl.run(&config, "auth can-i list pods").0, "yes");
        if kubectl.modern() {
            let (who, _) = kubectl.run(&config, "auth whoami");
            assert!(who.contains("system:serviceaccount:default:robot") && who.contains("JTI="), "{who}");
            assert!(kubectl.run(&admin, "auth whoami").0.contains("[system:masters system:authenticated]"));
        }
        run("delete serviceaccount robot");
        let (gone, code) = kubectl.run(&config, "get pods");
        assert_eq!((gone.as_str(), code), ("error: You must be logged in to the server (Unauthorized)", 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_approved_and_used() {
    with_each(|kubectl, admin| {
        let run = |arguments: &str| {
            let (said, code) = kubectl.run(&admin, arguments);
            assert_eq!(code, 0, "{}: {arguments}: {said}", kubectl.version);
            said
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "bob");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "devs");
        let asked = params.serialize_request(&key).unwrap().pem().unwrap();
        for name in ["bob", "mallory"] {
            let file = kubectl.path("csr.yaml");
            let request = format!(
                "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec:\n  \
                 signerName: kubernetes.io/kube-apiserver-client\n  usages: [client auth]\n  request: {}\n",
                STANDARD.encode(&asked)
            );
            std::fs::write(&file, request).unwrap();
            run(&format!("create -f {}", file.display()));
        }
        let rows = |said: String| -> Vec<Vec<String>> {
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
            said.lines().map(words).collect()
        };
        let columns: &[&str] = &["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"];
        let seen = rows(run("get csr"));
        assert_eq!(seen[0], columns);
        let pending = ["kubernetes.io/kube-apiserver-client", "kubernetes-admin", "<none>", "Pending"];
        assert_eq!(seen[1][2..], pending);
        let words = |name: &str, what: &str| {
            format!("certificatesigningrequest.certificates.k8s.io/{name} {what}")
        };
        assert_eq!(run("certificate deny mallory"), words("mallory", "denied"));
        assert_eq!(run("certificate approve bob"), words("bob", "approved"));
        assert_eq!(rows(run("get csr mallory"))[1].last().unwrap(), "Denied");
        let (refused, code) = kubectl.run(&admin, "certificate approve mallory");
        assert!(code == 1 && refused.contains("already Denied"), "{refused}");
        let issued = (0..500).find_map(|_| {
            let seen = run("get csr bob -o jsonpath={.status.certificate}");
            (!seen.is_empty()).then_some(seen)
        });
        let certificate = STANDARD.decode(issued.unwrap()).unwrap();
        assert_eq!(rows(run("get csr bob"))[1].last().unwrap(), "Approved,Issued");
        run("create clusterrolebinding devs --clusterrole=view --group=devs");
        let (crt, pem, config) = (kubectl.path("bob.crt"), kubectl.path("bob.key"), kubectl.path("bob"));
        std::fs::write(&crt, certificate).unwrap();
        std::fs::write(&pem, key.serialize_pem()).unwrap();
        let text = std::fs::read_to_string(&admin).unwrap();
        let users = text.find("users:").unwrap();
        let own = format!(
            "{}users:\n- name: bob\n  user:\n    client-certificate: {}\n    client-key: {}\ncontexts:\n- name: \
             pulldrill\n  context:\n    cluster: pulldrill\n    user: bob\n",
            &text[..users],
            crt.display(),
            pem.display()
        );
        std::fs::write(&config, own).unwrap();
        let bob = |arguments: &str| kubectl.run(&config, arguments);
        assert_eq!(bob("get pods"), ("No resources found in default namespace.".to_owned(), 0));
        let (refused, code) = bob("get secrets");
        assert!(code == 1 && refused.contains("User \"bob\" cannot list resource \"secrets\""), "{refused}");
        let described = run("describe csr bob");
        for line in ["Requesting User:", "Common Name:", "Organization:", "Approved,Issued"] {
            assert!(described.contains(line), "{line}: {described}");
        }
    })
    .await;
}
