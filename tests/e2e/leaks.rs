//! What a trainee can reach does not give the cause away.

use anyhow::Result;

use crate::support::{Lab, kubectls};

/// Scenario ids, families and causes: instructor knowledge until a drill is closed. The registry's own words
/// for a failure (`toomanyrequests`, `403 Forbidden`) are the symptom and may be seen.
const SECRETS: &[&str] = &[
    "wrong-tag",
    "missing-pull-secret",
    "expired-token",
    "blocked-registry",
    "hub-rate-limit",
    "\"family\"",
    "\"cause\"",
    "\"scenario\"",
    "\"accepted\"",
    "remedies",
    "cheats",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_trainee_can_reach_names_the_cause() -> Result<()> {
    let lab = Lab::up(&["--seed", "3"]).await?;
    let mut answers = vec![
        ("lab.json".to_owned(), std::fs::read_to_string(lab.dir().join("lab.json"))?),
        ("env.sh".to_owned(), std::fs::read_to_string(lab.dir().join("env.sh"))?),
        ("kubeconfig".to_owned(), std::fs::read_to_string(lab.dir().join("kubeconfig"))?),
        ("up".to_owned(), std::fs::read_to_string(lab.root().join("up.log"))?),
    ];
    let status = lab.json(&["status", "-o", "json"])?;
    let web = lab.web()?;
    let mut paths = vec!["/".to_owned(), "/api/v1/status".to_owned(), "/fragments/drills".to_owned()];
    for drill in status["drills"].as_array().into_iter().flatten() {
        let id = drill["id"].as_str().unwrap_or_default();
        for path in ["/drills/", "/fragments/drills/", "/api/v1/drills/"] {
            paths.push(format!("{path}{id}"));
        }
        for args in [["check", id], ["debrief", id]] {
            let output = lab.pulldrill(&args)?;
            answers.push((args.join(" "), String::from_utf8_lossy(&output.stdout).into_owned()));
        }
    }
    answers.push(("status".to_owned(), status.to_string()));
    answers.push(("registry log".to_owned(), lab.json(&["registry", "log", "-o", "json"])?.to_string()));
    pulldrill_tls::install_provider();
    let client = reqwest::Client::builder().no_proxy().build()?;
    for path in paths {
        let response = client.get(format!("{web}{path}")).send().await?;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        answers.push((path, response.text().await?));
    }
    for (_, kubectl) in kubectls() {
        let kinds = "namespaces,pods,deployments,replicasets,statefulsets,secrets,serviceaccounts,configmaps,events,nodes";
        answers
            .push(("kubectl get".to_owned(), lab.kubectl_ok(&kubectl, &["get", kinds, "-A", "-o", "json"])?));
    }
    for (what, answer) in answers {
        for secret in SECRETS {
            // A diagnosis form offers every cause there is, the same to everybody.
            let hits: Vec<_> =
                answer.match_indices(secret).map(|(at, _)| &answer[at.saturating_sub(60)..at]).collect();
            assert!(hits.is_empty(), "{what} says {secret}: …{}{secret}", hits[0]);
        }
    }
    Ok(())
}
