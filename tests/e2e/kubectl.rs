//! Unmodified kubectls, old and new, doing what people do.

use std::path::Path;

use anyhow::{Context, Result};

use crate::support::{Lab, kubectls};

/// A command, and a word that its output must have. Each runs after those before it.
type Step = (&'static [&'static str], &'static str);

/// In the namespace `work`, which the test makes first.
const STEPS: &[Step] = &[
    (
        &[
            "create",
            "secret",
            "docker-registry",
            "regcred",
            "--docker-server=registry.example",
            "--docker-username=u",
            "--docker-password=p",
            "--docker-email=e@example",
        ],
        "created",
    ),
    (&["create", "secret", "generic", "plain", "--from-literal=a=b"], "created"),
    (&["create", "configmap", "settings", "--from-literal=a=b"], "created"),
    (&["create", "serviceaccount", "robot"], "created"),
    (&["get", "secret", "regcred", "-o", "jsonpath={.type}"], "kubernetes.io/dockerconfigjson"),
    (&["apply", "-f", "web.yaml"], "deployment.apps/web created"),
    (&["apply", "-f", "web.yaml"], "deployment.apps/web unchanged"),
    (&["diff", "-f", "web.yaml"], ""),
    (&["get", "deployments"], "READY"),
    (&["get", "pods", "-o", "wide"], "NODE"),
    (&["get", "pods", "--show-labels"], "app=web"),
    (&["get", "pods", "-l", "app=web", "-o", "name"], "pod/web-"),
    (&["get", "pods", "-l", "app in (other)"], ""),
    (&["get", "pods", "--field-selector", "status.phase=Failed", "-o", "name"], ""),
    (&["get", "pods", "-o", "custom-columns=N:.metadata.name"], "web-"),
    (&["get", "pods", "-o", "go-template={{range .items}}{{.metadata.name}}{{end}}"], "web-"),
    (&["get", "pods", "--sort-by=.metadata.creationTimestamp"], "NAME"),
    (&["get", "all"], "deployment.apps/web"),
    (&["get", "deploy,rs,pods"], "replicaset.apps/web-"),
    (&["describe", "deployment", "web"], "Replicas:"),
    (&["describe", "pods"], "Node:"),
    (&["describe", "secret", "regcred"], ".dockerconfigjson:"),
    (&["describe", "serviceaccount", "default"], "default"),
    (&["get", "events"], "LAST SEEN"),
    (&["get", "events", "--field-selector", "reason=Failed"], ""),
    (&["label", "deployment/web", "tier=front"], "labeled"),
    (&["annotate", "deployment/web", "note=hello"], "annotated"),
    (
        &[
            "patch",
            "deployment",
            "web",
            "--type=json",
            "-p",
            r#"[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"regcred"}]}]"#,
        ],
        "patched",
    ),
    (
        &["patch", "serviceaccount", "default", "-p", r#"{"imagePullSecrets":[{"name":"regcred"}]}"#],
        "patched",
    ),
    (&["patch", "deployment", "web", "--type=merge", "-p", r#"{"spec":{"minReadySeconds":1}}"#], "patched"),
    (&["set", "image", "deployment/web", "web=registry.example/web:v2"], "updated"),
    (&["rollout", "history", "deployment/web"], "REVISION"),
    (&["rollout", "undo", "deployment/web"], "rolled back"),
    (&["rollout", "restart", "deployment/web"], "restarted"),
    (&["scale", "deployment/web", "--replicas=3"], "scaled"),
    (&["wait", "--for=jsonpath={.spec.replicas}=3", "deployment/web", "--timeout=5s"], "condition met"),
    (&["run", "probe", "--image=registry.example/probe:1", "--restart=Never"], "created"),
    (&["get", "pod", "probe", "-o", "jsonpath={.spec.restartPolicy}"], "Never"),
    (&["delete", "pod", "probe", "--grace-period=0", "--force"], "deleted"),
    (&["auth", "can-i", "create", "secrets"], "yes"),
    (&["api-resources"], "deployments"),
    (&["api-versions"], "apps/v1"),
    (&["explain", "pod.spec.containers"], "image"),
    (&["explain", "deployment.spec.template.spec.imagePullSecrets"], "imagePullSecrets"),
    (&["version"], "Server Version"),
    (&["cluster-info"], "running at"),
    (&["get", "--raw", "/readyz"], "ok"),
    (&["apply", "--dry-run=server", "-f", "web.yaml"], "dry run"),
    (
        &[
            "create",
            "deployment",
            "other",
            "--image=registry.example/other:1",
            "--dry-run=client",
            "-o",
            "yaml",
        ],
        "kind: Deployment",
    ),
    (&["create", "job", "once", "--image=registry.example/once:1"], "created"),
    (&["delete", "job", "once"], "deleted"),
    (&["delete", "-f", "web.yaml"], "deleted"),
];

/// What kubectl 1.20 does not know yet.
const NOT_IN_1_20: &[&str] = &["wait"];

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:v1
";

#[tokio::test(flavor = "multi_thread")]
async fn everyday_commands_work_in_old_and_new_kubectls() -> Result<()> {
    for (version, kubectl) in kubectls() {
        let lab = Lab::up(&["--scenario", "wrong-tag"]).await?;
        let manifest = lab.root().join("web.yaml");
        std::fs::write(&manifest, WEB)?;
        lab.kubectl_ok(&kubectl, &["create", "namespace", "work"])?;
        for (args, word) in STEPS {
            if version == "1.20" && NOT_IN_1_20.contains(&args[0]) {
                continue;
            }
            let manifest = manifest.to_str().context("path")?;
            let mut line = vec!["-n", "work"];
            line.extend(args.iter().map(|a| if *a == "web.yaml" { manifest } else { a }));
            let out = lab.kubectl_ok(&kubectl, &line).with_context(|| format!("kubectl {version}"))?;
            assert!(out.contains(word), "kubectl {version} {args:?} does not say {word}:\n{out}");
        }
        errors(&lab, &kubectl)?;
        lab.kubectl_ok(&kubectl, &["delete", "namespace", "work"])?;
    }
    Ok(())
}

/// The texts of refusals.
fn errors(lab: &Lab, kubectl: &Path) -> Result<()> {
    let (_, namespace) = lab.drill_of("wrong-tag")?;
    let pods = lab.kubectl_ok(kubectl, &["get", "pods", "-n", &namespace])?;
    let stuck = pods.lines().find(|l| l.contains("ImagePull")).context("a stuck pod")?;
    let stuck = stuck.split_whitespace().next().unwrap_or_default();
    let cases: &[(&[&str], &str)] = &[
        (&["get", "pod", "ghost", "-n", "work"], r#"Error from server (NotFound): pods "ghost" not found"#),
        (&["get", "pod", "ghost", "-n", "nowhere"], r#"namespaces "nowhere" not found"#),
        (&["create", "namespace", "work"], r#"namespaces "work" already exists"#),
        (&["get", "frobs"], "doesn't have a resource type"),
        (&["logs", stuck, "-n", &namespace], "is waiting to start: "),
    ];
    for (args, word) in cases {
        let (code, out, err) = lab.kubectl(kubectl, args)?;
        assert!(code != 0 && err.contains(word), "{args:?}: {code} {out}{err}");
    }
    Ok(())
}
