//! The nodes' firewall as security groups: what the real `aws` command and boto3 see and change there is what the nodes do.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::support::{Lab, clean, client, kubectls, on_path, skip, until};

/// Runs a script as somebody who has read `env.sh`; what it printed, and whether it ended well.
fn shell(lab: &Lab, script: &str) -> Result<(bool, String, String)> {
    let mut command = clean(Command::new("/bin/sh"));
    command.args(["-euc", &format!(". \"$PULLDRILL_DIR/env.sh\"\n{script}")]);
    command.env("PULLDRILL_DIR", lab.dir()).env("HOME", lab.root()).env("AWS_PAGER", "");
    let output = command.stdin(Stdio::null()).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

fn ok(lab: &Lab, script: &str) -> Result<String> {
    let (fine, out, err) = shell(lab, script)?;
    ensure!(fine, "{script}\n{out}{err}");
    Ok(out)
}

/// The rules that `pulldrill node egress list` shows.
fn rules(lab: &Lab) -> Result<Vec<Value>> {
    Ok(lab.json(&["node", "egress", "list", "-o", "json"])?.as_array().context("rules")?.clone())
}

/// Lets lab time pass until something is so.
async fn in_time<T>(lab: &Lab, what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    until(Duration::from_secs(240), what, async || {
        lab.json(&["clock", "advance", "1m", "--as-instructor", "-o", "json"])?;
        ask().await
    })
    .await
}

fn drill(lab: &Lab) -> Result<Value> {
    let status = lab.json(&["status", "-o", "json"])?;
    Ok(status["drills"][0].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_opens_the_nodes_firewall_and_closes_it() -> Result<()> {
    if on_path("aws").is_none() {
        skip("there is no aws");
        return Ok(());
    }
    let Some((_, kubectl)) = kubectls().into_iter().next_back() else { return Ok(()) };
    let lab = Lab::up(&["--scenario", "blocked-registry", "--seed", "7"]).await?;
    let blocked = rules(&lab)?;
    let range = blocked[0]["destination"].as_str().context("destination")?.to_owned();
    let nodes: Vec<&str> = blocked.iter().filter_map(|rule| rule["node"].as_str()).collect();

    let groups = ok(
        &lab,
        "aws ec2 describe-security-groups --query 'SecurityGroups[].[GroupName,GroupId]' --output text",
    )?;
    let groups: Vec<(&str, &str)> = groups.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(groups.iter().map(|(node, _)| *node).collect::<Vec<_>>(), nodes);
    let ranges = "--query 'SecurityGroups[].IpPermissionsEgress[].IpRanges[].CidrIp'";
    let (node, group) = groups[0];
    let table =
        ok(&lab, &format!("aws ec2 describe-security-groups --group-ids {group} {ranges} --output table"))?;
    assert!(table.contains("|  128.0.0.0/1") && !table.contains(&range), "{table}");

    let opened = ok(
        &lab,
        &format!(
            "for group in $(aws ec2 describe-security-groups --filters Name=group-name,Values='*' \
             --query 'SecurityGroups[].GroupId' --output text); do \
             aws ec2 authorize-security-group-egress --group-id $group --protocol tcp --port 443 --cidr {range} \
             --query 'SecurityGroupRules[].SecurityGroupRuleId' --output text; done"
        ),
    )?;
    let ids: Vec<&str> = opened.split_whitespace().collect();
    let listed = rules(&lab)?;
    for (node, id) in nodes.iter().zip(&ids) {
        let rule = listed.iter().find(|rule| rule["id"] == *id).context("a rule by that id")?;
        assert_eq!((&rule["node"], &rule["action"]), (&Value::from(*node), &Value::from("allow")));
        assert_eq!((&rule["destination"], &rule["port"]), (&Value::from(range.as_str()), &Value::from(443)));
    }
    in_time(&lab, "the drill to be solved", async || Ok((drill(&lab)?["state"] == "solved").then_some(())))
        .await?;

    // The other way round.
    let added = lab.json(&["node", "egress", "allow", "192.0.2.7/32", "--port", "22", "-o", "json"])?;
    assert_eq!(added.as_array().map(Vec::len), Some(nodes.len()));
    let found = format!(
        "aws ec2 describe-security-groups --filters Name=egress.ip-permission.cidr,Values=192.0.2.7/32 \
         Name=group-id,Values={group} --query 'SecurityGroups[].GroupName' --output text"
    );
    assert_eq!(ok(&lab, &found)?.trim(), node);

    // What is revoked can't be pulled from any more.
    let revoke: String = groups
        .iter()
        .zip(&ids)
        .map(|((_, group), id)| {
            format!(
                "aws ec2 revoke-security-group-egress --group-id {group} --security-group-rule-ids {id}\n"
            )
        })
        .collect();
    ok(&lab, &revoke)?;
    assert!(rules(&lab)?.iter().all(|rule| !ids.iter().any(|id| rule["id"] == *id)));
    let namespace = drill(&lab)?["namespace"].as_str().context("namespace")?.to_owned();
    let image = lab.kubectl_ok(
        &kubectl,
        &["get", "pods", "-n", &namespace, "-o", "jsonpath={.items[0].spec.containers[0].image}"],
    )?;
    let run = ["run", "again", "-n", &namespace, "--image-pull-policy=Always", "--image", &image];
    lab.kubectl_ok(&kubectl, &run)?;
    let message = "jsonpath={.status.containerStatuses[0].state.waiting.message}";
    in_time(&lab, "a pull that times out", async || {
        let said = lab.kubectl_ok(&kubectl, &["get", "pod", "again", "-n", &namespace, "-o", message])?;
        Ok(said.contains("i/o timeout").then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_is_told_what_ec2_would_tell_it() -> Result<()> {
    let Some(python) = client("PULLDRILL_TEST_PYTHON_REGISTRIES", "Python with boto3") else { return Ok(()) };
    let lab = Lab::up(&["--scenario", "wrong-tag", "--seed", "7"]).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/security_groups.py");
    let said = ok(&lab, &format!("'{}' '{}'", python.display(), script.display()))?;
    assert!(said.ends_with("done\n"), "{said}");
    let left = rules(&lab)?;
    assert!(left.is_empty(), "{left:?}");
    // From outside, in another manner: nothing is done without a signature.
    let said = ok(
        &lab,
        "curl -s -w '%{http_code}' -d Action=DescribeSecurityGroups \"$AWS_ENDPOINT_URL_EC2\"; \
         curl -s -o /dev/null -w ' %{http_code}' -H 'Host: evil.example' -d a=b \"$AWS_ENDPOINT_URL_EC2\"; \
         curl -s -o /dev/null -w ' %{http_code}' \"$AWS_ENDPOINT_URL_EC2\"",
    )?;
    assert!(said.contains("<Code>MissingAuthenticationToken</Code>"), "{said}");
    assert!(said.ends_with("403 421 405"), "{said}");
    Ok(())
}
